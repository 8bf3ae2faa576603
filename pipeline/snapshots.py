"""Snapshots: ledger, index, feeds and old log entries as sorted files, so that there are not a million small ones."""

import re
from collections.abc import Iterable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.feed_states import folded_states
from pipeline.fingerprint_files import folded_parts, keys_name, without_fingerprints
from pipeline.index import SCHEMA as INDEX_SCHEMA
from pipeline.ledger import SCHEMA as LEDGER_SCHEMA
from pipeline.ledger import ledger_table
from pipeline.log import (
    FINGERPRINTS,
    INDEX,
    LOG,
    SNAPSHOTS,
    Entry,
    History,
    Manifest,
    index_name,
    manifest_name,
    snapshot_name,
)
from pipeline.sorted_files import lookup, merged
from schemas.tables import Run
from transforms.files import Store

FOLD_AFTER = 64
"""Entries since the last snapshot from which a new one may be made, if they hold an eighth as many rows ..."""
FOLD_ALWAYS = 1024
"""... and from which it is made however large the snapshot is."""

LOG_SCHEMA = pa.schema([pa.field("key", pa.uint64()), pa.field("check", pa.uint64()), pa.field("entry", pa.string())])


def fold_due(history: History) -> bool:
    """Whether the tail is long enough, against the snapshot, for a new one."""
    rows = sum(entry.index_rows for entry in history.tail)
    many = len(history.tail) >= FOLD_AFTER and rows * 8 >= history.manifest.index_rows
    return many or len(history.tail) >= FOLD_ALWAYS


def fold(store: Store, history: History) -> None:
    """Fold the tail into a new snapshot. All of the history must be published.

    The manifest makes the snapshot count; what an interrupted fold left is written again.
    """
    old, number = history.manifest, history.position
    remove_folded(store, old)
    rows = old.index_rows + sum(entry.index_rows for entry in history.tail)
    parts: dict[str, tuple[pa.Schema, Iterable[pa.Table]]] = {
        "ledger": (LEDGER_SCHEMA, [ledger_table(history)]),
        "index": (INDEX_SCHEMA, (_index_part(store, entry) for entry in history.tail if entry.index_rows)),
        "log": (LOG_SCHEMA, [_log_table(history)]),
    }
    for what, (schema, more) in parts.items():
        before = snapshot_name(old.number, what) if old.number else None
        store.write(snapshot_name(number, what), merged(store, before, more, schema))
    store.write(snapshot_name(number, "feeds"), folded_states(store, history))
    manifest = Manifest(
        number=number,
        index_rows=rows,
        fingerprints=folded_parts(store, history),
        without_fingerprints=without_fingerprints(history),
        forgotten=sorted(history.forgotten),
    )
    store.create(manifest_name(number), msgspec.json.encode(manifest))


def _index_part(store: Store, entry: Entry) -> pa.Table:
    with pa.BufferReader(store.read(index_name(entry.number))) as source:
        return pq.read_table(source, schema=INDEX_SCHEMA)


def _log_table(history: History) -> pa.Table:
    """The entries of the tail, without their pieces and feeds: those stand in files of their own."""
    entries = [msgspec.structs.replace(entry, pieces=[], feeds=[]) for entry in history.tail]
    texts = [msgspec.json.encode(entry).decode() for entry in entries]
    numbers = [entry.number for entry in entries]
    return pa.Table.from_arrays([numbers, [0] * len(numbers), texts], schema=LOG_SCHEMA)


def last_run(store: Store, history: History) -> Run | None:
    """What the last batch says of itself, also if a snapshot has taken it in; None in an empty warehouse."""
    if history.tail:
        return history.tail[-1].run
    if not history.manifest.number:
        return None
    number = history.manifest.number
    rows = lookup(store, snapshot_name(number, "log"), np.array([number], np.uint64))
    return next(msgspec.json.decode(text, type=Entry).run for table in rows for text in table["entry"].to_pylist())


def remove_folded(store: Store, manifest: Manifest) -> None:
    """Remove what a snapshot replaces. Not done as it is made, so that who reads the one before can go on."""
    for folder, first_kept in ((LOG, manifest.number + 1), (INDEX, manifest.number + 1), (SNAPSHOTS, manifest.number)):
        for name in store.names(folder):
            if re.match(r"\d{12}[-.]", name) and int(name[:12]) < first_kept:
                store.remove(f"{folder}/{name}")
    for path in needless_fingerprints(store, manifest):
        store.remove(path)


def needless_fingerprints(store: Store, manifest: Manifest) -> list[str]:
    """Files of fingerprints that a snapshot replaces, or that a fold left which was broken off."""
    parts = {name for part in manifest.fingerprints for name in (part.name, keys_name(part.name))}
    paths = [f"{FINGERPRINTS}/{name}" for name in store.names(FINGERPRINTS) if re.match(r"\d{12}[-.]", name)]
    return [path for path in paths if path not in parts and int(path.rpartition("/")[2][:12]) <= manifest.number]
