"""ARC: web archives as they were until 2009. The pages in them are articles."""

import re
from collections.abc import Iterator

from schemas.records import Piece
from transforms.formats import web_archive
from transforms.formats.base import Cut, Failure, Format, Record, Stream
from transforms.formats.web_archive import Head, Kind

_LINE = rb"([a-z][a-z0-9+.-]*:[^\r\n]{0,4000}?) (\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{2,39}) (\d{8,17}) "
_LINE += rb"(\S{0,200})(?: [^\r\n]{1,4000}?)?? (\d{1,15})[ \t]*\r?\n"
_BEGINS = re.compile(_LINE)
"""Address, IP address, time, media type and length; between the last two version 2 has five more fields."""
_NEXT = re.compile(rb"(?<=\n)" + _LINE)


def recognises(head: bytes, name: str) -> bool:
    """By its first line, which names the file itself."""
    return head.startswith(b"filedesc://")


def read_head(block: bytes) -> Head | None:
    """The line before a record; None if none begins here."""
    found = _BEGINS.match(block)
    if not found:
        return None
    address = found[1].decode("utf-8", "replace")
    scheme = address.partition(":")[0]
    kind = "response" if scheme in ("http", "https") else _OTHERS.get(scheme, "no web page")
    return Head(found.end(), int(found[5]), kind, address, None)


_OTHERS = {"filedesc": "filedesc", "dns": "dns"}


def _next(block: bytes, at: int) -> int:
    found = _NEXT.search(block, at)
    return found.start() if found else -1


ARC = Kind(read_head, _next)


def cut(stream: Stream, most: int) -> Iterator[Cut]:
    """See `web_archive.cut`."""
    return web_archive.cut(stream, most, ARC)


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """See `web_archive.parse`. Needs no mapping."""
    return web_archive.parse(data, piece, ARC)


FORMAT = Format("arc", recognises, cut, parse)
