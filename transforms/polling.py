"""When a feed is polled, and what a poll's outcome changes: pure decisions. The clock is passed in.

The rules are those that a publisher would ask for: docs/feeds.md explains them.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import xxhash
from msgspec.structs import replace

from schemas.feeds import FeedState
from schemas.records import Problem

LONGEST_WAIT = 86_400.0
"""Seconds until the next poll, whatever a feed or server asks for ..."""
DEAD_WAIT = 7 * 86_400.0
"""... but for a dead feed."""
FULL_EVERY = timedelta(days=1)
"""After so long a body is asked for without conditions: some servers answer "not modified" for ever."""
DEAD_AFTER = 30.0
"""Weighted failures after which a feed is dead."""
AGREEING = 3
"""Successes in a row that must tell the same permanent redirect before it is believed."""
SLOWEST = 8.0
"""How far the interval of a feed without news is stretched."""
PATIENCE = 3
"""Polls in which an entry waits for a page that cannot be fetched just now; then it comes in the feed's own words."""
LONGEST_TITLE = 200
WEIGHTS = {"NoHost": 0.25, "NotConnected": 0.25, "ConnectionLost": 0.25, "TooSlow": 0.25, "HostAsksToWait": 0.5}
"""Of failures that may pass by themselves; HTTP 404 and 5xx weigh SOFT, all others 1."""
SOFT = 0.5
_SOFT_STATUS = re.compile(r"Http(?:404|5\d\d)")


class Told(NamedTuple):
    """What a feed says of itself, where its body was read."""

    title: str | None = None
    ttl: float = 0.0
    """Seconds that it asks to wait."""
    skip_hours: tuple[int, ...] = ()
    """Hours of the day, UTC, 0 to 23."""
    skip_days: tuple[int, ...] = ()
    """Days of the week, 0 for Monday."""


class Success(NamedTuple):
    """What a poll brought."""

    news: int = 0
    """Entries that were not known."""
    fresh: float = 0.0
    """Seconds for which the server says that the answer is fresh."""
    moved_to: str | None = None
    body_hash: str | None = None
    """None where the server said that nothing has changed; then what follows is not known."""
    etag: str | None = None
    last_modified: str | None = None
    entries: tuple[str, ...] = ()
    told: Told | None = None
    """None where the body was the same as before."""
    waiting: bool = False
    """Whether entries were left out, because their pages could not be fetched yet."""


def address(state: FeedState) -> str:
    """Where to ask: the feed's own address, or where it has moved for good, unless that fails now."""
    if state.moved_to and state.moved_polls >= AGREEING and state.failures < AGREEING:
        return state.moved_to
    return state.url


def is_due(state: FeedState, now: datetime) -> bool:
    """Whether to poll now. A feed that ended (410) never is."""
    return not state.gone and (state.due_at is None or state.due_at <= now)


def is_dead(state: FeedState) -> bool:
    return state.failures >= DEAD_AFTER


def conditions(state: FeedState, now: datetime) -> dict[str, str]:
    """The conditional headers of a request; none when the body should come whole."""
    if state.full_at is None or now - state.full_at >= FULL_EVERY:
        return {}
    headers = {"If-None-Match": state.etag, "If-Modified-Since": state.last_modified}
    return {name: value for name, value in headers.items() if value}


def succeeded(state: FeedState, poll: Success, interval: float, now: datetime) -> FeedState:
    """The state after a poll that reached the feed. `interval`: the least seconds between two polls."""
    leads_to = poll.moved_to or address(state)
    moved_to = None if leads_to == state.url else leads_to
    agreeing = state.moved_polls + 1 if moved_to == state.moved_to else 1
    state = replace(
        _with_body(state, poll, now),
        polls=state.polls + 1,
        polled_at=now,
        succeeded_at=now,
        news_at=now if poll.news else state.news_at,
        moved_to=moved_to,
        moved_polls=agreeing if moved_to else 0,
        pace=max(1.0, state.pace / 2) if poll.news else min(SLOWEST, state.pace * 1.25),
        failures=0.0,
        failure=None,
        waited=state.waited + 1 if poll.waiting else 0,
    )
    wait = interval if poll.waiting else max(interval * state.pace, state.ttl, poll.fresh)
    return replace(state, due_at=_due(state, wait, now))


def _with_body(state: FeedState, poll: Success, now: datetime) -> FeedState:
    """What there is to remember of a body that was sent whole."""
    if poll.told:
        state = replace(
            state,
            title=(poll.told.title or state.title or "")[:LONGEST_TITLE] or None,
            ttl=poll.told.ttl,
            skip_hours=poll.told.skip_hours,
            skip_days=poll.told.skip_days,
            entries=poll.entries,
        )
    if poll.waiting:  # what was left out must come again
        return replace(state, etag=None, last_modified=None, body_hash=None)
    if poll.body_hash:
        return replace(state, full_at=now, etag=poll.etag, last_modified=poll.last_modified, body_hash=poll.body_hash)
    return state


def failed(state: FeedState, problem: Problem, interval: float, now: datetime, retry: float = 0.0) -> FeedState:
    """The state after a poll that failed: it backs off, and never ends silently. `retry`: what the server asked for."""
    failures = state.failures + weight(problem)
    state = replace(state, polls=state.polls + 1, polled_at=now, failures=failures, failure=problem)
    if is_dead(state):
        return replace(state, due_at=now + timedelta(seconds=DEAD_WAIT))
    return replace(state, due_at=_due(state, max(interval * 2 ** min(failures, 10.0), retry), now))


def ended(state: FeedState, problem: Problem, now: datetime) -> FeedState:
    """The state after the server said that the feed is gone for good."""
    return replace(state, polls=state.polls + 1, polled_at=now, failure=problem, gone=True, due_at=None)


def put_off(state: FeedState, wait: float, now: datetime) -> FeedState:
    """The state of a feed that was not asked, since its host wants to be left alone for `wait` seconds."""
    due = _due(state, wait, now)
    return replace(state, due_at=max(due, state.due_at or due))


def weight(problem: Problem) -> float:
    """How much a failure counts towards a feed's end."""
    return SOFT if _SOFT_STATUS.fullmatch(problem.error_class) else WEIGHTS.get(problem.error_class, 1.0)


def _due(state: FeedState, wait: float, now: datetime) -> datetime:
    """The next poll: after the wait and a little more, so that feeds don't fall into step; at most a day ahead, and not
    in the hours and days that the feed asks to leave out."""
    latest = now + timedelta(seconds=LONGEST_WAIT)
    due = now + timedelta(seconds=min(wait, LONGEST_WAIT) * (1 + jitter(state.url, state.polls) / 10))
    while due < latest and (due.hour in state.skip_hours or due.weekday() in state.skip_days):
        due = due.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return min(due, latest)


def jitter(url: str, polls: int) -> float:
    """0 to 1, always the same for the same feed and number of polls."""
    return float(xxhash.xxh3_64_intdigest(f"{polls} {url}".encode()) / 2**64)


def fresh_for(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds for which a response is said to be fresh: by max-age, else by Expires. Names in lower case."""
    age = re.search(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", headers.get("cache-control", ""), re.IGNORECASE)
    return float(age[1]) if age else _until(headers.get("expires"), now)


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds for which a server asks to be left alone; 0 if it does not say."""
    value = headers.get("retry-after", "").strip()
    return float(value) if re.fullmatch(r"\d{1,9}", value) else _until(value, now)


def _until(date: str | None, now: datetime) -> float:
    """Seconds until an HTTP date; 0 if it is past, or none."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
