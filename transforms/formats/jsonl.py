"""JSON Lines: one JSON object a line."""

import json
import re
from collections.abc import Iterator

import msgspec

from schemas.records import Piece, Problem
from transforms.formats.base import HEAD, MAX_RAW, MAX_RECORD, Cut, Failure, Format, Record, Stream
from transforms.formats.encoding import BOMS, decode
from transforms.formats.fields import NoText, fields_of, without_surrogates

BLOCK = 1 << 18
"""Bytes that are read at once."""
CUT_RECORDS = 256
CUT_BYTES = 1_000_000
_SUFFIXES = (".jsonl", ".ndjson", ".jsonlines", ".ldjson")
_BOM = BOMS[0][0]
_SPACES = b" \t\r\n\v\f"
_BLANK_LINES = re.compile(rb"[ \t\r\n\v\f]*\n")
_UTF_16 = tuple(mark for mark, _ in BOMS[1:])
_TOO_LONG = Problem("RecordTooLong", f"The line is longer than {MAX_RECORD:,} bytes; leave out what is no text.")


class Unusable(Exception):
    """Raised for a line that is no record; carries a Problem."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)


def recognises(head: bytes, name: str) -> bool:
    """Whether one of the first lines is a JSON object; under a name that says so, whether the first tries to be."""
    lines = [line.strip() for line in head.removeprefix(_BOM).splitlines() if not line.isspace()]
    if not lines or _spans_lines(lines) or head.startswith(_UTF_16):
        return False
    named = name.lower().endswith(_SUFFIXES)
    opens = lines[0].startswith(b"{")
    if len(head) >= HEAD:
        if len(lines) == 1:
            return opens and lines[0][1:].lstrip().startswith(b'"') and b"\0" not in head
        lines.pop()
    if any(_is_object(line) for line in lines[:100]):
        return named or opens
    return named and opens and b"\0" not in head


def _spans_lines(lines: list[bytes]) -> bool:
    """Whether the lines are one JSON document, printed over many, and so belong to another reader."""
    if lines[0] in (b"{", b"[") or (lines[0].startswith(b"[") and not _is_json(lines[0])):
        return True
    return len(lines) > 1 and not _is_json(lines[0]) and _is_json(b"\n".join(lines))


def _is_json(text: bytes) -> bool:
    try:
        _load(text)
    except Unusable:
        return False
    return True


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_load(line)[0], dict)
    except Unusable:
        return False


def cut(stream: Stream, most: int = CUT_RECORDS) -> Iterator[Cut]:
    """Whole lines: `most` records, or as many as fit into 1 MB; a longer one alone; one over MAX_RECORD with a Problem.

    Blank lines are no records; they belong to the cut before them (at the start: to the first). Of a run of them that
    is longer than MAX_RECORD, parts are cuts without records. An error of the stream is raised after the whole lines
    before it.
    """
    at = length = records = 0
    try:
        for size, blank in _lines(stream):
            is_full = records == most or (records > 0 and length + size > CUT_BYTES)
            while blank and length + size > MAX_RECORD:
                part = max(MAX_RECORD - length, 0)
                yield Cut(at, length + part, records)
                at, length, records, size = at + length + part, 0, 0, size - part
            if not blank and length and (is_full or size > MAX_RECORD):
                yield Cut(at, length, records)
                at, length, records = at + length, 0, 0
            if not blank and size > MAX_RECORD:
                yield Cut(at, size, 1, _TOO_LONG)
                at, size, blank = at + size, 0, True
            length += size
            records += not blank
    except Exception:
        if length:
            yield Cut(at, length, records)
        raise
    if length:
        yield Cut(at, length, records)


def _lines(stream: Stream) -> Iterator[tuple[int, bool]]:
    """The length of each line, its end included, and whether it is blank; several blank ones may come as one.

    Holds one block, however long the line.
    """
    length, blank = 0, True
    while block := stream.read(BLOCK):
        start = 0
        while start < len(block):
            run = _BLANK_LINES.match(block, start) if blank and block[start] in _SPACES else None
            end = run.end() if run else block.find(b"\n", start) + 1
            if not end:
                break
            yield length + end - start, run is not None
            length, blank, start = 0, True, end
        length += len(block) - start
        blank = blank and (start == len(block) or block[start:].isspace())
    if length:
        yield length, blank


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """One Record or Failure for each line that is not blank.

    `mapping` names for fields of Record the key that holds them, with dots for nesting; it wins over the usual names.
    """
    position, at = piece.first, 0
    for line in data.split(b"\n"):
        if line and not line.isspace():
            offset = piece.offset + at
            yield _record(line.removeprefix(_BOM) if offset == 0 else line, position, offset, len(line), mapping)
            position += 1
        at += len(line) + 1


def _record(line: bytes, position: int, offset: int, length: int, mapping: dict[str, str]) -> Record | Failure:
    try:
        row, problems = _load(line)
        if not isinstance(row, dict):
            raise Unusable("NotAnObject", f"The line is a JSON {_KINDS.get(type(row), 'value')}, not an object {{…}}.")
        return Record(position=position, offset=offset, length=length, problems=problems, **fields_of(row, mapping))
    except NoText as error:
        problem = Problem("NoText", str(error))
    except Unusable as error:
        problem = error.problem
    return Failure(position=position, offset=offset, length=length, raw=line[:MAX_RAW], problem=problem)


_KINDS = {list: "array", str: "string", int: "number", float: "number", bool: "truth value", type(None): "null"}


def _load(line: bytes) -> tuple[object, list[str]]:
    """The line's JSON value, and notes on what had to be mended. Raises Unusable."""
    try:
        return msgspec.json.decode(line), []
    except RecursionError as error:
        raise Unusable("TooDeep", "The line's arrays and objects are nested too deeply.") from error
    except ValueError:
        return _load_leniently(line)


def _load_leniently(line: bytes) -> tuple[object, list[str]]:
    """As `_load`, for what msgspec refuses and others write: encodings, NaN, control characters, lone surrogates."""
    try:
        text, note = decode(line)
    except UnicodeDecodeError as error:
        raise Unusable("WrongEncoding", f"The line is not UTF-8, nor of another encoding ({error}).") from error
    try:
        value = json.loads(text, strict=False)
        mended = without_surrogates(value)
    except RecursionError as error:
        raise Unusable("TooDeep", "The line's arrays and objects are nested too deeply.") from error
    except ValueError as error:
        if note:
            raise Unusable("WrongEncoding", f"The line is not UTF-8; {note}, it is no JSON: {error}.") from error
        raise Unusable("InvalidJson", f"The line is not JSON: {error}.") from error
    notes = [note] if note else []
    return mended, notes if mended == value else [*notes, "lone surrogates replaced by U+FFFD"]


FORMAT = Format("jsonl", recognises, cut, parse)
