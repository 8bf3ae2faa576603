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

pytestmark = pytest.mark.engines
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
    options = ("--now", CLOCK, "--set", "batch.bytes=1.5MB", "--set", "worker_timeout=240", "--set", f"root={inputs}")
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


def test_two_workers(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    run(inputs, tmp_path / "out", "--set", "workers=2")
    check(tmp_path / "out", expected)


def test_prism(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    prism = needs("bin/prism")
    run(inputs, tmp_path / "out", "--runner", "PrismRunner", beam=(f"--prism_location={prism}",))
    check(tmp_path / "out", expected)


def test_flink_embedded(inputs: Path, expected: dict[str, list[str]], tmp_path: Path) -> None:
    with job_server(tmp_path, "[local]") as address:
        options = (f"--job_endpoint={address}", "--environment_type=LOOPBACK", "--parallelism=1")
        run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=options)
    check(tmp_path / "out", expected)


def test_flink_cluster(
    inputs: Path, expected: dict[str, list[str]], cluster: tuple[Cluster, list[str]], tmp_path: Path
) -> None:
    run(inputs, tmp_path / "out", "--runner", "PortableRunner", beam=tuple(cluster[1]))
    check(tmp_path / "out", expected)
