"""Saved feeds: RSS, RDF, Atom and JSON Feed, one feed a file, each entry a record.

An entry cannot be read without what stands around it, so the feed is parsed whole, once, and cut as JSON Lines: an
`Entry` a line.
"""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from schemas.records import Piece
from transforms.compression import UNPACK_ERRORS
from transforms.formats import jsonl
from transforms.formats.base import MAX_RAW, MAX_RECORD, Failure, Format, Record, Stream
from transforms.formats.text import as_text, is_text

_BLOCK = 1 << 20


def recognises(head: bytes, name: str) -> bool:
    """Whether it begins as a feed, whatever its name."""
    from transforms.feeds.parse import is_feed, wide_encoding  # it needs this package

    wide = wide_encoding(head)
    return is_feed(head.decode(wide, "replace") if wide else as_text(head)) if wide or is_text(head) else False


def lines(stream: Stream, done: int) -> Iterator[bytes]:
    """The feed's entries, one a line, from the first; one that says why, where it is no feed after all.

    An error of the stream is raised after what stands before it.
    """
    from transforms.feeds import Entry, NotAFeed, parse_feed

    data, broken = _read(stream)
    try:
        feed = parse_feed(data)
    except NotAFeed as error:
        beginning = data[: MAX_RAW // 4].decode("utf-8", "replace")
        yield msgspec.json.encode(Entry(text=beginning, problem=error.problem)) + b"\n"
    else:
        for entry in feed.entries:
            yield msgspec.json.encode(replace(entry, problems=[*feed.problems, *entry.problems])) + b"\n"
    if broken:
        raise broken


def _read(stream: Stream) -> tuple[bytes, Exception | None]:
    """The stream up to its end, or to where it is too long for a feed; and why it broke off, if it did."""
    data = bytearray()
    try:
        while len(data) <= MAX_RECORD and (block := stream.read(_BLOCK)):
            data += block
    except UNPACK_ERRORS as error:
        return bytes(data), error
    return bytes(data), None


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """A Record for each entry, or a Failure. Needs no mapping."""
    from transforms.feeds import Entry, Place, found

    at = piece.offset
    for position, line in enumerate(data.splitlines(), piece.first):
        entry = msgspec.json.decode(line, type=Entry)
        yield found(entry, None, Place(position, at, len(line)))
        at += len(line) + 1


FORMAT = Format("feed", recognises, jsonl.cut, parse, lines=lines)
