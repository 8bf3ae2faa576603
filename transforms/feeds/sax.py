"""feedparser's own parsers, with bounds on what makes them slow, and a mark on entries that came to their end."""

import io
import re
import xml.sax
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple
from xml.sax.handler import feature_external_ges, feature_namespaces
from xml.sax.xmlreader import AttributesNSImpl

MOST_ELEMENTS = 500_000
"""Tags in a feed: feedparser takes 7 us for one, and up to 40 where a feed is no XML."""
MOST_ATTRIBUTES = 100
"""Of one element; feedparser's time grows with their square."""
MOST_TAGS = 500
"""Categories of one entry; feedparser compares each with all."""
LONGEST_DATE = 200
"""Characters of a date, and below of an author, that regular expressions go through."""
LONGEST_AUTHOR = 300
WHOLE = "newsbeam_whole"
"""The key of an entry that was read to its end."""
_STUMBLES = (KeyError, IndexError, TypeError, ValueError)
"""What feedparser raises at an element where it does not belong; then that element is lost, and not the feed."""
_MAIL = re.compile(r"(?:mailto:)?[\w.+-]{1,100}@[\w.-]{1,100}\.\w{1,30}")
_DATES = frozenset(("published", "updated", "created", "expired"))


class TooMany(Exception):
    """Raised for more than MOST_ELEMENTS tags."""


class Parsed(NamedTuple):
    """What feedparser found; `broken` says why the feed is no well-formed XML."""

    feed: dict[str, Any]
    entries: list[dict[str, Any]]
    version: str
    broken: str | None


def name_in(text: str) -> str:
    """A name without the mail address beside it: `ada@paper.example (Ada Lind)`, `Ada Lind <ada@paper.example>`."""
    return _MAIL.sub("", text[:LONGEST_AUTHOR]).strip(" ()<>,;\t\n")


def _pair(name: tuple[str | None, ...]) -> tuple[str | None, str | None]:
    """Namespace and name of an element; expat cuts a namespace that has blanks in it into several."""
    return " ".join(filter(None, name[:-1])) or None, name[-1]


@cache
def _parsers() -> tuple[type, type]:
    from feedparser.api import LooseFeedParser, StrictFeedParser  # 50 ms that other formats need not wait for

    class Bounded:
        """Mixed into both; see feedparser's `_FeedParserMixin` for what is overridden."""

        resolve_relative_uris = False
        sanitize_html = False

        def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:
            fits = len(attrs) <= MOST_ATTRIBUTES and all(len(key) == 2 for key in attrs.getNames())
            super().startElementNS(_pair(name), qname, attrs if fits else AttributesNSImpl({}, {}))  # type: ignore[misc]

        def endElementNS(self, name: Any, qname: Any) -> None:
            super().endElementNS(_pair(name), qname)  # type: ignore[misc]

        def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
            with suppress(*_STUMBLES):
                super().unknown_starttag(tag, attrs[:MOST_ATTRIBUTES])  # type: ignore[misc]

        def unknown_endtag(self, tag: str) -> None:
            with suppress(*_STUMBLES):
                super().unknown_endtag(tag)  # type: ignore[misc]

        def pop(self, element: str, strip_whitespace: int = 1) -> Any:
            value = super().pop(element, strip_whitespace)  # type: ignore[misc]
            return value[:LONGEST_DATE] if value and element in _DATES else value

        def _add_tag(self, term: Any, scheme: Any, label: Any) -> None:
            if len(self._get_context().get("tags", ())) < MOST_TAGS:  # type: ignore[attr-defined]
                super()._add_tag(term, scheme, label)  # type: ignore[misc]

        def _sync_author_detail(self, key: str = "author") -> None:
            """feedparser's own pattern for mail addresses takes time with the square of the text's length, and knows
            no domain of more than four letters."""
            context = self._get_context()  # type: ignore[attr-defined]
            people, text = context.get(f"{key}s"), context.get(key)
            if people and people[-1]:
                super()._sync_author_detail(key)  # type: ignore[misc]
            elif people and isinstance(text, str):
                people[-1]["name"] = name_in(text)

        def _end_item(self) -> None:
            if self.entries:  # type: ignore[attr-defined]
                self.entries[-1][WHOLE] = True  # type: ignore[attr-defined]
            super()._end_item()  # type: ignore[misc]

        _end_entry = _end_item

    return type("Strict", (Bounded, StrictFeedParser), {}), type("Loose", (Bounded, LooseFeedParser), {})


def parsed(text: str) -> Parsed:
    """What a feed holds, from a text that begins with its first element.

    No entity is known but those of XML. Raises TooMany, and whatever feedparser does on what it did not expect.
    """
    if text.count("<") > MOST_ELEMENTS:
        raise TooMany
    strict, loose = _parsers()
    reader = strict("", None, "utf-8")
    sax = xml.sax.make_parser()
    sax.setFeature(feature_namespaces, True)
    sax.setFeature(feature_external_ges, False)
    sax.setContentHandler(reader)
    sax.setErrorHandler(reader)
    broken = None
    try:
        sax.parse(io.BytesIO(text.encode()))
    except xml.sax.SAXException as error:
        broken = str(error).removeprefix("<unknown>:")
        reader = loose("", None, "utf-8", {})
        reader.feed(text)
    return Parsed(reader.feeddata, reader.entries, reader.version, broken)
