"""From an open input to its pieces: what packs it is taken off, its format recognised, its records cut."""

import io
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import BinaryIO, NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from pipeline.ledger import Span
from pipeline.spool import Tee
from schemas.errors import WorldError
from schemas.records import Piece, Problem
from transforms.archives import ARCHIVE_ERRORS, Kind, Member, kind_of, members_of_tar, members_of_zip
from transforms.compression import Bomb, Bounded, Budget, Peekable, Readable, plain_name, unpacked
from transforms.files import Info
from transforms.formats import format_named, recognise, text, unrecognised
from transforms.formats.base import HEAD, Cut, Format
from transforms.formats.converted import Blocks
from transforms.text import one_line

CHUNK_RECORDS = 256
CHUNK_BYTES = 1_000_000
READ_ERRORS = (*ARCHIVE_ERRORS, TypeError, ArithmeticError, pa.ArrowException)
"""What reading damaged input raises."""
_START = Span(0, 0, 0, 0, False)
_BLOCK = 1 << 20
_NESTED = Problem("NestedArchive", "An archive within an archive is not read; unpack it by hand.")


class Cutting(NamedTuple):
    """A piece, and its bytes where they must be laid in the spool."""

    piece: Piece
    data: bytes | None


class Part(NamedTuple):
    """A cut of an input, or of a member of it, and its bytes where they are not those of the input as it stands."""

    cut: Cut
    data: bytes | None = None
    format: str = ""
    member: str | None = None


class Opened(NamedTuple):
    """An input, or a member of one, with its compression taken off."""

    name: str
    head: bytes
    stream: Peekable
    file: BinaryIO | None
    """The same, where it can be entered anywhere."""


def cuttings(path: str, info: Info, file: BinaryIO, done: Span, scratch: str) -> Iterator[Cutting]:
    """The pieces of an open file after what is done. The last one says so, and every byte is in one of them.

    `scratch` is a folder for what must be unpacked to be read. Raises WorldError if it is full.
    """
    start, parts = _begun(info, file, done, scratch)
    blank = Piece(
        input=info.name, version=info.version, format="", first=done.end, records=0, offset=done.end_offset,
        length=0, last=True, path=path, at=done.end_offset,
    )  # fmt: skip
    held: Cutting | None = None
    for cutting in _left(_merged(_placed(parts, start, blank)), done):
        if held:
            yield Cutting(replace(held.piece, last=False), held.data)
        offset = held.piece.offset + held.piece.length if held else done.end_offset
        held = Cutting(replace(cutting.piece, offset=offset), cutting.data)
    yield held or Cutting(blank, None)


def _placed(parts: Iterator[Part], at: Span, blank: Piece) -> Iterator[Cutting]:
    """Parts as pieces, one behind the other."""
    first, offset = at.end, at.end_offset
    for cut, data, form, member in parts:
        piece = replace(
            blank, format=form, member=member, first=first, records=cut.records, offset=offset, length=cut.length,
            at=offset, problem=cut.problem, skipped=cut.skipped,
        )  # fmt: skip
        first, offset = piece.end, piece.offset + piece.length
        yield Cutting(piece, data)


def _merged(cuttings: Iterator[Cutting]) -> Iterator[Cutting]:
    """What only counts something skipped is told by the piece before it, or the first one."""
    held: Cutting | None = None
    for cutting in cuttings:
        if held and not (held.piece.length or held.piece.records):
            cutting = _with_skipped(cutting, held)
        elif held and not (cutting.piece.length or cutting.piece.records):
            cutting = _with_skipped(held, cutting)
        elif held:
            yield held
        held = cutting
    if held:
        yield held


def _with_skipped(cutting: Cutting, other: Cutting) -> Cutting:
    skipped = dict(Counter(cutting.piece.skipped) + Counter(other.piece.skipped))
    return Cutting(replace(cutting.piece, skipped=skipped), cutting.data)


def _left(cuttings: Iterator[Cutting], done: Span) -> Iterator[Cutting]:
    """Without what is in already."""
    for piece, data in cuttings:
        if not _is_in(piece, done):
            yield _behind(piece, data, done.end) if piece.first < done.end and data else Cutting(piece, data)


def _is_in(piece: Piece, done: Span) -> bool:
    """By records, which stay the same even where the bytes of a conversion do not."""
    if piece.records:
        return piece.end <= done.end
    return piece.end <= done.end and piece.offset + piece.length <= done.end_offset and done.end_offset > 0


def _behind(piece: Piece, data: bytes, first: int) -> Cutting:
    """What a piece holds from a record on: the records before were asked for with a limit."""
    before = next(format_named(piece.format).cut(io.BytesIO(data), first - piece.first))
    skipped = dict(Counter(piece.skipped) - Counter(before.skipped))
    left = piece.length - before.length
    piece = replace(piece, first=first, records=piece.end - first, length=left, skipped=skipped)
    return Cutting(piece, data[before.length :])


def _begun(info: Info, file: BinaryIO, done: Span, scratch: str) -> tuple[Span, Iterator[Part]]:
    """The input's parts, and where they begin: behind what is done if that can be entered, else at its start."""
    budget = Budget(info.size)
    try:
        opened = _opened(plain_name(info.name), file, budget)
    except READ_ERRORS as error:
        return done, iter([Part(Cut(0, info.size, 1, _broken(error)))])
    if kind := kind_of(opened.head, opened.name):
        return _START, _archive_parts(kind, opened, budget, scratch)
    form = recognise(opened.head, opened.name)
    if form is None:
        return done, iter([Part(Cut(0, info.size, 1, unrecognised(opened.head, opened.name)))])
    if form.lines is None:
        return done, _parts(form, *_entered(opened, done))
    start = done if form.seeks else _START
    return start, _parts(form, Bounded(Blocks(_lines(form, opened, start, scratch)), budget), True)


def _opened(name: str, file: BinaryIO, budget: Budget) -> Opened:
    packed = Peekable(file)
    stream, compressed = unpacked(packed)
    plain = Peekable(Bounded(stream, budget) if compressed else stream)
    return Opened(name, plain.peek(HEAD), plain, None if compressed else file)


def _entered(opened: Opened, done: Span) -> tuple[Readable, bool]:
    """The stream behind what is done, and whether its bytes must be kept, since no worker could read them again."""
    if opened.file:
        opened.file.seek(done.end_offset)
        return opened.file, False
    left = done.end_offset
    while left > 0 and (data := opened.stream.read(min(left, _BLOCK))):
        left -= len(data)
    return opened.stream, True


def _lines(form: Format, opened: Opened, done: Span, scratch: str) -> Iterator[bytes]:
    """The records behind what is done as JSON Lines."""
    assert form.lines
    with _seekable(opened, scratch) if form.seeks else nullcontext(opened.stream) as source:
        yield from form.lines(source, done.end)


@contextmanager
def _seekable(opened: Opened, scratch: str) -> Iterator[BinaryIO]:
    """The input as a file that can be entered anywhere; what is packed is unpacked to the disk first, without a name.

    Raises WorldError where there is no room for it.
    """
    if opened.file:
        opened.file.seek(0)
        yield opened.file
        return
    with ExitStack() as stack:
        with _room_for(opened.name, scratch):
            os.makedirs(scratch, exist_ok=True)
            file = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
        while data := opened.stream.read(_BLOCK):
            with _room_for(opened.name, scratch):
                file.write(data)
                file.flush()
        file.seek(0)
        yield file


@contextmanager
def _room_for(name: str, scratch: str) -> Iterator[None]:
    """Where the disk fails that is written to, the input is not to blame."""
    try:
        yield
    except OSError as error:
        raise WorldError(f"{name} cannot be unpacked into {scratch}: {error.strerror or error}.") from error


def _parts(form: Format, stream: Readable, is_kept: bool, member: str | None = None) -> Iterator[Part]:
    """The cuts of a stream, with their bytes if those must be kept.

    A break is the last cut: it holds what was unpacked before it but is no whole record, and the problem.
    """
    end = 0
    tee = Tee(stream)
    try:
        for cut in form.cut(tee if is_kept else stream, CHUNK_RECORDS):
            end = cut.offset + cut.length
            yield Part(cut, tee.take(cut.length) if is_kept else None, form.name, member)
    except READ_ERRORS as error:
        rest = tee.pending
        yield Part(Cut(end, rest, 1, _broken(error)), tee.take(rest) if is_kept else None, form.name, member)


def _archive_parts(kind: Kind, opened: Opened, budget: Budget, scratch: str) -> Iterator[Part]:
    """The parts of all members, one behind the other. What cannot be read beyond a break is one letter."""
    try:
        if kind == "tar":
            yield from _members_parts(members_of_tar(opened.stream), budget, scratch)
        else:
            with _seekable(opened, scratch) as file:
                yield from _members_parts(members_of_zip(file), budget, scratch)
    except READ_ERRORS as error:
        yield Part(Cut(0, 0, 1, _broken(error)), b"")


def _members_parts(members: Iterator[Member], budget: Budget, scratch: str) -> Iterator[Part]:
    for member in members:
        if member.skipped:
            yield Part(Cut(0, 0, 0, skipped={member.skipped: 1}))
        elif member.stream is None:
            yield Part(Cut(0, 0, 1, member.problem), b"", member=member.name)
        else:
            yield from _member_parts(member.name, member.stream, budget, scratch)
            if budget.is_spent:
                raise Bomb


def _member_parts(name: str, packed: Readable, budget: Budget, scratch: str) -> Iterator[Part]:
    try:
        stream, _ = unpacked(Peekable(packed))
        plain = Peekable(Bounded(stream, budget))
        opened = Opened(plain_name(name), plain.peek(HEAD), plain, None)
    except READ_ERRORS as error:
        yield Part(Cut(0, 0, 1, _broken(error)), b"", member=name)
        return
    form = recognise(opened.head, opened.name)
    if kind_of(opened.head, opened.name):
        yield from _unread(plain, name, _NESTED)
    elif form is None:
        yield from _unread(plain, name, unrecognised(opened.head, opened.name))
    elif form.lines:
        yield from _parts(form, Bounded(Blocks(_lines(form, opened, _START, scratch)), budget), True, name)
    else:
        yield from _parts(form, plain, True, name)


def _unread(stream: Readable, name: str, problem: Problem) -> Iterator[Part]:
    """A whole member as one letter."""
    parts = list(_parts(text.FORMAT, stream, True, name)) or [Part(Cut(0, 0, 1), b"", "", name)]
    for part in parts:
        yield part._replace(cut=replace(part.cut, problem=part.cut.problem or problem), format="")


def _broken(error: BaseException) -> Problem:
    if isinstance(error, Bomb):
        return Problem("Bomb", str(error))
    return Problem("BrokenFile", f"the input cannot be unpacked beyond here: {one_line(str(error))[:500]}")
