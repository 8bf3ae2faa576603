"""Rows of Arrow columns as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.records import Problem
from transforms.formats.converted import bad_line

if TYPE_CHECKING:
    import pyarrow as pa

_NO_SENSE = (ValueError, OverflowError, TypeError, ArithmeticError)
"""What turning a value into Python's raises: nested text that is no UTF-8, years after 9999, unknown time zones."""


class _Lost(str):
    """Stands for a value that cannot be read; says why."""


def json_lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    """A line for each row: an object by the columns' names, or a `bad_line` if a value makes no sense."""
    columns = [_values(column) for column in batch.columns]
    return (_line(batch.schema.names, row) for row in zip(*columns, strict=True))


def _values(column: pa.Array) -> list[Any]:
    """The column's values. Those of a dictionary are shared: a row group may repeat a long one a million times."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        values = _values(column.dictionary)
        return [None if at is None else values[at] for at in column.indices.to_pylist()]
    column = _plain(column)
    try:
        return list(column.to_pylist())
    except _NO_SENSE:
        return [_value(column, at) for at in range(len(column))]


def _value(column: pa.Array, at: int) -> Any:
    try:
        return column[at].as_py()
    except _NO_SENSE as error:
        return _Lost(f"{type(error).__name__}: {str(error)[:200]}")


def _plain(column: pa.Array) -> pa.Array:
    """The column with texts as bytes, since not all writers give UTF-8, and times as Python has them."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
    return column


def _line(names: list[str], row: tuple[Any, ...]) -> bytes:
    lost = [f"{name}: {value}" for name, value in zip(names, row, strict=True) if isinstance(value, _Lost)]
    if lost:
        return bad_line(Problem("InvalidValue", f"A value cannot be read ({'; '.join(lost[:3])})."), lost)
    fields = dict(zip(names, row, strict=True))
    try:
        texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()}
        return msgspec.json.encode(texts, enc_hook=str) + b"\n"
    except UnicodeDecodeError:
        return _as_bytes(fields)


def _as_bytes(fields: dict[str, Any]) -> bytes:
    """The line with the texts' own bytes, so that whoever reads it finds their encoding out, and says so."""
    texts = {
        name.encode().decode("latin-1"): value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    return json.dumps(texts, ensure_ascii=False, default=str).encode("latin-1", "replace") + b"\n"
