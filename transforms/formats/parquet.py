"""Parquet: one article a row, read a few rows at a time."""

from collections.abc import Iterator
from typing import Any

from transforms.formats import jsonl
from transforms.formats.base import Format, Seekable
from transforms.formats.columnar import json_lines
from transforms.formats.converted import parse

_MAGIC = b"PAR1"
_MOST_ROWS = 256
_MOST_BYTES = 16_000_000
"""Of the rows that are unpacked at once, on average."""
_MOST_REPEATED = 256_000_000
"""Of the rows that are unpacked at once, if each of them had the longest value that it can have."""
_BUFFER = 1 << 20
_VARINT = 10


def recognises(head: bytes, name: str) -> bool:
    """By its first bytes."""
    return head.startswith(_MAGIC)


def lines(file: Seekable, done: int) -> Iterator[bytes]:
    """The rows after the first `done` ones as JSON objects, one a line; row groups that are done are not read.

    Raises ValueError or OSError where the file is damaged.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as parquet:
        for number in range(parquet.num_row_groups):
            group = parquet.metadata.row_group(number)
            if done >= group.num_rows:
                done -= group.num_rows
                continue
            for batch in parquet.iter_batches(_rows_at_once(file, group), [number], use_threads=False):
                yield from json_lines(batch.slice(done))
                done = max(0, done - len(batch))


def _rows_at_once(file: Seekable, group: Any) -> int:
    """How many rows fit into memory, though a value that is stored once may be the value of each."""
    average = max(1, int(group.total_byte_size) // int(group.num_rows))
    longest = max([1, *(_longest(file, group.column(at)) for at in range(group.num_columns))])
    return max(1, min(_MOST_ROWS, _MOST_BYTES // average, _MOST_REPEATED // longest))


def _longest(file: Seekable, column: Any) -> int:
    """How long a value can be that is repeated without being stored again: its dictionary, or beginnings shared."""
    if "DELTA_BYTE_ARRAY" in column.encodings:
        return int(column.total_uncompressed_size)
    if column.physical_type != "BYTE_ARRAY" or not column.has_dictionary_page:
        return 1
    file.seek(column.dictionary_page_offset)
    return _unpacked_size(file.read(2 + 2 * _VARINT))


def _unpacked_size(header: bytes) -> int:
    """The second field of a page's header, in Thrift's compact protocol: two numbers, each behind a byte for its kind.

    Layout: https://parquet.apache.org/docs/file-format/ (PageHeader: type, uncompressed_page_size).
    """
    at, number = 0, 0
    for _ in range(2):
        at, number = at + 1, 0
        for place in range(_VARINT):
            number |= (header[at] & 0x7F) << (7 * place)
            at += 1
            if header[at - 1] < 0x80:
                break
    return number >> 1


FORMAT = Format("parquet", recognises, jsonl.cut, parse, lines, seeks=True)
