"""The worker processes: forked from one that has everything loaded, and kept from batch to batch.

Started cold, the workers of each batch would need 4.5 to 5.5 s (measured), and begin with empty caches. Run as
`python -m pipeline.worker SOCKET PIPE COUNT MODEL...`; it ends when its standard input is closed, that is, when the
driver ends, however that happens.
"""

import ctypes
import gc
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress

from pipeline import progress

_PR_SET_PDEATHSIG = 1
_COLLECTING = (50_000, 20, 1_000)
"""When a worker's garbage collector looks at objects: the young ones as a rule, all of them between batches.

By Python's own measure it went through all articles of a batch again and again, for a half of the time that making
their rows took (measured).
"""


def main(path: str, pipe: str, count: str, *models: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the driver hears it too, and ends us when it has drained
    gc.set_threshold(0)  # nothing that is loaded goes away again; `gc.disable` would be undone by srsly
    progress.connect(int(pipe))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    _load(models)
    children = {_fork(listener) for _ in range(int(count))}
    progress.tell("ready", os.getpid())
    threading.Thread(target=_tell_of_deaths, daemon=True).start()
    sys.stdin.read()  # until the driver ends
    _end(children)


def _tell_of_deaths() -> None:
    """Tell the driver of each worker that ends: none does by itself."""
    with suppress(ChildProcessError):
        while True:
            _, status = os.wait()
            progress.tell("died", os.waitstatus_to_exitcode(status))


def _load(models: tuple[str, ...]) -> None:
    """Import what workers need, load the models, and keep the memory shared after a fork."""
    from transforms.language import detect

    languages = threading.Thread(target=detect, args=["Its model is loaded with the first text that is long enough."])
    languages.start()  # unpacking it needs no interpreter lock
    import apache_beam.runners.worker.sdk_worker_main  # noqa: F401

    import pipeline.line  # noqa: F401
    from schemas.errors import WorldError
    from transforms.names import namer

    for model in models:
        try:
            loaded = namer(model)
        except WorldError as error:
            progress.tell("error", error)
            os._exit(1)
        progress.tell("model", f"{loaded.model} ({loaded.path})")
    languages.join()
    gc.freeze()


def _fork(listener: socket.socket) -> int:
    """A worker process; gives its number."""
    child = os.fork()
    if child == 0:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        gc.set_threshold(*_COLLECTING)
        try:
            while True:
                _work(listener)
                gc.collect()
        finally:
            os._exit(1)
    return child


def _work(listener: socket.socket) -> None:
    """Be the Beam worker that the next client asks for, until its pipeline ends."""
    from apache_beam.runners.worker.sdk_worker_main import create_harness

    connection, _ = listener.accept()
    with connection:
        data = b""
        while part := connection.recv(65_536):
            data += part
        environment = json.loads(data)
        environment.pop("LOGGING_API_SERVICE_DESCRIPTOR", None)  # what fails comes back as an error, and is said once
        _, harness, _ = create_harness(environment)
        harness.run()


def _end(children: set[int]) -> None:
    """End with all workers: nobody waits for what they do."""
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
