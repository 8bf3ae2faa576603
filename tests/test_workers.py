"""Workers of an engine that cannot work: the command says so in a sentence, and soon."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import PROJECT, newsbeam
from tests.engines import free_port, job_server, process_workers, worker_pool
from transforms.names import DEFAULT_MODELS

pytestmark = pytest.mark.engines
SITE = next(Path(sys.prefix).glob("lib/python*/site-packages"))
MODULE = "pipeline.engine_worker"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job server with a Flink inside."""
    with job_server(tmp_path_factory.mktemp("flink"), "[local]") as (_, address):
        yield address


def run(folder: Path, server: str, options: list[str], *more: str, status: int = 1) -> str:
    (folder / "in").mkdir()
    (folder / "in/a.txt").write_text("A ferry returns\n\nIt sails again from Monday, and the harbour is glad of it.\n")
    where = ("--input", str(folder / "in"), "--output", str(folder / "out"), "--runner", "PortableRunner")
    beam = (f"--job_endpoint={server}", *options, "--parallelism=1")
    return newsbeam("run", *where, "--set", "models.en=null", *more, "--", *beam, status=status).stderr


def command(folder: Path, *lines: str) -> str:
    """A command of some lines of shell, for an engine to start as a worker."""
    path = folder / "worker"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


def python(*folders: Path) -> str:
    """How a Python without any packages is called, but for those below some folders."""
    return f"cd /; PYTHONPATH={':'.join(map(str, folders))} exec {sys.executable} -S"


@pytest.mark.usefixtures("soak")
def test_a_pool(server: str, tmp_path: Path) -> None:
    with worker_pool(tmp_path) as options:
        run(tmp_path, server, options, "--set", "worker_timeout=240", status=0)


def test_a_pool_without_packages(server: str, tmp_path: Path) -> None:
    """By itself the job would wait for ever, since nobody tells the engine that a worker ended."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(f'#!/bin/sh\n{python()} "$@"\n')
    (tmp_path / "bin/python").chmod(0o755)
    with worker_pool(tmp_path, str(tmp_path / "bin/python")) as options:
        err = run(tmp_path, server, options, "--set", "worker_timeout=30")
    assert "No module named 'apache_beam'" in (tmp_path / "pool.log").read_text()
    assert "No worker of the engine answered within 30 s. Start workers where newsbeam is installed" in err, err


@pytest.mark.usefixtures("soak")
def test_no_pool(server: str, tmp_path: Path) -> None:
    options = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{free_port()}"]
    err = run(tmp_path, server, options)
    assert "No pool of workers answers at the address in --environment_config: start one there" in err, err


def test_no_command(server: str, tmp_path: Path) -> None:
    err = run(tmp_path, server, process_workers("/nowhere/newsbeam-worker"))
    assert "cannot start the command of --environment_config (No such file or directory): newsbeam must be" in err, err


def test_a_command_without_packages(server: str, tmp_path: Path) -> None:
    err = run(tmp_path, server, process_workers(command(tmp_path, f'{python()} -m {MODULE} "$@"')))
    assert "A worker ended at its start, with status 1: run the command of --environment_config by hand" in err, err


@pytest.mark.usefixtures("soak")
def test_a_worker_without_newsbeam(server: str, tmp_path: Path) -> None:
    """Beam alone is there: the worker fails and says so, yet the engine waits for it."""
    main = f"import runpy; runpy.run_path('{PROJECT}/pipeline/engine_worker.py')['main']()"
    options = process_workers(command(tmp_path, f'{python(SITE)} -c "{main}" "$@"'))
    err = run(tmp_path, server, options, "--set", "worker_timeout=25")
    assert "No worker of the engine answered within 25 s. Start workers where newsbeam is installed" in err, err


@pytest.mark.usefixtures("soak")
def test_a_worker_without_a_library(server: str, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/spacy.py").write_text("raise ModuleNotFoundError(\"No module named 'spacy'\")\n")
    line = f'{python(tmp_path / "none", PROJECT, SITE)} -c "from {MODULE} import main; main()" "$@"'
    err = run(tmp_path, server, process_workers(command(tmp_path, line)), "--set", f"models.en={DEFAULT_MODELS['en']}")
    assert "A worker lacks the package spacy: install there what is installed here" in err, err


def test_another_version_there(server: str, tmp_path: Path) -> None:
    for package in ("pipeline", "schemas", "transforms"):
        shutil.copytree(PROJECT / package, tmp_path / "other" / package)
    (tmp_path / "other/pipeline/__init__.py").write_text('__version__ = "9.9"\n')
    line = f'{python(tmp_path / "other", SITE)} -c "from {MODULE} import main; main()" "$@"'
    err = run(tmp_path, server, process_workers(command(tmp_path, line)))
    assert "A worker has newsbeam 9.9, and this process has not: install there what is installed here" in err, err


def test_a_gazetteer_that_is_not_there(server: str, tmp_path: Path) -> None:
    """The driver finds it, and a worker does not."""
    names = tmp_path / "names.jsonl"
    names.write_text('{"label": "ORG", "pattern": "Harbour Council"}\n')
    line = f"mv {names} {names}.away; exec {sys.executable} -c 'from {MODULE} import main; main()' \"$@\""
    own = ("--set", f"names.gazetteer={names}", "--set", f"root={tmp_path}")
    err = run(tmp_path, server, process_workers(command(tmp_path, line)), *own)
    assert "On a worker: " in err and "names.jsonl" in err, err
