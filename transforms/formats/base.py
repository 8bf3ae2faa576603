"""What a format has to offer. A new format is one file beside this one, and one line in the registry."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from schemas.records import Piece, Problem

MAX_RECORD = 16_000_000
"""Bytes of the longest record that is read; a longer one becomes a dead letter."""
MAX_RAW = 1_000_000
"""Bytes of a record that its dead letter keeps."""
HEAD = 65_536
"""Bytes of an input that a format may look at to recognise it."""


class Cut(Struct, frozen=True):
    """A run of whole records: where it starts, how long it is (bytes of the unpacked input), how many it holds."""

    offset: int
    length: int
    records: int
    problem: Problem | None = None
    skipped: dict[str, int] = {}
    """What was met on the way that can be no article, by reason, such as images in a web archive. No records."""


class Record(Struct, frozen=True, kw_only=True):
    """One record as the input gives it: texts not yet cleaned, dates not yet read. None where it says nothing."""

    position: int
    offset: int
    length: int
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    id: str | None = None
    url: str | None = None
    canonical_url: str | None = None
    published: str | None = None
    more_dates: list[str] = []
    """What else metadata gives as the date of publication, the surest first."""
    shown_dates: list[str] = []
    """Dates that the page shows to its readers."""
    updated: str | None = None
    authors: list[str] = []
    language: str | None = None
    source: str | None = None
    section: str | None = None
    categories: list[str] = []
    image_url: str | None = None
    problems: list[str] = []
    feed_url: str | None = None
    date_source: str = "metadata"
    """What the dates are from, as the column of that name has it: metadata or feed."""
    shared_address: bool = False
    """Whether other records of the input have the same address: then it does not tell which article this is."""
    how: str | None = None
    """How the text was obtained, where that is not the format itself."""
    fetched_url: str | None = None
    fetched_status: int | None = None
    fetched_bytes: int | None = None
    known: bool = False
    """Whether it is known to be committed already; then nothing else is told of it."""


class Failure(Struct, frozen=True, kw_only=True):
    """A record that cannot be read: where it is, its bytes (at most MAX_RAW), and why."""

    position: int
    offset: int
    length: int
    raw: bytes
    problem: Problem


class Stream(Protocol):
    """An input, unpacked, read from its start."""

    def read(self, size: int, /) -> bytes: ...


class Seekable(Stream, Protocol):
    """An input, unpacked, that can be entered anywhere."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


@dataclass(frozen=True)
class Format:
    """One kind of file."""

    name: str
    """Stands in the column `extraction` and in the ledger."""
    recognises: Callable[[bytes, str], bool]
    """From the first HEAD bytes, unpacked, and the file's name without its compression suffix."""
    cut: Callable[[Stream, int], Iterator[Cut]]
    """Where the records lie, in order and without a gap, at most so many in a cut; from the content alone, so that a
    replay cuts alike."""
    parse: Callable[[bytes, Piece, dict[str, str]], Iterator[Record | Failure]]
    """The records of a piece, from its bytes and the configured column mapping; as many as the piece has."""
    lines: Callable[[Any, int], Iterator[bytes]] | None = None
    """For what is no run of bytes a record, such as columns: the same as JSON Lines, in blocks of any size. Then `cut`
    and `parse` get these, and offsets count their bytes. Takes the input, and how many records are done already: they
    may be left out (if the format `seeks`) or given again."""
    seeks: bool = False
    """Whether `lines` needs a Seekable and leaves out what is done, or makes do with a Stream that is read once."""
