"""robots.txt: what it lets us fetch, and for how long it counts."""

from datetime import UTC, datetime, timedelta

import pytest

from transforms.robots import MOST_BYTES, robots_file, robots_of, rules_of

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)
PAGE = "https://a.example/news/one"


@pytest.mark.parametrize(
    ("status", "body", "allowed"),
    [
        (200, b"User-agent: *\nDisallow: /news/\n", False),
        (200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /news/\n", False),
        (200, b"User-agent: newsbeam\nAllow: /news/one\nUser-agent: *\nDisallow: /\n", True),
        (200, b"User-agent: newsbeam\nDisallow: /\n", False),
        (200, b"User-agent: otherbot\nDisallow: /\n", True),
        (200, b"User-agent: *\nDisallow: /*one$\n", False),
        (200, b"<html>not found</html>", True),
        (200, bytes(range(256)) * 100, True),
        (200, b"#" * MOST_BYTES + b"\nUser-agent: *\nDisallow: /\n", True),
        (404, b"User-agent: *\nDisallow: /\n", True),
        (403, b"", True),
        (429, b"", None),
        (500, b"", None),
    ],
)
def test_what_may_be_fetched(status: int, body: bytes, allowed: bool | None) -> None:
    rules = rules_of(robots_file(status, body, NOW))
    assert (rules and rules.allow(PAGE)) == allowed


@pytest.mark.parametrize(("line", "delay"), [(b"2.5", 2.5), (b"3600", 60.0), (b"soon", 0.0), (b"-3", 0.0), (b"", 0.0)])
def test_crawl_delay(line: bytes, delay: float) -> None:
    rules = rules_of(robots_file(200, b"User-agent: *\nCrawl-delay: " + line + b"\n", NOW))
    assert rules and rules.delay == delay


def test_it_is_kept_for_a_day() -> None:
    file = robots_file(200, b"", NOW)
    assert file.is_fresh(NOW) and file.is_fresh(NOW + timedelta(hours=23))
    assert not file.is_fresh(NOW + timedelta(hours=24)) and not file.is_fresh(NOW - timedelta(hours=1))


def test_where_it_stands() -> None:
    assert robots_of("https://a.example:8443/news/one?x=1#y") == "https://a.example:8443/robots.txt"
