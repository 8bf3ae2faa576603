"""The real engines and the object store that some tests need: found where `make engines` puts them, started, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.test_line import descendants_named

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = PROJECT / ".tools"
WORKER = str(Path(sys.executable).with_name("newsbeam-worker"))


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


@contextmanager
def minio_found(folder: Path) -> Iterator[Server]:
    """The same, found by this process: the variables are set."""
    with minio(folder) as (server, variables), pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield server


_OPENS = [
    f"--add-opens=java.base/{name}=ALL-UNNAMED"
    for name in (
        *("java.lang", "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.lang.reflect"),
        *("java.nio", "java.time", "java.net", "sun.nio.ch"),
    )
]


def _java(jars: Path, *arguments: str) -> list[str]:
    return ["java", "-Xmx768m", *_OPENS, "-cp", f"{jars}/*", *arguments]


@contextmanager
def job_server(folder: Path, master: str) -> Iterator[tuple[Server, str]]:
    """Beam's job server for a Flink at HOST:PORT, or `[local]` for one inside it; with its address."""
    jars = needs("job-server")
    job, artifacts, expansion = free_port(), free_port(), free_port()
    ports = [f"--job-port={job}", f"--artifact-port={artifacts}", f"--expansion-port={expansion}"]
    driver = "org.apache.beam.runners.flink.FlinkJobServerDriver"
    command = _java(jars, driver, "--job-host=localhost", *ports, f"--flink-master={master}")
    server = Server([*command, f"--artifacts-dir={folder}/artifacts"], folder / "job-server.log")
    try:
        server.wait_until(lambda: listens(job))
        yield server, f"localhost:{job}"
    finally:
        server.kill()


class Cluster:
    """A Flink with a JobManager and two TaskManagers, which start Python workers of their own."""

    job_server: Server

    def __init__(self, folder: Path) -> None:
        self._folder, self._jars = folder, needs("flink")
        self.rest, rpc = free_port(), free_port()
        settings = (PROJECT / "tests/engines/flink-conf.yaml").read_text()
        settings += f"rest.port: {self.rest}\njobmanager.rpc.port: {rpc}\nio.tmp.dirs: {folder}/tmp\n"
        (folder / "conf").mkdir(parents=True)
        (folder / "conf/flink-conf.yaml").write_text(settings)
        self.manager = self._start("entrypoint.StandaloneSessionClusterEntrypoint", "manager")
        self.manager.wait_until(lambda: answers(f"http://localhost:{self.rest}/overview"))
        self.tasks = [self._start("taskexecutor.TaskManagerRunner", f"tasks{number}") for number in range(2)]
        self.manager.wait_until(lambda: self.overview()["taskmanagers"] == 2)

    def _start(self, entry: str, name: str) -> Server:
        command = _java(self._jars, f"org.apache.flink.runtime.{entry}", "--configDir", f"{self._folder}/conf")
        return Server(command, self._folder / f"{name}.log")

    def overview(self) -> dict[str, int]:
        with urllib.request.urlopen(f"http://localhost:{self.rest}/overview", timeout=10) as answer:
            found: dict[str, int] = json.load(answer)
        return found

    def kill(self, who: str) -> list[int]:
        """Kill the TaskManager that has most `tasks`, all `python` workers, the `manager` or the job `server`, and
        start it again.

        Gives the Python workers that have to end now.
        """
        self.manager.wait_until(lambda: any(map(self.workers, self.tasks)), 300)
        tasks = [self._busy()] if who == "tasks" else self.tasks
        left = [pid for one in tasks for pid in self.workers(one)]
        if who == "python":
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return left
        server = {"manager": self.manager, "server": self.job_server}.get(who, tasks[0])
        server.process.kill()  # and not its group: workers have to find out by themselves
        server.process.wait()
        server.start()
        return left

    def _busy(self) -> Server:
        with urllib.request.urlopen(f"http://localhost:{self.rest}/taskmanagers", timeout=10) as answer:
            free = {one["dataPort"]: one["freeSlots"] for one in json.load(answer)["taskmanagers"]}
        return min(
            self.tasks,
            key=lambda one: min((n for port, n in free.items() if _has_port(one.process.pid, port)), default=99),
        )

    def workers(self, tasks: Server) -> list[int]:
        """The Python workers that a TaskManager has started."""
        return descendants_named(tasks.process.pid, "newsbeam-worker")

    def end(self) -> None:
        for server in (*self.tasks, self.manager):
            server.kill()


def process_workers(command: str = WORKER) -> list[str]:
    """The options by which an engine starts workers itself, by a command."""
    return ["--environment_type=PROCESS", f'--environment_config={{"command":"{command}"}}']


@contextmanager
def worker_pool(folder: Path, python: str = sys.executable) -> Iterator[list[str]]:
    """What starts Python workers when an engine asks: they are the `python` that stands first on PATH. Its options."""
    port, path = free_port(), f"{Path(python).parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    pool = Server(command, folder / "pool.log", {"PATH": path})
    try:
        pool.wait_until(lambda: listens(port))
        yield ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
    finally:
        pool.kill()


def _has_port(pid: int, port: int) -> bool:
    """Whether a process listens at a port."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{words[9]}]")
    return any(os.readlink(fd) in sockets for fd in Path(f"/proc/{pid}/fd").iterdir())


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def flink(folder: Path) -> Iterator[tuple[Cluster, list[str]]]:
    """A cluster, and the options by which a job is sent to it."""
    needs("job-server")
    cluster = Cluster(folder)
    try:
        with job_server(folder, f"localhost:{cluster.rest}") as (cluster.job_server, address):
            yield cluster, [f"--job_endpoint={address}", *process_workers(), "--parallelism=2"]
    finally:
        cluster.end()
