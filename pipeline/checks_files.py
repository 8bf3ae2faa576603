"""Checks of files: what the log names, what stands in the folders, and what Delta has must be the same."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipeline.checks import BROKEN, RESTORE, Finding, Log, Logged, LoggedFile, some, unequal, unreadable
from pipeline.delta import APP
from pipeline.log import INDEX, LOG, SNAPSHOTS, STAGING, index_name
from pipeline.staging import is_garbage, staged_index
from pipeline.terminal import number_of
from schemas.tables import TABLES, Table
from transforms.files import Store

_COUNTS = ("batch", "read", "unique", "duplicates", "known", "dead", "inputs", "config_hash")


def published_upto(store: Store, log: Log) -> int:
    """The last batch that is complete, by the number that whoever opens the warehouse for writing goes by."""
    try:
        return DeltaTable(store.path("runs")).transaction_version(APP) or 0
    except Exception:  # deltalake raises many kinds; check_delta tells of it
        return max((batch.number for batch in log.batches if _stands(store, batch.of("runs"))), default=0)


def _stands(store: Store, files: Iterable[LoggedFile]) -> bool:
    return all(store.info(file.path) for file in files)


def check_unfinished(store: Store, unfinished: Iterable[Logged]) -> Iterator[Finding]:
    """Batches that are committed but were not shown to readers: whether all of their files are still there."""
    for batch in unfinished:
        lost = [file.path for file in batch.files if not (store.info(file.staged) or store.info(file.path))]
        if batch.index_rows and not (store.info(staged_index(batch.token)) or store.info(index_name(batch.number))):
            lost.append(index_name(batch.number))
        if lost:
            what = f"Batch {batch.number} is committed but not in the tables, and cannot be finished: {some(lost)} is lost."
            yield Finding(what, RESTORE)
        else:
            what = f"Batch {batch.number} is committed but not yet in the tables: whoever wrote it was cut off."
            yield Finding(what, f"Run `newsbeam run …` again: it finishes batch {batch.number}.")


def check_folders(
    store: Store, log: Log, complete: Iterable[Logged], unfinished: Iterable[Logged]
) -> Iterator[Finding]:
    """Every file of a complete batch is in its place with its size, and no other file is in a table's folder."""
    named = {file.path: file for batch in complete for file in batch.files}
    coming = {file.path for batch in unfinished for file in batch.files}
    found = {info.name: info.size for table in TABLES for info in store.walk(table)}
    for path, file in named.items():
        if path not in found:
            yield Finding(f"{path} is missing: {number_of(file.rows, 'row')}.", RESTORE)
        elif found[path] != file.size:
            yield Finding(f"{path} has {found[path]:,} bytes where the log says {file.size:,}.", RESTORE)
    strange = sorted(found.keys() - named.keys() - coming)
    if strange and log.whole:
        what = f"{some(strange)}: {number_of(len(strange), 'file')} that no batch has, but that readers of the folder count."
        yield Finding(what, "Move it out of the folder; nothing refers to it.")


def check_delta(store: Store, complete: list[Logged], unfinished: list[Logged]) -> Iterator[Finding]:
    """The Delta log of every table names the same files, sizes, rows and partitions as our log, and its last batch."""
    cure = _delta_cure(complete)
    for table in TABLES.values():
        try:
            delta = DeltaTable(store.path(table.name))
            yield from _check_delta(delta, table, complete, unfinished, cure.format(table=table.name))
        except Exception as error:  # deltalake raises many kinds
            yield unreadable(f"{table.name}/_delta_log", error, cure.format(table=table.name))


def _delta_cure(complete: list[Logged]) -> str:
    return "Restore {table}/_delta_log from a backup; readers of the folders are not affected."


def _check_delta(
    delta: DeltaTable, table: Table, complete: list[Logged], unfinished: list[Logged], cure: str
) -> Iterator[Finding]:
    name = f"{table.name}/_delta_log"
    schema = pa.schema(delta.schema().to_arrow())
    if not schema.equals(table.full_schema):
        yield Finding(f"{name} has other columns than this version of newsbeam.", cure)
    ours = {file.path: (file.rows, file.size, file.folder) for batch in complete for file in batch.of(table.name)}
    coming = {file.path for batch in unfinished for file in batch.of(table.name)}
    theirs = {path: value for path, value in _delta_files(delta, table).items() if path not in coming}
    if lacking := sorted(ours.keys() - theirs.keys()):
        yield Finding(f"{name} lacks {number_of(len(lacking), 'file')}: {some(lacking)}.", cure)
    if strange := sorted(theirs.keys() - ours.keys()):
        yield Finding(f"{name} has {number_of(len(strange), 'file')} of no batch: {some(strange)}.", cure)
    if other := sorted(path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]):
        yield Finding(f"{name} has other rows, sizes or partitions than the log: {some(other)}.", cure)
    batches = [batch.number for batch in complete if batch.of(table.name)]
    reached = delta.transaction_version(APP) or 0
    if reached not in (batches[-1] if batches else 0, *(batch.number for batch in unfinished)):
        yield Finding(f"{name} stands at batch {reached} instead of {batches[-1] if batches else 0}.", cure)


def _delta_files(delta: DeltaTable, table: Table) -> dict[str, tuple[int, int, str]]:
    """What Delta says of each file: rows, size and partition."""
    rows = pa.table(delta.get_add_actions(flatten=True))
    partitions = [f"partition.{name}" for name in table.partitions]
    columns = ["path", "num_records", "size_bytes", *(name for name in partitions if name in rows.column_names)]
    result = {}
    for path, records, size, *values in zip(*(rows[name].to_pylist() for name in columns), strict=True):
        folder = "/".join(f"{name}={value}" for name, value in zip(table.partitions, values, strict=False))
        result[f"{table.name}/{path}"] = records, size, folder
    return result


def check_runs(store: Store, log: Log, complete: list[Logged], unfinished: list[Logged]) -> Iterator[Finding]:
    """Every complete batch stands in `runs` once, as its entry says, and no other does."""
    entries = {batch.number: batch for batch in complete}
    seen: Counter[int] = Counter()
    for info in store.walk("runs"):
        try:
            rows = pq.ParquetFile(store.path(info.name)).read().to_pylist()
        except BROKEN as error:
            yield unreadable(info.name, error)
            continue
        for row in rows:
            seen[row["batch"]] += 1
            if batch := entries.get(row["batch"]):
                yield from _check_run(info.name, row, batch)
    coming = {batch.number for batch in unfinished}
    if lacking := [
        str(batch.number) for batch in complete if not seen[batch.number] and _stands(store, batch.of("runs"))
    ]:
        yield Finding(f"`runs` lacks batches: {some(lacking)}.", RESTORE)
    if twice := sorted(number for number, times in seen.items() if times > 1):
        yield Finding(f"`runs` has batches twice: {some(list(map(str, twice)))}.", "Remove the copies.")
    if log.whole and (strange := sorted(seen.keys() - entries.keys() - coming)):
        yield Finding(f"`runs` has batches that were never committed: {some(list(map(str, strange)))}.", _STRANGE)


_STRANGE = "Move their files out of the tables' folders; no other file refers to them."


def _check_run(name: str, row: Mapping[str, object], batch: Logged) -> Iterator[Finding]:
    pairs = [(column, getattr(batch.run, column), row[column]) for column in _COUNTS]
    if wrong := unequal(pairs):
        yield Finding(f"{name} differs from the log entry of batch {batch.number}: {wrong}.", RESTORE)


def notes_on_leftovers(store: Store, log: Log) -> Iterator[str]:
    """What is harmless: what was cut off before its commit, and what a snapshot has made needless."""
    committed = {batch.token for batch in log.batches}
    staged = [name for name in store.names(STAGING) if name not in committed and is_garbage(store, name)]
    if staged:
        what = number_of(len(staged), "unfinished batch", "es")
        yield f"{what} of processes that are gone: the next `newsbeam run` removes what they staged."
    old = [
        name
        for folder, first in (
            (LOG, log.manifest.number + 1),
            (INDEX, log.manifest.number + 1),
            (SNAPSHOTS, log.manifest.number),
        )
        for name in store.names(folder)
        if name[:12].isdigit() and int(name[:12]) < first
    ]
    if old:
        yield f"{number_of(len(old), 'file')} that the newest snapshot replaces: the next `newsbeam run` removes what it can."
    drafts = [name for folder in ("_newsbeam", LOG, INDEX, SNAPSHOTS) for name in store.names(folder) if name[0] == "."]
    if drafts:
        yield f"{number_of(len(drafts), 'draft')} of writes that were cut off: hidden files in _newsbeam, which may be removed."
