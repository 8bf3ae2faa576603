"""The line end to end, by the real engine: against the same steps called plainly, and against a plain count."""

import json
import os
import signal
import time
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from pipeline.config import load_config
from tests.command import PROJECT, newsbeam, start
from tests.plain import NOW, plain_run
from tests.stories import stories, write_jsonl
from tests.tables import all_rows

CLOCK = NOW.isoformat()


def test_the_engine_does_what_the_steps_do(tmp_path: Path) -> None:
    """Two workers and small batches, or this process alone: the same tables from all the seeds."""
    seeds = ("--set", "input=[seeds/*.txt*, seeds/*.jsonl*]", "--set", f"root={PROJECT}")
    newsbeam("run", "--output", str(tmp_path / "engine"), *seeds, "--now", CLOCK, "--set", "workers=2")
    changes = {"input": ["seeds/*.txt*", "seeds/*.jsonl*"], "output": str(tmp_path / "plain"), "root": str(PROJECT)}
    plain_run(load_config(None, changes))
    assert all_rows(tmp_path / "engine") == all_rows(tmp_path / "plain")
    newsbeam("verify", "--output", str(tmp_path / "engine"))


def test_counts_agree_with_a_plain_count(tmp_path: Path) -> None:
    """What a few lines of Python say of the same file: which lines parse, how many different texts, how many copies."""
    path = write_jsonl(tmp_path / "a.jsonl.gz", stories(7, 900))
    result = newsbeam(
        "run", "--input", str(path), "--output", str(tmp_path / "out"), "--set", "models.en=null", "--json"
    )
    rows, broken = [], 0
    import gzip

    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            broken += 1
    pages = {(row["url"], row["title"], row["text"]) for row in rows}
    texts = {(row["title"], row["text"]) for row in rows}
    summary = json.loads(result.stdout)
    assert summary["read"] == 900 and summary["dead_by_class"] == {"InvalidJson": broken}
    assert summary["unique"] == len(texts)
    assert summary["duplicates"] == len(pages) - len(texts)
    assert summary["known"] == len(rows) - len(pages)
    again = newsbeam("run", "--input", str(path), "--output", str(tmp_path / "out"), "--json")
    assert json.loads(again.stdout)["batches"] == 0


def test_the_article_that_it_all_began_with(shared: Path, tmp_path: Path) -> None:
    """A scraped page with its headline twice, a standfirst and a photo credit."""
    newsbeam("run", "--input", str(shared / "seeds"), "--output", str(tmp_path / "out"))
    (article,) = ds.dataset(sorted(map(str, tmp_path.glob("out/articles/*/*/*.parquet")))).to_table().to_pylist()
    headline = "Ecuador cuts off Julian Assange's internet access at London embassy"
    assert article["title"] == headline and headline not in article["body"]
    assert article["summary"].startswith("The government said the Wikileaks founder's social media messages")
    assert article["summary"] not in article["body"]
    assert "Picture by" not in article["body"] and "PA Wire" not in article["body"]
    names = {(entity["label"], entity["name"]) for entity in article["entities"]}
    assert ("PERSON", "Julian Assange") in names and ("GPE", "Ecuador") in names
    assert any(label == "ORG" and "European Union" in name for label, name in names), names
    assert all(
        article[entity["field"]][entity["start"] : entity["end"]] == entity["text"] for entity in article["entities"]
    )


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(7, 10))
    result = newsbeam("run", "--input", str(path), "--output", str(tmp_path / "out"), "--dry-run")
    assert "new" in result.stdout and str(path) in result.stdout and not (tmp_path / "out").exists()


def test_limit_and_going_on(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(7, 40))
    arguments = ("run", "--input", str(path), "--output", str(tmp_path / "out"), "--set", "models.en=null", "--json")
    first = json.loads(newsbeam(*arguments, "--limit", "15").stdout)
    rest = json.loads(newsbeam(*arguments).stdout)
    assert (first["read"], rest["read"]) == (15, 25)
    newsbeam("verify", "--output", str(tmp_path / "out"))


def test_too_many_dead_letters(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "A", "text": "Words."}\n{broken\n')
    arguments = ("run", "--input", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "out"))
    result = newsbeam(*arguments, "--set", "max_dead_letters=0", status=3)
    assert "more dead letters than max_dead_letters (0)" in result.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers in /proc")
def test_a_worker_that_dies_ends_the_run_in_a_sentence(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", stories(7, 1000))
    run = start("run", "--input", str(path), "--output", str(tmp_path / "out"))
    while len(workers := descendants_named(run.pid, "pipeline.worker")) < 2:
        time.sleep(0.05)
        assert run.poll() is None, run.communicate()
    time.sleep(1)
    os.kill(workers[-1], signal.SIGKILL)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1 and "A worker process ended by itself (-9)" in err and "Traceback" not in err, err
    newsbeam("run", "--input", str(path), "--output", str(tmp_path / "out"))
    newsbeam("verify", "--output", str(tmp_path / "out"))


def descendants_named(pid: int, name: str) -> list[int]:
    """Processes below one whose command holds a name, the oldest first."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop(0)
        try:
            children = " ".join(path.read_text() for path in Path(f"/proc/{one}/task").glob("*/children")).split()
            if name in Path(f"/proc/{one}/cmdline").read_text():
                found.append(one)
        except OSError:
            continue
        todo += map(int, children)
    return found
