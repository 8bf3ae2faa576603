"""Saved feeds: RSS, RDF, Atom and JSON Feed, one feed a file, each entry a record."""

from collections.abc import Iterator

from schemas.records import Piece
from transforms.formats.base import MAX_RAW, MAX_RECORD, Cut, Failure, Format, Record, Stream
from transforms.formats.text import as_text, is_text
from transforms.urls import canonical

_BLOCK = 1 << 20


def recognises(head: bytes, name: str) -> bool:
    """Whether it begins as a feed, whatever its name."""
    from transforms.feeds.parse import is_feed, wide_encoding  # it needs this package

    wide = wide_encoding(head)
    return is_feed(head.decode(wide, "replace") if wide else as_text(head)) if wide or is_text(head) else False


def cut(stream: Stream, most: int = 256) -> Iterator[Cut]:
    """The whole feed in one piece, since an entry cannot be read without what stands around it.

    As many records as there are entries; one, for the letter that says why, where it is no feed after all.
    """
    from transforms.feeds import NotAFeed, parse_feed

    blocks: list[bytes] = []
    length = 0
    while block := stream.read(_BLOCK):
        length += len(block)
        if length <= MAX_RECORD + 1:
            blocks.append(block)
    if not length:
        return
    try:
        records = len(parse_feed(b"".join(blocks)).entries)
        yield Cut(0, length, records)
    except NotAFeed as error:
        yield Cut(0, length, 1, error.problem)


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """A Record for each entry, or a Failure. Needs no mapping. An input that is an address is the feed's own."""
    from transforms.feeds import NotAFeed, Place, found_in, parse_feed

    url = piece.input if canonical(piece.input) else None
    length = len(data)
    try:
        feed = parse_feed(data, url)
    except NotAFeed as error:
        raw = data[:MAX_RAW]
        yield Failure(position=piece.first, offset=piece.offset, length=length, raw=raw, problem=error.problem)
        return
    yield from found_in(feed, url, (Place(piece.first + at, piece.offset, length) for at in range(len(feed.entries))))


FORMAT = Format("feed", recognises, cut, parse)
