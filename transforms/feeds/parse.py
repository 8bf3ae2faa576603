"""From the bytes of a body to a Feed: what kind it is, or what it is instead."""

import re

from msgspec.structs import replace

from transforms.feeds.from_json import read_json
from transforms.feeds.from_xml import read_xml
from transforms.feeds.records import Feed, NotAFeed
from transforms.formats.base import HEAD, MAX_RECORD
from transforms.formats.encoding import decode_page
from transforms.formats.text import is_text

ROOTS = ("rss", "rdf", "feed", "channel", "entry")
"""Elements that a feed begins with, whatever their prefix: RSS, RDF, Atom, RSS without its root, an entry by itself."""
_NAME = r"(?:[\w.-]{1,40}:)?([\w.-]{1,60})"
_ROOT = re.compile(  # atomic, or many comments in a row would be tried in all ways
    r"(?>\s+|<\?[^>]{0,2000}>|<!--.{0,20000}?-->|<!DOCTYPE[^<>\[]{0,2000}(?:\[.{0,20000}?\]\s*)?>)*+"
    rf"<{_NAME}",
    re.DOTALL | re.IGNORECASE,
)
_FEED_TAG = re.compile(r"<(?:[\w.-]{1,40}:)?(?:rss|rdf|feed)\b(?=[^<>]{0,2000}>)", re.IGNORECASE)
_WRAPPED = re.compile(r"<body\b[^<>]{0,500}>\s*(?=<(?:rss|feed|rdf:RDF)\b)", re.IGNORECASE)
_JSON_FEED = re.compile(r'"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/version\\?/1')
_HTML = re.compile(r"<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_CHALLENGE = re.compile(
    r"just a moment|challenge-platform|cf[-_]chl|cf-browser-verification|captcha|_incapsula_"
    r"|ddos[- ]guard|ddos protection"
    r"|attention required|are you (?:a )?(?:human|robot)|verify(?:ing)? (?:that )?you are (?:a )?human"
    r"|checking your browser|px-cloud|datadome|unusual traffic|pardon our interruption",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"<input[^<>]{0,300}type\s*=\s*['\"]?password", re.IGNORECASE)
_OTHERS = {
    "opml": "a list of feeds (OPML); `newsbeam feeds import` reads it",
    "urlset": "a sitemap, not a feed",
    "sitemapindex": "a sitemap, not a feed",
    "error": "an error message",
}


def is_feed(head: str) -> bool:
    """Whether a text that begins so is a feed, as far as can be seen."""
    return root_of(head) in ROOTS or is_json_feed(head) or _WRAPPED.search(head[:5_000]) is not None


def root_of(head: str) -> str | None:
    """The name of the first element, without its prefix and in lower case; None where it is no XML."""
    found = _ROOT.match(head.lstrip("\ufeff"))
    return found[1].lower() if found else None


def is_json_feed(head: str) -> bool:
    """Whether a text is a JSON Feed: it says so by its version."""
    return head.lstrip("\ufeff \t\r\n").startswith("{") and _JSON_FEED.search(head) is not None


def parse_feed(data: bytes, url: str | None = None, content_type: str | None = None) -> Feed:
    """The feed that a body holds. `url` is where it is from, `content_type` what the server said of it.

    Nothing is fetched and no entity expanded; bodies up to 16 MB. Raises NotAFeed for anything else.
    """
    text, problems = _as_text(data, content_type)
    if is_json_feed(text):
        feed = read_json(text, url)
    elif root_of(text[:HEAD]) in ROOTS:
        feed = read_xml(text, url)
    elif begins := _begins_late(text):
        problems.append(f"{begins:,} characters before the feed")
        feed = read_xml(text[begins:], url)
    else:
        raise _instead(text[:HEAD])
    return replace(feed, problems=(*problems, *feed.problems)) if problems else feed


def _as_text(data: bytes, content_type: str | None) -> tuple[str, list[str]]:
    if not data.strip():
        raise NotAFeed("EmptyBody", "The body is empty.")
    if len(data) > MAX_RECORD:
        raise NotAFeed("FeedTooLong", f"The feed is longer than {MAX_RECORD:,} bytes.")
    if not is_text(data[:HEAD].replace(b"\0", b"")) and not wide_encoding(data):
        raise NotAFeed("BinaryBody", "The body is binary, not a feed.")
    return _decoded(data, content_type)


_WIDE = {
    b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
    b"\x4c\x6f\xa7\x94": "cp037",
}
"""What XML begins with in encodings that are no ASCII and have no byte order mark (XML 1.0, appendix F)."""


def wide_encoding(head: bytes) -> str | None:
    """The encoding of XML that begins so, if it is none that ASCII is part of."""
    return next((name for beginning, name in _WIDE.items() if head.startswith(beginning)), None)


_CHARSET = re.compile(r"charset\s*=\s*['\"]?([\w.:-]{1,40})", re.IGNORECASE)


def _decoded(data: bytes, content_type: str | None) -> tuple[str, list[str]]:
    """The text as the bytes, the server or the XML declaration say, whichever fits; and notes on what did not."""
    if wide := wide_encoding(data):
        return data.decode(wide, "replace"), []
    served = _CHARSET.search(content_type or "")
    try:
        text, note = decode_page(data, served[1] if served else None)
    except UnicodeDecodeError:
        text, note = data.decode("utf-8", "replace"), "of no encoding that fits, read as damaged UTF-8"
    return text, [note] if note else []


def _begins_late(text: str) -> int | None:
    """Where a feed begins behind something else: a warning of the server's own program, or the body of a page."""
    if wrapped := _WRAPPED.search(text[:5_000]):
        return wrapped.end()
    found = _FEED_TAG.search(text[:HEAD])
    return found.start() if found and not _HTML.search(text[: found.start()]) else None


def _instead(head: str) -> NotAFeed:
    """What a body is that is no feed, by its beginning."""
    root = root_of(head)
    if _HTML.search(head[:5_000]) or root in ("html", "body", "head"):
        return NotAFeed(*_page(head))
    if root:
        return NotAFeed("OtherXml", f"The body is {_OTHERS.get(root, f'XML of another kind (<{root[:40]}>)')}.")
    if head.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return NotAFeed("OtherJson", "The body is JSON, but no JSON Feed: it has no version of jsonfeed.org.")
    return NotAFeed("PlainText", "The body is text, not a feed.")


def _page(head: str) -> tuple[str, str]:
    if _CHALLENGE.search(head):
        return "ChallengePage", "The body is a page that asks whether a person is reading, not a feed."
    if _LOGIN.search(head):
        return "LoginPage", "The body is a page to log in, not a feed."
    return "HtmlPage", "The body is a page (HTML), not a feed; a page's feeds are found by `newsbeam feeds add`."
