"""Checks of articles and their names: ids, hashes, partitions, offsets, and the table `entities`.

The tables are read file by file; what must be compared across files is kept as ids of 16 bytes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.checks import BROKEN, RESTORE, Finding, Logged, LoggedFile, Tally, some, unreadable
from pipeline.checks_ids import Ids, Kept, different, digest, hex_of
from pipeline.sorted_files import key_pair
from pipeline.terminal import number_of
from schemas.records import Article
from schemas.tables import TABLES
from transforms.copies import by_content, by_identity
from transforms.files import Store
from transforms.identity import article_id, content_hash

Row = Mapping[str, Any]
ID = re.compile("[0-9a-f]{32}")
_ROWS_AT_ONCE = 1_000
_NEVER_NULL = {
    "articles": ("article_id", "identity", "content_hash", "title", "body", "word_count", "entities", "batch"),
    "entities": ("article_id", "key", "name", "label", "mentions", "in_title", "batch"),
    "duplicates": ("article_id", "duplicate_of", "method", "similarity", "identity", "content_hash", "batch"),
    "dead_letters": ("letter_id", "error_class", "raw", "raw_size", "raw_truncated", "batch"),
}
_NAME_COLUMNS = ("article_id", "key", "name", "label", "country", "external_id", "mentions", "in_title", "first_offset")


class Reader:
    """Reads the files of complete batches, table by table, and tells what is wrong with each."""

    def __init__(self, store: Store, batches: Iterable[Logged]) -> None:
        self._store = store
        self.batches = list(batches)
        self._batch_of = {file.path: batch for batch in self.batches for file in batch.files}
        self.findings: list[Finding] = []
        self.sound = True
        """Whether every file could be read, with the columns and rows that it should have."""

    def files(self, table: str) -> list[LoggedFile]:
        """The files of a table, sorted by folder."""
        files = [file for batch in self.batches for file in batch.of(table)]
        return sorted(files, key=lambda file: (file.folder, file.path))

    def each(self, file: LoggedFile, check: Callable[[pa.RecordBatch, Logged], None]) -> None:
        """Have all rows of a file checked, some at a time and with all columns, so that damage anywhere is met."""
        try:
            with self._store.open(file.path) as source, pq.ParquetFile(source) as parquet:
                if problem := _shape_problem(parquet, file):
                    self._report(Finding(f"{file.path} {problem}.", RESTORE))
                    return
                for rows in parquet.iter_batches(batch_size=_ROWS_AT_ONCE):
                    rows.validate(full=True)
                    check(rows, self._batch_of[file.path])
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
    schema = TABLES[file.table].schema
    if not parquet.schema_arrow.equals(schema):
        names = sorted(set(parquet.schema_arrow.names) ^ set(schema.names))
        return f"has other columns than {file.table} should have: {some(names) or 'another order, or other types'}"
    return ""


def check_nulls(rows: pa.RecordBatch, table: str) -> None:
    """Raises ValueError if a column that must be filled has nulls."""
    if empty := [name for name in _NEVER_NULL[table] if rows[name].null_count]:
        raise ValueError(f"no value in {some(empty)}")


def check_articles(reader: Reader, kept: Kept) -> Iterator[Finding]:
    """Articles with their names, partition by partition: each row for itself, and against the table `entities`."""
    tally = Tally()
    articles, entities = _by_folder(reader.files("articles")), _by_folder(reader.files("entities"))
    for folder in sorted(articles.keys() | entities.keys()):
        kept.folders.append(folder)
        named = Names()
        for file in articles.get(folder, []):
            reader.each(file, partial(_check_articles, file, kept, named, tally))
        for file in entities.get(folder, []):
            reader.each(file, named.find)
        if reader.sound and (wrong := named.wrong()):
            what = f"entities/{folder} does not have the names that the articles hold: {some(wrong)}."
            yield Finding(what, RESTORE)
    yield from tally.findings()


def _by_folder(files: list[LoggedFile]) -> dict[str, list[LoggedFile]]:
    return {folder: list(group) for folder, group in groupby(files, lambda file: file.folder)}


def _check_articles(
    file: LoggedFile, kept: Kept, named: "Names", tally: Tally, rows: pa.RecordBatch, batch: Logged
) -> None:
    check_nulls(rows, "articles")
    named.expect(rows)
    columns = ["article_id", "identity", "content_hash", "title", "body", "published_at", "word_count"]
    columns += ["taxonomy", "topic_source", "revises", "batch"]
    bad_names = _bad_names(rows)
    for number, row in enumerate(rows.select(columns).to_pylist()):
        for mistake in (*common_mistakes(row, file, batch), *_article_mistakes(row, file, batch)):
            tally.add(file.path, mistake, row["article_id"])
        if number in bad_names:
            tally.add(file.path, "a name's text is not what stands at its place", row["article_id"])
        if ID.fullmatch(row["article_id"]) and ID.fullmatch(row["revises"] or row["article_id"]):
            _remember(row, file.folder, kept)


def common_mistakes(row: Row, file: LoggedFile, batch: Logged) -> Iterator[str]:
    """What is wrong with an article or a copy, as far as both are checked alike."""
    if not ID.fullmatch(row["article_id"]):
        yield "article_id is no 32 hex digits"
    if row["content_hash"] != content_hash(row["title"], row["body"]):
        yield "content_hash is not that of title and body"
    if row["article_id"] != article_id(row["identity"], row["content_hash"]):
        yield "article_id is not that of identity and content_hash"
    if row["batch"] != batch.number:
        yield "batch is not that of the file"
    if _day(row["published_at"], batch.now) != file.folder.removeprefix("date=").partition("/")[0]:
        yield "published_at does not fit the folder's date"


def _day(moment: datetime | None, now: datetime) -> str:
    return str((moment or now).date())


def _article_mistakes(row: Row, file: LoggedFile, batch: Logged) -> Iterator[str]:
    if row["taxonomy"] != batch.run.taxonomy:
        yield "taxonomy is not that of the batch"
    if (row["topic_source"] is None) != (file.folder.rpartition("topic=")[2] == "unclassified"):
        yield "topic_source does not fit the folder's topic"
    if not 0 <= row["word_count"] <= len(row["body"]) or bool(row["word_count"]) != bool(row["body"].strip()):
        yield "word_count cannot be right"
    if row["revises"] is not None and not ID.fullmatch(row["revises"]):
        yield "revises is no 32 hex digits"


def _remember(row: Row, folder: str, kept: Kept) -> None:
    id = bytes.fromhex(row["article_id"])
    kept.articles.add(id)
    kept.places.append(len(kept.folders) - 1)
    if row["revises"]:
        kept.revisions.add(id)
        kept.revised.add(bytes.fromhex(row["revises"]))
    article = Article(identity=row["identity"], content_hash=row["content_hash"])
    for text in (by_identity(article), by_content(article)):
        kept.index.add(digest(*key_pair(text), id, id, row["batch"], folder, row["batch"]))
        kept.index_owners.add(id)


def _bad_names(rows: pa.RecordBatch) -> set[int]:
    """Numbers of the rows with a name whose text does not stand where it says."""
    texts = {name: rows[name].to_pylist() for name in ("title", "body")}
    return {
        number
        for number, (text, field, start, end) in _names(rows, "text", "field", "start", "end")
        if field not in texts or not 0 <= start < end or texts[field][number][start:end] != text
    }


def _names(rows: pa.RecordBatch, *fields: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Every name of every row: the row's number, and the fields asked for. Column by column: ten times faster."""
    column = rows["entities"]
    offsets, values = column.offsets.to_pylist(), column.values
    parts = [values.field(name).to_pylist() for name in fields]
    for number in range(len(rows)):
        for place in range(offsets[number], offsets[number + 1]):
            yield number, tuple(part[place] for part in parts)


class Names:
    """The rows of `entities` of one partition: those that the articles ask for, and those that are there."""

    def __init__(self) -> None:
        self._expected, self._owners = Ids(), Ids()
        self._actual, self._actual_owners = Ids(), Ids()

    def expect(self, rows: pa.RecordBatch) -> None:
        """Take the names from the articles: of each key the first mention, and how often and where it is mentioned."""
        articles = rows.select(["article_id", "published_at", "source", "batch"]).to_pylist()
        found: dict[tuple[int, str], dict[str, Any]] = {}
        for number, (key, name, label, country, id, field, start) in _names(
            rows, "key", "name", "label", "country", "external_id", "field", "start"
        ):
            row = found.get((number, key))
            if row is None:
                row = {**articles[number], "key": key, "name": name, "label": label, "country": country}
                row |= {"external_id": id, "mentions": 0, "in_title": False, "first_offset": None}
                found[number, key] = row
            row["mentions"] += 1
            row["in_title"] |= field == "title"
            if field == "body" and row["first_offset"] is None:
                row["first_offset"] = start
        self._add(found.values(), self._expected, self._owners)

    def find(self, rows: pa.RecordBatch, batch: Logged) -> None:
        """Take the names from the table."""
        check_nulls(rows, "entities")
        self._add(rows.to_pylist(), self._actual, self._actual_owners)

    def _add(self, rows: Iterable[Row], values: Ids, owners: Ids) -> None:
        for row in rows:
            values.add(digest(*(row[name] for name in (*_NAME_COLUMNS, "published_at", "source", "batch"))))
            owners.add(bytes.fromhex(row["article_id"]))

    def wrong(self) -> list[str]:
        """Ids of articles whose names differ."""
        found = different(self._expected.all, self._owners.all, self._actual.all, self._actual_owners.all)
        return [hex_of(id) for id in found]
