"""WARC: web archives as crawlers write them today. The pages in them are articles."""

import re

from transforms.formats.http import media_type, read_header
from transforms.formats.web_archive import Head, Kind, format_of

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


WARC = Kind(read_head, _NEXT)
FORMAT = format_of("warc", recognises, WARC)
