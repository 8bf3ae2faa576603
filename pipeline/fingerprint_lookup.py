"""Looking up fingerprints: kept articles of the past that may be originals of new ones, without loading the past."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.fingerprint_files import (
    HEAD,
    KEY_SCHEMA,
    FingerprintFile,
    day_number,
    day_numbers,
    file_names,
    is_part,
    keys_name,
    keys_of,
)
from pipeline.log import History
from schemas.records import Article
from transforms.files import Store
from transforms.fingerprints import KEYS, Hashes, unpack
from transforms.matcher import HOT, LEAST_KEYS, NOTHING, Kept, Past, day_of
from transforms.near import NO_HASHES

_TABLE_BITS = 20
_MASK = np.uint32((1 << _TABLE_BITS) - 1)
_Numbers = npt.NDArray[np.intp]


class _Hits(NamedTuple):
    """Rows of a file that have wanted keys, and which; a row stands there once for each key."""

    rows: _Numbers
    found: _Numbers


class _Wanted:
    """The keys of new articles, which articles have each, and from when the articles are."""

    def __init__(self, articles: Sequence[Article], look_back: int) -> None:
        of_each = [unpack(one.fingerprint).keys for one in articles]
        keys = np.concatenate([NO_HASHES, *of_each])
        owners = np.repeat(np.arange(len(articles)), [len(one) for one in of_each])
        order = np.argsort(keys, kind="stable")
        keys, self.owners = keys[order], owners[order]
        self.keys, self.starts = np.unique(keys, return_index=True)
        self.ends = np.append(self.starts[1:], len(keys))
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        self._table[self.keys & _MASK] = True
        self._days = np.unique([day_number(day_of(one)) for one in articles])
        self._look_back = look_back

    def near_day(self, days: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Whether any article is from within the look-back of each day."""
        at = np.searchsorted(self._days, days - self._look_back).clip(max=len(self._days) - 1)
        near: npt.NDArray[np.bool_] = np.abs(self._days[at] - days) <= self._look_back
        return near

    def among(self, keys: Hashes) -> _Hits:
        """Where wanted keys stand among keys in any order. Most are ruled out by a table of their low bits."""
        at = np.flatnonzero(self._table[keys & _MASK])
        found = np.searchsorted(self.keys, keys[at]).clip(max=len(self.keys) - 1)
        right = self.keys[found] == keys[at]
        return _Hits(at[right], found[right])

    def among_rising(self, keys: Hashes) -> _Hits:
        """Where wanted keys stand among rising keys."""
        starts = np.searchsorted(keys, self.keys)
        found = np.flatnonzero(keys.take(starts, mode="clip") == self.keys)
        starts = starts[found]
        lengths = np.searchsorted(keys, self.keys[found], side="right") - starts
        return _Hits(_ranges(starts, lengths), np.repeat(found, lengths))


def _ranges(starts: _Numbers, lengths: _Numbers) -> _Numbers:
    """The numbers from each start on, as many as its length says."""
    first = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    numbers: _Numbers = first + np.arange(len(first))
    return numbers


def look_up_near(store: Store, history: History, articles: Iterable[Article], look_back: int) -> Past:
    """Kept articles of the past that share enough keys with any of the articles, and keys that are hot there.

    Only rows of candidates are read whole. Which rows are found depends on the articles alone, not on how they are cut
    into files.
    """
    names = file_names(history)
    new = [one for one in articles if one.outcome == "read" and one.fingerprint]
    if not names or not new:
        return NOTHING
    wanted = _Wanted(new, look_back)
    if not len(wanted.keys):
        return NOTHING
    counts = np.zeros(len(wanted.keys), np.intp)
    parts = [np.zeros((3, 0), np.intp)]
    for number, name in enumerate(names):
        rows, found = _hits(store, name, wanted)
        keep = (counts[found] <= HOT) & (np.bincount(rows)[rows] >= LEAST_KEYS)
        counts += np.bincount(found, minlength=len(counts))
        parts.append(np.stack([np.full(np.count_nonzero(keep), number), rows[keep], found[keep]]))
    hits = np.concatenate(parts, axis=1)
    places = _candidates(hits[:, counts[hits[2]] <= HOT], wanted)
    of_files = ((names[number], places[places[:, 0] == number, 1]) for number in np.unique(places[:, 0]).tolist())
    kept = (one for name, rows in of_files for one in _read(store, name, rows))
    forgotten = history.forgotten
    left = (one for one in kept if one.article_id not in forgotten)
    in_order = sorted(left, key=lambda one: (one.batch, one.day, one.article_id))
    return Past(in_order, frozenset(wanted.keys[counts > HOT].tolist()))


def _hits(store: Store, name: str, wanted: _Wanted) -> _Hits:
    """Rows that have wanted keys and are near enough in time."""
    hits, days = _in_part(store, name, wanted) if is_part(name) else _in_batch(store, name, wanted)
    valid = wanted.near_day(days)
    return _Hits(hits.rows[valid], hits.found[valid])


def _in_batch(store: Store, name: str, wanted: _Wanted) -> tuple[_Hits, npt.NDArray[np.int32]]:
    rows = FingerprintFile(store, name).rows(["day", "keys"])
    at, found = wanted.among(keys_of(rows))
    return _Hits(at // KEYS, found), day_numbers(rows)[at // KEYS]


def _in_part(store: Store, name: str, wanted: _Wanted) -> tuple[_Hits, npt.NDArray[np.int32]]:
    keys = FingerprintFile(store, keys_name(name), KEY_SCHEMA)
    days, firsts = keys.days()
    if not wanted.near_day(days).any():
        return _Hits(*np.zeros((2, 0), np.intp)), days[:0]
    table = keys.rows(KEY_SCHEMA.names)
    at, found = wanted.among_rising(table["key"].to_numpy())
    rows = table["row"].to_numpy()[at].astype(np.intp)
    return _Hits(rows, found), days[np.searchsorted(firsts, rows, side="right") - 1]


def _candidates(hits: npt.NDArray[np.intp], wanted: _Wanted) -> npt.NDArray[np.intp]:
    """The file and row of every candidate: it shares LEAST_KEYS with one article. Two columns, no doubles."""
    lengths = (wanted.ends - wanted.starts)[hits[2]]
    owners = wanted.owners[_ranges(wanted.starts[hits[2]], lengths)]
    pairs = np.stack([owners, *np.repeat(hits[:2], lengths, axis=1)], axis=1)
    pairs, shared = np.unique(pairs, axis=0, return_counts=True)
    return np.unique(pairs[shared >= LEAST_KEYS][:, 1:], axis=0)


def _read(store: Store, name: str, rows: _Numbers) -> Iterator[Kept]:
    """The rows, which rise, group by group."""
    for group in FingerprintFile(store, name).take(rows):
        yield from map(_kept, group.to_pylist())


def kept_articles(store: Store, history: History, most: int) -> list[Kept]:
    """The newest kept articles that have fingerprints, oldest first."""
    found: list[Kept] = []
    for name in reversed(file_names(history)):
        if len(found) >= most:
            break
        rows = FingerprintFile(store, name).rows()
        kept = map(_kept, rows.slice(max(len(rows) - most, 0)).to_pylist())
        found += (one for one in kept if one.article_id not in history.forgotten)
    return sorted(found, key=lambda one: (one.batch, one.day, one.article_id))[-most:]


def _kept(row: dict[str, Any]) -> Kept:
    data = row["sketch"]
    count = data[8]
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
        fingerprint=unpack(data[:HEAD] + row["keys"][: 4 * count] + data[HEAD:]),
        is_roundup=row["is_roundup"],
    )
