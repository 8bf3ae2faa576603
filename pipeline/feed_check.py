"""`feeds check`: one look at a feed, and everything that it tells a reader of feeds."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pipeline.config import Config
from pipeline.polls import Poller, apart
from pipeline.terminal import size_text, visible
from schemas.errors import UsageError
from schemas.feeds import Feed, FeedState
from schemas.records import Problem
from transforms import polling
from transforms.answers import refusal
from transforms.entries import entries_of
from transforms.feed_discovery import find_feeds
from transforms.feeds import Feed as Parsed
from transforms.feeds import NotAFeed, parse_feed
from transforms.polling import Success, Told
from transforms.visits import NoCredentials, request_for
from transforms.web import FetchFailed, Response

MOST_TRIED = 5
"""Feeds that a page names, which are tried."""
SHOWN = ("content-type", "etag", "last-modified", "cache-control", "expires", "retry-after", "content-encoding")
"""Headers that decide how a feed is polled."""


class Checked(Struct, frozen=True, kw_only=True):
    """What one look at an address found."""

    url: str
    outcome: str
    """`feed`, or the name of what is wrong."""
    explanation: str = ""
    status: int | None = None
    final_url: str | None = None
    moved_for_good_to: str | None = None
    headers: dict[str, str] = {}
    size: int = 0
    kind: str | None = None
    title: str | None = None
    language: str | None = None
    entries: int = 0
    without_article: int = 0
    undated: int = 0
    first_published: datetime | None = None
    last_published: datetime | None = None
    asks_to_wait: float = 0.0
    """Seconds between two polls, by the feed and its server."""
    next_poll: datetime | None = None
    problems: list[str] = []


def check_feed(config: Config, feed: Feed, now: datetime) -> Checked:
    """Fetch a feed once and say what there is. Changes nothing."""
    return _look(config, feed, now)[0]


class FeedAt(Struct, frozen=True):
    """The feed at an address, and other feeds that the page there names."""

    url: str
    others: list[str] = []


def feed_at(config: Config, feed: Feed, now: datetime) -> FeedAt:
    """The feed at an address: what is there itself, else the likeliest that the page there names and that is one.

    Raises UsageError where there is none.
    """
    seen, body = _look(config, feed, now)
    if seen.outcome == "feed":
        return FeedAt(feed.url)
    named = [one.url for one in find_feeds(body, seen.final_url or feed.url)]
    for url in named[:MOST_TRIED]:
        if _look(config, replace(feed, url=url), now)[0].outcome == "feed":
            return FeedAt(url, [other for other in named if other != url])
    raise UsageError(f"{visible(feed.url)}: no feed is there, and none is named there. {visible(seen.explanation)}")


def _look(config: Config, feed: Feed, now: datetime) -> tuple[Checked, bytes]:
    """What is at an address, and the body that it sends."""
    poller = Poller(config.feeds)

    async def get() -> Response:
        async with poller.web() as web:
            return await web.get(request_for(web, feed, FeedState(url=feed.url), now))

    try:
        answer = apart(get())
    except (FetchFailed, NoCredentials) as error:
        return Checked(url=feed.url, outcome=error.problem.error_class, explanation=error.problem.error), b""
    seen = _answered(feed, answer)
    if refused := refusal(answer.status, answer.headers, answer.body, now):
        return _without_feed(seen, refused.problem), answer.body
    try:
        parsed = parse_feed(answer.body, answer.url, answer.headers.get("content-type"))
    except NotAFeed as error:
        return _without_feed(seen, error.problem), answer.body
    return _with_feed(seen, parsed, feed, config.feeds.limits.entries, polling.fresh_for(answer.headers, now), now), b""


def _without_feed(seen: Checked, problem: Problem) -> Checked:
    return replace(seen, outcome=problem.error_class, explanation=problem.error)


def _with_feed(seen: Checked, parsed: Parsed, feed: Feed, most: int, fresh: float, now: datetime) -> Checked:
    articles = [entry.article for entry in entries_of(parsed, feed, most, now)]
    dates = sorted(one.published_at for one in articles if one and one.published_at)
    told = Told(parsed.title, parsed.ttl, parsed.skip_hours, parsed.skip_days)
    after = polling.succeeded(FeedState(url=feed.url), Success(news=1, fresh=fresh, told=told), feed.interval, now)
    return replace(
        seen,
        kind=parsed.kind,
        title=parsed.title,
        language=parsed.language,
        entries=len(parsed.entries),
        without_article=articles.count(None),
        undated=len(articles) - len(dates) - articles.count(None),
        first_published=dates[0] if dates else None,
        last_published=dates[-1] if dates else None,
        asks_to_wait=max(fresh, parsed.ttl),
        next_poll=after.due_at,
        problems=list(parsed.problems),
    )


def _answered(feed: Feed, answer: Response) -> Checked:
    return Checked(
        url=feed.url,
        outcome="feed",
        status=answer.status,
        final_url=answer.url,
        moved_for_good_to=answer.moved_to,
        headers={name: answer.headers[name] for name in SHOWN if name in answer.headers},
        size=len(answer.body),
    )


def checked_text(seen: Checked) -> str:
    """The same for a person."""
    lines = [("Address", seen.url)]
    if seen.final_url and seen.final_url != seen.url:
        lines.append(("Leads to", seen.final_url + (" (for good)" if seen.moved_for_good_to == seen.final_url else "")))
    if seen.status:
        lines.append(("Answer", f"HTTP {seen.status}, {size_text(seen.size)}"))
    lines += [
        ("" if number else "Headers", f"{name}: {value}") for number, (name, value) in enumerate(seen.headers.items())
    ]
    if seen.outcome != "feed":
        lines.append(("No feed", f"{seen.outcome}: {seen.explanation}"))
    else:
        lines += _feed_lines(seen)
    return "\n".join(f"{name:<11}{visible(line)}" for name, line in lines)


def _feed_lines(seen: Checked) -> list[tuple[str, str]]:
    lines = [
        ("Feed", f"{seen.title or 'without a title'} ({seen.kind}{', ' + seen.language if seen.language else ''})")
    ]
    lines.append(("Entries", f"{seen.entries:,}, of them {seen.without_article:,} that make no article"))
    if seen.first_published:
        lines.append(("Dates", f"{seen.first_published:%Y-%m-%d %H:%M} to {seen.last_published:%Y-%m-%d %H:%M} UTC"))
    if seen.undated:
        lines.append(("", f"{seen.undated:,} without a date"))
    if seen.asks_to_wait:
        lines.append(("Asks", f"to come again after {timedelta(seconds=seen.asks_to_wait)}"))
    if seen.next_poll:
        lines.append(("Next poll", f"{seen.next_poll:%Y-%m-%d %H:%M} UTC"))
    return lines + [("Problem", problem) for problem in seen.problems]
