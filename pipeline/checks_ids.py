"""Ids of 16 bytes each, by the million: what the checks remember of rows that must be compared across files."""

from array import array
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

IdArray = npt.NDArray[np.bytes_]


class Ids:
    """Ids or hashes of 16 bytes each, held in one block."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, id: bytes) -> None:
        self._data += id

    @property
    def all(self) -> IdArray:
        return np.frombuffer(bytes(self._data), "S16")

    def __len__(self) -> int:
        return len(self._data) // 16


def whole(id: bytes) -> bytes:
    """An id of an array, which drops zeros at its end, with all its 16 bytes."""
    return id.ljust(16, b"\0")


def hex_of(id: bytes) -> str:
    """An id of an array as it stands in the tables."""
    return whole(id).hex()


def digest(*values: object) -> bytes:
    """16 bytes that are the same for the same values."""
    return xxhash.xxh3_128_digest(msgspec.msgpack.encode(values))


@dataclass
class Kept:
    """What is remembered of the rows. Lists of the same line belong together."""

    articles: Ids = field(default_factory=Ids)
    places: "array[int]" = field(default_factory=lambda: array("i"))
    folders: list[str] = field(default_factory=list)
    copies: Ids = field(default_factory=Ids)
    originals: Ids = field(default_factory=Ids)
    revisions: Ids = field(default_factory=Ids)
    revised: Ids = field(default_factory=Ids)
    letters: Ids = field(default_factory=Ids)
    index: Ids = field(default_factory=Ids)
    index_owners: Ids = field(default_factory=Ids)
    forgotten: set[bytes] = field(default_factory=set)
    """What has no row any more, but is still in the index."""


def different(expected: IdArray, owners: IdArray, actual: IdArray, actual_owners: IdArray) -> IdArray:
    """Owners of what stands in one list and not in the other, or more often in one."""
    if len(expected) == len(actual) and (np.sort(expected) == np.sort(actual)).all():
        return owners[:0]
    once = [owners[~np.isin(expected, actual)], actual_owners[~np.isin(actual, expected)]]
    found = np.unique(np.concatenate(once))
    return found if len(found) else np.union1d(_repeated(expected, owners), _repeated(actual, actual_owners))


def _repeated(values: IdArray, owners: IdArray) -> IdArray:
    """Owners of what stands in a list more than once."""
    _, first = np.unique(values, return_index=True)
    return np.delete(owners, first)
