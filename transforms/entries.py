"""Entries of a polled feed: who each is, and whether it was here before."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import xxhash

from schemas.feeds import Feed
from schemas.records import Article, Piece, Problem
from transforms.article import Unreadable, make_whole
from transforms.formats.base import Record
from transforms.formats.polled import FORMAT

if TYPE_CHECKING:
    from transforms.feeds import Entry as Found
    from transforms.feeds import Feed as Parsed


class Entry(NamedTuple):
    """One entry, in the feed's own words."""

    fields: dict[str, Any]
    """Of a Record."""
    id: str
    """Names the entry in the state of its feed: 16 hex digits of who it is and what it says."""
    article: Article | None
    """None for an entry that makes no article: it will be a dead letter, once."""
    problem: Problem | None = None
    """Why it makes none, as the feed's reader says."""

    @property
    def page(self) -> str | None:
        """The address of its page."""
        return self.article.canonical_url and self.article.url if self.article else None


def entries_of(parsed: "Parsed", feed: Feed, most: int, now: datetime) -> list[Entry]:
    """The first `most` entries, with what the feed's options say where they say nothing."""
    piece = Piece(
        input=feed.url, version="", format=FORMAT.name, first=0, records=0, offset=0, length=0, last=False, path="",
        at=0,
    )  # fmt: skip
    return [_entry(found, parsed, place, feed, piece, now) for place, found in enumerate(parsed.entries[:most])]


def _entry(found: "Found", parsed: "Parsed", place: int, feed: Feed, piece: Piece, now: datetime) -> Entry:
    fields = {**_fields(found), "how": "feed", "section": feed.section}
    fields["language"] = found.language or parsed.language or feed.language
    if found.problem:
        return Entry(fields, _hash(fields), None, found.problem)
    try:
        article = make_whole(Record(position=place, offset=0, length=0, **fields), piece, now)
    except Unreadable:
        return Entry(fields, _hash(fields), None)
    return Entry(fields, article.article_id[:16], article)


def _fields(found: "Found") -> dict[str, Any]:
    """Of a Record: what the entry says, and nothing where it says nothing."""
    fields = msgspec.structs.asdict(found)
    return {name: value for name, value in fields.items() if value and name not in ("shared_address", "problem")}


def _hash(fields: dict[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(fields, order="sorted"))


def is_known(entry: Entry, before: Collection[str], committed: Collection[str]) -> bool:
    """Whether an entry is in already: the feed's state names it, or its article was committed.

    `before` are the ids in the state; `committed` the article ids that the index has under its identity.
    """
    return entry.id in before or (entry.article is not None and entry.article.article_id in committed)
