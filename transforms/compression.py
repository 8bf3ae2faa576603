"""Unpacking, by the first bytes of a file and not by its name. Truncated and damaged input raises, never ends early."""

import bz2
import gzip
import zlib
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
SUFFIXES = (".gz", ".zst", ".bz2")
UNPACK_ERRORS = (OSError, EOFError, zlib.error)
"""What reading a stream raises where the input is cut short or damaged."""


def compression(head: bytes) -> str | None:
    """gzip, zstd or bz2, as the first bytes say; None for a file that is not compressed."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def plain_name(name: str) -> str:
    """The name without the suffix of a compression."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


class Readable(Protocol):
    """A stream of bytes, read from its start."""

    def read(self, size: int, /) -> bytes: ...


class _UpToTheBreak:
    """Gives what stands before a break, where a buffered `read` would throw its last buffer away with the error."""

    def __init__(self, file: gzip.GzipFile | bz2.BZ2File) -> None:
        self.read = file.read1


class _KeptOpen:
    """A file for pyarrow, which would close it when its own stream is forgotten."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read

    def close(self) -> None:
        """Leave it to whoever opened it."""


def unpacked(file: BinaryIO) -> tuple[Readable, bool]:
    """The unpacked bytes of an open file as a stream, and whether it was compressed.

    Reading raises one of UNPACK_ERRORS at a break, after all before it was given (for zstd: all but one read).
    """
    kind = compression(file.read(4))
    file.seek(0)
    match kind:
        case "gzip":
            return _UpToTheBreak(gzip.GzipFile(fileobj=file)), True
        case "bz2":
            return _UpToTheBreak(bz2.BZ2File(file)), True
        case "zstd":  # the zstandard package gives half of a truncated file without an error
            return cast(Readable, pa.CompressedInputStream(pa.PythonFile(_KeptOpen(file), mode="r"), "zstd")), True
    return file, False
