"""Sorted Parquet files that are looked up by key without being loaded whole: the form of the ledger and the index."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from transforms.files import Store

Keys = npt.NDArray[np.uint64]
ROW_GROUP = 65_536
"""Rows that are read or merged at once."""
KEY_FIELDS = (
    pa.field("key", pa.uint64(), metadata={"meaning": "upper half of xxh3-128 of what is looked up"}),
    pa.field("check", pa.uint64(), metadata={"meaning": "lower half; two keys are the same if both halves are"}),
)


def key_pair(text: str) -> tuple[int, int]:
    """The two halves of a text's hash (xxh3-128)."""
    number = xxhash.xxh3_128_intdigest(text.encode("utf-8", "surrogatepass"))
    return number >> 64, number & (2**64 - 1)


def parquet_bytes(table: pa.Table, **options: object) -> bytes:
    """The table as a Parquet file, zstd."""
    sink = pa.BufferOutputStream()  # not a Python file, which would hold the interpreter lock
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP, write_page_checksum=True, **options)
    return bytes(sink.getvalue())


def sorted_by_key(table: pa.Table) -> pa.Table:
    return table.sort_by([("key", "ascending"), ("check", "ascending")])


def lookup(store: Store, name: str, keys: Keys) -> Iterator[pa.Table]:
    """The rows of a sorted file whose key is among `keys` (sorted), row group by row group.

    Groups that cannot hold a key are not read, and of the others the remaining columns only if a key is there.
    """
    with store.open(name) as source, pq.ParquetFile(source) as file:
        for number in range(file.num_row_groups):
            if not _may_hold(file.metadata.row_group(number).column(0).statistics, keys):
                continue
            column = file.read_row_group(number, columns=["key"])["key"].to_numpy()
            places = np.searchsorted(keys, column).clip(max=len(keys) - 1)
            hits = np.flatnonzero(keys[places] == column)
            if len(hits):
                yield file.read_row_group(number).take(hits)


def _may_hold(statistics: pq.Statistics | None, keys: Keys) -> bool:
    if statistics is None or not statistics.has_min_max:  # of an empty group
        return False
    low, high = np.searchsorted(keys, np.array([statistics.min, statistics.max], np.uint64), side="left")
    return bool(low < high or (high < len(keys) and keys[high] == statistics.max))


def merged(store: Store, name: str | None, more: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """The rows of a sorted file and of further tables as one sorted file. Holds one row group and `more` in memory."""
    tail = sorted_by_key(pa.concat_tables([schema.empty_table(), *more]))
    keys = tail["key"].to_numpy()
    sink, done = io.BytesIO(), 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group, is_last in _groups(store, name, schema):
            upto = len(tail) if is_last else int(np.searchsorted(keys, group["key"][-1].as_py(), side="right"))
            _write_evenly(writer, sorted_by_key(pa.concat_tables([group, tail.slice(done, upto - done)])))
            done = upto
    return sink.getvalue()


def _write_evenly(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Row groups of at most ROW_GROUP rows and of like size: else a merge would leave ever more small ones."""
    groups = max(-(-len(table) // ROW_GROUP), 1)
    writer.write_table(table, row_group_size=max(-(-len(table) // groups), 1))


def _groups(store: Store, name: str | None, schema: pa.Schema) -> Iterator[tuple[pa.Table, bool]]:
    """The row groups of a file, and whether each is the last; one empty group where there is nothing."""
    groups = 0
    if name is not None:
        with store.open(name) as source, pq.ParquetFile(source) as file:
            groups = file.num_row_groups
            for number in range(groups):
                yield file.read_row_group(number), number == groups - 1
    if not groups:
        yield schema.empty_table(), True
