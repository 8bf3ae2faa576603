"""The same line on every engine: the same tables."""

import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.query import connect
from schemas.errors import UsageError
from tests.command import PROJECT, newsbeam, start
from tests.engines import Cluster, flink, free_port, job_server, minio, needs
from tests.stories import stories, write_jsonl
from tests.tables import all_rows
from tests.test_watch import drain, wait_for

CLOCK = "2026-02-01T12:00:00Z"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeds in all formats, and stories with copies and revisions, compressed and plain: 5,000 articles in all."""
    root = tmp_path_factory.mktemp("inputs")
    shutil.copytree(PROJECT / "seeds", root / "seeds")
    rows = list(stories(41, 4950))
    write_jsonl(root / "a.jsonl.gz", iter(rows[:2500]))
    write_jsonl(root / "b.jsonl", iter(rows[2500:]))
    return root


def run(inputs: Path, output: Path | str, *more: str, beam: tuple[str, ...] = (), status: int = 0) -> str:
    """Run over the inputs in several batches; what it said."""
    options = ("--now", CLOCK, "--set", "batch.bytes=1.5MB", "--set", f"root={inputs}")
    if not any(option.startswith("worker_timeout") for option in more):
        more = ("--set", "worker_timeout=240", *more)
    began = time.monotonic()
    arguments = ("run", "--input", str(inputs), "--output", str(output), *options, *more, "--", *beam)
    err = newsbeam(*arguments, status=status).stderr
    print(f"{more} {beam[:1]}: {time.monotonic() - began:.0f} s")
    return err


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables of the in-process engine with one worker."""
    output = tmp_path_factory.mktemp("one") / "out"
    run(inputs, output, "--set", "workers=1")
    rows = all_rows(output)
    assert len(rows["articles"]) > 4000 and len(rows["duplicates"]) > 400 and len(rows["entities"]) > 10_000
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
def test_flink_embedded(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    with job_server(tmp_path, "[local]") as address:
        options = (f"--job_endpoint={address}", "--environment_type=LOOPBACK", "--parallelism=1")
        run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=options)
    check(tmp_path / "out", expected)


@pytest.mark.engines
def test_prism_into_an_object_store(
    inputs: Path, expected: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prism = needs("bin/prism")
    with minio(tmp_path) as (_, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        run(inputs, "s3://news/out", "--runner", "PrismRunner", beam=(f"--prism_location={prism}",))
        assert all_rows("s3://news/out", delta=True) == expected
        newsbeam("verify", "--output", "s3://news/out")


@pytest.mark.engines
def test_workers_that_never_come(inputs: Path, tmp_path: Path) -> None:
    """A pool that is not there, or has no packages: by itself the job would wait for ever."""
    with job_server(tmp_path, "[local]") as address:
        options = (
            f"--job_endpoint={address}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{free_port()}",
        )
        limit = ("--set", "worker_timeout=30")
        err = run(inputs, tmp_path / "out", *limit, "--runner", "PortableRunner", beam=options, status=1)
    assert "No worker of the engine answered within 30 s" in err or "The line failed" in err, err


@pytest.mark.engines
def test_flink_cluster(
    inputs: Path, expected: dict[str, list[str]], cluster: tuple[Cluster, list[str]], tmp_path: Path
) -> None:
    run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=tuple(cluster[1]))
    check(tmp_path / "out", expected)


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


COMMANDS = re.findall(r"^newsbeam (.*)$", (PROJECT / "docs/cluster.md").read_text("utf-8"), re.M)


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
        ours = dict(option.split("=", 1) for option in request.getfixturevalue("cluster")[1])
        command = command.replace("localhost:8099", ours["--job_endpoint"])
        command = command.replace("localhost:50000", ours["--environment_config"])
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
