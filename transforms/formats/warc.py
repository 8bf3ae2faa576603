"""WARC: web archives as crawlers write them today. The pages in them are articles."""

import re
from collections.abc import Iterator

from schemas.records import Piece
from transforms.formats import web_archive
from transforms.formats.base import Cut, Failure, Format, Record, Stream
from transforms.formats.http import media_type, read_header
from transforms.formats.web_archive import Head, Kind

_BEGINS = re.compile(rb"WARC/\d\.\d+[ \t]*\r?\n")
_NEXT = re.compile(rb"WARC/\d\.\d+[ \t]*\r?\n[\w-]+:")


def recognises(head: bytes, name: str) -> bool:
    """By its first line."""
    return bool(_BEGINS.match(head.lstrip(b"\r\n")))


def read_head(block: bytes) -> Head | None:
    """The header of a record; None if none begins here, or it has no length."""
    found = _BEGINS.match(block)
    if not found:
        return None
    header, at = read_header(block, found.end())
    length = header.get("content-length", "")
    if not re.fullmatch(r"\d{1,15}", length):
        return None
    kind = header.get("warc-type", "").lower() or "unknown"
    address = header.get("warc-target-uri", "").removeprefix("<").removesuffix(">")
    if kind == "response" and media_type(header.get("content-type")) not in ("application/http", ""):
        kind = "no web page"
    return Head(at, int(length), kind if kind in _KINDS else "unknown", address, header.get("content-type"))


_KINDS = (
    *("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"),
    "no web page",
)


def _next(block: bytes, at: int) -> int:
    found = _NEXT.search(block, at)
    return found.start() if found else -1


WARC = Kind(read_head, _next)


def cut(stream: Stream, most: int) -> Iterator[Cut]:
    """See `web_archive.cut`."""
    return web_archive.cut(stream, most, WARC)


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """See `web_archive.parse`. Needs no mapping."""
    return web_archive.parse(data, piece, WARC)


FORMAT = Format("warc", recognises, cut, parse)
