"""ARC: web archives as they were until 2009. The pages in them are articles."""

import re

from transforms.formats.web_archive import Head, Kind, format_of

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


ARC = Kind(read_head, _NEXT)
FORMAT = format_of("arc", recognises, ARC)
