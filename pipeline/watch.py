"""`watch`: `run` for ever. At each tick what is new goes down the line, with workers that stay warm in between."""

import signal
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from msgspec import Struct

from pipeline.config import Config
from pipeline.engine import Engine, Listener, check_options
from pipeline.lock import held
from pipeline.run import Session, Summary, new_inputs
from pipeline.warehouse import check_usable
from schemas.errors import UsageError, WorldError
from transforms.files import Info, store_at

_TRIES = 5
"""Failures in a row, without a batch committed in between, that are borne."""
_UNFINISHED = (".tmp", ".part")
"""Endings of files that their writers will rename."""


class Flow(Struct):
    """What a watch tells of itself: the last minute, and what waits."""

    waiting: int = 0
    lag: float = 0.0
    """Seconds since the oldest file that waits was closed; 0 if none does."""
    latency: float = 0.0
    """Median seconds from a file's last change to its rows, of the last 1,000 files."""
    trouble: str = ""
    """What went wrong and is being tried again."""


class Quiet:
    """Tells which files are whole: unchanged for some seconds, by their own time or by our watching."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[str, float]] = {}

    def whole(self, infos: Iterable[Info], now: float, clock: float) -> list[Info]:
        """The files that may be read. `now` is the time of day, `clock` one that never goes back."""
        seen, whole = {}, []
        for info in infos:
            version, since = self._seen.get(info.name, ("", clock))
            since = since if version == info.version else clock
            seen[info.name] = (info.version, since)
            long_ago = 0 <= now - info.modified > self._seconds or clock - since >= self._seconds
            if long_ago and not info.name.endswith(_UNFINISHED):
                whole.append(info)
        self._seen = seen
        return whole


def watch(config: Config, options: Sequence[str], summary: Summary, flow: Flow, listener: Listener) -> None:
    """Read what is new, tick by tick, until a signal asks to end; then finish the batch at hand and return.

    Raises UsageError, Busy, and WorldError where the same thing fails again and again.
    """
    check_options(options)
    new_inputs(config, must_match=False)
    store = store_at(config.output)
    check_usable(store)
    started, failures = time.monotonic(), 0
    with draining() as ended, held(store):
        while not ended.is_set():
            batches = summary.batches
            try:
                _Watch(config, options, summary, flow, listener).until(ended)
            except UsageError:
                raise
            except WorldError as error:
                failures = failures + 1 if summary.batches == batches else 1
                if failures > _TRIES or ended.is_set():
                    raise
                flow.trouble = str(error)
                listener("trouble", flow.trouble)
                ended.wait(config.watch.interval * 2**failures)
    summary.seconds = time.monotonic() - started


class _Watch:
    """The ticks between two failures: one engine, one session."""

    def __init__(
        self, config: Config, options: Sequence[str], summary: Summary, flow: Flow, listener: Listener
    ) -> None:
        self._config, self._options, self._summary = config, options, summary
        self._flow, self._listener = flow, listener
        self._quiet = Quiet(config.watch.quiet)
        self._done: set[tuple[str, str]] = set()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._committed = 0.0
        self._session = Session(config, [], summary, listener)

    def until(self, ended: threading.Event) -> None:
        with ExitStack() as stack:
            engine = stack.enter_context(Engine(self._config, self._options, self._listener))
            while not ended.is_set():
                began = time.monotonic()
                waiting = self._waiting()
                self._tell(waiting)
                if self._due(waiting):
                    self._work(waiting, engine, ended)
                ended.wait(max(self._config.watch.interval - (time.monotonic() - began), 0))

    def _waiting(self) -> list[Info]:
        """The whole files that are not known to be in."""
        listed = new_inputs(self._config, must_match=False)
        self._done &= {(info.name, info.version) for info in listed}
        new = [info for info in listed if (info.name, info.version) not in self._done]
        return self._quiet.whole(new, time.time(), time.monotonic())

    def _due(self, waiting: Sequence[Info]) -> bool:
        """Whether it is time for a commit: some seconds after the last one, or with enough for a full batch."""
        rested = time.monotonic() - self._committed >= self._config.watch.commit_every
        return bool(waiting) and (rested or sum(info.size for info in waiting) >= self._config.batch.bytes)

    def _work(self, waiting: Sequence[Info], engine: Engine, ended: threading.Event) -> None:
        """Send all that waits down the line, batch by batch; after a signal no batch more."""
        self._summary.unreadable.clear()
        self._session.look(waiting)
        while not ended.is_set() and (batch := self._session.plan(None)):
            names = {piece.input for chunk in batch.chunks for piece in chunk.pieces}
            self._session.send(batch, engine)
            self._committed = time.monotonic()
            self._measure(info for info in waiting if info.name in names)
        self._done |= {(info.name, info.version) for info in self._session.finished()}
        self._flow.trouble = ""
        self._tell([info for info in waiting if (info.name, info.version) not in self._done])

    def _measure(self, read: Iterable[Info]) -> None:
        self._latencies.extend(time.time() - info.modified for info in read)
        self._flow.latency = statistics.median(self._latencies or [0.0])

    def _tell(self, waiting: Sequence[Info]) -> None:
        self._flow.waiting = len(waiting)
        self._flow.lag = max((time.time() - info.modified for info in waiting), default=0.0)
        self._listener("tick", str(len(waiting)))


@contextmanager
def draining() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal ends the process at once."""
    ended = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
