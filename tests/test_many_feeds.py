"""Many feeds on many hosts: quick, and no host is asked too often. What the server saw decides.

`python -m tests.bench_feeds` prints the figures of the whole: 1,000 feeds on 200 hosts, 20 of which are slow.
"""

import random
import time
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.config import Config
from pipeline.run import Session, Summary
from pipeline.steps import without_articles
from pipeline.verify import verify_warehouse
from tests.feed_server import Answer, Hit, Server, conditional, item, rss
from tests.plain import NOW, plain_config, plain_line
from tests.tables import all_rows


class Scale(NamedTuple):
    """How large, and how slow; times in seconds."""

    feeds: int
    hosts: int
    slow: int
    delay: float
    spacing: float
    within: float


SMALL = Scale(feeds=80, hosts=16, slow=2, delay=0.4, spacing=0.3, within=10.0)
WHOLE = Scale(feeds=1_000, hosts=200, slow=20, delay=2.0, spacing=1.0, within=30.0)
MOST = 10
"""Feeds on one host; the slow ones have as many."""


def spread(scale: Scale, chance: random.Random) -> list[tuple[int, int]]:
    """Pairs of a host's and a feed's number."""
    counts = Counter({host: MOST for host in range(scale.slow)})
    while counts.total() < scale.feeds:
        host = chance.randrange(scale.slow, scale.hosts)
        counts[host] += counts[host] < MOST
    return [(host, number) for host, count in counts.items() for number in range(count)]


def served(server: Server, scale: Scale, places: list[tuple[int, int]]) -> None:
    """Slow hosts, one that asks to be left alone, and every so often a feed that fails."""
    for at, (host, number) in enumerate(places):
        path = f"h{host}.test/feed{number}"
        delay = scale.delay if host < scale.slow else 0.0
        good = conditional(rss(item(at * 10 + n, f"https://h{host}.example/{number}/{n}") for n in range(3)), f'"{at}"')
        bad = {17: Answer(status=404), 18: Answer(status=500), 19: Answer(b"<html>Sorry</html>")}.get(at % 20)
        if host == scale.slow:
            bad = Answer(status=429, headers={"Retry-After": "7200"})
        server.routes[path] = delayed(bad or good, delay)


def delayed(route: object, delay: float) -> object:
    def answer(hit: Hit) -> Answer:
        found = route if isinstance(route, Answer) else route(hit)  # type: ignore[operator]
        return Answer(found.body, found.status, found.headers, delay)

    return answer


def poll(config: Config, now: object) -> tuple[Summary, float]:
    """One run, and the seconds that it took to ask all feeds."""
    summary, asking = Summary(), 0.0
    session = Session(config, [], summary, now=now, resolve=lambda host, port: ["127.0.0.1"])  # type: ignore[arg-type]
    while True:
        started = time.monotonic()
        batch = session.plan(None)
        asking += time.monotonic() - started
        if batch is None:
            session.close()
            return summary, asking
        session.send(batch, plain_line if batch.chunks else without_articles)


def least_gap(hits: list[Hit]) -> float:
    """The least time between the beginnings of two requests to one host. No two of them overlap."""
    by_host = defaultdict(list)
    for hit in hits:
        by_host[hit.host].append(hit)
    gaps = []
    for of_host in by_host.values():
        for before, after in pairwise(sorted(of_host)):
            assert after.at >= before.done - 0.005, (before, after)  # the answer is read before the server notes it
            gaps.append(after.at - before.at)
    return min(gaps)


def play(scale: Scale, folder: Path, seed: int) -> str:
    """Two runs, with all that has to be true of them; the figures as a sentence."""
    with Server() as server:
        places = spread(scale, random.Random(seed))
        served(server, scale, places)
        urls = [server.url(f"/feed{number}", f"h{host}.test") for host, number in places]
        feeds = {
            "host_spacing": scale.spacing, "allow_private_addresses": True, "ports": [server.port], "follow": urls,
            "contact": "desk@harbour.example",
        }  # fmt: skip
        config = plain_config(folder, folder / "out", feeds=feeds).model_copy(update={"input": ()})
        summary, seconds = poll(config, NOW)
        gap = least_gap(server.hits)
        asked = len(server.hits)
        assert gap >= scale.spacing and seconds < scale.within, (gap, seconds)
        put_off = sum(host == scale.slow for host, _ in places) - 1
        assert (summary.feeds_asked, asked) == (scale.feeds - put_off, scale.feeds - put_off)
        assert summary.unique == 3 * (summary.feeds_asked - len(summary.feeds_failed)) > 0
        before = all_rows(folder / "out")
        server.hits.clear()
        again, seconds_again = poll(config, NOW + timedelta(hours=1, minutes=50))
        assert again.read == 0 and all_rows(folder / "out") == before and least_gap(server.hits) >= scale.spacing
        conditions = sum("if-none-match" in hit.headers for hit in server.hits)
        assert conditions == summary.unique // 3
        assert not verify_warehouse(config.output).problems
    return (
        f"{scale.feeds:,} feeds on {scale.hosts:,} hosts, {scale.slow} of them slow ({scale.delay:g} s): asked in "
        f"{seconds:.1f} s; {len(summary.feeds_failed):,} failed, {put_off:,} were put off.\n"
        f"Least gap between two requests to a host: {gap:.3f} s, where the spacing is {scale.spacing:g}.\n"
        f"Second run: {conditions:,} of {len(server.hits):,} requests conditional, {seconds_again:.1f} s, no new rows."
    )


def test_many_feeds(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    print(play(WHOLE if request.config.getoption("--soak") else SMALL, tmp_path, seed))
