"""`watch` on this machine: files that arrive in any way become rows soon, and each once."""

import gzip
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.query import connect
from pipeline.quiet import Quiet
from tests.command import kill, newsbeam, start
from tests.feed_server import Answer, Hit, Server, item, rss
from tests.stories import stories
from tests.test_line import descendants_named
from transforms.files import Info


def written(*words: object) -> Info:
    name, version, modified = words
    return Info(str(name), 1, str(version), float(modified))  # type: ignore[arg-type]


QUIET = [
    ("long ago by its own time", [], written("a", 1, 90.0), True),
    ("just now", [], written("a", 1, 99.0), False),
    ("just now, but we saw it so before", [(0.0, written("a", 1, 99.0))], written("a", 1, 99.0), True),
    ("changed since we saw it", [(0.0, written("a", 1, 99.0))], written("a", 2, 99.5), False),
    ("the clock was moved back", [], written("a", 1, 5000.0), False),
    ("the clock was moved back, and we waited", [(0.0, written("a", 1, 5000.0))], written("a", 1, 5000.0), True),
    ("will be renamed", [], written("a.tmp", 1, 90.0), False),
]


@pytest.mark.parametrize(("case", "before", "info", "whole"), QUIET, ids=[case[0] for case in QUIET])
def test_which_files_are_whole(case: str, before: list[tuple[float, Info]], info: Info, whole: bool) -> None:
    quiet = Quiet(2.0)
    for clock, earlier in before:
        quiet.whole([earlier], 100.0, clock)
    assert (quiet.whole([info], 100.0, 10.0) == [info]) is whole


def lines(rows: Sequence[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def watch(root: Path, *more: str) -> "subprocess.Popen[str]":
    folder = root / "in"
    folder.mkdir(exist_ok=True)
    options = ("--set", "models.en=null", "--set", "workers=2", *more)
    return start("watch", "--input", str(folder), "--output", str(root / "out"), *options)


def wait_for(process: "subprocess.Popen[str]", ready: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        if process.poll() is not None or time.monotonic() > deadline:
            kill(process, signal.SIGKILL)
            raise AssertionError(process.communicate())
        time.sleep(0.1)
    return found


def drain(process: "subprocess.Popen[str]") -> str:
    """End it by a signal to its whole group, as a service manager does; what it said."""
    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in err, err
    return err


def records(root: Path) -> int:
    """Records read so far, in complete batches."""
    if not list(root.glob("out/runs/*/*.parquet")):
        return 0
    with connect(str(root / "out")) as connection:
        return int(connection.sql("SELECT sum(read) FROM runs").fetchall()[0][0])


def check(root: Path, rows: Sequence[dict[str, object]]) -> None:
    """The tables hold the rows: every text once, every page of the same text a copy, what is the same only counted."""
    pages = {(row["url"], row["title"], row["text"]) for row in rows}
    texts = {(row["title"], row["text"]) for row in rows}
    with connect(str(root / "out")) as connection:
        counts = connection.sql(
            "SELECT sum(read), sum(dead), (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates) FROM runs"
        ).fetchall()
    assert counts == [(len(rows), 0, len(texts), len(pages) - len(texts))]
    newsbeam("verify", "--output", str(root / "out"))


def test_files_arrive_in_every_way(tmp_path: Path) -> None:
    """Whole, renamed, compressed, written slowly, from before the clock was moved back; a worker is killed; a second
    watch and a compaction are sent away; SIGTERM drains."""
    rows = list(stories(31, 400))
    process = watch(tmp_path, "--set", "watch.commit_every=1", "--set", "watch.quiet=1.5")
    folder = tmp_path / "in"
    (folder / "before.jsonl").write_text(lines(rows[:50]))
    wait_for(process, lambda: records(tmp_path) == 50)
    second = watch(tmp_path)
    with (folder / "slow.jsonl").open("w") as slow:
        for row in rows[50:60]:
            slow.write(lines([row]))
            slow.flush()
            time.sleep(0.3)
    closed = time.time()
    (folder / "renamed.jsonl.tmp").write_text(lines(rows[60:100]))
    os.rename(folder / "renamed.jsonl.tmp", folder / "renamed.jsonl")
    os.utime(folder / "renamed.jsonl", (closed + 86_400, closed + 86_400))
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(lines(rows[100:300]).encode()))
    wait_for(process, lambda: records(tmp_path) == 300)
    print(f"from file closed to rows readable in {time.time() - closed:.1f} s")
    compact = ("compact", "--fingerprints", "--output", str(tmp_path / "out"))
    assert "is in use by process" in newsbeam(*compact, status=75).stderr
    os.kill(descendants_named(process.pid, "pipeline.worker")[-1], signal.SIGKILL)
    (folder / "after.jsonl").write_text(lines(rows[300:]))
    wait_for(process, lambda: records(tmp_path) == 400)
    err = drain(process)
    assert "A worker process ended by itself (-9)" in err and "Trying again" in err
    assert "is in use by process" in second.communicate(timeout=90)[1] and second.returncode == 75
    newsbeam(*compact)
    check(tmp_path, rows)
    assert not list((tmp_path / "out/_newsbeam").glob("staging/*"))


def test_feeds_that_are_due(tmp_path: Path) -> None:
    """Feeds are polled by the same watch as files, each only when it is due; nothing is left behind."""
    with Server() as server:
        server.routes["/feed"] = Answer(rss(item(number, f"https://harbour.example/{number}") for number in range(5)))
        follow = {"follow": [server.url("/feed")], "ports": [server.port], "allow_private_addresses": True}
        options = [f"--set=feeds.{name}={json.dumps(value)}" for name, value in follow.items()]
        process = watch(tmp_path, "--set", "watch.quiet=0", "--set", "watch.commit_every=0", *options)
        wait_for(process, lambda: records(tmp_path) == 5)
        (tmp_path / "in/a.jsonl").write_text(lines(list(stories(39, 20))))
        wait_for(process, lambda: records(tmp_path) == 25)
        assert "1 of 1 feeds were asked, 0 failed" in drain(process)
        assert [hit.path for hit in server.hits] == ["/feed"]
    newsbeam("verify", "--output", str(tmp_path / "out"))
    assert not list((tmp_path / "out/_newsbeam").glob("staging/*"))


def test_it_does_not_wait_for_a_slow_feed(tmp_path: Path) -> None:
    """A poll that is under way is given up: it was never there, and is done again."""
    feed, asked = rss(item(number, f"https://harbour.example/{number}") for number in range(5)), threading.Event()

    def slow(_: Hit) -> Answer:
        asked.set()
        return Answer(feed, delay=300)

    with Server({"/feed": Answer(feed), "/slow": slow}) as server:
        changes = {"ports": [server.port], "allow_private_addresses": True, "limits.idle": 300, "limits.total": 300}
        options = [f"--set=feeds.{name}={json.dumps(value)}" for name, value in changes.items()]
        urls = [server.url("/feed"), server.url("/slow")]
        process = watch(tmp_path, f"--set=feeds.follow={json.dumps(urls)}", *options)
        wait_for(process, asked.is_set)
        began = time.monotonic()
        assert "0 articles" in drain(process)
        print(f"ended {time.monotonic() - began:.1f} s after the signal")
        assert time.monotonic() - began < 60
        options += [f"--set=feeds.follow={json.dumps(urls[:1])}", "--set", "models.en=null"]
        newsbeam("run", "--output", str(tmp_path / "out"), *options)
    assert records(tmp_path) == 5
    assert not list((tmp_path / "out/_newsbeam").glob("staging/*"))


def test_killed_and_started_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    rows = list(stories(chance.randrange(1000), 600))
    rounds = 10 if request.config.getoption("--soak") else 1
    for number in range(rounds):
        process = watch(tmp_path, "--set", "watch.quiet=0", "--set", "watch.commit_every=0")
        for part in range(6):
            part_rows = rows[number * 6 + part :: rounds * 6]
            (tmp_path / f"in/{number}-{part}.jsonl").write_text(lines(part_rows))
            time.sleep(chance.uniform(0.0, 1.0))
        kill(process)
    process = watch(tmp_path, "--set", "watch.quiet=0")
    wait_for(process, lambda: records(tmp_path) == 600)
    drain(process)
    check(tmp_path, rows)


def memory_of(process: "subprocess.Popen[str]") -> dict[str, int]:
    """Resident bytes of the driver and of what runs below it, by kind."""
    found: dict[str, int] = {}
    for name, pids in {"driver": [process.pid], "workers": descendants_named(process.pid, "pipeline.worker")}.items():
        with suppress(OSError):
            found[name] = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)
    return found


@pytest.mark.timeout(3600)
def test_a_flood(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """20,000 files at once make lag, not memory: the first are rows soon, all are committed, no process grows much."""
    if not request.config.getoption("--soak"):
        pytest.skip("only in `make soak`")
    rows = list(stories(35, 20_000))
    (tmp_path / "in").mkdir()
    for number, row in enumerate(rows):
        (tmp_path / f"in/{number:05}.jsonl").write_text(lines([row]))
    began = time.monotonic()
    process = watch(tmp_path)
    peaks: dict[str, int] = {}
    seen: list[tuple[float, int]] = []

    def done() -> bool:
        for name, size in memory_of(process).items():
            peaks[name] = max(peaks.get(name, 0), size)
        if (found := records(tmp_path)) and (not seen or found > seen[-1][1]):
            seen.append((time.monotonic() - began, found))
        return found == len(rows)

    wait_for(process, done, 2400)
    print("rows: " + ", ".join(f"{count:,} after {seconds:.0f} s" for seconds, count in seen))
    print(f"20,000 files in {time.monotonic() - began:.0f} s; peaks { ({k: v // 10**6 for k, v in peaks.items()}) } MB")
    drain(process)
    check(tmp_path, rows)
    assert peaks["driver"] < 700e6, peaks
    assert seen[0][1] < len(rows) / 4, seen


def test_latency(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The median with the defaults: a tick of 2 s, 2 s of quiet, a commit every 5 s."""
    if not request.config.getoption("--soak"):
        pytest.skip("only in `make soak`")
    process = watch(tmp_path)
    (tmp_path / "in/first.jsonl").write_text(lines(list(stories(1, 1))))
    wait_for(process, lambda: records(tmp_path) == 1)
    for number, row in enumerate(stories(33, 40)):
        (tmp_path / f"in/{number}.json.jsonl").write_text(lines([row]))
        time.sleep(0.25)
    wait_for(process, lambda: records(tmp_path) == 41)
    time.sleep(2.5)
    last = drain(process).splitlines()
    latency = float(next(line for line in reversed(last) if "from file to row" in line).rpartition("row")[2].split()[0])
    print(f"median {latency} s from file closed to row readable")
    assert latency < 10
