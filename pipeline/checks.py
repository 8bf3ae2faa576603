"""What the checks of `verify` share: findings, the log as it was read, and how a damaged file is met."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from pipeline.log import Manifest
from pipeline.terminal import number_of, visible
from schemas.records import Piece
from schemas.tables import FORMAT_VERSION, Run

BROKEN = (OSError, ValueError, LookupError, TypeError, ArithmeticError, pa.ArrowException)
"""What reading damaged files and rows raises; msgspec's errors are ValueErrors."""
RESTORE = "Restore it from a backup, or read the inputs anew into a new folder (`newsbeam run … --output NEW`)."
RESTORE_LOG = "Restore it from a backup; until then nothing can be added to the warehouse."


class Finding(Struct, frozen=True):
    """Something that is wrong, and what to do about it. Each is a sentence."""

    what: str
    cure: str


class LoggedFile(Struct, frozen=True):
    """A file as its log entry names it."""

    table: str
    path: str
    staged: str
    rows: int
    size: int

    @property
    def folder(self) -> str:
        """The partition: `date=…/topic=…`."""
        return self.path.partition("/")[2].rpartition("/")[0]


class LoggedReplaced(Struct, frozen=True):
    """A file of an earlier batch that took the place of itself."""

    file: LoggedFile


class Logged(Struct, frozen=True, kw_only=True):
    """A log entry, as far as it is checked; in a snapshot the pieces are left out."""

    number: int
    token: str
    now: datetime
    run: Run
    pieces: list[Piece] = []
    changed: list[str]
    topics: dict[str, int]
    files: list[LoggedFile]
    forgotten: list[str] = []
    replaced: list[LoggedReplaced] = []
    index_rows: int
    fingerprint_rows: int = 0
    format: int = FORMAT_VERSION

    def rows(self, table: str) -> int:
        """Rows that the batch has in a table."""
        return sum(file.rows for file in self.files if file.table == table)

    def of(self, table: str) -> list[LoggedFile]:
        return [file for file in self.files if file.table == table]

    def changes(self, table: str) -> bool:
        """Whether the batch has a commit in the table's Delta log."""
        return any(file.table == table for file in (*self.files, *(one.file for one in self.replaced)))


@dataclass
class Log:
    """The log as far as it can be read: the entries of the snapshot, then those since."""

    manifest: Manifest
    batches: list[Logged] = field(default_factory=list)
    whole: bool = True
    """Whether no entry is missing."""
    done: int = 0
    """The last batch that is complete for readers."""

    @property
    def position(self) -> int:
        return self.batches[-1].number if self.batches else self.manifest.number

    @property
    def published(self) -> list[Logged]:
        """Batches that readers see, with their files as they were committed."""
        return [batch for batch in self.batches if batch.number <= self.done]

    @property
    def complete(self) -> list[Logged]:
        """The same with their files as later ones replaced them, and without those that are just being replaced."""
        done, coming = self.published, self.replacing
        newest = {one.file.path: one.file for batch in done for one in batch.replaced}
        return [
            replace(batch, files=[newest.get(file.path, file) for file in batch.files if file.path not in coming])
            for batch in done
        ]

    @property
    def replacing(self) -> set[str]:
        """Files that are the old or the new ones, since whoever replaces them was cut off, or is at it."""
        return {one.file.path for batch in self.unfinished for one in batch.replaced}

    @property
    def forgotten(self) -> set[bytes]:
        """Ids of articles and copies whose rows were removed for good."""
        return {bytes.fromhex(id) for batch in self.batches for id in batch.forgotten}

    @property
    def unfinished(self) -> list[Logged]:
        """Batches that are committed, but not shown to readers yet."""
        return [batch for batch in self.batches if batch.number > self.done]

    @property
    def tail(self) -> list[Logged]:
        return [batch for batch in self.batches if batch.number > self.manifest.number]


class Tally:
    """Mistakes of the same kind as one finding: how many rows, and where the first of them are."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, file: str, mistake: str, row: str) -> None:
        self._seen[mistake, file].append(row)

    def findings(self) -> Iterator[Finding]:
        for (mistake, file), rows in self._seen.items():
            yield Finding(f"{file}: {mistake} in {number_of(len(rows), 'row')} ({some(rows)}).", RESTORE)


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many there are beside them."""
    shown = ", ".join(visible(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def unreadable(name: str, error: BaseException, cure: str = RESTORE) -> Finding:
    """A file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return Finding(f"{name} is missing.", cure)
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return Finding(f"{name} cannot be read: {visible(reason)}.", cure)


def unequal(pairs: Iterable[tuple[str, object, object]]) -> str:
    """The pairs that differ, in words: `unique 3 is 4`."""
    return ", ".join(f"{name} {right} instead of {left}" for name, left, right in pairs if left != right)


def runs_of(numbers: Sequence[int]) -> str:
    """Rising numbers in short: `1 to 3, 7`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{first:,} to {last:,}" if last > first else f"{first:,}" for first, last in parts)


def check_each(
    files: Iterable[tuple[str, int]], read: Callable[[str, int], str], cure: str
) -> Generator[Finding, None, bool]:
    """Reads files by name and number of rows; a finding for each that is damaged, or that `read` finds fault with.

    Gives whether all are whole.
    """
    whole = True
    for name, rows in files:
        try:
            problem = read(name, rows)
        except BROKEN as error:
            yield unreadable(name, error, cure)
            whole = False
        else:
            if problem:
                yield Finding(f"{name} {problem}.", cure)
                whole = False
    return whole
