"""A week of fifty feeds with every bad habit, by an injected clock: no entry lost, none doubled, nobody annoyed.

`python -m tests.test_week` prints the schedule of requests.
"""

import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import pyarrow.dataset as ds
import pytest

from pipeline.config import Config
from pipeline.feed_states import states_in
from pipeline.run import Session, Summary
from pipeline.steps import without_articles
from pipeline.verify import verify_warehouse
from tests.feed_server import Answer, Hit, Server, rss
from tests.plain import plain_config, plain_line
from transforms.files import store_at

START = datetime(2026, 2, 2, tzinfo=UTC)  # a Monday
DAYS = 7
HOUR = timedelta(hours=1)
FIRST = START - 48 * HOUR
"""When the feeds began: a feed with one entry cannot show its habits yet."""
KEPT = 72 * HOUR
"""How long an entry stands in its feed; no outage lasts nearly as long."""
INTERVAL = HOUR


@dataclass
class Clock:
    now: datetime = START

    def hours(self) -> float:
        return (self.now - START) / HOUR


@dataclass
class Publisher:
    """A feed that publishes something every few hours, and has a habit."""

    number: int
    habit: "Habit"
    clock: Clock
    asked: list[tuple[datetime, int]] = field(default_factory=list)
    """When, and with which status it answered; 0 for an answer that broke off."""

    @property
    def host(self) -> str:
        return f"f{self.number}.test"

    @property
    def every(self) -> int:
        """Hours between two entries."""
        return 5 + self.number % 13

    def tokens(self) -> list[str]:
        """What it shows, newest first: for each entry a word that stands nowhere else."""
        published = range(int((self.clock.now - FIRST) / HOUR // self.every) + 1)
        return [self.token(n) for n in published if self.clock.now - self.at(n) < KEPT][::-1]

    def token(self, n: int) -> str:
        return f"ship{self.number}x{n}"

    def at(self, n: int) -> datetime:
        return FIRST + n * self.every * HOUR

    def items(self) -> list[str]:
        return [self.habit.item(self, token) for token in self.tokens()]

    def answer(self, hit: Hit) -> Answer:
        answer = self.habit.answer(self, hit)
        self.asked.append((self.clock.now, 0 if answer.raw else answer.status))
        return answer


def number_of(token: str) -> int:
    return int(token.rpartition("x")[2])


def plain_item(feed: Publisher, token: str, *, guid: str | None = None, link: str | None = "", words: str = "") -> str:
    """An item about one token."""
    at = feed.at(number_of(token))
    link = f"https://f{feed.number}.example/{token}" if link == "" else link
    parts = [
        f"<title>The {token} is late</title>",
        f"<link>{link}</link>" if link else "",
        f"<guid isPermaLink='false'>{guid or token}</guid>",
        f"<description>{words or f'The harbour council said that the {token} was late.'}</description>",
        f"<pubDate>{format_datetime(at, usegmt=True)}</pubDate>",
    ]
    return f"<item>{''.join(parts)}</item>"


def whole(feed: Publisher, hit: Hit, more: str = "", **headers: str) -> Answer:
    """The feed as it should be: 304 for whoever has it."""
    body = rss(feed.items(), f"Feed {feed.number}", more)
    told = {
        "ETag": f'"{len(body)}-{feed.tokens()[0]}"',
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    if hit.headers.get("if-none-match") == told["ETag"]:
        return Answer(status=304, headers=told)
    return Answer(body, headers=told)


@dataclass
class Habit:
    """What a feed does wrong."""

    name: str
    answer: Callable[[Publisher, Hit], Answer] = whole
    item: Callable[[Publisher, str], str] = plain_item
    least: timedelta = INTERVAL
    """The least time between two requests."""
    ends: float = DAYS * 24.0
    """Hours after which nothing more is to be expected of it."""


def between(start: float, end: float, bad: Callable[[Publisher, Hit], Answer]) -> Callable[[Publisher, Hit], Answer]:
    """Something else for some hours, and then well again."""
    return lambda feed, hit: (bad if start <= feed.clock.hours() < end else whole)(feed, hit)


def always(answer: Answer) -> Callable[[Publisher, Hit], Answer]:
    return lambda feed, hit: answer


def every_second(bad: Answer) -> Callable[[Publisher, Hit], Answer]:
    return lambda feed, hit: bad if len(feed.asked) % 2 else whole(feed, hit)


async def hang_up(writer: object) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<rss>")  # type: ignore[attr-defined]


def lying(feed: Publisher, hit: Hit) -> Answer:
    """Says "not modified" whatever has happened."""
    if "if-none-match" in hit.headers:
        return Answer(status=304, headers={"ETag": '"same"'})
    return Answer(rss(feed.items()), headers={"ETag": '"same"'})


def moved(feed: Publisher, hit: Hit) -> Answer:
    if hit.path == "/feed" and feed.clock.hours() >= 48:
        return Answer(status=301, headers={"Location": "/new"})
    return whole(feed, hit)


def maintenance(feed: Publisher, hit: Hit) -> Answer:
    """Everything is moved "for good" to a page about maintenance, for half a day."""
    if 60 <= feed.clock.hours() < 72:
        page = Answer(b"<!doctype html><html><body>We are moving in.</body></html>")
        return page if hit.path == "/sorry" else Answer(status=301, headers={"Location": "/sorry"})
    return whole(feed, hit) if hit.path == "/feed" else Answer(status=404)


def cut_off(feed: Publisher, hit: Hit) -> Answer:
    body = rss(feed.items())
    return Answer(body[: len(body) * 2 // 3] if len(feed.asked) % 3 else body)


def edited(feed: Publisher, token: str) -> str:
    """A day later there is more to say, once."""
    age = feed.clock.now - feed.at(number_of(token))
    more = f" Later the pilot of the {token} was found asleep, with 3 bottles." if age > 24 * HOUR else ""
    return plain_item(feed, token, words=f"The harbour council said that the {token} was late.{more}")


def shared_page(feed: Publisher, token: str) -> str:
    """Two feeds with the same pages and other words for them."""
    n = number_of(token)
    words = f"By desk {feed.number}: harbour ship {n} of the pair was late, as desk {feed.number} has it in its notes."
    return plain_item(feed, token, link=f"https://pair.example/{n}", words=words)


SKIPPED = "".join(f"<hour>{hour}</hour>" for hour in range(0, 6))
LATER = format_datetime(START + 40 * HOUR, usegmt=True)
HABITS = [
    Habit("good"),
    Habit("no validators", lambda feed, hit: Answer(rss(feed.items()))),
    Habit("an ETag that never changes", lying),
    Habit("a body that always changes", lambda f, h: whole(f, h, f"<lastBuildDate>{f.clock.now}</lastBuildDate>")),
    Habit("a new guid every day", item=lambda f, t: plain_item(f, t, guid=f"{t}-{f.clock.now.date()}")),
    Habit("one guid for all", item=lambda f, t: plain_item(f, t, guid="the-feed")),
    Habit("one guid, no links", item=lambda f, t: plain_item(f, t, guid="the-feed", link=None)),
    Habit("no links", item=lambda f, t: plain_item(f, t, link=None)),
    Habit("trackers in links", item=lambda f, t: plain_item(f, t, link=f"https://f{f.number}.example/{t}?utm_source={f.clock.now:%d%H}")),
    Habit("404 for half a day", between(30, 42, always(Answer(status=404)))),
    Habit("500 every second time", every_second(Answer(status=500))),
    Habit("429 for a while", between(30, 36, always(Answer(status=429, headers={"Retry-After": "18000"})))),
    Habit("503 with a date", between(30, 34, always(Answer(status=503, headers={"Retry-After": LATER})))),
    Habit("moved for good", moved),
    Habit("a page about maintenance", maintenance),
    Habit("gone", between(96, 999, always(Answer(status=410))), ends=95.0),
    Habit("ttl of six hours", lambda f, h: whole(f, h, "<ttl>360</ttl>"), least=6 * HOUR),
    Habit("skips the night", lambda f, h: whole(f, h, f"<skipHours>{SKIPPED}</skipHours>")),
    Habit("fresh for four hours", lambda f, h: whole(f, h, Cache_Control="max-age=14400"), least=4 * HOUR),
    Habit("hangs up", every_second(Answer(raw=hang_up))),
    Habit("broken gzip", every_second(Answer(b"\x1f\x8b\x08broken", headers={"Content-Encoding": "gzip"}))),
    Habit("a challenge now and then", every_second(Answer(b"<html><title>Just a moment...</title>", 403))),
    Habit("cut off", cut_off),
    Habit("edits", item=edited),
    Habit("pages of another feed", item=shared_page),
]  # fmt: skip


def poll(config: Config, clock: Clock, away: Callable[[str], bool]) -> Summary:
    def resolve(host: str, port: int) -> list[str]:
        if away(host):
            raise OSError("no such host")
        return ["127.0.0.1"]

    summary = Summary()
    session = Session(config, [], summary, now=clock.now, resolve=resolve)
    while batch := session.plan(None):
        session.send(batch, plain_line if batch.chunks else without_articles)
    session.close()
    return summary


def play(folder: Path, tick: timedelta) -> list[Publisher]:
    """The week; every host is away for ten hours of it, some time."""
    clock = Clock()
    feeds = [Publisher(number, HABITS[number % len(HABITS)], clock) for number in range(50)]
    of_host = {feed.host: feed for feed in feeds}
    with Server({"*": lambda hit: of_host[hit.host].answer(hit)}) as server:
        section = {
            "host_spacing": 0, "allow_private_addresses": True, "ports": [server.port], "contact": "a@b.example",
            "interval": INTERVAL.total_seconds(), "follow": [server.url(host=feed.host) for feed in feeds],
        }  # fmt: skip
        config = plain_config(folder, folder / "out", feeds=section).model_copy(update={"input": ()})
        while clock.hours() <= DAYS * 24:
            away = lambda host: of_host[host].number >= 25 and 110 <= clock.hours() < 120  # noqa: E731
            poll(config, clock, away)
            clock.now += tick
    assert not verify_warehouse(config.output).problems
    states = states_in(store_at(config.output))
    assert {state.url for state in states.values() if state.gone} == {server.url(host=f"f{n}.test") for n in (15, 40)}
    return feeds


def rows(folder: Path, table: str, *columns: str) -> list[dict[str, object]]:
    files = sorted(map(str, (folder / "out").glob(f"{table}/date=*/**/*.parquet")))
    found: list[dict[str, object]] = ds.dataset(files).to_table(list(columns)).to_pylist() if files else []
    return found


def check_entries(feeds: list[Publisher], folder: Path) -> None:
    """Each entry that was to be seen is one article, and has one revision only where it was edited."""
    found = defaultdict(list)
    for row in rows(folder, "articles", "title", "body", "revises", "identity"):
        found[str(row["title"]).split()[1]].append(row)
    copies = Counter(str(row["title"]).split()[1] for row in rows(folder, "duplicates", "title"))
    for feed in feeds:
        last = START + (min(feed.habit.ends, DAYS * 24.0) - 30) * HOUR
        for n in range(int((last - FIRST) / HOUR // feed.every)):
            token, of_token = feed.token(n), found[feed.token(n)]
            if feed.habit.name == "edits" and feed.at(n) + 24 * HOUR > START:
                assert [row["revises"] is None for row in of_token] in ([True, False], [False, True]), (token, of_token)
            else:
                assert len(of_token) + copies[token] == 1, (feed.habit.name, token, of_token, copies[token])
    assert not rows(folder, "dead_letters", "error_class") or {
        row["error_class"] for row in rows(folder, "dead_letters", "error_class")
    } <= {"TruncatedEntry"}


def check_schedule(feeds: list[Publisher], tick: timedelta) -> None:
    """Nobody is asked before its time, nobody is forgotten, and nobody is asked after it said that it is gone."""
    for feed in feeds:
        times = sorted({at for at, _ in feed.asked})
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) >= feed.habit.least, (feed.habit.name, min(gaps))
        assert max(gaps) <= 24 * HOUR + tick or feed.habit.name == "gone", (feed.habit.name, max(gaps))
        statuses = [status for _, status in feed.asked]
        if feed.habit.name == "gone":
            assert statuses.count(410) == 1 and statuses[-1] == 410
        if feed.habit.name == "moved for good":
            assert statuses.count(301) == 3
        if feed.habit.name == "skips the night":
            assert not [at for at in times[1:] if at.hour < 6 and (at - tick).hour < 6]
        if feed.habit.name == "429 for a while":
            asked_too_often = next(at for at, status in feed.asked if status == 429)
            assert not [at for at in times if asked_too_often < at < asked_too_often + 5 * HOUR]


def schedule(feeds: list[Publisher]) -> str:
    """A line for each feed: how often it was asked, how far apart in hours, and what it answered."""
    lines = [f"{'habit':<28}{'asked':>6}{'least':>7}{'median':>8}{'most':>6}  answers"]
    for feed in feeds:
        times = sorted({at for at, _ in feed.asked})
        gaps = [(after - before) / HOUR for before, after in pairwise(times)]
        answers = ", ".join(
            f"{status or 'broken'} {count}" for status, count in sorted(Counter(s for _, s in feed.asked).items())
        )
        lines.append(
            f"{feed.habit.name:<28}{len(times):>6}{min(gaps):>7.1f}{median(gaps):>8.1f}{max(gaps):>6.1f}  {answers}"
        )
    return "\n".join(lines)


@pytest.mark.timeout(3600)
def test_a_week(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    tick = timedelta(minutes=30) if request.config.getoption("--soak") else timedelta(hours=6)
    feeds = play(tmp_path, tick)
    print(schedule(feeds))
    check_entries(feeds, tmp_path)
    check_schedule(feeds, tick)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        step = timedelta(minutes=float(sys.argv[1]) if len(sys.argv) > 1 else 30)
        all_feeds = play(Path(temporary), step)
        print(schedule(all_feeds))
        check_entries(all_feeds, Path(temporary))
        check_schedule(all_feeds, step)
