"""Entries of a polled feed: who each is, and whether it was here before."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import xxhash
from msgspec import Struct
from msgspec.structs import asdict, replace

from schemas.feeds import Feed
from schemas.records import Article, Piece, Problem
from transforms.article import make_whole
from transforms.formats.base import Failure, Record
from transforms.formats.polled import FORMAT

if TYPE_CHECKING:
    from transforms.feeds import Feed as Parsed


_NOT_SAID = ("position", "offset", "length", "problem")


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
        """The address of its page; None if it has none for itself."""
        if self.article is None or self.fields.get("shared_address"):
            return None
        return self.article.url if self.article.canonical_url else None


def entries_of(parsed: "Parsed", feed: Feed, most: int, now: datetime) -> list[Entry]:
    """The first `most` entries (a note says if there are more), with what the feed's options add to what they say."""
    from transforms.feeds import Place, found_in

    piece = Piece(
        input=feed.url, version="", format=FORMAT.name, first=0, records=0, offset=0, length=0, last=False, path="",
        at=0,
    )  # fmt: skip
    first = replace(parsed, entries=parsed.entries[:most])
    if len(parsed.entries) > most:
        first = replace(
            first, problems=(*first.problems, f"the feed has more than {most:,} entries: the first are read")
        )
    places = (Place(number, 0, 0) for number in range(len(first.entries)))
    found = zip(first.entries, found_in(first, feed.url, places), strict=True)
    return [
        _bad_entry(_fields(said), one.problem) if isinstance(one, Failure) else _entry(one, feed, piece, now)
        for said, one in found
    ]


def _bad_entry(fields: dict[str, Any], problem: Problem | None = None) -> Entry:
    return Entry(fields, xxhash.xxh3_64_hexdigest(msgspec.json.encode(fields)), None, problem)


def _entry(found: Record, feed: Feed, piece: Piece, now: datetime) -> Entry:
    record = replace(found, how="feed", section=found.section or feed.section, language=found.language or feed.language)
    fields = _fields(record)
    try:
        article = make_whole(record, piece, now)
    except MemoryError:
        raise
    except Exception:  # the reading step says what is wrong with it
        return _bad_entry(fields)
    return Entry(fields, article.article_id[:16], article)


def _fields(record: Struct) -> dict[str, Any]:
    """What a record or entry says, and nothing where it says nothing."""
    return {name: value for name, value in asdict(record).items() if value and name not in _NOT_SAID}


def is_known(entry: Entry, before: Collection[str], committed: Collection[str]) -> bool:
    """Whether an entry is in already: the feed's state names it, or its article was committed.

    `before` are the ids in the state; `committed` the article ids that the index has under its identity.
    """
    return entry.id in before or (entry.article is not None and entry.article.article_id in committed)
