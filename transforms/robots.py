"""robots.txt (RFC 9309), read by protego: which pages a site lets us fetch, and how fast."""

from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from protego import Protego

AGENT = "newsbeam"
MOST_BYTES = 500_000
"""Of a file that are read, as RFC 9309 allows: 40,000 rules take protego 0.75 s."""
LONGEST_DELAY = 60.0
"""Seconds of the longest Crawl-delay that is kept to; who asks for more gets no more than a page a minute."""


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


def read_rules(data: bytes) -> Rules:
    """The rules in a robots.txt, whatever it holds: what is no rule counts for nothing."""
    text = data.removeprefix(b"\xef\xbb\xbf")[:MOST_BYTES].decode("utf-8", "replace")
    rules = Protego.parse(text)
    return Rules(rules, min(float(rules.crawl_delay(AGENT) or 0.0), LONGEST_DELAY))


def rules_for_status(status: int, body: bytes) -> Rules | None:
    """The rules by how a site answered for its robots.txt. None where they can't be known now: then no page is fetched.

    No such file, or one that is refused (4xx), means that everything is allowed; a failing server, that nothing is.
    """
    if 200 <= status < 300:
        return read_rules(body)
    return read_rules(b"") if 400 <= status < 500 and status != 429 else None
