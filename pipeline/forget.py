"""`forget`: articles are removed for good, each with all its versions, their copies, names and fingerprints.

It is a batch that brings no article and replaces files of earlier ones. So it may be cut off anywhere, and works beside
a running `watch`: whoever opens the warehouse next finishes it, and a batch that was decided without it is void. The
log keeps the ids and the index the hashes of what was forgotten, by which it is `known` if it comes again.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.explain import KEPT, identities, is_id, rows_of, whole_id
from pipeline.lock import held
from pipeline.log import Entry, History, Replaced, newest_manifest
from pipeline.query import connect, explained
from pipeline.snapshots import fold, last_run, remove_folded
from pipeline.staging import attempt, folder_of, new_token, stage_one, stage_run
from pipeline.versions import versions
from pipeline.warehouse import Warehouse, open_warehouse
from schemas.errors import Busy, UsageError, WorldError
from schemas.tables import TABLES, Run
from transforms.files import Store

_TRIES = 20
_SELECTED = """
WITH own AS (SELECT * FROM kept WHERE list_contains($identities, identity) OR list_contains($ids, article_id))
SELECT * FROM own UNION SELECT * FROM kept WHERE duplicate_of IN (SELECT article_id FROM own)
ORDER BY outcome DESC, published_at NULLS LAST, article_id
"""


class Row(Struct, frozen=True, kw_only=True):
    """An article or a copy that is to be forgotten, and where it stands."""

    article_id: str
    outcome: str
    title: str
    source: str | None
    identity: str
    date: str
    topic: str | None
    batch: int

    def files(self) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """The files that hold something of it: table, folder and batch."""
        if self.topic is None:
            yield "duplicates", (self.date,), self.batch
        else:
            yield "articles", (self.date, self.topic), self.batch
            yield "entities", (self.date, self.topic), self.batch


class Forgotten(Struct, frozen=True):
    """What was removed, by which batch, from how many files. `cleaned`: its fingerprints are gone from the disk too."""

    rows: list[Row]
    batch: int
    files: int
    cleaned: bool


def find(root: str, asked: Sequence[str]) -> list[Row]:
    """What goes with the articles of these ids and addresses: all versions of each, and the copies of all of them.

    The id of a copy means this copy alone. Raises UsageError if nothing goes by one of the names.
    """
    with connect(root) as connection, explained():
        connection.execute(KEPT)
        names: set[str] = set()
        copies: set[str] = set()
        for what in asked:
            if not is_id(what):
                names.update(identities(connection, what))
                continue
            row = _by_id(connection, whole_id(connection, what.lower()))
            if row["outcome"] == "unique":
                names.add(row["identity"])
            else:
                copies.add(row["article_id"])
        found = rows_of(connection, _SELECTED, identities=sorted(names), ids=sorted(copies))
    return [_row(row) for row in found]


def _by_id(connection: duckdb.DuckDBPyConnection, id: str) -> dict[str, Any]:
    rows = rows_of(connection, "SELECT * FROM kept WHERE article_id = $id", id=id)
    if not rows:
        raise UsageError(f"{id} is a dead letter; articles and copies can be forgotten.")
    return rows[0]


def _row(row: dict[str, Any]) -> Row:
    return Row(**{name: row[name] for name in Row.__struct_fields__ if name != "date"}, date=str(row["date"]))


def forget(root: str, asked: Sequence[str], now: datetime | None = None) -> Forgotten:
    """Remove them. Raises UsageError if nothing goes by one of the names, WorldError if others always come first."""
    warehouse = open_warehouse(root)
    for _ in range(_TRIES):
        history = warehouse.refresh()
        rows = find(root, asked)
        entry = _staged(warehouse.store, history, rows, now or datetime.now(UTC))
        if warehouse.commit(entry, may_fold=False):
            return Forgotten(rows, entry.number, len(entry.replaced), _cleaned(warehouse))
    raise WorldError("Other writers take every number in the log; run this again when they have ended.")


def _staged(store: Store, history: History, rows: Sequence[Row], now: datetime) -> Entry:
    """The batch, with new files staged for all that hold one of the rows."""
    token, number, began = attempt(new_token()), history.position + 1, time.time()
    ids: dict[tuple[str, tuple[str, ...], int], list[str]] = defaultdict(list)
    for row in rows:
        for file in row.files():
            ids[file].append(row.article_id)
    replaced = [one for file, gone in sorted(ids.items()) if (one := _without(store, token, file, gone))]
    before = last_run(store, history)
    run = Run(
        batch=number,
        started_at=datetime.fromtimestamp(began, UTC),
        seconds=time.time() - began,
        read=0,
        unique=0,
        duplicates=0,
        known=0,
        dead=0,
        dead_by_class=[],
        steps=[],
        inputs=0,
        versions=versions(),
        models=[],
        taxonomy=before.taxonomy if before else "",
        config_hash=before.config_hash if before else "",
    )
    return Entry(
        number=number,
        token=token,
        now=now,
        run=run,
        pieces=[],
        changed=[],
        topics={},
        files=[stage_run(store, token, run, str(now.date()))],
        index_rows=0,
        forgotten=sorted({row.article_id for row in rows}),
        replaced=replaced,
    )


def _without(store: Store, token: str, file: tuple[str, tuple[str, ...], int], ids: Sequence[str]) -> Replaced | None:
    """A file without the rows of some articles, staged; None where none was written, since no article had a name."""
    name, place, batch = file
    table = TABLES[name]
    path = f"{folder_of(table, place)}/{batch:012}.parquet"
    info = store.info(path)
    if info is None and name == "entities":
        return None
    with store.open(path) as source:
        rows = pq.read_table(source, schema=table.schema)
    left = rows.filter(pc.invert(pc.is_in(rows["article_id"], pa.array(ids))))
    staged = stage_one(store, f"{token}/{batch}", batch, table, place, left)
    return Replaced(staged, len(rows), info.size if info else 0)


def _cleaned(warehouse: Warehouse) -> bool:
    """Make a snapshot without their fingerprints, unless another process holds the warehouse: its next one will be."""
    with suppress(Busy), held(warehouse.store):
        fold(warehouse.store, warehouse.refresh())
        remove_folded(warehouse.store, newest_manifest(warehouse.store))
        return True
    return False
