"""Checks of the index: every article and copy stands in it under the right keys, and nothing else does."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.checks import Finding, Log, check_each, some
from pipeline.checks_ids import Ids, Kept, different, digest, hex_of
from pipeline.index import SCHEMA
from pipeline.log import index_name, snapshot_name
from pipeline.terminal import number_of
from transforms.files import Store

_CURE = (
    "Restore `_newsbeam` from a backup, or read the inputs anew into a new folder (`newsbeam run … --output NEW`); "
    "else articles that come again may be kept twice."
)


def check_index(store: Store, log: Log, kept: Kept | None) -> Iterator[Finding]:
    """The index files: whole, sorted, as many rows as the log says; and, if all rows are known, just these."""
    actual, owners = Ids(), Ids()
    gone = log.forgotten
    whole = yield from check_each(_files(log), lambda name, rows: _read(store, name, rows, actual, owners, gone), _CURE)
    if whole and kept:
        wrong = different(kept.index.all, kept.index_owners.all, actual.all, owners.all)
        if len(wrong):
            ids = some([hex_of(id) for id in wrong])
            yield Finding(
                f"The index does not say of {number_of(len(wrong), 'article')} what the tables say: {ids}.", _CURE
            )


def _files(log: Log) -> Iterator[tuple[str, int]]:
    """Every index file, with the number of rows that it should have."""
    folded = sum(batch.index_rows for batch in log.batches if batch.number <= log.manifest.number)
    if log.whole and log.manifest.number and (folded or log.manifest.index_rows):
        yield snapshot_name(log.manifest.number, "index"), folded
    for batch in log.complete:
        if batch.number > log.manifest.number and batch.index_rows:
            yield index_name(batch.number), batch.index_rows


def _read(store: Store, name: str, rows: int, actual: Ids, owners: Ids, forgotten: set[bytes]) -> str:
    """Adds the rows of one file to what the index says; tells what is wrong with the file."""
    last: tuple[int, int] = (0, 0)
    with store.open(name) as source, pq.ParquetFile(source) as file:
        if not file.schema_arrow.equals(SCHEMA):
            return "has other columns than an index"
        if file.metadata.num_rows != rows:
            return f"has {number_of(file.metadata.num_rows, 'row')} where the log says {rows:,}"
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            if not _is_sorted(group, last):
                return "is not sorted by key"
            last = group["key"][-1].as_py(), group["check"][-1].as_py()
            _gather(group, actual, owners, forgotten)
    return ""


def _is_sorted(group: pa.Table, last: tuple[int, int]) -> bool:
    keys, checks = group["key"].to_numpy(), group["check"].to_numpy()
    rising = (keys[1:] > keys[:-1]) | ((keys[1:] == keys[:-1]) & (checks[1:] >= checks[:-1]))
    return bool(rising.all()) and last <= (int(keys[0]), int(checks[0]))


def _gather(group: pa.Table, actual: Ids, owners: Ids, forgotten: set[bytes]) -> None:
    columns = ("key", "check", "article_id", "canonical", "original", "place", "batch")
    for values in zip(*(group[name].to_pylist() for name in columns), strict=True):
        if values[2] not in forgotten:
            actual.add(digest(*values))
            owners.add(values[2])
