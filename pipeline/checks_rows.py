"""Checks of rows: ids, hashes, partitions, names, and what rows of different tables say of each other.

The tables are read file by file; what must be compared across files is kept as ids of 16 bytes.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.checks import BROKEN, RESTORE, Finding, Logged, LoggedFile, Tally, some, unequal, unreadable
from pipeline.sorted_files import key_pair
from pipeline.terminal import number_of
from schemas.records import Article
from schemas.tables import TABLES
from transforms.copies import by_content, by_identity
from transforms.files import Store
from transforms.identity import article_id, content_hash

Row = Mapping[str, Any]
IdArray = npt.NDArray[np.bytes_]
_ROWS_AT_ONCE = 1_000
_ID = re.compile("[0-9a-f]{32}")
_ENTITY_COLUMNS = ("article_id", "key", "name", "label", "country", "mentions", "in_title", "first_offset")


class Reader:
    """Reads the files of complete batches, table by table, and tells what is wrong with each."""

    def __init__(self, store: Store, batches: Iterable[Logged]) -> None:
        self._store = store
        self.batches = {batch.number: batch for batch in batches}
        self.findings: list[Finding] = []
        self.sound = True
        """Whether every file could be read, with the columns and rows that it should have."""

    def files(self, table: str) -> list[LoggedFile]:
        """The files of a table, sorted by folder."""
        return sorted((file for batch in self.batches.values() for file in batch.of(table)), key=lambda file: file.path)

    def read(self, file: LoggedFile) -> Iterator[pa.RecordBatch]:
        """The rows of a file, all columns, so that damage anywhere is met."""
        try:
            with self._store.open(file.path) as source, pq.ParquetFile(source) as parquet:
                if problem := _shape_problem(parquet, file):
                    self._report(Finding(f"{file.path} {problem}.", RESTORE))
                    return
                yield from parquet.iter_batches(batch_size=_ROWS_AT_ONCE)
        except FileNotFoundError:
            self.sound = False  # check_folders tells of it
        except BROKEN as error:
            self._report(unreadable(file.path, error))

    def _report(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.sound = False


def _shape_problem(parquet: pq.ParquetFile, file: LoggedFile) -> str:
    if parquet.metadata.num_rows != file.rows:
        return f"has {number_of(parquet.metadata.num_rows, 'row')} where the log says {file.rows:,}"
    if not parquet.schema_arrow.equals(TABLES[file.table].schema):
        names = set(parquet.schema_arrow.names) ^ set(TABLES[file.table].schema.names)
        return (
            f"has other columns than {file.table} should have: {some(sorted(names)) or 'other types or another order'}"
        )
    return ""


def _batch_of(file: LoggedFile) -> int:
    """The number in the file's name."""
    return int(file.path.rpartition("/")[2].removesuffix(".parquet"))


def check_articles(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Articles with their names, partition by partition: each row for itself, and against the table `entities`."""
    tally = Tally()
    entities = {folder: list(files) for folder, files in groupby(reader.files("entities"), lambda file: file.folder)}
    articles = {folder: list(files) for folder, files in groupby(reader.files("articles"), lambda file: file.folder)}
    for folder in sorted(articles.keys() | entities.keys()):
        named, owners = Ids(), Ids()
        kept.folders.append(folder)
        for file in articles.get(folder, []):
            for rows in reader.read(file):
                _check_article_rows(reader, file, rows, kept, tally)
                _gather_names(rows, named, owners)
        yield from _compare_names(reader, folder, entities.get(folder, []), named, owners)
    yield from tally.findings()


def _check_article_rows(reader: Reader, file: LoggedFile, rows: pa.RecordBatch, kept: Kept, tally: Tally) -> None:
    columns = ["article_id", "identity", "content_hash", "title", "body", "published_at", "word_count"]
    columns += ["topic_code", "topic_source", "revises", "batch"]
    topic = file.folder.rpartition("topic=")[2]
    bad_offsets = _bad_offsets(rows)
    for number, row in enumerate(rows.select(columns).to_pylist()):
        id = row["article_id"]
        for mistake in _common_mistakes(row, file, reader.batches):
            tally.add(file.path, mistake, id)
        if (topic == "unclassified") != (row["topic_code"] is None and row["topic_source"] is None):
            tally.add(file.path, "the folder's topic and topic_code don't fit", id)
        if not 0 <= row["word_count"] <= len(row["body"]) or bool(row["word_count"]) != bool(row["body"].strip()):
            tally.add(file.path, "word_count cannot be right", id)
        if number in bad_offsets:
            tally.add(file.path, "a name's text is not what stands at its place", id)
        if _ID.fullmatch(id) and (row["revises"] is None or _ID.fullmatch(row["revises"])):
            _remember_article(row, file.folder, kept)


def _common_mistakes(row: Row, file: LoggedFile, batches: Mapping[int, Logged]) -> Iterator[str]:
    """What an article and a copy must both fulfil."""
    if not _ID.fullmatch(row["article_id"]):
        yield "article_id is no 32 hex digits"
    if row["content_hash"] != content_hash(row["title"], row["body"]):
        yield "content_hash is not that of title and body"
    if row["article_id"] != article_id(row["identity"], row["content_hash"]):
        yield "article_id is not that of identity and content_hash"
    number = _batch_of(file)
    if row["batch"] != number:
        yield "batch is not that of the file"
    if _day(row["published_at"], batches[number].now) != file.folder.removeprefix("date=").partition("/")[0]:
        yield "published_at does not fit the folder's date"


def _day(moment: datetime | None, now: datetime) -> str:
    return str((moment or now).date())


def _remember_article(row: Row, folder: str, kept: Kept) -> None:
    id = bytes.fromhex(row["article_id"])
    kept.articles.add(id)
    kept.places.append(len(kept.folders) - 1)
    if row["revises"]:
        kept.revisions.add(id)
        kept.revised.add(bytes.fromhex(row["revises"]))
    article = Article(identity=row["identity"], content_hash=row["content_hash"])
    for text in (by_identity(article), by_content(article)):
        kept.index.add(digest(*key_pair(text), id, id, folder, row["batch"]))
        kept.index_owners.add(id)


def _bad_offsets(rows: pa.RecordBatch) -> set[int]:
    """Numbers of the rows with a name whose text does not stand where it says."""
    texts = {name: rows[name].to_pylist() for name in ("title", "body")}
    bad = set()
    for number, entity in _entities(rows, "text", "field", "start", "end"):
        text, where, start, end = entity
        if where not in texts or not 0 <= start < end or texts[where][number][start:end] != text:
            bad.add(number)
    return bad


def _entities(rows: pa.RecordBatch, *names: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Every name of every row: the row's number, and the fields asked for. Column by column: ten times faster."""
    column = rows["entities"]
    offsets, values = column.offsets.to_pylist(), column.values
    fields = [values.field(name).to_pylist() for name in names]
    for number in range(len(rows)):
        for place in range(offsets[number], offsets[number + 1]):
            yield number, tuple(part[place] for part in fields)


def _gather_names(rows: pa.RecordBatch, named: Ids, owners: Ids) -> None:
    """The rows that `entities` should have, as digests, and whose they are."""
    articles = rows.select(["article_id", "published_at", "source", "batch"]).to_pylist()
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for number, (key, name, label, country, where, start) in _entities(
        rows, "key", "name", "label", "country", "field", "start"
    ):
        new = {"name": name, "label": label, "country": country, "mentions": 0, "in_title": False, "first_offset": None}
        row = found.setdefault((number, key), {**articles[number], "key": key, **new})
        row["mentions"] += 1
        row["in_title"] |= where == "title"
        if where == "body" and row["first_offset"] is None:
            row["first_offset"] = start
    for row in found.values():
        if _ID.fullmatch(row["article_id"]):
            named.add(_name_digest(row))
            owners.add(bytes.fromhex(row["article_id"]))


def _name_digest(row: Row) -> bytes:
    return digest(*(row[name] for name in (*_ENTITY_COLUMNS, "published_at", "source", "batch")))


def _compare_names(reader: Reader, folder: str, files: list[LoggedFile], named: Ids, owners: Ids) -> Iterator[Finding]:
    """Whether `entities` has, in this partition, just the names that the articles hold."""
    actual, actual_owners = Ids(), Ids()
    for file in files:
        for rows in reader.read(file):
            for row in rows.to_pylist():
                actual.add(_name_digest(row))
                actual_owners.add(bytes.fromhex(row["article_id"]) if _ID.fullmatch(row["article_id"]) else bytes(16))
    wrong = different(named.all, owners.all, actual.all, actual_owners.all)
    if len(wrong) and reader.sound:
        ids = some([hex_of(id) for id in wrong])
        yield Finding(f"entities/{folder} does not have the names that the articles hold: {ids}.", RESTORE)
