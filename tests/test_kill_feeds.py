"""Killed anywhere while it polls, run again, the tables are those of an unbroken run. With the real engine."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.verify import verify_warehouse
from tests.command import kill, newsbeam, start
from tests.feed_server import Answer, Server, conditional, item, rss
from tests.tables import all_rows
from tests.test_polls import PAGE

NOW = "2026-02-01T12:00:00Z"
FEEDS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Feeds with full text and without, with bad entries, some that fail; all at one host, so that it takes a while."""
    with Server() as one:
        for feed in range(FEEDS):
            links = [one.url(f"/{feed}-{n}.html") for n in range(4)]
            items = [*(item(feed * 10 + n, link) for n, link in enumerate(links)), "<item><guid>bad</guid></item>"]
            one.routes[f"/feed{feed}"] = conditional(rss(items, f"Feed {feed}"), f'"{feed}"')
            for n in range(4):
                page = PAGE.format(n=feed * 10 + n).encode()
                one.routes[f"/{feed}-{n}.html"] = Answer(page, headers={"Content-Type": "text/html"})
        one.routes["/feed3"] = Answer(status=500)
        yield one


def configuration(server: Server, folder: Path) -> str:
    follow = [{"url": server.url(f"/feed{feed}"), "full_text": feed % 2 == 0} for feed in range(FEEDS)]
    feeds = {"follow": follow, "host_spacing": 0.03, "allow_private_addresses": True, "ports": [server.port]}
    path = folder / "feeds.yaml"
    path.write_text(yaml.safe_dump({"feeds": feeds, "models": {"en": None}, "batch": {"bytes": 40_000}}))
    return str(path)


@pytest.mark.timeout(3600)
def test_sigkill_while_polling(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    config = configuration(server, tmp_path)
    newsbeam("run", config, "--output", str(tmp_path / "whole"), "--now", NOW)
    expected, whole = all_rows(tmp_path / "whole"), len(server.hits)
    assert len(expected["articles"]) == 4 * (FEEDS - 1) and len(expected["dead_letters"]) == FEEDS - 1
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    left, round_ = (10 if request.config.getoption("--soak") else 3), 0
    while left > 0:
        round_ += 1
        arguments = ("run", config, "--output", str(tmp_path / f"out{round_}"), "--now", NOW)
        for _ in range(min(left, 3)):
            left -= 1
            at, before = chance.randrange(whole), len(server.hits)
            process = start(*arguments)
            while len(server.hits) - before < at and process.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.05))
            kill(process)
        newsbeam(*arguments)
        assert all_rows(tmp_path / f"out{round_}") == expected, seed
        assert all_rows(tmp_path / f"out{round_}", delta=True) == expected, seed
        assert not verify_warehouse(str(tmp_path / f"out{round_}")).problems


def test_a_signal_ends_polling_at_once(server: Server, tmp_path: Path) -> None:
    config = configuration(server, tmp_path)
    before = len(server.hits)
    process = start("run", config, "--output", str(tmp_path / "out"), "--now", NOW, "--set", "feeds.host_spacing=5")
    while len(server.hits) == before:
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    started = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "run the same command again" in err and "Traceback" not in err, err
    assert time.monotonic() - started < 8
    assert not list((tmp_path / "out/_newsbeam").glob("staging/*"))
    assert not (tmp_path / "out/_newsbeam/lock").exists()
