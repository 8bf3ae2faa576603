"""The log: one numbered entry per batch. Writing an entry is the commit, the fence between writers, and the order.

Everything else in a warehouse is derived from the log and the files that its entries name.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from schemas.errors import WorldError
from schemas.feeds import FeedState
from schemas.records import File, Piece
from schemas.tables import FORMAT_VERSION, Run
from transforms.files import Store

LOG = "_newsbeam/log"
SNAPSHOTS = "_newsbeam/snapshots"
STAGING = "_newsbeam/staging"
INDEX = "_newsbeam/index"
FINGERPRINTS = "_newsbeam/fingerprints"


Kind = TypeVar("Kind")


class Replaced(Struct, frozen=True):
    """A file of an earlier batch that takes the place of itself, and what it held before."""

    file: File
    rows_before: int
    size_before: int


class Entry(Struct, frozen=True, kw_only=True):
    """One commit: the pieces of input that are in, the files that hold their rows, and the counts."""

    number: int
    token: str
    now: datetime
    run: Run
    pieces: list[Piece]
    changed: list[str]
    """Inputs that changed while they were read; what is in of them is in, the rest will be read anew."""
    topics: dict[str, int]
    """Unique articles per topic."""
    files: list[File]
    index_rows: int
    fingerprint_rows: int = 0
    fingerprint_version: int = 0
    """Of the rules that the fingerprints were made by; 0 if none were made."""
    feeds: list[FeedState] = []
    """The new state of each feed that was polled, added or removed."""
    forgotten: list[str] = []
    """Ids of articles and copies whose rows were removed for good."""
    replaced: list[Replaced] = []
    """Files of earlier batches, without those rows."""
    format: int = FORMAT_VERSION


class Part(Struct, frozen=True):
    """A file with the fingerprints of many batches, in a snapshot."""

    name: str
    rows: int
    version: int


class Manifest(Struct, frozen=True, kw_only=True):
    """A snapshot: the state of ledger, index, feeds and log after entry `number`, in files named by that number."""

    number: int
    index_rows: int
    fingerprints: list[Part] = []
    without_fingerprints: int = 0
    """Articles of batches that made no fingerprints."""
    forgotten: list[str] = []
    format: int = FORMAT_VERSION


class History(Struct, frozen=True):
    """The log as one reader saw it: the newest snapshot, and the entries since, in order and without a gap."""

    manifest: Manifest
    tail: list[Entry]

    @property
    def position(self) -> int:
        """The number of the last entry; 0 for an empty log."""
        return self.tail[-1].number if self.tail else self.manifest.number

    @property
    def forgotten(self) -> frozenset[str]:
        """Ids of all articles and copies that were ever forgotten."""
        return frozenset(self.manifest.forgotten).union(*(entry.forgotten for entry in self.tail))


def entry_name(number: int) -> str:
    return f"{LOG}/{number:012}.json"


def snapshot_name(number: int, what: str) -> str:
    return f"{SNAPSHOTS}/{number:012}-{what}.parquet"


def index_name(number: int) -> str:
    return f"{INDEX}/{number:012}.parquet"


def manifest_name(number: int) -> str:
    return f"{SNAPSHOTS}/{number:012}.json"


def fingerprints_name(number: int) -> str:
    return f"{FINGERPRINTS}/{number:012}.parquet"


def newest_manifest(store: Store) -> Manifest:
    """Of the newest snapshot; number 0 where there is none."""
    numbers = numbered(store, SNAPSHOTS, ".json")
    if not numbers:
        return Manifest(number=0, index_rows=0)
    return _decoded(store, manifest_name(numbers[-1]), Manifest)


def numbered(store: Store, folder: str, ending: str) -> list[int]:
    """The numbers of a folder's files of that ending, rising. What is not named by a number is not ours."""
    names = (re.fullmatch(r"(\d{12})" + re.escape(ending), name) for name in store.names(folder))
    return [int(name[1]) for name in names if name]


def _decoded(store: Store, name: str, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(store.read(name), type=kind)
    except msgspec.DecodeError as error:
        raise WorldError(
            f"{store.root}: {name} is damaged ({error}); restore it; `newsbeam verify` checks the rest."
        ) from None


def read_entry(store: Store, number: int) -> Entry:
    """Raises WorldError if the entry was written by a newer version."""
    entry = _decoded(store, entry_name(number), Entry)
    if entry.format != FORMAT_VERSION:
        raise WorldError(f"{store.root} was written by another version of newsbeam (format {entry.format}); update.")
    return entry


def read_history(store: Store) -> History:
    """The log as it stands. A process reads an entry once, since each batch asks for the whole tail, in several places.

    A stray entry at or below the snapshot's number was written by a writer that was cut off: it counts for nothing.
    """
    while True:
        manifest = newest_manifest(store)
        versions = {info.name: info.version for info in store.walk(LOG)}
        have, tail = _tails.get(store.root, {}), {}
        try:
            for number in tail_numbers(store, manifest, versions):
                key = number, versions[entry_name(number)]
                tail[key] = have.get(key) or read_entry(store, number)
        except (FileNotFoundError, WorldError):  # folded into a newer snapshot while we read
            if newest_manifest(store).number > manifest.number:
                continue
            raise
        _tails[store.root] = tail
        return History(manifest, list(tail.values()))


_tails: dict[str, dict[tuple[int, str], Entry]] = {}
"""Of each warehouse the entries that were read last, by number and version: no more than its tail."""


def tail_numbers(store: Store, manifest: Manifest, names: Iterable[str]) -> Iterator[int]:
    """Numbers of the entries after the snapshot. Raises WorldError if one is missing."""
    found = (re.fullmatch(re.escape(LOG) + r"/(\d{12})\.json", name) for name in names)
    numbers = sorted(number for match in found if match and (number := int(match[1])) > manifest.number)
    for expected, number in enumerate(numbers, manifest.number + 1):
        if number != expected:
            raise WorldError(f"{store.root}: log entry {expected} is missing; restore {entry_name(expected)}.")
        yield number


def append(store: Store, entry: Entry) -> bool:
    """Commit: write the entry under its number, if no one else took that number.

    False if the number was taken, or folded into a snapshot meanwhile: then the batch is void.
    """
    if not store.create(entry_name(entry.number), msgspec.json.encode(entry)):
        return False
    if newest_manifest(store).number >= entry.number:
        store.remove(entry_name(entry.number))
        return False
    return True
