"""The spool: unpacked bytes of compressed inputs, laid where workers can read them in any order.

Without it each worker would unpack an input anew from its start; with it, it is unpacked once, by the planner. It lies
in the warehouse, beside the staged files: whoever can write there can read it.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from transforms.compression import Readable
from transforms.files import Store
from transforms.formats.base import MAX_RAW, MAX_RECORD

_MOST_HELD = 2 * MAX_RECORD + 8 * MAX_RAW
_HEAD_KEPT = 4 * MAX_RAW


class Spool:
    """One file per batch. It is made when something is laid in it."""

    def __init__(self, store: Store) -> None:
        self._store, self._name, self._at = store, "", 0
        self._file: BinaryIO | None = None

    @property
    def path(self) -> str:
        return self._store.path(self._name)

    @property
    def scratch(self) -> str:
        """A folder of this machine for what must be unpacked to be read."""
        return tempfile.gettempdir() if self._store.options else os.path.dirname(self.path)

    def begin(self, name: str) -> None:
        """Begin the next batch's file."""
        self.close()
        self._name, self._at = name, 0

    def add(self, data: bytes) -> int:
        """Lay bytes in the file; gives where they stand."""
        if self._file is None:
            self._file = self._store.writer(self._name)
        self._file.write(data)
        self._at += len(data)
        return self._at - len(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def spool(store: Store, name: str) -> Iterator[Spool]:
    """A spool of one file, closed at the end."""
    one = Spool(store)
    one.begin(name)
    try:
        yield one
    finally:
        one.close()


class Tee:
    """A stream that keeps what was read until it is taken, so that whoever cuts it need not hand on the bytes.

    What is kept is bounded: of a record that is too long only the head stays.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._gap = 0
        self._gap_at = _HEAD_KEPT

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._kept += data
        if (more := len(self._kept) - _MOST_HELD) > 0:
            del self._kept[self._gap_at : self._gap_at + more]
            self._gap += more
        return data

    @property
    def pending(self) -> int:
        """Bytes that were read and not taken."""
        return len(self._kept) + self._gap

    def take(self, length: int) -> bytes:
        """The next `length` bytes that were read; only their head where the rest was dropped."""
        if not self._gap or length <= self._gap_at:
            data = bytes(self._kept[:length])
            del self._kept[:length]
            self._gap_at = max(self._gap_at - length, 0) if self._gap else _HEAD_KEPT
            return data
        data = bytes(self._kept[: self._gap_at])
        del self._kept[: length - self._gap]
        self._gap, self._gap_at = 0, _HEAD_KEPT
        return data
