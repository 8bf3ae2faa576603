"""`compact --fingerprints`: all fingerprints made anew from the stored articles."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from pipeline.fingerprint_files import SCHEMA, FingerprintFile, file_names, fingerprint_row, write_parts
from pipeline.lock import held
from pipeline.log import History, manifest_name
from pipeline.snapshots import fold, remove_folded
from pipeline.staging import new_token
from pipeline.warehouse import open_warehouse, warehouse_at
from schemas.records import Article
from transforms.copies import with_fingerprints
from transforms.files import Store
from transforms.fingerprints import VERSION

_ROWS_AT_ONCE = 1_000
_COLUMNS = ["article_id", "identity", "title", "body", "published_at", "read_at", "source", "batch"]


class Rebuilt(Struct, frozen=True):
    """What was made: articles that have a fingerprint, and the files that hold them."""

    articles: int
    files: int


def rebuild_fingerprints(root: str) -> Rebuilt:
    """Make every fingerprint anew. Cut off anywhere, the old ones stand.

    The log is folded into a snapshot first, whose manifest then names the new files: replacing it is the commit.
    Raises UsageError where there is no warehouse, and Busy while another process holds it.
    """
    store = warehouse_at(root)
    with held(store):
        warehouse = open_warehouse(root)
        if warehouse.history.tail:
            fold(store, warehouse.history)
        history = warehouse.refresh()
        number = history.manifest.number
        if not number:
            return Rebuilt(0, 0)
        tables = _made_anew(store, _roundups(store, history))
        parts = write_parts(store, tables, f"{number:012}-{new_token()[-12:]}", VERSION)
        manifest = replace(history.manifest, fingerprints=parts, without_fingerprints=0)
        store.write(manifest_name(number), msgspec.json.encode(manifest))
        remove_folded(store, manifest)
        return Rebuilt(sum(part.rows for part in parts), len(parts))


def _roundups(store: Store, history: History) -> frozenset[str]:
    """What was found to be a round-up stays one: its parts need not be kept articles."""
    found: set[str] = set()
    for name in file_names(history):
        rows = FingerprintFile(store, name).rows(["article_id", "is_roundup"])
        found.update(id.hex() for id in rows.filter(rows["is_roundup"])["article_id"].to_pylist())
    return frozenset(found)


def _made_anew(store: Store, roundups: frozenset[str]) -> Iterator[pa.Table]:
    for info in store.walk("articles"):
        place = info.name.removeprefix("articles/").rpartition("/")[0]
        with store.open(info.name) as source, pq.ParquetFile(source) as file:
            for rows in file.iter_batches(_ROWS_AT_ONCE, columns=_COLUMNS):
                yield _table(rows.to_pylist(), place, roundups)


def _table(rows: list[dict[str, Any]], place: str, roundups: frozenset[str]) -> pa.Table:
    batches = [row.pop("batch") for row in rows]
    articles = with_fingerprints([Article(**row) for row in rows])
    made = [
        fingerprint_row(replace(one, is_roundup=one.article_id in roundups), place, batch)
        for one, batch in zip(articles, batches, strict=True)
    ]
    return pa.Table.from_pylist([row for row in made if row], SCHEMA)
