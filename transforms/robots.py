"""robots.txt (RFC 9309), read by protego: which pages a site lets us fetch, and how fast."""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct
from protego import Protego

AGENT = "newsbeam"
MOST_BYTES = 500_000
"""Of a file that are read, as RFC 9309 allows: 40,000 rules take protego 0.75 s."""
KEPT = timedelta(days=1)
LONGEST_DELAY = 60.0
"""Seconds of the longest Crawl-delay that is kept to; who asks for more gets no more than a page a minute."""


class RobotsFile(Struct, frozen=True):
    """A robots.txt as a site sent it, or refused it."""

    at: datetime
    status: int
    text: str

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be fetched again: for a day, as RFC 9309 has it."""
        return timedelta(0) <= now - self.at < KEPT


class Rules(NamedTuple):
    """What a site's robots.txt says to us."""

    rules: Protego
    delay: float
    """Seconds between two requests; 0 where it does not say."""

    def allow(self, url: str) -> bool:
        return bool(self.rules.can_fetch(url, AGENT))


def robots_of(url: str) -> str:
    """Where the robots.txt stands that counts for an address."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "/robots.txt", "", ""))


def robots_file(status: int, body: bytes, now: datetime) -> RobotsFile:
    """What is kept of an answer."""
    head = body.removeprefix(b"\xef\xbb\xbf")[:MOST_BYTES] if 200 <= status < 300 else b""
    return RobotsFile(now, status, head.decode("utf-8", "replace"))


def read_rules(text: str) -> Rules:
    """The rules in a robots.txt, whatever it holds: what is no rule counts for nothing."""
    rules = Protego.parse(text)
    return Rules(rules, min(float(rules.crawl_delay(AGENT) or 0.0), LONGEST_DELAY))


def rules_of(file: RobotsFile) -> Rules | None:
    """The rules by how a site answered for its robots.txt. None where they can't be known now: then no page is fetched.

    No such file, or one that is refused (4xx), means that everything is allowed; a failing server, that nothing is.
    """
    known = 200 <= file.status < 300 or (400 <= file.status < 500 and file.status != 429)
    return read_rules(file.text) if known else None
