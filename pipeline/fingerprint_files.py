"""Fingerprints of kept articles on disk: a file per batch, folded into larger parts. Derived from the tables.

A batch is a Parquet file. A part is a pair of Arrow files that are mapped into memory: its rows, and all their keys in
rising order, so that what a look-up costs depends on what it looks for (`fingerprint_lookup.py`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.log import FINGERPRINTS, History, Part, fingerprints_name
from pipeline.terminal import number_of
from schemas.errors import WorldError
from schemas.records import Article
from transforms.files import LocalStore, Store
from transforms.fingerprints import KEYS, VERSION, Hashes, unpack
from transforms.matcher import LEAST_KEYS, day_of, identity_number
from transforms.rows import place_of

ROW_GROUP = 1_024
"""Rows that are read at once."""
PART_ROWS = 65_536
"""Rows of a part, of which two bytes tell the number. While a part has less, the next fold adds to it."""
KEY_BYTES = 4 * KEYS
HEAD = 12
_NO_KEY = 2**32 - 1
_TITLE = 300
_EPOCH = date(1970, 1, 1).toordinal()
_PART, _DAYS = ".arrow", b"days"

SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32(), metadata={"meaning": "of publication, UTC; of the run without a date"}),
        pa.field("article_id", pa.binary(16)),
        pa.field("identity", pa.uint64(), metadata={"meaning": "xxh3-64 of the identity"}),
        pa.field("published_at", pa.timestamp("us", tz="UTC")),
        pa.field("title", pa.string(), metadata={"meaning": f"its first {_TITLE} characters"}),
        pa.field("source", pa.string()),
        pa.field("place", pa.string(), metadata={"meaning": "date=…/topic=… of the article"}),
        pa.field("batch", pa.int64()),
        pa.field("is_roundup", pa.bool_(), metadata={"meaning": "whether it holds several other articles"}),
        pa.field("keys", pa.binary(KEY_BYTES), metadata={"meaning": "32-bit hashes, filled up with 2^32 - 1"}),
        pa.field("sketch", pa.binary(), metadata={"meaning": "the packed fingerprint without its keys"}),
    ]
)
KEY_SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint32(), metadata={"meaning": "a key of a row of the part, rising"}),
        pa.field("row", pa.uint16(), metadata={"meaning": "the number of the row"}),
    ]
)
_RANDOM = ("keys", "sketch", "article_id", "identity")
"""Columns of hashes, which nothing makes smaller."""


def fingerprint_table(articles: Iterable[Article], now: datetime, batch: int) -> pa.Table:
    """The rows of a batch's kept articles that are long enough for keys, by day and id."""
    rows = [
        fingerprint_row(article, place_of(article, now), batch)
        for article in articles
        if article.outcome == "unique" and article.fingerprint
    ]
    return _by_day(pa.Table.from_pylist([row for row in rows if row], SCHEMA))


def fingerprint_row(article: Article, place: str, batch: int) -> dict[str, object] | None:
    """None for a text without keys: nothing would ever find it."""
    data = article.fingerprint
    end = HEAD + unpack(data).keys.nbytes
    if end < HEAD + 4 * LEAST_KEYS:
        return None
    return {
        "day": day_of(article),
        "article_id": bytes.fromhex(article.article_id),
        "identity": identity_number(article),
        "published_at": article.published_at,
        "title": article.title[:_TITLE],
        "source": article.source,
        "place": place,
        "batch": batch,
        "is_roundup": article.is_roundup,
        "keys": data[HEAD:end].ljust(KEY_BYTES, b"\xff"),
        "sketch": data[:HEAD] + data[end:],
    }


def _by_day(table: pa.Table) -> pa.Table:
    return table.sort_by([("day", "ascending"), ("article_id", "ascending")])


def fingerprint_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file; hashes are not compressed."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression={name: "none" if name in _RANDOM else "zstd" for name in SCHEMA.names},
        use_dictionary=["source", "place", "batch"],
        write_statistics=["day"],
        row_group_size=ROW_GROUP,
    )
    return bytes(sink.getvalue())


class FingerprintFile:
    """A file of a batch, or one of a part, open for reading. A file on a disk is mapped into memory.

    Raises pyarrow's ArrowInvalid, or OSError, if it is damaged or has other columns.
    """

    def __init__(self, store: Store, name: str, schema: pa.Schema = SCHEMA) -> None:
        is_local = isinstance(store, LocalStore)
        source = pa.memory_map(store.path(name)) if is_local else pa.PythonFile(store.open(name), "r")
        self._is_part = is_part(name)
        self._file = pa.ipc.open_file(source) if self._is_part else pq.ParquetFile(source)
        self._schema = self._file.schema if self._is_part else self._file.schema_arrow
        if not self._schema.equals(schema):
            raise pa.ArrowInvalid(f"{name} has other columns than {', '.join(schema.names)}")

    def take(self, rows: npt.NDArray[np.intp]) -> Iterator[pa.Table]:
        """The rows of these numbers, rising, group by group. Of a part no others are read."""
        size = self._group(0).num_rows
        for number in np.unique(rows // size).tolist():
            yield self._group(number).take(rows[rows // size == number] - number * size)

    def _group(self, number: int) -> pa.Table | pa.RecordBatch:
        return self._file.get_batch(number) if self._is_part else self._file.read_row_group(number)

    def rows(self, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """All rows."""
        return self._file.read_all().select(columns) if self._is_part else self._file.read(columns=list(columns))

    def days(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Of a file of keys: the days of the part's rows, rising, and the first row of each."""
        days, firsts = np.array(json.loads(self._schema.metadata[_DAYS]), np.int32)
        return days, firsts


# Folding


def file_names(history: History) -> list[str]:
    """Every file that holds fingerprints of the history."""
    parts = [part.name for part in history.manifest.fingerprints]
    return parts + [fingerprints_name(entry.number) for entry in history.tail if entry.fingerprint_rows]


def folded_parts(store: Store, history: History) -> list[Part]:
    """The parts of the next snapshot: those that are full stay, the rest and the tail become new ones.

    Rows of articles that were forgotten since the last one are left out.
    """
    parts = history.manifest.fingerprints
    gone = pa.array([bytes.fromhex(id) for entry in history.tail for id in entry.forgotten], pa.binary(16))
    full = [part for part in parts if part.rows >= PART_ROWS and not _has_any(store, part.name, gone)]
    versions = {part.name: part.version for part in parts} | {
        fingerprints_name(entry.number): entry.fingerprint_version for entry in history.tail
    }
    rest = [name for name in file_names(history) if name not in {part.name for part in full}]
    for version in sorted({versions[name] for name in rest}):
        tables = (_without(store, name, gone) for name in rest if versions[name] == version)
        full += write_parts(store, tables, f"{history.position:012}-v{version}", version)
    return full


def write_parts(store: Store, tables: Iterable[pa.Table], stem: str, version: int) -> list[Part]:
    """Tables as parts of PART_ROWS rows, each by day. Holds one part in memory."""
    parts: list[Part] = []
    for rows in map(_by_day, _cut(tables)):
        name = f"{FINGERPRINTS}/{stem}-{len(parts):05}{_PART}"
        store.write(keys_name(name), _arrow_bytes(keys_table(rows), PART_ROWS * KEYS))
        store.write(name, _arrow_bytes(rows, ROW_GROUP))
        parts.append(Part(name, len(rows), version))
    return parts


def is_part(name: str) -> bool:
    return name.endswith(_PART)


def keys_name(part: str) -> str:
    """The file with the keys of a part."""
    return part.removesuffix(_PART) + ".keys" + _PART


def keys_table(rows: pa.Table) -> pa.Table:
    """The keys of the rows of a part, rising, each with its rows, rising too."""
    keys = keys_of(rows)
    order = np.argsort(keys, kind="stable")
    order = order[keys[order] != _NO_KEY]
    days, firsts = np.unique(day_numbers(rows), return_index=True)
    schema = KEY_SCHEMA.with_metadata({_DAYS: json.dumps([days.tolist(), firsts.tolist()])})
    return pa.table([pa.array(keys[order]), pa.array((order // KEYS).astype(np.uint16))], schema)


def day_numbers(rows: pa.Table) -> npt.NDArray[np.int32]:
    """The days of the rows, from 1970 on."""
    numbers: npt.NDArray[np.int32] = rows["day"].cast(pa.int32()).to_numpy()
    return numbers


def day_number(day: date) -> int:
    """A day as `day_numbers` counts."""
    return day.toordinal() - _EPOCH


def keys_of(rows: pa.Table) -> Hashes:
    """The keys of all rows in a row, KEYS of each."""
    chunk = rows["keys"].combine_chunks()
    start = chunk.offset * KEY_BYTES
    data = memoryview(chunk.buffers()[1])[start : start + len(chunk) * KEY_BYTES] if len(chunk) else b""
    return np.frombuffer(data, np.uint32)


def _arrow_bytes(table: pa.Table, at_once: int) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=at_once)
    return bytes(sink.getvalue())


def _cut(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held = SCHEMA.empty_table()
    for table in tables:
        held = pa.concat_tables([held, table])
        while len(held) >= PART_ROWS:
            yield held.slice(0, PART_ROWS)
            held = held.slice(PART_ROWS)
    if len(held):
        yield held


def _has_any(store: Store, name: str, ids: pa.Array) -> bool:
    if not len(ids):
        return False
    found = pc.is_in(FingerprintFile(store, name).rows(["article_id"])["article_id"], ids)
    return bool(pc.any(found).as_py())


def _without(store: Store, name: str, ids: pa.Array) -> pa.Table:
    """The rows of a file but for those of some articles."""
    rows = FingerprintFile(store, name).rows()
    return rows.filter(pc.invert(pc.is_in(rows["article_id"], ids))) if len(ids) else rows


def without_fingerprints(history: History) -> int:
    """Articles of batches that made no fingerprints, so that no copy of them would be found."""
    since = sum(entry.run.unique for entry in history.tail if not entry.fingerprint_version)
    return history.manifest.without_fingerprints + since


def check_comparable(history: History) -> None:
    """Raises WorldError, which names the cure, unless all that was kept has fingerprints of this version."""
    made = [(part.version, part.rows) for part in history.manifest.fingerprints]
    made += [(entry.fingerprint_version, entry.fingerprint_rows) for entry in history.tail]
    others = sorted({version for version, rows in made if rows and version != VERSION})
    lacking = without_fingerprints(history)
    if others:
        reason = f"were made by version {', '.join(map(str, others))} of the rules, and this is version {VERSION}"
    elif lacking:
        reason = f"are missing for {number_of(lacking, 'article')}, read with `dedup.mode` exact or off"
    else:
        return
    raise WorldError(
        f"The fingerprints by which near copies are recognised {reason}. Run `newsbeam compact --fingerprints` to make "
        "them from the stored articles, or set `dedup.mode: exact`."
    )
