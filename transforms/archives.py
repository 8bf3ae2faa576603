"""Archives: the files that a tar or zip holds, one after another. Nothing is written to a disk by a member's name."""

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple, cast

from schemas.records import Problem
from transforms.compression import UNPACK_ERRORS, Readable

Kind = Literal["tar", "zip"]
ARCHIVE_ERRORS = (*UNPACK_ERRORS, tarfile.TarError, zipfile.BadZipFile, ValueError, RuntimeError, LookupError)
"""What reading a damaged archive, or one of a kind that is not read, raises."""
MOST_HEADER = 1 << 20
"""Bytes of a member's name and attributes."""
MOST_DIRECTORY = 32_000_000
"""Bytes of a zip's list of members, which is held in memory: enough for 400,000 of them."""
_BLOCK = 1 << 18
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_END_SEARCHED = 65_536 + 22 + 76
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"META-INF/", b"_rels/")
"""First members of office documents, books and programs, which are zips but no archives of articles."""
_HIDDEN = re.compile(r"(?:^|/)(?:[._](?!\.?/)[^/]|__MACOSX/)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_NAME = 1_000


class Member(NamedTuple):
    """A file in an archive: its name, and its bytes unless something is wrong, or it is one to be skipped."""

    name: str
    stream: Readable | None = None
    problem: Problem | None = None
    skipped: str = ""
    """Why it can hold no article."""


def kind_of(head: bytes, name: str) -> Kind | None:
    """Which kind of archive it is, by its first bytes; an old tar has no sign of its own, and needs the name too."""
    if head.startswith((b"PK\x03\x04", _END)):
        return None if head[30:].startswith(_DOCUMENTS) else "zip"
    if head[257:262] == b"ustar" or (name.lower().endswith(".tar") and len(head) >= tarfile.BLOCKSIZE):
        try:
            tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return None
        return "tar"
    return None


def members_of_tar(stream: Readable) -> Iterator[Member]:
    """The members in order; each has to be read before the next is asked for. Raises one of ARCHIVE_ERRORS."""
    source = _Forward(stream)
    with tarfile.TarFile(fileobj=cast(BinaryIO, source), errorlevel=2) as archive:
        while member := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # else it keeps them all
            name = _name(member.name)
            if reason := _reason_of_tar(member, name):
                yield Member(name, skipped=reason)
            else:
                source.seek(member.offset_data)
                yield Member(name, _Part(source, member.size))
        if source.last.strip(b"\0"):  # tarfile would take it for the end
            raise tarfile.ReadError("the header of a member is damaged")
    while data := source.read_some(_BLOCK):
        if data.strip(b"\0"):
            raise tarfile.ReadError("something else stands behind the archive's end; cut it off, or unpack it by hand")


def _reason_of_tar(member: tarfile.TarInfo, name: str) -> str:
    if member.isdir():
        return "folder"
    if member.issym() or member.islnk():
        return "link"
    if not member.isfile() or member.issparse():
        return "special file"
    return "hidden file" if _HIDDEN.search(name) else ""


def members_of_zip(file: BinaryIO) -> Iterator[Member]:
    """The members in the order of the zip's list. Raises one of ARCHIVE_ERRORS."""
    if _directory_size(file) > MOST_DIRECTORY:
        raise OSError(f"its list of members is larger than {MOST_DIRECTORY:,} bytes; split it")
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = _name(member.filename)
            if member.is_dir():
                yield Member(name, skipped="folder")
            elif _HIDDEN.search(name):
                yield Member(name, skipped="hidden file")
            else:
                yield _opened(archive, member, name)


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Member:
    if member.flag_bits & 0x1:
        return Member(name, problem=Problem("EncryptedMember", "The member is encrypted; unpack it by hand."))
    try:
        return Member(name, cast(Readable, archive.open(member)))
    except NotImplementedError as error:
        return Member(name, problem=Problem("UnknownCompression", f"The member cannot be unpacked: {error}."))
    except ARCHIVE_ERRORS as error:
        return Member(name, problem=Problem("BrokenFile", f"The member cannot be unpacked: {error}"))


def _directory_size(file: BinaryIO) -> int:
    """What the zip's end says of the size of its list of members."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _END_SEARCHED))
    tail = file.read()
    at, at_64 = tail.rfind(_END), tail.rfind(_END_64)
    size = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    return int.from_bytes(tail[at_64 + 40 : at_64 + 48], "little") if size == 0xFFFFFFFF and at_64 >= 0 else size


def _name(name: str) -> str:
    """A member's name as it may stand in a column: of bounded length, and with U+FFFD for what is no text."""
    return _SURROGATE.sub("\ufffd", name[:_LONGEST_NAME])


class _Forward:
    """A stream as tarfile wants it: it may be entered further on, and tells where it is. Refuses to read headers that
    would not fit into memory."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._at = stream, 0
        self.last = b""
        """What was read last as a header."""

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        if offset < self._at:
            raise tarfile.ReadError("a member lies before the one that was read last")
        while self._at < offset and self.read_some(min(offset - self._at, _BLOCK)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        if size > MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        data = bytearray()
        while len(data) < size and (more := self.read_some(size - len(data))):
            data += more
        self.last = bytes(data)
        return self.last

    def read_some(self, size: int) -> bytes:
        """As much as the stream gives at once."""
        data = self._stream.read(size)
        self._at += len(data)
        return data


class _Part:
    """The next bytes of a stream. Gives all before a break, where tarfile's own reader gives none of its last block."""

    def __init__(self, source: _Forward, size: int) -> None:
        self._source, self._left = source, size

    def read(self, size: int, /) -> bytes:
        if not self._left:
            return b""
        data = self._source.read_some(min(size, self._left))
        if not data:
            raise EOFError("the archive ends within a member")
        self._left -= len(data)
        return data
