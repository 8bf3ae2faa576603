"""The process that worker processes are forked from: everything is loaded once, so a batch's workers start in .5 s.

Started cold, the workers of each batch would need 4.5 to 5.5 s (measured). Run as `python -m pipeline.worker SOCKET PIPE
MODEL...`; it ends when its standard input is closed, that is, when the driver ends, however that happens.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys

from pipeline import progress

_PR_SET_PDEATHSIG = 1


def main(path: str, pipe: str, *models: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears it too, and ends us
    progress.connect(int(pipe))
    _load(models)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_write)
    progress.tell("ready", os.getpid())
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([listener, sys.stdin, wakeup_read], [], [])
        if sys.stdin in ready:
            _end(children)
        if wakeup_read in ready:
            os.read(wakeup_read, 4096)
            _reap(children)
        if listener in ready:
            connection, _ = listener.accept()
            child = os.fork()
            if child == 0:
                listener.close()
                _work(connection)
            children.add(child)
            connection.close()


def _load(models: tuple[str, ...]) -> None:
    """Import what workers need, load the models, and keep the memory shared after a fork."""
    import apache_beam.runners.worker.sdk_worker_main  # noqa: F401

    import pipeline.line  # noqa: F401
    from schemas.errors import WorldError
    from transforms.language import detect
    from transforms.names import namer

    detect("Its model is loaded with the first text, and then shared by all workers.")
    for model in models:
        try:
            loaded = namer(model)
        except WorldError as error:
            progress.tell("error", str(error))
            os._exit(1)
        progress.tell("model", f"{loaded.model} ({loaded.path})")
    gc.collect()
    gc.freeze()


def _work(connection: socket.socket) -> None:
    """In the forked child: be a Beam worker in the environment that Beam gave the client. Does not return."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _die_with_parent()
    data = b""
    while part := connection.recv(65_536):
        data += part
    os.environ.clear()
    os.environ.update(json.loads(data))
    import apache_beam.runners.worker.sdk_worker_main as worker

    try:
        worker.main(["worker"])
    finally:
        os._exit(0)


def _end(children: set[int]) -> None:
    """End with all children: nobody waits for what they do."""
    for child in children:
        os.kill(child, signal.SIGKILL)
    os._exit(0)


def _reap(children: set[int]) -> None:
    """Tell the driver of children that did not end by themselves."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        if os.WIFSIGNALED(status):
            progress.tell("died", os.WTERMSIG(status))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
