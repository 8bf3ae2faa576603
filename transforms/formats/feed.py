"""Saved feeds: RSS, RDF, Atom and JSON Feed, one feed a file, each entry a record."""

from collections.abc import Iterator

from schemas.records import Piece
from transforms.compression import UNPACK_ERRORS
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

    As many records as there are entries; one, for the letter that says why, where it is no feed after all. What is
    beyond the longest feed comes as cuts without records. An error of the stream is raised after what stands before it.
    """
    from transforms.feeds import NotAFeed, parse_feed

    data, broken = _read(stream)
    if data:
        try:
            yield Cut(0, len(data), len(parse_feed(data).entries))
        except NotAFeed as error:
            yield Cut(0, len(data), 1, error.problem)
    if broken:
        raise broken
    at = len(data)
    while block := stream.read(_BLOCK):
        yield Cut(at, len(block), 0)
        at += len(block)


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
    """A Record for each entry, or a Failure. Needs no mapping. An input that is an address is the feed's own."""
    from transforms.feeds import NotAFeed, Place, found_in, parse_feed

    if not piece.records:
        return
    url = piece.input if canonical(piece.input) else None
    whole = Place(piece.first, piece.offset, len(data))
    try:
        feed = parse_feed(data, url)
    except NotAFeed as error:
        yield Failure(**whole._asdict(), raw=data[:MAX_RAW], problem=error.problem)
        return
    places = (whole._replace(position=piece.first + at) for at in range(len(feed.entries)))
    yield from found_in(feed, url, places)


FORMAT = Format("feed", recognises, cut, parse)
