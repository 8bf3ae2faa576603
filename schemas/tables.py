"""The five tables. Their columns are picked from the records, so type and meaning stand in one place."""

import types
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
from msgspec import Struct

from schemas.records import Article, Copy, Entity, Letter

FORMAT_VERSION = 1
"""Of the warehouse: tables, log and indexes together. A reader of another version refuses."""


class Mention(Struct, frozen=True, kw_only=True):
    """What the table `entities` says of one name in one article, beside what it takes from both."""

    mentions: Annotated[int, "how often the article mentions it"]
    in_title: Annotated[bool, "whether the title mentions it"]
    first_offset: Annotated[int | None, "where the body first mentions it, in characters; null if only the title does"]


class Count(Struct, frozen=True):
    """A named number."""

    name: Annotated[str, "what is counted or timed"]
    value: Annotated[float, "the number"]


class Run(Struct, frozen=True, kw_only=True):
    """One batch, as the table `runs` tells it. A batch that stands there is complete for every reader."""

    batch: Annotated[int, "number of the log entry that committed the row"]
    started_at: Annotated[datetime, "when the batch began, UTC"]
    seconds: Annotated[float, "from planning to commit"]
    read: Annotated[int, "records read: the sum of the four outcomes"]
    unique: Annotated[int, "articles kept"]
    duplicates: Annotated[int, "copies of something kept"]
    known: Annotated[int, "articles seen before, unchanged: no row"]
    dead: Annotated[int, "dead letters"]
    dead_by_class: Annotated[list[Count], "dead letters by error_class"]
    skipped_by_reason: Annotated[
        list[Count], "what inputs hold beside records and can be no article, such as images in a web archive, by reason"
    ] = []
    steps: Annotated[list[Count], "seconds of work per step, summed over the worker processes"]
    inputs: Annotated[int, "files and feeds that the batch read from"]
    versions: Annotated[list[str], "what made the rows: newsbeam, rules, libraries, each with its version"]
    models: Annotated[list[str], "language and model that finds its names"]
    taxonomy: Annotated[str, "the set of topics, with its version"]
    config_hash: Annotated[str, "hash of the configuration, without paths"]


@dataclass(frozen=True)
class Column:
    """A column: its Arrow type derives from the record's annotation."""

    name: str
    type: pa.DataType
    meaning: str

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, metadata={"meaning": self.meaning})


@dataclass(frozen=True)
class Table:
    """A table: what one row stands for, how its folders are cut, and its columns (partition columns are not stored)."""

    name: str
    one_row_per: str
    partitions: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """Of the files."""
        return pa.schema([column.field() for column in self.columns], metadata={"table": self.name})

    @property
    def partition_columns(self) -> tuple[Column, ...]:
        return tuple(PARTITIONS[name] for name in self.partitions)

    @property
    def full_schema(self) -> pa.Schema:
        """Of the files and the folders, as Delta and `query` see it."""
        return pa.schema([column.field() for column in (*self.columns, *self.partition_columns)])


_SCALARS: dict[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of an annotation: scalars, lists, maps, optional values, Literal texts and records."""
    origin = get_origin(hint)
    if origin is Annotated:
        return arrow_type(get_args(hint)[0])
    if origin is Literal:
        return pa.string()
    if origin is list:
        return pa.list_(arrow_type(get_args(hint)[0]))
    if origin is dict:
        return pa.map_(*map(arrow_type, get_args(hint)))
    if origin in (Union, types.UnionType):
        return arrow_type(next(arg for arg in get_args(hint) if arg is not type(None)))
    if isinstance(hint, type) and issubclass(hint, Struct):
        return pa.struct([column.field() for column in columns(hint)])
    return _SCALARS[hint]


@cache
def columns(record: type[Struct]) -> tuple[Column, ...]:
    """The columns of a record: its fields that state a meaning."""
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        Column(name, arrow_type(hint), hint.__metadata__[0])
        for name, hint in hints.items()
        if get_origin(hint) is Annotated
    )


def pick(record: type[Struct], *names: str) -> tuple[Column, ...]:
    """Some columns of a record, in the order named."""
    known = {column.name: column for column in columns(record)}
    return tuple(known[name] for name in names)


PARTITIONS = {
    "date": Column(
        "date", pa.date32(), "publication day, UTC; the day of the run without one, and in dead_letters and runs"
    ),
    "topic": Column("topic", pa.string(), "slug of the topic, or unclassified"),
}
_BATCH = pick(Run, "batch")
_FROM = pick(Article, "input", "read_at")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("articles", "unique article or revision", ("date", "topic"), columns(Article) + _BATCH),
        Table(
            "entities",
            "article and name",
            ("date", "topic"),
            pick(Article, "article_id", "published_at", "source")
            + pick(Entity, "key", "name", "label", "country", "external_id")
            + columns(Mention)
            + _BATCH,
        ),
        Table(
            "duplicates",
            "copy",
            ("date",),
            pick(Article, "article_id")
            + columns(Copy)
            + pick(
                Article,
                *("identity", "content_hash", "url", "title", "body", "source", "authors", "published_at", "wire"),
            )
            + _FROM
            + _BATCH,
        ),
        Table("dead_letters", "record that could not be handled", ("date",), columns(Letter) + _FROM + _BATCH),
        Table("runs", "batch", ("date",), columns(Run)),
    )
}
