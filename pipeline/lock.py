"""The lock keeps two runs from wasting work on one warehouse. Correctness does not rest on it: the log's numbers do."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.staging import process_lives
from schemas.errors import Busy, WorldError
from transforms.files import Store

LOCK = "_newsbeam/lock"
HEARTBEAT = 5.0
"""Seconds between two heartbeats of the holder ..."""
STALE = 60.0
"""... and without one after which the lock is taken over."""


@contextmanager
def held(store: Store) -> Iterator[dict[str, str | int]]:
    """Hold the lock of a warehouse; gives what it says of us. Raises Busy, which says who holds it and since when."""
    mine: dict[str, str | int] = {"host": socket.gethostname(), "pid": os.getpid(), "since": _clock()}
    while not store.create(LOCK, _with_heartbeat(mine)):
        holder = holder_of(store)
        if holder is None:
            continue  # given back in between
        if is_alive(holder):
            raise Busy(
                f"{store.root} is in use by process {holder['pid']} on {holder['host']} since {holder['since']}. "
                "Try again when it has ended."
            )
        store.remove(LOCK)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(store, mine, stop), daemon=True)
    beat.start()
    try:
        yield mine
    finally:
        stop.set()
        beat.join()
        if _is(holder_of(store), mine):
            store.remove(LOCK)


def say(store: Store, mine: dict[str, str | int], **more: int) -> None:
    """Add to what the lock says of us, for all to read."""
    mine.update(more)
    store.write(LOCK, _with_heartbeat(mine))


def holder_of(store: Store) -> dict[str, str | int] | None:
    """What the lock says of its holder: host, pid, since, heartbeat; None if nobody holds it, nothing if it is torn."""
    try:
        holder = json.loads(store.read(LOCK))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def is_alive(holder: dict[str, str | int]) -> bool:
    """Whether a holder still works: its heart beats, and its process is there if it is on this machine."""
    if time.time() - float(holder.get("heartbeat", 0)) > STALE:
        return False
    return holder.get("host") != socket.gethostname() or process_lives(int(holder["pid"]))


def _beat(store: Store, mine: dict[str, str | int], stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with suppress(OSError, WorldError):
            if _is(holder_of(store), mine):
                store.write(LOCK, _with_heartbeat(mine))


def _with_heartbeat(mine: dict[str, str | int]) -> bytes:
    return json.dumps({**mine, "heartbeat": time.time()}).encode()


def _is(holder: dict[str, str | int] | None, mine: dict[str, str | int]) -> bool:
    return holder is not None and all(holder.get(name) == mine[name] for name in ("host", "pid"))


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
