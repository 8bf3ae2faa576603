"""Which feeds a page names: what its head declares, then the links that look like feeds."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

from msgspec import Struct

from transforms.feeds.links import absolute
from transforms.formats.encoding import decode
from transforms.text import one_line
from transforms.urls import same_site

LONGEST_PAGE = 2_000_000
"""Bytes of a page that are looked at."""
MOST = 50
"""Feeds of one page; more are a directory of feeds, and not its own."""
TYPES = {
    "application/rss+xml": "RSS",
    "application/atom+xml": "Atom",
    "application/feed+json": "JSON Feed",
    "application/rdf+xml": "RDF",
    "application/x.atom+xml": "Atom",
    "application/x-atom+xml": "Atom",
    "text/rss+xml": "RSS",
    "application/json": "JSON Feed",
}
"""What pages call feeds, and how. As `application/json` other things are declared too: those must look like a feed."""
_TAG = re.compile(r"<(link|a|base)\b((?:[^<>\"']|\"[^\"<>]{0,4000}\"|'[^'<>]{0,4000}')*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]{1,40})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|noscript)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_LOOKS = re.compile(
    r"(?:^|[/._-])(?:rss|atom|feeds?|rdf)(?:[/._-]|\d{0,2}$)|\.(?:rss|atom|rdf)$|[?&](?:feed|format|output)=(?:rss|atom)|feed\.json$",
    re.IGNORECASE,
)
_COMMENTS = re.compile(r"comment|kommentar|replies", re.IGNORECASE)


class NamedFeed(Struct, frozen=True):
    """A feed that a page names."""

    url: str
    title: str | None
    declared: bool
    """Whether the page's head declares it; else it is a link that looks like one, and may be none."""


def find_feeds(page: bytes, url: str) -> list[NamedFeed]:
    """The feeds that a page names, each once, the likeliest first.

    Declared ones come before links, those of comments last, and otherwise it is as the page has them. Links count if
    they lead to the same site, or to one that only serves feeds.
    """
    text = _HIDDEN.sub(" ", decode(page[:LONGEST_PAGE])[0])
    found: dict[str, NamedFeed] = {}
    for feed in sorted(_named(text, url), key=_rank):
        found.setdefault(feed.url, feed)
    return list(found.values())[:MOST]


def _rank(feed: NamedFeed) -> tuple[bool, bool]:
    return _COMMENTS.search(f"{feed.url} {feed.title or ''}") is not None, not feed.declared


def _named(text: str, url: str) -> Iterator[NamedFeed]:
    base = url
    for tag in _TAG.finditer(text):
        kind, attributes = tag[1].lower(), _attributes(tag[2])
        href = attributes.get("href")
        if kind == "base":
            base = absolute(href, url) or base
            continue
        address = absolute(_web(href), base)
        if address and kind == "link" and _is_declared(attributes, address):
            yield NamedFeed(address, one_line(attributes.get("title", "")) or None, True)
        elif address and kind == "a" and _looks(address) and (same_site(address, url) or _serves_feeds(address)):
            yield NamedFeed(address, one_line(attributes.get("title", "")) or None, False)


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.findall(text)
    return {name.lower(): unescape(double or single or bare).strip() for name, double, single, bare in reversed(found)}


def _is_declared(attributes: dict[str, str], address: str) -> bool:
    relations = attributes.get("rel", "").lower().split()
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    if "feed" in relations and not kind:
        return True
    if ("alternate" not in relations and "feed" not in relations) or kind not in TYPES:
        return False
    return kind != "application/json" or _looks(address)


def _web(href: str | None) -> str | None:
    """`feed:` is how some pages mark a link as a feed."""
    return re.sub("^feed:(?:(?://)?(?=https?:)|(?=//))", "", href or "", flags=re.IGNORECASE) or None


def _looks(address: str) -> bool:
    parts = urlsplit(address)
    return _LOOKS.search(f"{parts.path.rstrip('/')}{'?' if parts.query else ''}{parts.query}") is not None


def _serves_feeds(address: str) -> bool:
    return (urlsplit(address).hostname or "").startswith(("feeds.", "feed.", "rss.", "feeds2."))
