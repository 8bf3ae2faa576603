"""Checks of the fingerprints: the files are whole, and each row belongs to an article that stands where it says."""

from collections.abc import Iterator

import numpy as np

from pipeline.checks import Finding, Log, check_each, some
from pipeline.checks_ids import Ids, Kept, hex_of
from pipeline.fingerprint_files import KEY_SCHEMA, FingerprintFile, keys_name, keys_table
from pipeline.log import fingerprints_name
from pipeline.terminal import number_of
from transforms.files import Store

_CURE = "Run `newsbeam compact --fingerprints`, which makes them anew; until then near copies may be kept as articles."


def check_fingerprints(store: Store, log: Log, kept: Kept | None) -> Iterator[Finding]:
    """Every file, with as many rows as the log says; and, if all articles are known, each row against its article."""
    ids, places = Ids(), list[str]()
    whole = yield from check_each(_files(log), lambda name, rows: _read(store, name, rows, ids, places), _CURE)
    if whole and kept:
        yield from _misplaced(ids, places, kept)
    if whole:
        parts = {keys_name(part.name): part.name for part in log.manifest.fingerprints}
        yield from check_each(
            dict.fromkeys(parts, 0).items(), lambda name, _: _read_keys(store, name, parts[name]), _CURE
        )


def _files(log: Log) -> Iterator[tuple[str, int]]:
    for part in log.manifest.fingerprints:
        yield part.name, part.rows
    for batch in log.complete:
        if batch.number > log.manifest.number and batch.fingerprint_rows:
            yield fingerprints_name(batch.number), batch.fingerprint_rows


def _read(store: Store, name: str, rows: int, ids: Ids, places: list[str]) -> str:
    """Adds the ids and places of one file; tells what is wrong with the file."""
    table = FingerprintFile(store, name).rows(["place", "article_id"])
    if len(table) != rows:
        return f"has {number_of(len(table), 'row')} where the log says {rows:,}"
    places += table["place"].to_pylist()
    for id in table["article_id"].to_pylist():
        ids.add(id)
    return ""


def _read_keys(store: Store, name: str, part: str) -> str:
    """Tells what is wrong with the sorted keys of a part."""
    keys = FingerprintFile(store, name, KEY_SCHEMA).rows(KEY_SCHEMA.names)
    expected = keys_table(FingerprintFile(store, part).rows(["day", "keys"]))
    return "" if keys.equals(expected, check_metadata=True) else f"has other keys than {part}"


def _misplaced(ids: Ids, places: list[str], kept: Kept) -> Iterator[Finding]:
    """Rows of no article, of one that stands elsewhere, or of one that has a row already."""
    order = np.argsort(kept.articles.all, kind="stable")
    articles, mine = kept.articles.all[order], ids.all
    _, first = np.unique(mine, return_index=True)
    wrong = set(np.delete(mine, first).tolist())
    at = np.searchsorted(articles, mine)
    for id, place, number in zip(mine, places, at.tolist(), strict=True):
        known = number < len(articles) and articles[number] == id
        if not known or kept.folders[kept.places[int(order[number])]] != place:
            wrong.add(id)
    wrong -= {bytes(np.bytes_(id)) for id in kept.forgotten}
    if wrong:
        shown = some(sorted(hex_of(id) for id in wrong))
        yield Finding(f"The fingerprints of {number_of(len(wrong), 'row')} fit no article: {shown}.", _CURE)
