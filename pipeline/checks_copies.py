"""Checks of copies and dead letters, and of what rows of different tables say of each other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline.checks import RESTORE, Finding, Logged, LoggedFile, Tally, some, unequal
from pipeline.checks_ids import IdArray, Kept, digest, hex_of, whole
from pipeline.checks_rows import ID, Reader, Row, check_nulls, common_mistakes
from pipeline.sorted_files import key_pair
from pipeline.terminal import number_of
from schemas.records import Article
from transforms.copies import by_content, by_identity


def check_copies(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Copies, each row for itself. Articles must have been read before."""
    tally = Tally()
    places = _Places(kept)
    for file in reader.files("duplicates"):
        reader.each(file, partial(_check_copies, file, places, tally))
    yield from tally.findings()


class _Places:
    """Where each article stands, by its id; and what is remembered of copies."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._order = np.argsort(kept.articles.all, kind="stable")
        self._ids = kept.articles.all[self._order]

    def of(self, id: bytes) -> str | None:
        place = int(np.searchsorted(self._ids, np.bytes_(id)))
        if place < len(self._ids) and whole(self._ids[place]) == id:
            return self._kept.folders[self._kept.places[int(self._order[place])]]
        return None

    def remember(self, row: Row) -> None:
        """Keep a copy's ids, and what the index should say of it."""
        id, original = bytes.fromhex(row["article_id"]), bytes.fromhex(row["duplicate_of"])
        self._kept.copies.add(id)
        self._kept.originals.add(original)
        if folder := self.of(original):
            article = Article(identity=row["identity"], content_hash=row["content_hash"])
            is_near = row["jaccard"] is not None
            for text in (by_identity(article), by_content(article))[: 1 + is_near]:
                where = row["original_batch"], folder, row["batch"]
                self._kept.index.add(digest(*key_pair(text), id, original, *where))
                self._kept.index_owners.add(id)


def _check_copies(file: LoggedFile, places: _Places, tally: Tally, rows: pa.RecordBatch, batch: Logged) -> None:
    check_nulls(rows, "duplicates")
    for row in rows.to_pylist():
        for mistake in (*common_mistakes(row, file, batch), *_copy_mistakes(row)):
            tally.add(file.path, mistake, row["article_id"])
        if ID.fullmatch(row["article_id"]) and ID.fullmatch(row["duplicate_of"]):
            places.remember(row)


def _copy_mistakes(row: Row) -> Iterator[str]:
    if not ID.fullmatch(row["duplicate_of"]):
        yield "duplicate_of is no 32 hex digits"
    if not 0 <= row["similarity"] <= 1 or (row["method"] == "exact" and row["similarity"] != 1):
        yield "similarity cannot be right"


def check_letters(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Dead letters, each row for itself, and as many of each class as the batch says."""
    tally = Tally()
    classes: dict[int, Counter[str]] = {batch.number: Counter() for batch in reader.batches}
    for file in reader.files("dead_letters"):
        reader.each(file, partial(_check_letters, file, kept, classes, tally))
    yield from tally.findings()
    if reader.sound:
        yield from _check_classes(reader.batches, classes)


def _check_letters(
    file: LoggedFile, kept: Kept, classes: dict[int, Counter[str]], tally: Tally, rows: pa.RecordBatch, batch: Logged
) -> None:
    check_nulls(rows, "dead_letters")
    for row in rows.to_pylist():
        for mistake in _letter_mistakes(row, file, batch):
            tally.add(file.path, mistake, row["letter_id"])
        classes[batch.number][row["error_class"]] += 1
        if ID.fullmatch(row["letter_id"]):
            kept.letters.add(bytes.fromhex(row["letter_id"]))


def _letter_mistakes(row: Row, file: LoggedFile, batch: Logged) -> Iterator[str]:
    if not ID.fullmatch(row["letter_id"]):
        yield "letter_id is no 32 hex digits"
    if row["batch"] != batch.number:
        yield "batch is not that of the file"
    if file.folder != f"date={batch.now.date()}":
        yield "the folder's date is not that of the batch"
    if row["raw_truncated"] != (len(row["raw"]) < row["raw_size"]) or len(row["raw"]) > row["raw_size"]:
        yield "raw, raw_size and raw_truncated do not fit"


def _check_classes(batches: Iterable[Logged], classes: Mapping[int, Counter[str]]) -> Iterator[Finding]:
    for batch in batches:
        counts = {count.name: int(count.value) for count in batch.run.dead_by_class}
        if wrong := unequal([("dead letters", counts, dict(classes[batch.number]))]):
            yield Finding(f"Batch {batch.number} has {wrong}.", RESTORE)


def check_relations(kept: Kept) -> Iterator[Finding]:
    """What rows of different tables say of each other. Every file must have been read."""
    articles, copies, originals = kept.articles.all, kept.copies.all, kept.originals.all
    either = np.concatenate([articles, copies])
    yield from _tell("article_id stands twice in articles", _twice(articles))
    yield from _tell("article_id stands twice in duplicates", _twice(copies))
    yield from _tell("letter_id stands twice in dead_letters", _twice(kept.letters.all))
    yield from _tell("article_id stands in articles and in duplicates", copies[np.isin(copies, articles)])
    chained = np.isin(originals, copies)
    yield from _tell("copy is a copy of a copy", copies[chained])
    yield from _tell("copy is a copy of an article that is not there", copies[~np.isin(originals, articles) & ~chained])
    forgotten = np.array(sorted(kept.forgotten), "S16")
    lost = ~np.isin(kept.revised.all, np.concatenate([either, forgotten]))
    yield from _tell("revision revises an article that is not there", kept.revisions.all[lost])


def _twice(ids: IdArray) -> IdArray:
    values, counts = np.unique(ids, return_counts=True)
    return values[counts > 1]


def _tell(what: str, ids: IdArray) -> Iterator[Finding]:
    if len(ids):
        yield Finding(f"{number_of(len(ids), 'row')}: {what} ({some([hex_of(id) for id in ids])}).", RESTORE)
