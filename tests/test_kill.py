"""Killed anywhere, run again, the tables are exact. With the real engine, workers and model."""

import random
import time
from pathlib import Path

import pytest

from tests.command import kill, newsbeam, start
from tests.near_stories import near_stories
from tests.stories import stories, write_jsonl
from tests.tables import all_rows

NOW = "2026-02-01T12:00:00Z"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compressed file of several chunks and batches, one plain file that copies from it, and some texts."""
    root = tmp_path_factory.mktemp("inputs")
    rows = list(stories(5, 1200))
    write_jsonl(root / "a.jsonl.gz", iter(rows[:900]))
    write_jsonl(root / "b.jsonl", iter(rows[750:]))
    for number in range(20):
        (root / f"text{number}.txt").write_text(f"A headline numbered {number}\n\n{rows[number]['text']}\n")
    write_jsonl(root / "near.jsonl", near_stories(5, 60))
    return root


def arguments(inputs: Path, output: Path) -> list[str]:
    return [
        "run",
        "--input",
        str(inputs),
        "--output",
        str(output),
        "--now",
        NOW,
        "--set",
        "batch.bytes=150kB",
        "--set",
        "models.en=null",
    ]


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The tables of an unbroken run, and how long it took."""
    output = tmp_path_factory.mktemp("whole") / "out"
    started = time.monotonic()
    newsbeam(*arguments(inputs, output))
    return output, time.monotonic() - started


def test_sigkill_at_random_moments(
    inputs: Path, whole: tuple[Path, float], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, seconds = all_rows(whole[0]), whole[1]
    assert len(expected["articles"]) > 1000 and len(expected["duplicates"]) > 100 and expected["dead_letters"]
    assert any("'method', 'jaccard'" in row for row in expected["duplicates"])
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    left = 20 if request.config.getoption("--soak") else 3
    round_ = 0
    while left > 0:
        output = tmp_path / f"out{round_}"
        round_ += 1
        for _ in range(min(left, 3)):
            process = start(*arguments(inputs, output))
            time.sleep(chance.uniform(0.3, seconds))
            ended = process.poll() is not None
            kill(process)
            if ended:
                break
            left -= 1
        newsbeam(*arguments(inputs, output))
        assert all_rows(output) == expected, seed
        assert all_rows(output, delta=True) == expected, seed
        newsbeam("verify", "--output", str(output))


def test_two_runs_at_once(inputs: Path, whole: tuple[Path, float], tmp_path: Path) -> None:
    first = start(*arguments(inputs, tmp_path / "out"))
    lock = tmp_path / "out/_newsbeam/lock"
    while not lock.exists():
        time.sleep(0.02)
    second = newsbeam(*arguments(inputs, tmp_path / "out"), status=75)
    assert "is in use by process" in second.stderr
    assert first.wait(120) == 0, first.communicate()
    first.communicate()
    assert all_rows(tmp_path / "out") == all_rows(whole[0])


def test_two_runs_without_the_lock(inputs: Path, whole: tuple[Path, float], tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        runs.append(start(*arguments(inputs, tmp_path / "out")))
        lock = tmp_path / "out/_newsbeam/lock"
        while not lock.exists() and runs[-1].poll() is None:
            time.sleep(0.005)
        lock.unlink(missing_ok=True)
    for run in runs:
        out, err = run.communicate(timeout=200)
        assert run.returncode == 0, (run.returncode, out, err)
    assert all_rows(tmp_path / "out") == all_rows(whole[0])
    assert all_rows(tmp_path / "out", delta=True) == all_rows(whole[0])
    newsbeam("verify", "--output", str(tmp_path / "out"))


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_ends_it_cleanly(inputs: Path, whole: tuple[Path, float], tmp_path: Path, number: int) -> None:
    import os

    process = start(*arguments(inputs, tmp_path / "out"))
    while not list((tmp_path / "out").glob("runs/*/*.parquet")):
        time.sleep(0.05)
        assert process.poll() is None, process.communicate()
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "run the same command again to go on" in err and "Traceback" not in err
    assert not list((tmp_path / "out/_newsbeam").glob("staging/*"))
    assert not (tmp_path / "out/_newsbeam/lock").exists()
    newsbeam(*arguments(inputs, tmp_path / "out"))
    assert all_rows(tmp_path / "out") == all_rows(whole[0])
