"""What WARC and ARC share: records one behind another, each with a length, of which the pages are read."""

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from schemas.records import Piece, Problem
from transforms.formats.base import MAX_RAW, MAX_RECORD, Cut, Failure, Format, Record, Stream
from transforms.formats.http import MOST_HEAD, body_of, charset, media_type, read_answer, why_no_page

CUT_BYTES = 1_000_000
_BLOCK = 1 << 18
_BETWEEN = 4
"""Bytes of line ends behind a record."""
_TOO_LONG = Problem("RecordTooLong", f"The page is longer than {MAX_RECORD:,} bytes.")


class Head(NamedTuple):
    """A record's own header: where its block begins behind it, how long that is, and what it says of it."""

    size: int
    length: int
    kind: str
    """`response`, `resource` or `request`, as WARC has them."""
    address: str
    type: str | None
    """Media type of the block."""


class Found(NamedTuple):
    """A record, or bytes that are none: where, and whether it is a page, one to be skipped, or a problem."""

    offset: int
    length: int
    skipped: str | None = None
    problem: Problem | None = None


class Kind(NamedTuple):
    """One kind of archive."""

    read_head: Callable[[bytes], Head | None]
    """The header that begins here; None if none does."""
    head: re.Pattern[bytes]
    """How a header begins, to look for the next one behind what is none."""


class _Window:
    """A stream of which the next bytes can be looked at; knows how far it was read."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._block, self._next = stream, b"", 0
        self.at = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, at most `size`; fewer only where the stream ends."""
        while len(self._block) - self._next < size and (data := self._stream.read(_BLOCK)):
            self._block, self._next = self._block[self._next :] + data, 0
        return self._block[self._next : self._next + size]

    def skip(self, size: int) -> int:
        """Read on; gives how many bytes there were."""
        start = self.at
        while size > 0:
            if self._next == len(self._block):
                self._block, self._next = self._stream.read(_BLOCK), 0
            if not self._block:
                break
            step = min(size, len(self._block) - self._next)
            self._next, self.at, size = self._next + step, self.at + step, size - step
        return self.at - start


def records(stream: Stream, kind: Kind) -> Iterator[Found]:
    """All records in order and without a gap. Holds the head of one. What is no record goes up to the next one."""
    window = _Window(stream)
    while head := window.peek(MOST_HEAD):
        start = window.at
        if blank := _blank(head):
            yield Found(start, window.skip(blank), skipped="")
            continue
        own = kind.read_head(head)
        if own is None:
            yield Found(start, _to_next(window, kind), problem=_NO_RECORD)
            continue
        skipped = _why_skipped(own, window.peek(own.size + MOST_HEAD)[own.size : own.size + own.length])
        length = window.skip(own.size + own.length)
        if length < own.size + own.length:
            has = max(length - own.size, 0)
            sentence = f"The record is cut off: {own.length:,} bytes are announced, {has:,} are there."
            yield Found(start, length, problem=Problem("ClippedRecord", sentence))
        else:
            yield Found(start, length + window.skip(_blank(window.peek(_BETWEEN))), skipped)


def _blank(data: bytes) -> int:
    """How many bytes of line ends it begins with."""
    return len(data) - len(data.lstrip(b"\r\n"))


_NO_RECORD = Problem("NoRecord", "These bytes are no record of a web archive, up to the next record or the end.")


def _to_next(window: _Window, kind: Kind) -> int:
    """Go on to where the next record seems to begin; gives how far that was."""
    start, first = window.at, 1
    while ahead := window.peek(_BLOCK):
        if found := kind.head.search(ahead, first):
            window.skip(found.start())
            break
        window.skip(max(len(ahead) - MOST_HEAD, 0) if len(ahead) >= _BLOCK else len(ahead))
        first = 0
    return window.at - start


def _why_skipped(head: Head, block: bytes) -> str | None:
    """Why a record can be no article; None for a page."""
    if head.kind == "resource":
        return why_no_page(200, media_type(head.type), head.address, block)
    if head.kind != "response":
        return head.kind
    answer = read_answer(block)
    if answer is None:
        return "no web page"
    kind = media_type(answer.header.get("content-type"))
    return why_no_page(answer.status, kind, head.address, block[answer.body_at :])


def format_of(name: str, recognises: Callable[[bytes, str], bool], kind: Kind) -> Format:
    """The format of a kind of archive."""
    return Format(name, recognises, partial(cut, kind=kind), partial(parse, kind=kind))


def cut(stream: Stream, most: int, *, kind: Kind) -> Iterator[Cut]:
    """Whole records: `most` pages, or as many as fit into 1 MB with what is skipped between them.

    A longer record is alone, one over MAX_RECORD with a Problem or, if it is skipped, without a record.
    """
    at = length = pages = 0
    skipped: dict[str, int] = {}
    try:
        for found in records(stream, kind):
            is_page = found.skipped is None and found.problem is None
            problem = found.problem or (_TOO_LONG if is_page and found.length > MAX_RECORD else None)
            is_alone = problem is not None or found.length > MAX_RECORD
            if length and (is_alone or pages == most or length + found.length > CUT_BYTES):
                yield Cut(at, length, pages, None, skipped)
                at, length, pages, skipped = at + length, 0, 0, {}
            if found.skipped:
                skipped = {**skipped, found.skipped: skipped.get(found.skipped, 0) + 1}
            length, pages = length + found.length, pages + is_page
            if is_alone:
                yield Cut(at, length, int(problem is not None), problem, skipped)
                at, length, pages, skipped = at + length, 0, 0, {}
    except Exception:
        if length:
            yield Cut(at, length, pages, None, skipped)
        raise
    if length:
        yield Cut(at, length, pages, None, skipped)


def parse(data: bytes, piece: Piece, mapping: dict[str, str], *, kind: Kind) -> Iterator[Record | Failure]:
    """One Record for each page, or a Failure that names what it is instead of an article. Needs no mapping."""
    position = piece.first
    for found in records(io.BytesIO(data), kind):
        if found.skipped is None and found.problem is None:
            record = data[found.offset : found.offset + found.length]
            yield _page(record, position, piece.offset + found.offset, kind)
            position += 1


def _page(record: bytes, position: int, offset: int, kind: Kind) -> Record | Failure:
    from transforms.extraction import NotAnArticle, extract  # heavy, and it needs this package

    at: dict[str, Any] = {"position": position, "offset": offset, "length": len(record)}
    head = kind.read_head(record)
    assert head
    markup, encoding, note = _markup(head, record[head.size : head.size + head.length])
    if len(markup) > MAX_RECORD:
        return Failure(**at, raw=record[:MAX_RAW], problem=_TOO_LONG)
    try:
        fields = extract(markup, head.address or None, encoding)
    except NotAnArticle as error:
        return Failure(**at, raw=record[:MAX_RAW], problem=error.problem)
    if note:
        fields = {**fields, "problems": [*fields.get("problems", []), note]}
    return Record(**at, **fields)


def _markup(head: Head, block: bytes) -> tuple[bytes, str | None, str | None]:
    """The page's bytes, the character set that the server names, and a note where they are damaged."""
    answer = read_answer(block) if head.kind == "response" else None
    if answer is None:
        return block, charset(head.type), None
    body, note = body_of(answer, block)
    return body, charset(answer.header.get("content-type")), note
