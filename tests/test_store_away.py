"""The object store is away: at the start, at each moment that matters, for long. And how often it is asked."""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pipeline.log import LOG, STAGING
from pipeline.query import connect
from schemas.errors import WorldError
from tests.command import kill, newsbeam, start
from tests.engines import Server, answers, minio_found
from tests.engines.cutting_proxy import Fault, cutting
from tests.fresh_news import fresh_news
from tests.plain import plain_config, plain_run
from tests.stories import stories, write_jsonl
from tests.tables import all_rows
from tests.test_watch import drain, wait_for
from transforms import s3
from transforms.files import asked, store_at
from transforms.s3 import S3Store

FAULTS: tuple[Fault, ...] = ("request", "answer", "half")
MOMENT = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with minio_found(tmp_path_factory.mktemp("minio")) as server:
        yield server


def back(server: Server) -> None:
    server.start()
    server.wait_until(lambda: answers(f"{os.environ['AWS_ENDPOINT_URL']}/minio/health/ready"))


def test_away_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ACCESS_KEY_ID": "me",
        "SECRET_ACCESS_KEY": "hush",
        "ENDPOINT_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    write_jsonl(tmp_path / "a.jsonl", stories(1, 5))
    for command in ("run", "watch"):
        ended = newsbeam(command, "--input", str(tmp_path), "--output", "s3://news/tables", status=1)
        assert "check AWS_ENDPOINT_URL" in ended.stderr and "hush" not in ended.stderr + ended.stdout


@pytest.mark.engines
def test_away_for_minutes(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A run waits, two minutes in `make soak`, and goes on as if nothing had been."""
    path = write_jsonl(tmp_path / "a.jsonl", stories(19, 1200))
    plain_run(plain_config(tmp_path, tmp_path / "out", "a.jsonl", batch={"bytes": 100_000}))
    options = ["--set", "models.en=null", "--set", "batch.bytes=100kB", "--now", MOMENT.isoformat(), "--json"]
    run = start("run", "--input", str(path), "--output", "s3://news/minutes", "--set", f"root={tmp_path}", *options)
    try:
        while not store_at("s3://news/minutes").names("runs"):
            time.sleep(0.1)
            assert run.poll() is None, run.communicate()
        server.kill()
        time.sleep(120 if request.config.getoption("--soak") else 12)
        back(server)
        out, err = run.communicate(timeout=300)
    finally:
        kill(run)
    assert run.returncode == 0, (out, err)
    assert all_rows("s3://news/minutes", delta=True) == all_rows(tmp_path / "out")
    newsbeam("verify", "--output", "s3://news/minutes")
    summary = json.loads(out)
    assert summary["requests"] > 40 * summary["batches"]
    assert f"The object store was asked {summary['requests']:,} times" in err


@pytest.mark.engines
def test_away_under_watch(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Files go on coming while the store is away, two minutes in `make soak`; then all are in, and it drains."""
    rows, output = list(stories(27, 400)), f"s3://news/{tmp_path.name}"
    (tmp_path / "in").mkdir()
    settings = ("--set", "models.en=null", "--set", "watch.quiet=0", "--set", "watch.commit_every=0")
    process = start("watch", "--input", str(tmp_path / "in"), "--output", output, *settings)
    try:
        for part in range(8):
            write_jsonl(tmp_path / f"in/{part}.jsonl", rows[part::8])
            if part == 0:
                wait_for(process, lambda: store_at(output).names("runs"))
            elif part == 2:
                server.kill()
            elif part == 6:
                time.sleep(120 if request.config.getoption("--soak") else 8)
                back(server)
            time.sleep(1)
        wait_for(process, lambda: _read(output) == len(rows), 300)
        drain(process)
    finally:
        kill(process)
    plain_run(plain_config(tmp_path / "in", tmp_path / "out"))
    here, there = all_rows(tmp_path / "out"), all_rows(output, delta=True)
    assert {name: len(found) for name, found in there.items()} == {name: len(found) for name, found in here.items()}
    newsbeam("verify", "--output", output)


def _read(output: str) -> int:
    """Records in complete batches."""
    with connect(output) as connection:
        return int(connection.sql("SELECT coalesce(sum(read), 0) FROM runs").fetchall()[0][0])


@pytest.mark.engines
def test_connections_are_cut(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten requests one is lost, or its answer is, or half of it: all are repeated, and the tables are exact."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance, cuts = random.Random(seed), Counter[str]()

    def choose(method: str, path: str) -> Fault:
        fault = chance.choice(FAULTS) if chance.random() < 0.1 else ""
        cuts[f"{method} {fault}"] += bool(fault)
        return fault

    monkeypatch.setattr(s3, "_PAUSE", 0.1)
    write_jsonl(tmp_path / "in.jsonl.gz", islice(fresh_news(29, lambda: MOMENT), 300))
    plain_run(plain_config(tmp_path, tmp_path / "out", "in.jsonl.gz", batch={"bytes": 100_000}))
    with cutting(os.environ["AWS_ENDPOINT_URL"], choose) as url, monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        plain_run(plain_config(tmp_path, "s3://news/cut", "in.jsonl.gz", batch={"bytes": 100_000}))
        assert not list(store_at("s3://news/cut").walk("_newsbeam/staging"))
    print(f"cut: {+cuts}")
    assert all_rows("s3://news/cut", delta=True) == all_rows(tmp_path / "out")
    newsbeam("verify", "--output", "s3://news/cut")


@pytest.mark.engines
def test_a_batch_costs_what_the_first_one_did(server: Server, tmp_path: Path) -> None:
    """However many batches are there: revisions, copies and look-ups list no folder that grows."""
    config = plain_config(tmp_path, "s3://news/cost")
    counts, rows = list[int](), list(islice(fresh_news(23, lambda: MOMENT), 160))
    for number in range(8):
        write_jsonl(tmp_path / f"{number}.jsonl", rows[number * 20 : number * 20 + 20])
        asked()
        summary = plain_run(config)
        assert summary.batches == 1
        counts.append(asked())
    print(f"requests of each batch: {counts}")
    assert max(counts[5:]) <= 1.2 * max(counts[1:4])


@pytest.mark.engines
def test_wrong_key(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    write_jsonl(tmp_path / "a.jsonl", stories(1, 5))
    ended = newsbeam("run", "--input", str(tmp_path), "--output", "s3://news/wrong", status=1)
    assert "the object store refuses them" in ended.stderr and "AWS_SECRET_ACCESS_KEY" in ended.stderr
    assert "hush" not in ended.stderr + ended.stdout


MOMENTS: dict[str, tuple[str, str, int, bool]] = {
    "before anything is staged": ("write", STAGING, 1, False),
    "while staging": ("write", STAGING, 8, False),
    "before the log entry": ("create", LOG, 2, False),
    "after the log entry": ("create", LOG, 2, True),
    "while publishing": ("move", STAGING, 12, False),
}
"""The method that the store is killed at, the folder, the call, and whether behind it."""


@pytest.mark.engines
@pytest.mark.parametrize("moment", MOMENTS)
def test_away_at_a_moment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """It stays away for longer than is waited; what was committed is safe, and the next run finishes."""
    name, folder, call, behind = MOMENTS[moment]
    (tmp_path / "in").mkdir()
    monkeypatch.setattr("pipeline.lock.process_lives", lambda pid: False)  # of the run that ended
    monkeypatch.setattr(s3, "PATIENCE", timedelta(seconds=2))
    monkeypatch.setattr(s3, "_FIRST", timedelta(seconds=1))
    rows = list(stories(17, 120))
    for number in range(3):
        write_jsonl(tmp_path / f"in/{number}.jsonl", rows[number::3])
    plain_run(plain_config(tmp_path / "in", tmp_path / "out", batch={"bytes": 10_000}))
    config = plain_config(tmp_path / "in", f"s3://news/{tmp_path.name}", batch={"bytes": 10_000})
    began = 0.0

    def kill() -> None:
        nonlocal began
        began = time.monotonic()
        server.kill()

    with monkeypatch.context() as patch:
        patch.setattr(S3Store, name, at_call(getattr(S3Store, name), folder, call, behind, kill))
        with pytest.raises(WorldError, match=r"What was committed is safe; .*run the same command again"):
            plain_run(config)
    assert began and time.monotonic() - began < 120
    back(server)
    plain_run(config)
    assert all_rows(config.output, delta=True) == all_rows(tmp_path / "out")
    newsbeam("verify", "--output", config.output)


def at_call(method: Any, folder: str, number: int, behind: bool, act: Callable[[], None]) -> Any:
    """A method that acts at its call of that number in a folder, before it does its work or behind it."""
    calls = 0

    def watched(self: S3Store, name: str, *more: Any) -> Any:
        nonlocal calls
        calls += name.startswith(folder)
        now = name.startswith(folder) and calls == number
        if now and not behind:
            act()
        result = method(self, name, *more)
        if now and behind:
            act()
        return result

    return watched
