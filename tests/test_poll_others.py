"""Others' test feeds, served and polled by the command: nothing crashes or hangs, and every entry is accounted for.

How many entries a feed has is what feedparser says of the same bytes, or what stands in the JSON. A sample in
`make test`, all with `--soak`.
"""

import json
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import feedparser
import msgspec
import pytest
import yaml

from pipeline.feed_states import states_in
from pipeline.verify import verify_warehouse
from schemas.feeds import Feed
from tests.command import kill, start
from tests.feed_expectations import files, headers_in
from tests.feed_server import Answer, Server
from tests.plain import NOW
from tests.tables import all_rows
from tests.test_week import rows
from transforms.entries import entries_of
from transforms.feeds import NotAFeed, parse_feed
from transforms.files import store_at

NAMED = r"\.xml$|/json(?:/|_feed)[^/]*(?<!_expected)\.json$"
ARCHIVES = ("feedjira", "gofeed", "feedvalidator", "feedparser")
MOMENTS = ("2026-02-01T12:00:00Z", "2026-02-01T14:00:00Z")
WITHIN = 600.0
"""Seconds for all feeds; three times as long on a machine that others use, too."""
Kept = dict[str, Counter[str]]
"""By feed: how many rows it has in each table."""


class Served(NamedTuple):
    """A feed as it is served, and how many entries it has."""

    name: str
    answer: Answer
    entries: int


def to_serve(shared: Path, every: int) -> Iterator[Served]:
    """Each of the feeds, or one of so many, with the type that it names for itself."""
    for archive in ARCHIVES:
        for name, data in islice(files(shared / "data" / f"feeds-{archive}.tar.gz", NAMED), 0, None, every):
            is_json = name.endswith(".json")
            kind = headers_in(data).get("content-type", "application/json" if is_json else "application/xml")
            count = items_in(data) if is_json else entries_in(data, kind)
            yield Served(f"{archive} {name}", Answer(data, headers={"Content-Type": kind}), count)


def entries_in(data: bytes, kind: str) -> int:
    """What feedparser finds by itself."""
    with warnings.catch_warnings(action="ignore"):
        return len(feedparser.parse(data, response_headers={"content-type": kind}).entries)


def items_in(data: bytes) -> int:
    """None in JSON that does not say, as JSON Feed 1 has to, that it is one."""
    try:
        feed = json.loads(data)
    except ValueError:
        return 0
    return len(feed["items"]) if feed["version"].startswith("https://jsonfeed.org/version/1") else 0


def polled(config: Path, output: Path, now: str) -> tuple[dict[str, Any], float]:
    """What `newsbeam run` says of its work, and how many seconds it took."""
    began = time.monotonic()
    process = start("run", str(config), "--output", str(output), "--now", now, "--json")
    try:
        out, err = process.communicate(timeout=3 * WITHIN)
    except BaseException:
        kill(process)
        raise
    assert process.returncode == 0 and "Traceback" not in err, err
    summary: dict[str, Any] = msgspec.json.decode(out)
    return summary, time.monotonic() - began


def kept(folder: Path) -> Kept:
    found: Kept = {}
    for table in ("articles", "duplicates", "dead_letters"):
        for row in rows(folder, table, "input"):
            found.setdefault(str(row["input"]), Counter())[table] += 1
    return found


def ids_of(url: str, one: Served) -> set[str]:
    """The ids of the articles that a feed's entries make."""
    feed = Feed(url=url, interval=0.0, full_text=False, allow_private_addresses=True)
    try:
        parsed = parse_feed(one.answer.body, url, one.answer.headers["Content-Type"])
    except NotAFeed:
        return set()
    return {one.article.article_id for one in entries_of(parsed, feed, len(parsed.entries), NOW) if one.article}


def check_entries(feeds: Mapping[str, Served], summary: Mapping[str, Any], folder: Path) -> Counter[str]:
    """Each entry is a row of its feed, or is known, because another feed has it; the totals."""
    found, totals = kept(folder), Counter[str]()
    ids = {str(row["article_id"]) for table in ("articles", "duplicates") for row in rows(folder, table, "article_id")}
    for url, one in feeds.items():
        of_feed = found.pop(url, Counter())
        known = one.entries - of_feed.total()
        assert known >= 0 if url not in summary["feeds_failed"] else one.entries == of_feed.total() == 0, one.name
        assert ids_of(url, one) <= ids, one.name
        totals += of_feed + Counter(known=known)
    assert not found
    return totals


def nothing_new(feeds: Mapping[str, Served], folder: Path) -> int:
    """Entries of feeds that had none but known ones: such feeds add nothing to a run, and are not counted as read."""
    states = states_in(store_at(str(folder / "out")))
    return sum(one.entries for url, one in feeds.items() if states[url].succeeded_at and not states[url].news_at)


@pytest.mark.timeout(6 * WITHIN)
def test_others_feeds_are_polled(shared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    every = 1 if request.config.getoption("--soak") else 25
    routes = {f"/{number}.xml": one for number, one in enumerate(to_serve(shared, every))}
    with Server({path: one.answer for path, one in routes.items()}) as server:
        feeds = {server.url(path): one for path, one in routes.items()}
        section = {
            "host_spacing": 0, "allow_private_addresses": True, "ports": [server.port], "contact": "desk@paper.example",
            "requests_per_host": len(feeds), "follow": list(feeds),
        }  # fmt: skip
        config = tmp_path / "feeds.yaml"
        config.write_text(yaml.safe_dump({"feeds": section, "models": {"en": None}}))
        summary, seconds = polled(config, tmp_path / "out", MOMENTS[0])
        before = all_rows(tmp_path / "out")
        again, seconds_again = polled(config, tmp_path / "out", MOMENTS[1])
    totals, unread = check_entries(feeds, summary, tmp_path), nothing_new(feeds, tmp_path)
    print(
        f"{summary['feeds_asked']:,} feeds asked, {len(summary['feeds_failed']):,} of them no feeds; "
        f"{totals.total():,} entries: {', '.join(f'{count:,} {name}' for name, count in totals.items())}; "
        f"{summary['dead_by_class']}; in {seconds:.0f} s, and again in {seconds_again:.0f} s"
    )
    assert summary["feeds_asked"] == len(feeds)
    told = {"articles": "unique", "duplicates": "duplicates", "dead_letters": "dead", "known": "known"}
    assert totals == Counter({name: summary[outcome] for name, outcome in told.items()}) + Counter(known=unread)
    assert totals.total() == summary["read"] + unread == sum(one.entries for one in feeds.values())
    assert again["read"] == 0 and again["feeds_asked"] > 0 and all_rows(tmp_path / "out") == before
    assert not verify_warehouse(str(tmp_path / "out")).problems
