"""When a feed is polled: the decisions, with the clock in hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.feeds import FeedState
from schemas.records import Problem
from transforms import polling
from transforms.polling import Success, Told

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)  # a Monday
NEW = FeedState(url="https://a.example/feed")
HOUR = 3_600.0


def wait(state: FeedState, now: datetime = NOW) -> float:
    """Seconds until a feed is due."""
    assert state.due_at
    return (state.due_at - now).total_seconds()


def told(**said: object) -> Success:
    return Success(news=1, body_hash="h", told=Told(**said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("poll", "least"),
    [
        (Success(news=1), 1_800),
        (Success(news=1, fresh=2 * HOUR), 2 * HOUR),
        (told(ttl=3 * HOUR), 3 * HOUR),
        (told(ttl=60.0), 1_800),
        (Success(news=1, fresh=9e9), 86_400),
        (told(skip_hours=(12, 13, 14)), 3 * HOUR),
        (told(skip_days=(0,)), 12 * HOUR),
        (told(skip_hours=tuple(range(24))), 86_400),
        (told(skip_days=tuple(range(7))), 86_400),
    ],
)
def test_the_longest_wait_counts_and_a_day_at_most(poll: Success, least: float) -> None:
    found = wait(polling.succeeded(NEW, poll, 1_800.0, NOW))
    assert least <= found <= min(least * 1.1, 86_400)


def test_a_feed_without_news_is_asked_less_often_and_one_with_news_again_as_before() -> None:
    state, waits = NEW, []
    for _ in range(20):
        state = polling.succeeded(state, Success(), 1_800.0, NOW)
        waits.append(wait(state))
    assert 1.2 * 1_800 < waits[0] < 1.5 * 1_800 and 8 * 1_800 <= waits[-1] <= 8.8 * 1_800
    for _ in range(3):
        state = polling.succeeded(state, Success(news=2), 1_800.0, NOW)
    assert wait(state) < 1.1 * 1_800 and state.news_at == NOW


def test_conditions_are_left_out_once_a_day() -> None:
    body = Success(news=1, body_hash="h", etag='"e"', last_modified="Mon", told=Told())
    state = polling.succeeded(NEW, body, 60.0, NOW)
    assert polling.conditions(NEW, NOW) == {}
    asked = {"If-None-Match": '"e"', "If-Modified-Since": "Mon"}
    assert polling.conditions(state, NOW + timedelta(hours=23)) == asked
    state = polling.succeeded(state, Success(), 60.0, NOW + timedelta(hours=23))
    assert polling.conditions(state, NOW + timedelta(hours=24)) == {}


FAILURES = [
    ("NotAFeed", 1.0), ("TlsError", 1.0), ("Refused", 1.0), ("Http403", 1.0), ("Challenge", 1.0), ("TooLarge", 1.0),
    ("Http404", 0.5), ("Http500", 0.5), ("Http503", 0.5), ("HostAsksToWait", 0.5),
    ("NoHost", 0.25), ("NotConnected", 0.25), ("ConnectionLost", 0.25), ("TooSlow", 0.25),
]  # fmt: skip


@pytest.mark.parametrize(("name", "weight"), FAILURES)
def test_failures_are_weighted_and_never_end_a_feed(name: str, weight: float) -> None:
    state, polls, now = NEW, 0, NOW
    while not polling.is_dead(state):
        state = polling.failed(state, Problem(name, "so"), 1_800.0, now)
        polls, now = polls + 1, state.due_at or now
        assert polls < 200
    assert polls == 30 / weight and wait(state, state.polled_at or NOW) == polling.DEAD_WAIT
    assert polling.is_due(state, now) and state.failure == Problem(name, "so")
    alive = polling.succeeded(state, Success(news=1), 1_800.0, now)
    assert alive.failures == 0 and alive.failure is None and wait(alive, now) < HOUR


def test_failures_back_off_up_to_a_day() -> None:
    state, waits = NEW, []
    for _ in range(10):
        state = polling.failed(state, Problem("NotAFeed", ""), 1_800.0, NOW)
        waits.append(wait(state))
    assert 3_600 <= waits[0] <= 3_960 and waits == sorted(waits) and waits[-1] == 86_400
    at_noon = polling.failed(replace(NEW, skip_hours=(12, 13, 14)), Problem("NoHost", ""), 60.0, NOW)
    assert wait(at_noon) == 3 * HOUR
    asked = polling.failed(NEW, Problem("HostAsksToWait", ""), 60.0, NOW, retry=5 * HOUR)
    assert 5 * HOUR <= wait(asked) <= 5.5 * HOUR


def test_gone_is_gone() -> None:
    state = polling.ended(NEW, Problem("Gone", ""), NOW)
    assert not polling.is_due(state, NOW + timedelta(days=400))


def test_a_permanent_redirect_is_believed_when_three_polls_agree() -> None:
    there, state = "https://b.example/feed", NEW
    for poll, asked in enumerate([NEW.url] * 3 + [there] * 2):
        assert polling.address(state) == asked, poll
        moved = there if asked == NEW.url else None
        state = polling.succeeded(state, Success(moved_to=moved), 60.0, NOW)
    for _ in range(3):
        state = polling.failed(state, Problem("NotAFeed", "a page about maintenance"), 60.0, NOW)
    assert polling.address(state) == NEW.url
    state = polling.succeeded(state, Success(), 60.0, NOW)
    assert polling.address(state) == NEW.url and state.moved_to is None


def test_redirects_that_do_not_agree_are_not_believed() -> None:
    state = NEW
    for number in range(9):
        state = polling.succeeded(state, Success(moved_to=f"https://b.example/{number % 2}"), 60.0, NOW)
        assert polling.address(state) == NEW.url


def test_what_waits_for_its_page_comes_again() -> None:
    poll = Success(news=3, body_hash="h", etag='"e"', told=Told(ttl=9 * HOUR), entries=("a",), waiting=True)
    state = polling.succeeded(replace(NEW, waited=1), poll, 60.0, NOW)
    assert (state.body_hash, state.etag, state.entries, state.waited) == (None, None, ("a",), 2)
    assert wait(state) < 70 and polling.conditions(state, NOW) == {}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": "max-age=0", "expires": "Mon, 02 Feb 2026 13:00:00 GMT"}, 0),
        ({"expires": "Mon, 02 Feb 2026 13:00:00 GMT"}, 3_600),
        ({"expires": "Mon, 02 Feb 2026 11:00:00 GMT"}, 0),
        ({"expires": "0"}, 0),
        ({"cache-control": "s-maxage=600, no-cache"}, 0),
        ({"expires": "Fri, 31 Dec 9999 23:59:59 -2359"}, 251_597_534_399),
        ({}, 0),
    ],
)
def test_freshness(headers: dict[str, str], seconds: float) -> None:
    assert polling.fresh_for(headers, NOW) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Mon, 02 Feb 2026 12:02:00 GMT", 120),
        ("Mon, 02 Feb 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert polling.retry_after({"retry-after": value}, NOW) == seconds


@given(st.text(max_size=60), st.floats(0, 1e12), st.integers(0, 10**6), st.sets(st.integers(0, 23)))
def test_always_due_again_within_a_day(url: str, seconds: float, polls: int, skip: set[int]) -> None:
    state = FeedState(url=url, polls=polls, skip_hours=tuple(skip))
    assert 0 <= wait(polling.succeeded(state, Success(fresh=seconds), 0.0, NOW)) <= 86_400
    assert 0 <= polling.jitter(url, polls) < 1
