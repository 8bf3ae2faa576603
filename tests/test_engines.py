"""The same line on every engine: the same tables."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import PROJECT, newsbeam
from tests.engines import Cluster, flink, job_server, needs
from tests.stories import stories, write_jsonl
from tests.tables import all_rows

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
