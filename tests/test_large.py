"""Large inputs of every kind: killed inside, run again, the tables are exact, and memory stays flat. With the engine.

In `make test` small ones, with `--soak` a .jsonl.gz of 2 GB and a WARC of 1 GB.
"""

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bench import Watch
from tests.command import kill, newsbeam, start
from tests.make_seeds import answer, warc_record
from tests.stories import stories, story
from tests.tables import all_rows

NOW = "2026-02-01T12:00:00Z"
MOST_MEMORY = 2_500_000_000
"""Bytes of all processes together."""


def arguments(path: Path, output: Path, batch: str, names: bool = False) -> list[str]:
    settings = (f"batch.bytes={batch}", *(() if names else ("models.en=null",)))
    sets = [part for setting in settings for part in ("--set", setting)]
    return ["run", "--input", str(path), "--output", str(output), "--now", NOW, *sets]


def page(row: dict[str, object]) -> str:
    """A story as a web page."""
    paragraphs = "".join(f"<p>{part}</p>" for part in str(row["text"]).split("\n\n"))
    return (
        f"<!doctype html><html><head><title>{row['title']}</title><meta property='og:type' content='article'>"
        f"<meta property='article:published_time' content='{row['date']}'></head>"
        f"<body><article><h1>{row['title']}</h1>{paragraphs}</article></body></html>"
    )


def crawl(rows: Iterator[dict[str, object]], image: int) -> Iterator[bytes]:
    """WARC records: each page with its request and an image of so many bytes."""
    for row in rows:
        yield warc_record("request", str(row["url"]), b"GET / HTTP/1.1\r\n\r\n")
        yield warc_record("response", str(row["url"]), answer(page(row)))
        yield warc_record("response", f"{row['url']}.png", answer("x" * image, "image/png"))


def write_warc(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_bytes(b"".join(map(gzip.compress, crawl(iter(rows), 500))))


def write_parquet(path: Path, rows: list[dict[str, object]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=40)


def write_json(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text(json.dumps({"articles": rows}, indent=1))


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    import csv

    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


def write_tar(path: Path, rows: list[dict[str, object]]) -> None:
    import tarfile

    half = len(rows) // 2
    write_parquet(path.with_name("a.parquet"), rows[:half])
    write_csv(path.with_name("b.csv"), rows[half:])
    with tarfile.open(path, "w:gz") as archive:
        for name in ("a.parquet", "b.csv"):
            archive.add(path.with_name(name), name)
            path.with_name(name).unlink()


KINDS: dict[str, Callable[[Path, list[dict[str, object]]], None]] = {
    "crawl.warc.gz": write_warc,
    "table.parquet": write_parquet,
    "answer.json": write_json,
    "table.csv": write_csv,
    "backup.tar.gz": write_tar,
}


def test_every_kind_goes_on_inside(tmp_path: Path) -> None:
    """All kinds in one run that is killed at random moments, against a run that is not."""
    (tmp_path / "in").mkdir()
    rows = list(stories(3, 750))
    for number, (name, write) in enumerate(KINDS.items()):
        write(tmp_path / "in" / name, rows[150 * number : 150 * (number + 1)])
    whole = tmp_path / "whole"
    began = time.monotonic()
    newsbeam(*arguments(tmp_path / "in", whole, "90kB"))
    seconds = time.monotonic() - began
    expected = all_rows(whole)
    assert len(expected["articles"]) > 600 and not expected["dead_letters"]
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(2):
        process = start(*arguments(tmp_path / "in", tmp_path / "out", "90kB"))
        time.sleep(chance.uniform(0.3, 0.9) * seconds)
        kill(process)
    newsbeam(*arguments(tmp_path / "in", tmp_path / "out", "90kB"))
    assert all_rows(tmp_path / "out") == expected, seed
    newsbeam("verify", "--output", str(tmp_path / "out"))


def long_stories() -> Iterator[dict[str, object]]:
    """Stories of about 3 kB without end, none like another."""
    chance, number = random.Random(7), 0
    while True:
        parts = [story(chance, number) for _ in range(6)]
        yield {**parts[0], "text": "\n\n".join(str(part["text"]) for part in parts)}
        number += 1


def write_large_jsonl(path: Path, size: int) -> int:
    """So many bytes unpacked, most of them in a field that nobody reads; gives how many articles."""
    count = written = 0
    with gzip.open(path, "wb", 1) as file:
        for row in long_stories():
            saved = random.Random(count).randbytes(45_000).hex()
            written += file.write(json.dumps({**row, "saved_page": saved}).encode() + b"\n")
            count += 1
            if written >= size:
                return count
    return count


def write_large_warc(path: Path, size: int) -> int:
    """So many bytes; gives how many pages."""
    count = written = 0
    with path.open("wb") as file:
        for record in crawl(long_stories(), 90_000):
            written += file.write(record)
            count += b"text/html" in record[:400]
            if written >= size:
                return count
    return count


LARGE: dict[str, tuple[Callable[[Path, int], int], int, int]] = {
    "large.jsonl.gz": (write_large_jsonl, 2_000_000_000, 2_000_000),
    "large.warc": (write_large_warc, 1_000_000_000, 2_000_000),
}
"""How each is written, and its unpacked size in the soak and in the small version."""


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", LARGE)
def test_large_inputs_in_bounded_memory(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Killed after its first batches, the run goes on inside the input: nothing is lost, nothing read twice.

    In the soak with names, so that the memory is that of a usual run.
    """
    write, large, small = LARGE[name]
    is_soak = request.config.getoption("--soak")
    count = write(tmp_path / name, large if is_soak else small)
    call = arguments(tmp_path / name, tmp_path / "out", "32MB" if is_soak else "500kB", names=is_soak)
    peak = committed = 0
    for is_last in (False, True):
        process = start(*call)
        watch = Watch(process.pid)
        watch.start()
        if is_last:
            _, err = process.communicate()
            assert process.returncode == 0, err
        else:
            while len(list((tmp_path / "out/_newsbeam/log").glob("*.json"))) < 2:
                time.sleep(0.05)
                assert process.poll() is None, process.communicate()
            kill(process)
            committed = sum(1 for _ in (tmp_path / "out/_newsbeam/log").glob("*.json"))
        watch.join()
        peak = max(peak, watch.peak)
    print(f"{name}: {count:,} articles, {peak / 1e9:.2f} GB at most")
    assert committed >= 2 and peak < MOST_MEMORY
    rows = all_rows(tmp_path / "out") if not is_soak else None
    assert rows is None or len(rows["articles"]) + len(rows["duplicates"]) == count
    status = json.loads(newsbeam("status", "--output", str(tmp_path / "out"), "--json").stdout)
    outcomes = status["outcomes"]
    assert (outcomes["read"], outcomes["known"], outcomes["dead"]) == (count, 0, 0)
    assert status["inputs_done"] == 1 and not status["inputs_in_part"]
    verify = start("verify", "--output", str(tmp_path / "out"))  # takes longer than `newsbeam` waits
    _, err = verify.communicate()
    assert verify.returncode == 0, err
