"""`watch` for long: 50 articles a second with ever new names. Memory stays flat, and nothing waits for long."""

import json
import os
import statistics
import subprocess
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from pipeline.query import connect
from tests.command import kill, newsbeam
from tests.fresh_news import fresh_news
from tests.test_line import descendants_named
from tests.test_watch import drain, wait_for, watch
from transforms.names import DEFAULT_MODELS

RATE = float(os.environ.get("NEWSBEAM_SOAK_RATE", "50"))
"""Articles a second; a large agency sends one or two. On a machine that is busy otherwise, let there be fewer."""
FILE_EVERY = 0.5
"""Seconds between two files."""
LOOK_EVERY = 3.0
"""Seconds between two looks at memory, which cost the process that is looked at some milliseconds."""


class Arrival(NamedTuple):
    """A file's articles, and when it was there."""

    articles: int
    at: float


class Writer(threading.Thread):
    """Writes files of articles into a folder by rename, at RATE, for some seconds."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self._folder, self._files = folder, int(seconds / FILE_EVERY)
        self.arrivals: list[Arrival] = []

    def run(self) -> None:
        news, began = fresh_news(37), time.monotonic()
        for number in range(self._files):
            time.sleep(max(began + number * FILE_EVERY - time.monotonic(), 0))
            rows = list(islice(news, int(RATE * FILE_EVERY)))
            hidden = self._folder / f".{number:06}.jsonl"
            hidden.write_text("".join(json.dumps(row) + "\n" for row in rows))
            os.rename(hidden, self._folder / f"{number:06}.jsonl")
            self.arrivals.append(Arrival(len(rows), time.monotonic()))


class Seen:
    """What is seen of a watch from outside: the memory of its processes, and which articles can be read when."""

    def __init__(self, process: "subprocess.Popen[str]", tables: Path) -> None:
        self._process, self._tables = process, tables
        self._runs: dict[str, int] = {}
        self._looked = 0.0
        self.memory: dict[str, list[int]] = defaultdict(list)
        """Proportional set sizes in bytes, by process, at each look."""
        self._readable: list[tuple[float, int]] = []

    def has_all(self, writer: Writer) -> bool:
        """Look; whether all that was written can be read, and no more will come."""
        if writer.is_alive() and time.monotonic() - self._looked >= LOOK_EVERY:
            self._looked = time.monotonic()
            self._look_at_memory()
        ended, articles = not writer.is_alive(), self.articles()
        return ended and articles == sum(one.articles for one in writer.arrivals)

    def _look_at_memory(self) -> None:
        below = descendants_named(self._process.pid, "pipeline.worker")
        for number, pid in enumerate([self._process.pid, *below]):
            name = ("driver", "server")[number] if number < 2 else "worker"
            with suppress(OSError):
                self.memory[f"{name} {pid}"].append(proportional(pid))

    def articles(self) -> int:
        """Articles in complete batches, just now."""
        new = [path for path in self._tables.glob("runs/date=*/*.parquet") if path.name not in self._runs]
        for path in new:
            self._runs[path.name] = pq.read_table(path, columns=["read"])["read"].to_pylist()[0]
        if new:
            self._readable.append((time.monotonic(), sum(self._runs.values())))
        return self._readable[-1][1] if self._readable else 0

    def latencies(self, arrivals: Sequence[Arrival]) -> list[float]:
        """Seconds from each file's arrival until its articles could be read: files come in in the order of names."""
        counts = [count for _, count in self._readable]
        upto = accumulate(one.articles for one in arrivals)
        return [
            self._readable[bisect_left(counts, total)][0] - arrival.at
            for arrival, total in zip(arrivals, upto, strict=True)
        ]


def proportional(pid: int) -> int:
    """The proportional set size of a process, in bytes: what it shares with others counts in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@pytest.mark.timeout(3600)
def test_soak(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """30 minutes in `make soak`, 1 minute in `make test`: then each process holds what it held before."""
    long = request.config.getoption("--soak")
    minutes = float(os.environ.get("NEWSBEAM_SOAK_MINUTES", "30" if long else "1"))
    process = watch(tmp_path, "--set", f"models.en={DEFAULT_MODELS['en']}")
    seen, writer = Seen(process, tmp_path / "out"), Writer(tmp_path / "in", minutes * 60)
    try:
        wait_for(process, lambda: descendants_named(process.pid, "pipeline.worker")[2:], 300)
        writer.start()
        wait_for(process, lambda: seen.has_all(writer), minutes * 60 + 300)
        drain(process)
    finally:
        kill(process)
        if path := os.environ.get("NEWSBEAM_SOAK_LOG"):
            Path(path).write_text(json.dumps({"memory": seen.memory}))
    latencies = seen.latencies(writer.arrivals)
    counts = outcomes(tmp_path / "out")
    print(f"{minutes:g} minutes: {seen.articles():,} articles, {counts}")
    print(f"from file to row: median {statistics.median(latencies):.1f} s, longest {max(latencies):.1f} s")
    check_flat(seen.memory, 1.05 if minutes >= 10 else 1.5)  # a minute is too short to fill what is remembered
    assert max(latencies) < (60 if long else 180)
    assert sum(counts.values()) == seen.articles() and not counts["dead"]
    newsbeam("verify", "--output", str(tmp_path / "out"))


def check_flat(memory: dict[str, list[int]], growth: float) -> None:
    """Each process holds in the last third, on average, at most `growth` times what it held in the second."""
    thirds: dict[str, list[float]] = {}
    for name, sizes in memory.items():
        third = len(sizes) // 3
        thirds[name] = [statistics.fmean(sizes[at * third : (at + 1) * third]) / 1e6 for at in range(3)]
        held = ", ".join(f"{mean:.0f}" for mean in thirds[name])
        print(f"{name}: {held} MB by thirds, at most {max(sizes) / 1e6:.0f} MB")
    assert {name: means for name, means in thirds.items() if means[2] > growth * means[1]} == {}


def outcomes(tables: Path) -> dict[str, int]:
    """Articles by outcome."""
    with connect(str(tables)) as connection:
        rows = connection.sql('SELECT sum("unique"), sum(duplicates), sum(known), sum(dead) FROM runs').fetchall()
    return dict(zip(("unique", "duplicates", "known", "dead"), map(int, rows[0]), strict=True))
