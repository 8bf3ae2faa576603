"""Checks of copies and dead letters, and of what rows of different tables say of each other."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.checks import RESTORE, Finding, Logged, LoggedFile, Tally, some, unequal
from pipeline.checks_ids import IdArray, Ids, Kept, digest, hex_of
from pipeline.checks_rows import ID, Reader, Row, common_mistakes
from pipeline.sorted_files import key_pair
from pipeline.terminal import number_of
from schemas.records import Article
from transforms.copies import by_identity


def check_copies(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Copies, each row for itself. Articles must have been read before."""
    tally = Tally()
    order = np.argsort(kept.articles.all, kind="stable")
    ids = kept.articles.all[order]
    for file in reader.files("duplicates"):
        for rows in reader.read(file):
            for row in rows.to_pylist():
                for mistake in (*_common_mistakes(row, file, reader.batches), *_copy_mistakes(row)):
                    tally.add(file.path, mistake, row["article_id"])
                if _ID.fullmatch(row["article_id"]) and _ID.fullmatch(row["duplicate_of"]):
                    _remember_copy(row, kept, ids, order)
    yield from tally.findings()


def _copy_mistakes(row: Row) -> Iterator[str]:
    if row["duplicate_of"] == row["article_id"]:
        yield "a copy of itself"
    if not 0 <= row["similarity"] <= 1 or (row["method"] == "exact" and row["similarity"] != 1):
        yield "similarity cannot be right"


def _remember_copy(row: Row, kept: Kept, ids: IdArray, order: npt.NDArray[np.int64]) -> None:
    id, original = bytes.fromhex(row["article_id"]), bytes.fromhex(row["duplicate_of"])
    kept.copies.add(id)
    kept.originals.add(original)
    place = int(np.searchsorted(ids, np.bytes_(original)))
    if place < len(ids) and ids[place] == original.rstrip(b"\0"):
        folder = kept.folders[kept.places[int(order[place])]]
        key = key_pair(by_identity(Article(identity=row["identity"])))
        kept.index.add(digest(*key, id, original, folder, row["batch"]))
        kept.index_owners.add(id)


def check_letters(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Dead letters, each row for itself, and as many of each class as the batch says."""
    tally = Tally()
    classes: dict[int, Counter[str]] = {number: Counter() for number in reader.batches}
    for file in reader.files("dead_letters"):
        number = _batch_of(file)
        for rows in reader.read(file):
            for row in rows.to_pylist():
                for mistake in _letter_mistakes(row, file, reader.batches[number]):
                    tally.add(file.path, mistake, row["letter_id"])
                classes[number][row["error_class"]] += 1
                if _ID.fullmatch(row["letter_id"]):
                    kept.letters.add(bytes.fromhex(row["letter_id"]))
    yield from tally.findings()
    if reader.sound:
        yield from _check_classes(reader.batches, classes)


def _letter_mistakes(row: Row, file: LoggedFile, batch: Logged) -> Iterator[str]:
    if not _ID.fullmatch(row["letter_id"]):
        yield "letter_id is no 32 hex digits"
    if row["batch"] != batch.number:
        yield "batch is not that of the file"
    if file.folder != f"date={batch.now.date()}":
        yield "the folder's date is not that of the batch"
    if len(row["raw"]) > row["raw_size"] or row["raw_truncated"] != (len(row["raw"]) < row["raw_size"]):
        yield "raw, raw_size and raw_truncated don't fit"


def _check_classes(batches: Mapping[int, Logged], classes: Mapping[int, Counter[str]]) -> Iterator[Finding]:
    for number, batch in batches.items():
        counts = {count.name: int(count.value) for count in batch.run.dead_by_class}
        if wrong := unequal([("dead letters by class", counts, dict(classes[number]))]):
            yield Finding(f"Batch {number} has {wrong}.", RESTORE)


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
    lost = ~np.isin(kept.revised.all, either)
    yield from _tell("revision revises an article that is not there", kept.revisions.all[lost])


def _twice(ids: IdArray) -> IdArray:
    values, counts = np.unique(ids, return_counts=True)
    return values[counts > 1]


def _tell(what: str, ids: IdArray) -> Iterator[Finding]:
    if len(ids):
        yield Finding(f"{number_of(len(ids), 'row')}: {what} ({some([hex_of(id) for id in ids])}).", RESTORE)
