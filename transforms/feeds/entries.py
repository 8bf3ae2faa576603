"""Who an entry is, and what becomes of it: a Record or a Failure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from schemas.records import Problem
from transforms.feeds.records import Entry, Feed
from transforms.formats.base import MAX_RAW, Failure, Record
from transforms.identity import content_hash
from transforms.urls import canonical

_NO_TEXT = Problem("NoText", "The entry has neither a title nor a text.")


def settled(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries of one feed, each with what tells it apart from the others and from itself tomorrow."""
    entries = [one if one.problem or one.title or one.text else replace(one, problem=_NO_TEXT) for one in entries]
    ids = Counter(entry.id for entry in entries)
    shared = _shared_addresses(entries)
    if _only_number([entry.id for entry in entries]):
        ids.clear()
    return tuple(_settled(entry, ids[entry.id] == 1, canonical(entry.url) in shared) for entry in entries)


def _only_number(ids: list[str | None]) -> bool:
    """Whether the ids only number the entries, up or down, so that tomorrow others have them."""
    numbers = [int(id) for id in ids if id and id.isdecimal() and len(id) < 6]
    runs = (range(first, first + len(ids)) for first in (0, 1))
    return len(ids) > 1 and any(numbers in (list(run), list(reversed(run))) for run in runs)


def _shared_addresses(entries: Iterable[Entry]) -> set[str | None]:
    titles: dict[str, set[str | None]] = defaultdict(set)
    for entry in entries:
        if address := canonical(entry.url):
            titles[address].add(entry.title)
    return {address for address, several in titles.items() if len(several) > 1}


def _settled(entry: Entry, id_is_its_own: bool, address_is_shared: bool) -> Entry:
    id = entry.id if id_is_its_own else None
    if not id and (address_is_shared or not canonical(entry.url)):
        id = f"content {content_hash(entry.title or '', entry.text or '')}"
    return replace(entry, id=id, shared_address=address_is_shared)


class Place(NamedTuple):
    """Where an entry stands: its number in the input, and the bytes there that it is in."""

    position: int
    offset: int
    length: int


def found_in(feed: Feed, feed_url: str | None, places: Iterable[Place]) -> Iterator[Record | Failure]:
    """What becomes of each entry, in the feed's order. What was wrong with the feed stands in each of them."""
    for entry, place in zip(feed.entries, places, strict=True):
        yield found(replace(entry, problems=[*feed.problems, *entry.problems]), feed_url, place)


def found(entry: Entry, feed_url: str | None, place: Place) -> Record | Failure:
    """The entry as a Record, or a Failure that says why it is none. `feed_url` is the feed's name for good."""
    if entry.problem:
        raw = msgspec.json.encode(entry)[:MAX_RAW]
        return Failure(**place._asdict(), raw=raw, problem=entry.problem)
    fields: dict[str, Any] = place._asdict() | asdict(entry)
    del fields["problem"]
    return Record(**fields, feed_url=feed_url, date_source="feed")
