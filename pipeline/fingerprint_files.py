"""Fingerprints of kept articles on disk: a file per batch, folded into larger parts, looked up without loading them.

Derived from the tables like the index. Keys lie in a column of their own, so a look-up reads an eighth of the file.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.log import FINGERPRINTS, History, Part, fingerprints_name
from pipeline.terminal import number_of
from schemas.errors import WorldError
from schemas.records import Article
from transforms.files import Store
from transforms.fingerprints import KEYS, VERSION, Hashes, unpack
from transforms.matcher import HOT, LEAST_KEYS, NOTHING, Kept, Past, day_of, kept_of
from transforms.near import NO_HASHES
from transforms.rows import place_of

ROW_GROUP = 8_192
"""Rows whose keys are read at once; of those with a candidate all columns are."""
PART_ROWS = 65_536
"""Rows of a part. While a part has less, the next fold adds to it."""
_HEAD = 12
_KEY_BYTES = 4 * KEYS
_NO_KEY = 2**32 - 1
_TABLE_BITS = 20
_TITLE = 300
_EPOCH = date(1970, 1, 1).toordinal()

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
        pa.field("keys", pa.binary(_KEY_BYTES), metadata={"meaning": "32-bit hashes, filled up with 2^32 - 1"}),
        pa.field("sketch", pa.binary(), metadata={"meaning": "the packed fingerprint without its keys"}),
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
    kept = kept_of(article, batch, unpack(article.fingerprint))
    keys = kept.fingerprint.keys
    if len(keys) < LEAST_KEYS:
        return None
    filled = np.full(KEYS, _NO_KEY, "<u4")
    filled[: len(keys)] = keys
    data = article.fingerprint
    return {
        "day": kept.day,
        "article_id": bytes.fromhex(article.article_id),
        "identity": kept.identity,
        "published_at": article.published_at,
        "title": article.title[:_TITLE],
        "source": article.source,
        "place": place,
        "batch": batch,
        "is_roundup": article.is_roundup,
        "keys": filled.tobytes(),
        "sketch": data[:_HEAD] + data[_HEAD + 4 * len(keys) :],
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


# Looking up


class _Group(NamedTuple):
    """A row group, where it lies."""

    name: str
    number: int


class _Wanted:
    """The keys of new articles, and which articles have each."""

    def __init__(self, articles: Sequence[Article]) -> None:
        of_each = [unpack(one.fingerprint).keys for one in articles]
        keys = np.concatenate([NO_HASHES, *of_each])
        owners = np.repeat(np.arange(len(articles)), [len(one) for one in of_each])
        order = np.argsort(keys, kind="stable")
        keys, self.owners = keys[order], owners[order]
        self.keys, self.starts = np.unique(keys, return_index=True)
        self.ends = np.append(self.starts[1:], len(keys))
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        self._table[self.keys & _MASK] = True
        self._days = np.unique([day_of(one).toordinal() - _EPOCH for one in articles])

    def near_day(
        self, low: npt.NDArray[np.int32], high: npt.NDArray[np.int32], look_back: int
    ) -> npt.NDArray[np.bool_]:
        """Whether any article's day is within `look_back` of each range of days."""
        at = np.searchsorted(self._days, low - look_back).clip(max=len(self._days) - 1)
        day = self._days[at]
        near: npt.NDArray[np.bool_] = (day >= low - look_back) & (day <= high + look_back)
        return near

    def find(self, keys: Hashes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Where wanted keys stand among these, and which they are. Most are ruled out by a table of their low bits."""
        at = np.flatnonzero(self._table[keys & _MASK])
        found = np.searchsorted(self.keys, keys[at]).clip(max=len(self.keys) - 1)
        right = self.keys[found] == keys[at]
        return at[right], found[right]


_MASK = np.uint32((1 << _TABLE_BITS) - 1)


def look_up_near(store: Store, history: History, articles: Iterable[Article], look_back: int) -> Past:
    """Kept articles of the past that share enough keys with any of the articles, and keys that are hot there.

    Memory is bounded by the batch: keys are read row group by row group, and only the rows of candidates are kept.
    Which rows are found depends on the articles alone, not on how they are cut into files.
    """
    names = file_names(history)
    new = [one for one in articles if one.outcome == "read" and one.fingerprint]
    if not names or not new:
        return NOTHING
    wanted = _Wanted(new)
    if not len(wanted.keys):
        return NOTHING
    counts = np.zeros(len(wanted.keys), np.int64)
    groups: list[_Group] = []
    parts = []
    for group, rows, found in _hits(store, names, wanted, look_back, counts):
        parts.append(np.stack([np.full(len(rows), len(groups)), rows, found]))
        groups.append(group)
    hits = np.concatenate([np.zeros((3, 0), np.int64), *parts], axis=1)
    places = _candidates(hits[:, counts[hits[2]] <= HOT], wanted)
    kept = sorted(_read(store, groups, places), key=lambda one: (one.batch, one.day, one.article_id))
    return Past(kept, frozenset(wanted.keys[counts > HOT].tolist()))


def file_names(history: History) -> list[str]:
    """Every file that holds fingerprints of the history."""
    parts = [part.name for part in history.manifest.fingerprints]
    return parts + [fingerprints_name(entry.number) for entry in history.tail if entry.fingerprint_rows]


def _hits(
    store: Store, names: Iterable[str], wanted: _Wanted, look_back: int, counts: npt.NDArray[np.int64]
) -> Iterator[tuple[_Group, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Row groups, with the rows that have wanted keys, and these. `counts` grows by the rows that have each key; of one
    that is hot no more hits are given."""
    for name in names:
        with store.open(name) as source, pq.ParquetFile(source) as file:
            for number in range(file.num_row_groups):
                if not _may_hold(file, number, wanted, look_back):
                    continue
                group = file.read_row_group(number, columns=["day", "keys"])
                keys = np.frombuffer(_buffer(group["keys"]), np.uint32)[: len(group) * KEYS]
                at, found = wanted.find(keys)
                days = group["day"].cast(pa.int32()).to_numpy()[at // KEYS]
                valid = wanted.near_day(days, days, look_back)
                rows, found = at[valid] // KEYS, found[valid]
                keep = (counts[found] <= HOT) & (np.bincount(rows, minlength=len(group))[rows] >= LEAST_KEYS)
                counts += np.bincount(found, minlength=len(counts))
                if keep.any():
                    yield _Group(name, number), rows[keep], found[keep]


def _buffer(column: pa.ChunkedArray) -> memoryview:
    chunk = column.combine_chunks()
    start = chunk.offset * _KEY_BYTES
    return memoryview(chunk.buffers()[1])[start : start + len(chunk) * _KEY_BYTES]


def _may_hold(file: pq.ParquetFile, number: int, wanted: _Wanted, look_back: int) -> bool:
    statistics = file.metadata.row_group(number).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    low, high = (np.array([day.toordinal() - _EPOCH], np.int32) for day in (statistics.min, statistics.max))
    return bool(wanted.near_day(low, high, look_back)[0])


def _candidates(hits: npt.NDArray[np.int64], wanted: _Wanted) -> npt.NDArray[np.int64]:
    """The row group and row of every candidate: it shares LEAST_KEYS with one article. Two columns, no doubles."""
    lengths = (wanted.ends - wanted.starts)[hits[2]]
    first = np.repeat(wanted.starts[hits[2]] - np.cumsum(lengths) + lengths, lengths)
    owners = wanted.owners[first + np.arange(len(first))]
    pairs = np.stack([owners, *np.repeat(hits[:2], lengths, axis=1)], axis=1)
    pairs, shared = np.unique(pairs, axis=0, return_counts=True)
    return np.unique(pairs[shared >= LEAST_KEYS][:, 1:], axis=0)


def kept_articles(store: Store, history: History, most: int) -> list[Kept]:
    """The newest kept articles that have fingerprints, oldest first."""
    found: list[Kept] = []
    for name in reversed(file_names(history)):
        if len(found) >= most:
            break
        rows = _whole(store, name)
        found += map(_kept, rows.slice(max(len(rows) - most, 0)).to_pylist())
    return sorted(found, key=lambda one: (one.batch, one.day, one.article_id))[-most:]


def _read(store: Store, groups: Sequence[_Group], places: npt.NDArray[np.int64]) -> Iterator[Kept]:
    """The rows at the places, row group by row group."""
    open_name, file = "", None
    for number in np.unique(places[:, 0]).tolist():
        group = groups[number]
        if group.name != open_name:
            open_name, file = group.name, pq.ParquetFile(store.open(group.name))
        assert file is not None
        rows = file.read_row_group(group.number).take(places[places[:, 0] == number][:, 1])
        yield from map(_kept, rows.to_pylist())


def _kept(row: dict[str, Any]) -> Kept:
    data = row["sketch"]
    count = data[8]
    fingerprint = unpack(data[:_HEAD] + row["keys"][: 4 * count] + data[_HEAD:])
    published = row["published_at"]
    return Kept(
        article_id=row["article_id"].hex(),
        identity=row["identity"],
        day=row["day"],
        published_at=published.astimezone(UTC) if published else None,
        title=row["title"],
        source=row["source"],
        place=row["place"],
        batch=row["batch"],
        fingerprint=fingerprint,
        is_roundup=row["is_roundup"],
    )


# Folding


def folded_parts(store: Store, history: History) -> list[Part]:
    """The parts of the next snapshot: those that are full stay, the rest and the tail become new ones."""
    parts = history.manifest.fingerprints
    full = [part for part in parts if part.rows >= PART_ROWS]
    versions = {part.name: part.version for part in parts} | {
        fingerprints_name(entry.number): entry.fingerprint_version for entry in history.tail
    }
    rest = [name for name in file_names(history) if name not in {part.name for part in full}]
    for version in sorted({versions[name] for name in rest}):
        tables = (_whole(store, name) for name in rest if versions[name] == version)
        full += write_parts(store, tables, f"{history.position:012}-v{version}", version)
    return full


def write_parts(store: Store, tables: Iterable[pa.Table], stem: str, version: int) -> list[Part]:
    """Tables as files of PART_ROWS rows, each by day. Holds one part in memory."""
    parts: list[Part] = []
    for rows in _cut(tables):
        name = f"{FINGERPRINTS}/{stem}-{len(parts):05}.parquet"
        store.write(name, fingerprint_bytes(_by_day(rows)))
        parts.append(Part(name, len(rows), version))
    return parts


def _cut(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held = SCHEMA.empty_table()
    for table in tables:
        held = pa.concat_tables([held, table])
        while len(held) >= PART_ROWS:
            yield held.slice(0, PART_ROWS)
            held = held.slice(PART_ROWS)
    if len(held):
        yield held


def _whole(store: Store, name: str) -> pa.Table:
    with pa.BufferReader(store.read(name)) as source:
        return pq.read_table(source, schema=SCHEMA)


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
