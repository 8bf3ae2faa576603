"""The ledger: which pieces of which input versions are in. Derived from the log: the newest snapshot and the tail."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from msgspec import Struct

from pipeline.log import History, snapshot_name
from pipeline.sorted_files import KEY_FIELDS, key_pair, lookup
from schemas.records import Piece
from transforms.files import Info, Store

SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("input", pa.string()),
        pa.field("version", pa.string()),
        pa.field("first", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("end_offset", pa.int64()),
        pa.field("last", pa.bool_()),
    ]
)


class Span(Struct, frozen=True):
    """A run of records of one input version that is in: records first to end, bytes offset to end_offset."""

    first: int
    end: int
    offset: int
    end_offset: int
    last: bool


def span_of(piece: Piece) -> Span:
    return Span(piece.first, piece.end, piece.offset, piece.offset + piece.length, piece.last)


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same records in as few spans as possible, in order."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.offset, span.end_offset)):
        if result and (before := result[-1]).end_offset == span.offset and before.end == span.first:
            result[-1] = Span(before.first, span.end, before.offset, span.end_offset, span.last)
        else:
            result.append(span)
    return result


def ledger_key(input: str, version: str) -> str:
    return f"{input}\0{version}"


class Ledger:
    """What the log up to one position says of a set of files."""

    def __init__(self, store: Store, history: History, files: Iterable[Info]) -> None:
        keys = {key_pair(ledger_key(info.name, info.version)) for info in files}
        self._spans: dict[str, list[Span]] = defaultdict(list)
        if history.manifest.number and keys:
            wanted = np.array(sorted({key for key, _ in keys}), np.uint64)
            for table in lookup(store, snapshot_name(history.manifest.number, "ledger"), wanted):
                for row in table.to_pylist():
                    span = Span(*(row[name] for name in Span.__struct_fields__))
                    self._spans[ledger_key(row["input"], row["version"])].append(span)
        for entry in history.tail:
            for piece in entry.pieces:
                self._spans[ledger_key(piece.input, piece.version)].append(span_of(piece))

    def done(self, info: Info) -> Span:
        """How far an input is in from its start: nothing yet is an empty span; `last` says that all of it is in."""
        start = Span(0, 0, 0, 0, False)
        spans = joined(self._spans.get(ledger_key(info.name, info.version), ()))
        return spans[0] if spans and spans[0].offset == 0 else start

    def has(self, piece: Piece) -> bool:
        """Whether all of a piece is in, by its records (the bytes of a conversion may differ); without any by bytes."""
        mine = span_of(piece)
        spans = joined(self._spans.get(ledger_key(piece.input, piece.version), ()))
        return any(_covers(span, mine) for span in spans)


def _covers(span: Span, part: Span) -> bool:
    if part.last and not span.last:
        return False
    if part.end > part.first:
        return span.first <= part.first and part.end <= span.end
    return span.offset <= part.offset and part.end_offset <= span.end_offset


def ledger_table(history: History) -> pa.Table:
    """The rows that the tail adds to the ledger."""
    spans: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for entry in history.tail:
        for piece in entry.pieces:
            spans[piece.input, piece.version].append(span_of(piece))
    rows = []
    for (input, version), parts in spans.items():
        key, check = key_pair(ledger_key(input, version))
        for span in joined(parts):
            fields = {name: getattr(span, name) for name in Span.__struct_fields__}
            rows.append({"key": key, "check": check, "input": input, "version": version, **fields})
    return pa.Table.from_pylist(rows, SCHEMA)
