"""What formats share whose input is turned into JSON Lines before it is cut: rows, and rows that are none."""

import json
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from schemas.records import Piece, Problem
from transforms.formats import jsonl
from transforms.formats.base import Failure, Record

_TEXT = json.JSONDecoder()


class Blocks:
    """A stream of what an iterator gives."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            if (block := next(self._blocks, None)) is None:
                return b""
            self._rest = block
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def bad_line(problem: Problem, row: object) -> bytes:
    """A line for a row that cannot be read: a JSON array, which no row is."""
    return msgspec.json.encode((problem.error_class, problem.error, row)) + b"\n"


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """As `jsonl.parse`; a line of `bad_line` is a Failure with its problem."""
    for found in jsonl.parse(data, piece, mapping):
        yield _told(found) if isinstance(found, Failure) and found.problem.error_class == "NotAnObject" else found


def _told(failure: Failure) -> Failure:
    """With the problem that the line's first two texts tell; the raw record may be cut short behind them."""
    text = failure.raw.decode(errors="replace")
    try:
        error_class, at = _TEXT.raw_decode(text, 1)
        error, _ = _TEXT.raw_decode(text, at + 1)
    except ValueError:
        return failure
    return replace(failure, problem=Problem(error_class, error))
