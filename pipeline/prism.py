"""Prism, Beam's engine for one machine: a program of its own that we start, and that ends with us."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import WorldError

_TOOLS = Path(__file__).parents[1] / ".tools/bin"
_PR_SET_PDEATHSIG = 1
_STARTS_WITHIN = 20.0
"""Seconds; usually it takes a tenth of one."""
_SPEAKS_WITHIN = 10.0


def prism_binary(location: str = "") -> str:
    """Where it is: as given, on PATH, or among the project's tools. Raises WorldError, which says how to get it."""
    for found in (location,) if location else (shutil.which("prism"), _TOOLS / "prism"):
        if found and Path(found).is_file():
            return str(found)
    where = f"no file {location}" if location else "no `prism` on PATH"
    raise WorldError(
        f"There is {where}. `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0` makes one "
        "(Beam's own version); give its place by -- --prism_location=PATH."
    )


def serves(endpoint: str) -> bool:
    """Whether what listens there speaks gRPC. Beam would wait for ever for something that does not."""
    import grpc

    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_SPEAKS_WITHIN)
        except grpc.FutureTimeoutError:
            return False
    return True


class Prism:
    """A running Prism. A context manager; signals to our process group don't reach it, so that a job can drain."""

    def __init__(self, binary: str) -> None:
        self._binary = binary

    def __enter__(self) -> Self:
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def tie() -> None:
            os.setsid()
            if libc:
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.endpoint = f"localhost:{port}"
        self._log = tempfile.TemporaryFile()
        command = [self._binary, f"--job_port={port}", "--serve_http=false", "--log_level=warn"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, preexec_fn=tie
            )
        except OSError as error:
            raise WorldError(f"{self._binary} cannot be started: {error.strerror}.") from error
        self._wait(port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0 and serves(self.endpoint):
                    return
            time.sleep(0.05)
        self._process.kill()
        self._log.seek(0)
        said = self._log.read()[-300:].decode("utf-8", "replace").strip()
        raise WorldError(f"{self._binary} does not serve as Prism; is it the one of Beam 2.77? It said: {said}")
