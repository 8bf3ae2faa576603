"""The same line on every engine: the same tables."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.query import connect
from schemas.errors import UsageError
from tests.command import PROJECT, kill, newsbeam, start
from tests.engines import WORKER, Cluster, flink, job_server, minio, minio_found, needs
from tests.parity import write_inputs
from tests.stories import stories, write_jsonl
from tests.tables import all_rows
from tests.test_watch import drain, wait_for

CLOCK = "2026-02-01T12:00:00Z"
BATCHES = 3


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """1,000 articles, or 5,000: samples in all formats, stories and newswire with exact and near copies."""
    root = tmp_path_factory.mktemp("inputs")
    write_inputs(root, 41, 5000 if request.config.getoption("--soak") else 1000)
    return root


def run(inputs: Path, output: Path | str, *more: str, beam: tuple[str, ...] = (), status: int = 0) -> str:
    """Run over the inputs in several batches; what it said."""
    size = sum(path.stat().st_size for path in inputs.rglob("*") if path.is_file())
    options = ("--now", CLOCK, "--set", f"batch.bytes={size // BATCHES}", "--set", f"root={inputs}")
    if not any(option.startswith("worker_timeout") for option in more):
        more = ("--set", "worker_timeout=240", *more)
    began = time.monotonic()
    process = start("run", "--input", str(inputs), "--output", str(output), *options, *more, "--", *beam)
    try:
        out, err = process.communicate(timeout=580)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    assert process.returncode == status and "Traceback" not in err, (process.returncode, out, err)
    print(f"{more} {beam[:1]}: {time.monotonic() - began:.0f} s")
    return err


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables of the in-process engine with one worker."""
    output = tmp_path_factory.mktemp("one") / "out"
    run(inputs, output, "--set", "workers=1")
    rows = all_rows(output)
    assert sum("'method', 'exact'" in row for row in rows["duplicates"]) > 80
    assert sum("'method', 'jaccard'" in row for row in rows["duplicates"]) > 80
    assert len(rows["articles"]) > 700 and len(rows["entities"]) > 3_000 and len(rows["dead_letters"]) > 10
    return rows


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, list[str]]]:
    with flink(tmp_path_factory.mktemp("flink")) as found:
        yield found


def check(output: Path, expected: dict[str, list[str]]) -> None:
    assert all_rows(output) == expected
    assert all_rows(output, delta=True) == expected
    newsbeam("verify", "--output", str(output))
    assert not list((output / "_newsbeam").glob("staging/*"))


@pytest.mark.engines
def test_two_workers(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    run(inputs, tmp_path / "out", "--set", "workers=2")
    check(tmp_path / "out", expected)


@pytest.mark.engines
def test_prism(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    prism = needs("bin/prism")
    run(inputs, tmp_path / "out", "--runner", "PrismRunner", beam=(f"--prism_location={prism}",))
    check(tmp_path / "out", expected)


@pytest.mark.engines
@pytest.mark.usefixtures("soak")
def test_flink_embedded(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    with job_server(tmp_path, "[local]") as (_, address):
        options = (f"--job_endpoint={address}", "--environment_type=LOOPBACK", "--parallelism=1")
        run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=options)
    check(tmp_path / "out", expected)


@pytest.mark.engines
@pytest.mark.usefixtures("soak")
@pytest.mark.parametrize("runner", ["DirectRunner", "PrismRunner"])
def test_into_an_object_store(inputs: Path, expected: dict[str, list[str]], tmp_path: Path, runner: str) -> None:
    beam = (f"--prism_location={needs('bin/prism')}",) if runner == "PrismRunner" else ()
    with minio_found(tmp_path):
        run(inputs, "s3://news/out", "--runner", runner, beam=beam)
        assert all_rows("s3://news/out", delta=True) == expected
        newsbeam("verify", "--output", "s3://news/out")


@pytest.mark.engines
def test_flink_cluster(
    inputs: Path, expected: dict[str, list[str]], cluster: tuple[Cluster, list[str]], tmp_path: Path
) -> None:
    run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=tuple(cluster[1]))
    check(tmp_path / "out", expected)


WHO = """
import os, time

def who(articles):
    began = time.time()
    time.sleep(0.005 * len(articles))
    row = {"worker": os.getpid(), "began": began, "ended": time.time()}
    return [row] * len(articles)
"""
MORE = ("--parallelism=4", "--sdk_worker_parallelism=2")


@pytest.mark.engines
@pytest.mark.parametrize(("parallel", "count"), [(("--parallelism=2",), 2), (MORE, 4)], ids=["one each", "two each"])
def test_workers_find_names_at_once(
    parallel: tuple[str, ...], count: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Own columns are made by whoever finds an article's names: by several processes, at the same time."""
    if count > 2:
        request.getfixturevalue("soak")
    options = request.getfixturevalue("cluster")[1][:-1]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/who.py").write_text(WHO)
    write_jsonl(tmp_path / "in/a.jsonl", stories(50, 2000))
    own = "transforms=[{function: 'who:who', columns: {worker: integer, began: number, ended: number}}]"
    more = ("--set", own, "--set", "batch.bytes=32MB", "--runner", "PortableRunner")
    run(tmp_path / "in", tmp_path / "out", *more, beam=(*options, *parallel))
    with connect(str(tmp_path / "out")) as connection:
        rows = connection.sql(
            "SELECT DISTINCT extra['worker'], extra['began']::DOUBLE, extra['ended']::DOUBLE FROM articles"
        ).fetchall()
    together = [(a, b) for a in rows for b in rows if a[0] < b[0] and a[1] < b[2] and b[1] < a[2]]
    workers = {worker for worker, *_ in rows}
    print(f"{len(workers)} workers, {len(rows)} chunks, {len(together)} pairs at once")
    assert together and len(workers) == count


@pytest.mark.parametrize(
    ("runner", "option", "sentence"),
    [
        ("PrismRunner", "--prism_location=/nowhere/prism", "There is no file /nowhere/prism. `go install"),
        ("PrismRunner", "--prism_location=/bin/true", "/bin/true does not serve as Prism"),
        ("PortableRunner", "--job_endpoint=localhost:9", "No job server answers at localhost:9"),
        ("PortableRunner", "--parallelism=2", "PortableRunner needs the address of a job server"),
    ],
)
def test_engines_that_are_not_there(tmp_path: Path, runner: str, option: str, sentence: str) -> None:
    (tmp_path / "a.txt").write_text("A headline\n\nAnd a text that is long enough to be one.\n")
    status = 2 if "needs" in sentence else 1
    err = run(tmp_path, tmp_path / "out", "--runner", runner, beam=(option,), status=status)
    assert sentence in err, err


OCCUPIED = """#!{python}
import socket, sys, time
port = next(word for word in sys.argv if word.startswith("--job_port=")).partition("=")[2]
with socket.create_server(("127.0.0.1", int(port))):
    time.sleep(100)
"""


@pytest.mark.engines
def test_what_listens_is_something_else(tmp_path: Path) -> None:
    """A program that is no Prism, and a port that another has taken: by itself Beam would wait for ever."""
    (tmp_path / "prism").write_text(OCCUPIED.format(python=sys.executable))
    (tmp_path / "prism").chmod(0o755)
    (tmp_path / "a.txt").write_text("A headline\n\nAnd a text that is long enough to be one.\n")
    prism = (f"--prism_location={tmp_path / 'prism'}",)
    err = run(tmp_path, tmp_path / "out", "--runner", "PrismRunner", beam=prism, status=1)
    assert "does not serve as Prism" in err, err
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = (f"--job_endpoint=localhost:{other.getsockname()[1]}",)
        err = run(tmp_path, tmp_path / "out", "--runner", "PortableRunner", beam=endpoint, status=1)
    assert "is no job server of Beam's: check --job_endpoint" in err, err


PAGE = (PROJECT / "docs/cluster.md").read_text("utf-8")
COMMANDS = re.findall(r"^newsbeam (.*)$", "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)), re.M)


@pytest.mark.engines
@pytest.mark.parametrize("command", COMMANDS, ids=[f"{n}-{c.split()[0]}" for n, c in enumerate(COMMANDS)])
def test_the_page_says_what_works(
    command: str, request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of docs/cluster.md, with one new article each; a watch is drained when it has read it."""
    name = f"story{COMMANDS.index(command)}"
    (folder / f"articles/{name}.txt").write_text(
        f"Ferry {name} returns to its harbour\n\nIt sails again from Monday.\n"
    )
    output = "s3://news/tables" if "s3://" in command else str(folder / "tables")
    if "s3://" in command:
        for variable, value in request.getfixturevalue("bucket").items():
            monkeypatch.setenv(variable, value)
    if "Prism" in command:
        monkeypatch.setenv("PATH", f"{needs('bin/prism').parent}:{os.environ['PATH']}")
    if "8099" in command:
        endpoint = request.getfixturevalue("cluster")[1][0].partition("=")[2]
        command = command.replace("localhost:8099", endpoint)
        command = command.replace("/opt/newsbeam/bin/newsbeam-worker", WORKER)
    words = shlex.split(command)
    at = words.index("--") if "--" in words else len(words)
    words[at:at] = ["--set", "models.en=null", "--set", "worker_timeout=240"]
    process = start(*words, cwd=folder)
    if words[0] == "watch":
        wait_for(process, lambda: titled(output, name), 300)
        drain(process)
    else:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (out, err)
        assert words[0] == "query" or titled(output, name)


def titled(output: str, name: str) -> bool:
    """Whether the tables have the article."""
    try:
        with connect(output) as connection:
            return bool(connection.execute("SELECT * FROM articles WHERE title LIKE ?", [f"%{name} %"]).fetchall())
    except UsageError:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("page")
    (found / "articles").mkdir()
    return found


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with minio(tmp_path_factory.mktemp("bucket")) as (_, variables):
        yield variables
