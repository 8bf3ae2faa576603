"""The real engines and the object store that some tests need: found where `make engines` puts them, started, ended."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = PROJECT / ".tools"


def needs(name: str) -> Path:
    """The place of a tool in `.tools`; a test that needs it skips where it is absent."""
    found = TOOLS / name
    if not found.exists():
        pytest.skip(f"{name} is absent; `make engines` installs it")
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A process of its own, which can be killed and started again."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command, self._log, self._environment = command, log, {**os.environ, **(environment or {})}
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to it and its children, and wait until it is gone."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a server says anything at all."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def minio(folder: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """An object store with the bucket `news`, and the variables by which it is found."""
    binary, port = needs("bin/minio"), free_port()
    secret = {"MINIO_ROOT_USER": "newsbeam", "MINIO_ROOT_PASSWORD": "newsbeam-secret"}
    (folder / "data/news").mkdir(parents=True)
    url = f"http://127.0.0.1:{port}"
    arguments = [str(binary), "server", str(folder / "data"), "--address", f"127.0.0.1:{port}", "--console-address"]
    server = Server([*arguments, f"127.0.0.1:{free_port()}"], folder / "minio.log", secret)
    try:
        server.wait_until(lambda: answers(f"{url}/minio/health/ready"))
        yield (
            server,
            {
                "AWS_ACCESS_KEY_ID": "newsbeam",
                "AWS_SECRET_ACCESS_KEY": "newsbeam-secret",
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": "us-east-1",
            },
        )
    finally:
        server.kill()
