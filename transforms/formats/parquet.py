"""Parquet: one article a row, read a few rows at a time."""

from collections.abc import Iterator

from transforms.formats import jsonl
from transforms.formats.base import Format, Seekable
from transforms.formats.columnar import json_lines
from transforms.formats.converted import parse

_MAGIC = b"PAR1"
_MOST_ROWS = 256
_MOST_BYTES = 16_000_000
"""Of the rows that are unpacked at once, on average."""
_BUFFER = 1 << 20


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
            fitting = _MOST_BYTES * group.num_rows // max(group.total_byte_size, 1)
            rows = max(1, min(_MOST_ROWS, fitting))
            for batch in parquet.iter_batches(rows, [number], use_threads=False):
                yield json_lines(batch, min(done, len(batch)))
                done = max(0, done - len(batch))


FORMAT = Format("parquet", recognises, jsonl.cut, parse, lines, seeks=True)
