"""Unpacking, by the first bytes of a file and not by its name. Truncated and damaged input raises, never ends early."""

import bz2
import gzip
import lzma
import zlib
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x04\x22\x4d\x18": "lz4",
}
_LONGEST_MAGIC = 6
SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".lz4")
TAR_SUFFIXES = {".tgz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar"}
UNPACK_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a stream raises where the input is cut short or damaged."""
MOST_UNPACKED = 1_000_000_000
MOST_RATIO = 200
"""An input that unpacks to more bytes than MOST_UNPACKED and to more than so many times its size is taken for a bomb;
text packs to a third or a tenth."""
_XZ_MEMORY = 256_000_000
"""Bytes that an xz decoder may use; its strongest usual setting needs 65 MB."""
_BLOCK = 1 << 18


def compression(head: bytes) -> str | None:
    """gzip, zstd, bz2, xz or lz4, as the first bytes say; None for a file that is not compressed."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def plain_name(name: str) -> str:
    """The name without the suffix of a compression."""
    for short, long in TAR_SUFFIXES.items():
        if name.endswith(short):
            return name.removesuffix(short) + long
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


class Readable(Protocol):
    """A stream of bytes, read from its start."""

    def read(self, size: int, /) -> bytes: ...


class Peekable:
    """A stream that can be looked at before it is read."""

    closed = False
    """For pyarrow, which asks."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._ahead = stream, b""
        self._error: Exception | None = None

    def peek(self, size: int) -> bytes:
        """The next bytes: `size` of them, or fewer where the stream ends or breaks. Reading gives them again.

        Raises what the stream raises only where it gives nothing before.
        """
        try:
            while len(self._ahead) < size and (data := self._stream.read(size - len(self._ahead))):
                self._ahead += data
        except Exception as error:
            if not self._ahead:
                raise
            self._error = error
        return self._ahead[:size]

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, or fewer; none at the end."""
        if self._ahead:
            size = len(self._ahead) if size < 0 else size
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        if self._error:
            raise self._error
        return self._stream.read(size)

    def close(self) -> None:
        """Leave it to whoever opened it; pyarrow would close it when its own stream is forgotten."""


class Bomb(OSError):
    """Raised where an input unpacks to more than it can honestly hold: see MOST_UNPACKED."""

    def __init__(self) -> None:
        super().__init__(f"it unpacks to more than {MOST_RATIO} times its size, as bombs do; unpack it by hand")


class Budget:
    """The bytes to which an input of a size may still be unpacked, all members of an archive together."""

    def __init__(self, packed: int) -> None:
        self._left = max(MOST_UNPACKED, MOST_RATIO * packed)

    @property
    def is_spent(self) -> bool:
        return self._left < 0

    def spend(self, size: int) -> None:
        """Raises Bomb where it does not suffice."""
        self._left -= size
        if self.is_spent:
            raise Bomb


class Bounded:
    """A stream whose bytes are taken from a budget."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._budget.spend(len(data))
        return data


class _UpToTheBreak:
    """Gives what stands before a break, where a buffered `read` would throw its last buffer away with the error."""

    def __init__(self, file: gzip.GzipFile | bz2.BZ2File) -> None:
        self.read = file.read1


class _Xz:
    """xz in bounded memory, which LZMAFile does not offer; also several streams in a row, with zeros between them."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._rest = stream, b""
        self._decoder: lzma.LZMADecompressor | None = None

    def read(self, size: int, /) -> bytes:
        while True:
            if self._decoder is None and not self._next():
                return b""
            assert self._decoder
            if self._decoder.needs_input and not self._rest:
                self._rest = self._stream.read(_BLOCK)
                if not self._rest:
                    raise EOFError("the compressed data ended before its end marker")
            data = self._decoder.decompress(self._rest, size)
            self._rest = b""
            if self._decoder.eof:
                self._rest, self._decoder = self._decoder.unused_data, None
            if data:
                return data

    def _next(self) -> bool:
        """Begin the next stream, if there is one."""
        while not (rest := self._rest.lstrip(b"\0")):
            self._rest = self._stream.read(_BLOCK)
            if not self._rest:
                return False
        self._rest = rest
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        return True


def unpacked(packed: Peekable) -> tuple[Readable, bool]:
    """The unpacked bytes as a stream, and whether they were compressed.

    Reading raises one of UNPACK_ERRORS at a break, after all before it was given (for zstd and lz4: all but one read).
    """
    match kind := compression(packed.peek(_LONGEST_MAGIC)):
        case "gzip":
            return _UpToTheBreak(gzip.GzipFile(fileobj=cast(BinaryIO, packed))), True
        case "bz2":
            return _UpToTheBreak(bz2.BZ2File(cast(BinaryIO, packed))), True
        case "xz":
            return _Xz(packed), True
        case "zstd" | "lz4":  # the zstandard package gives half of a truncated file without an error
            return cast(Readable, pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), kind)), True
    return packed, False
