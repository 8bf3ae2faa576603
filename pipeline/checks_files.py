"""Checks of files: what the log names, what stands in the folders, and what Delta has must be the same."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipeline.checks import BROKEN, RESTORE, Finding, Log, Logged, LoggedFile, some, unequal, unreadable
from pipeline.delta import APP, table_at
from pipeline.log import (
    FINGERPRINTS,
    INDEX,
    LOG,
    SNAPSHOTS,
    STAGING,
    entry_name,
    fingerprints_name,
    index_name,
    newest_manifest,
)
from pipeline.snapshots import needless_fingerprints
from pipeline.staging import batch_of, is_garbage, staged_fingerprints, staged_index
from pipeline.terminal import number_of
from schemas.tables import TABLES, Table
from transforms.files import Store

_STRANGE = "Move their files out of the tables' folders; no other file refers to them."
_LOST = "Restore {} and what is missing before it from a backup, before anything is added to the warehouse."
_COUNTS = ("batch", "read", "unique", "duplicates", "known", "dead", "inputs", "config_hash")


def published_upto(store: Store, log: Log) -> int:
    """The last batch that is complete, by the number that whoever opens the warehouse for writing goes by."""
    try:
        return table_at(store, TABLES["runs"]).transaction_version(APP) or 0
    except Exception:  # deltalake raises many kinds; check_delta tells of it
        return max((batch.number for batch in log.batches if _stands(store, batch.of("runs"))), default=0)


def check_end(store: Store, log: Log) -> Iterator[Finding]:
    """Whether the log goes as far as the tables do. If it does not, it is no longer whole."""
    if log.whole and log.done > max(log.position, _newest(store)):
        log.whole = False
        lost = entry_name(log.done)
        yield Finding(f"The log ends at {log.position:,}, but the tables have batch {log.done:,}.", _LOST.format(lost))


def _newest(store: Store) -> int:
    """The number of the newest log entry now."""
    numbers = [int(name[:12]) for name in store.names(LOG) if name[:12].isdigit()]
    return max([newest_manifest(store).number, *numbers])


def _stands(store: Store, files: Iterable[LoggedFile]) -> bool:
    return all(store.info(file.path) for file in files)


def check_unfinished(store: Store, log: Log) -> Iterator[Finding]:
    """Batches that are committed but were not shown to readers: whether all of their files are still there."""
    for batch in log.unfinished:
        lost = [file.path for file in batch.files if not (store.info(file.staged) or store.info(file.path))]
        if batch.index_rows and not (store.info(staged_index(batch.token)) or store.info(index_name(batch.number))):
            lost.append(index_name(batch.number))
        if batch.fingerprint_rows and not (
            store.info(staged_fingerprints(batch.token)) or store.info(fingerprints_name(batch.number))
        ):
            lost.append(fingerprints_name(batch.number))
        if lost:
            yield Finding(f"Batch {batch.number} is committed but cannot be finished: {some(lost)} is lost.", RESTORE)
        else:
            what = f"Batch {batch.number} is committed but not yet in the tables: whoever wrote it was cut off."
            yield Finding(what, f"Run `newsbeam run …` again: it finishes batch {batch.number}.")


def check_folders(store: Store, log: Log) -> Iterator[Finding]:
    """Every file of a complete batch is in its place with its size, and no other file is in a table's folder."""
    named = {file.path: file for batch in log.complete for file in batch.files}
    coming = {file.path for batch in log.unfinished for file in batch.files} | log.replacing
    found = {info.name: info.size for table in TABLES for info in store.walk(table)}
    for path, file in named.items():
        if path not in found:
            yield Finding(f"{path} is missing: {number_of(file.rows, 'row')}.", RESTORE)
        elif found[path] != file.size:
            yield Finding(f"{path} has {found[path]:,} bytes where the log says {file.size:,}.", RESTORE)
    strange = _strange(store, log, found.keys() - named.keys() - coming)
    if strange:
        what = f"{number_of(len(strange), 'file')} of no batch, that readers of the folders count: {some(strange)}."
        yield Finding(what, "Move it out of the table's folder; nothing refers to it.")


def _strange(store: Store, log: Log, paths: Iterable[str]) -> list[str]:
    """Of files that are not in the log, those that were not brought by batches committed since it was read."""
    if not log.whole:
        return []
    newest = _newest(store)
    return sorted(path for path in paths if not log.position < _number_in(path) <= newest)


def _number_in(path: str) -> int:
    stem = path.rpartition("/")[2].removesuffix(".parquet")
    return int(stem) if stem.isdigit() else 0


def check_delta(store: Store, log: Log) -> Iterator[Finding]:
    """The Delta log of every table names the same files, sizes, rows and partitions as our log, and its last batch."""
    for table in TABLES.values():
        cure = _delta_cure(table, log)
        try:
            delta = table_at(store, table)
            wrong = list(_delta_problems(store, delta, table, log))
        except Exception as error:  # deltalake raises many kinds
            yield unreadable(f"{table.name}/_delta_log", error, cure)
        else:
            yield from (Finding(f"{table.name}/_delta_log {problem}.", cure) for problem in wrong)


def _delta_cure(table: Table, log: Log) -> str:
    """Without a snapshot the log has all that the Delta logs need: they are derived from it, all or none."""
    if log.whole and not log.manifest.number:
        return "Remove the folder `_delta_log` of every table; the next `newsbeam run …` writes them anew from the log."
    return f"Restore {table.name}/_delta_log from a backup; readers of the folders are not affected."


def _delta_problems(store: Store, delta: DeltaTable, table: Table, log: Log) -> Iterator[str]:
    if not pa.schema(delta.schema().to_arrow()).equals(table.full_schema):
        yield "has other columns than the table should have"
    ours = {file.path: (file.rows, file.size, file.folder) for batch in log.complete for file in batch.of(table.name)}
    coming = {file.path for batch in log.unfinished for file in batch.of(table.name)} | log.replacing
    theirs = {path: value for path, value in _delta_files(delta, table).items() if path not in coming}
    if lacking := sorted(ours.keys() - theirs.keys()):
        yield f"lacks {number_of(len(lacking), 'file')}: {some(lacking)}"
    if strange := _strange(store, log, theirs.keys() - ours.keys()):
        yield f"has {number_of(len(strange), 'file')} of no batch: {some(strange)}"
    if other := sorted(path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]):
        yield f"has other rows, sizes or partitions than the log: {some(other)}"
    last = max((batch.number for batch in log.published if batch.changes(table.name)), default=0)
    reached = delta.transaction_version(APP) or 0
    if log.whole and reached <= log.position and reached not in (last, *(batch.number for batch in log.unfinished)):
        yield f"stands at batch {reached} instead of {last}"


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


def check_runs(store: Store, log: Log) -> Iterator[Finding]:
    """Every complete batch stands in `runs` once, as its entry says, and no other does."""
    entries = {batch.number: batch for batch in log.complete}
    seen: Counter[int] = Counter()
    broken = set()
    for info in store.walk("runs"):
        try:
            with store.open(info.name) as source, pq.ParquetFile(source) as file:
                rows = file.read().to_pylist()
        except BROKEN as error:
            broken.add(info.name)
            yield unreadable(info.name, error)
            continue
        for row in rows:
            seen[row["batch"]] += 1
            if batch := entries.get(row["batch"]):
                yield from _check_run(info.name, row, batch)
    readable = {batch.number for batch in log.complete if not broken & {file.path for file in batch.of("runs")}}
    standing = {number for number in readable if _stands(store, entries[number].of("runs"))}
    yield from _check_numbers(store, log, seen, standing)


def _check_numbers(store: Store, log: Log, seen: Counter[int], standing: set[int]) -> Iterator[Finding]:
    """Which batches `runs` has, against those that should be there and whose file is there and can be read."""
    if lacking := sorted(standing - seen.keys()):
        yield Finding(f"`runs` lacks batches: {some(list(map(str, lacking)))}.", RESTORE)
    if twice := [str(number) for number, times in sorted(seen.items()) if times > 1]:
        yield Finding(f"`runs` has batches twice: {some(twice)}.", "Remove the copies.")
    known = {batch.number for batch in log.batches}
    if strange := _strange(store, log, (f"{number:012}" for number in seen.keys() - known)):
        yield Finding(f"`runs` has batches that were never committed: {some(strange)}.", _STRANGE)


def _check_run(name: str, row: Mapping[str, object], batch: Logged) -> Iterator[Finding]:
    pairs = [(column, getattr(batch.run, column), row[column]) for column in _COUNTS]
    if wrong := unequal(pairs):
        yield Finding(f"{name} differs from the log entry of batch {batch.number}: {wrong}.", RESTORE)


def notes_on_leftovers(store: Store, log: Log) -> Iterator[str]:
    """What is harmless: what was cut off before its commit, and what a snapshot has made needless."""
    committed = {batch_of(batch.token) for batch in log.batches}
    staged = [name for name in store.names(STAGING) if name not in committed and is_garbage(store, name)]
    if staged:
        what = number_of(len(staged), "unfinished batch", "es")
        yield f"{what} of processes that are gone: the next `newsbeam run` removes what they staged."
    if old := list(_replaced(store, log)):
        yield f"{number_of(len(old), 'file')} that the newest snapshot replaces: later runs remove them."
    drafts = [
        name
        for folder in ("_newsbeam", LOG, INDEX, FINGERPRINTS, SNAPSHOTS)
        for name in store.names(folder)
        if name[0] == "."
    ]
    if drafts:
        yield f"{number_of(len(drafts), 'hidden file')} in _newsbeam, of writes that were cut off; they may be removed."


def _replaced(store: Store, log: Log) -> Iterator[str]:
    """Entries, index files and snapshots that are older than the newest snapshot."""
    first = {LOG: log.manifest.number + 1, INDEX: log.manifest.number + 1, SNAPSHOTS: log.manifest.number}
    for folder in first:
        for name in store.names(folder):
            if name[:12].isdigit() and int(name[:12]) < first[folder]:
                yield f"{folder}/{name}"
    yield from needless_fingerprints(store, log.manifest)
