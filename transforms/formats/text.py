"""Plain text: a page saved as text, one article a file."""

import re
from collections.abc import Iterator

from schemas.records import Piece, Problem
from transforms.formats.base import HEAD, MAX_RAW, MAX_RECORD, Cut, Failure, Format, Record, Stream
from transforms.formats.encoding import BOMS, decode

_OTHERS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".toml", ".md", ".rst", ".css", ".js", ".py")
"""Endings of what is text, but no article."""
_TOO_LONG = Problem(
    "RecordTooLong", f"The text is longer than {MAX_RECORD:,} bytes; split it, a file for each article."
)
_CONTROLS = bytes({*range(32), 127} - {8, 9, 10, 11, 12, 13, 27})
_BLOCK = 1 << 20
_JSON = re.compile(r'\s*(?:[{\[]\s*$|[{\[]\s*[{"])')
_MARKUP = re.compile(r"</\w|<(?:html|body|p|div|rss|feed|!doctype)\b", re.IGNORECASE)


def recognises(head: bytes, name: str) -> bool:
    """Whether it is text, and neither markup nor data."""
    if not head.strip() or not is_text(head) or name.lower().endswith(_OTHERS):
        return False
    text = as_text(head).lstrip("\ufeff \t\r\n")
    return bool(text) and text[0] != "<" and not _JSON.match(text.split("\n", 1)[0]) and not _is_markup(text, name)


def _is_markup(text: str, name: str) -> bool:
    return name.lower().endswith((".html", ".htm", ".xhtml", ".xml", ".rss", ".atom")) and bool(_MARKUP.search(text))


def is_text(head: bytes) -> bool:
    """Whether the bytes can be text: a byte order mark, or no NUL and at most one control character in a thousand."""
    if any(head.startswith(mark) for mark, _ in BOMS):
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return b"\0" not in head and controls * 1000 <= len(head)


def as_text(head: bytes) -> str:
    """The beginning of an input as text, to look at; a character that HEAD cuts in two does not matter."""
    try:
        return decode(head[:-4] if len(head) >= HEAD else head)[0]
    except UnicodeDecodeError:
        return head.decode("latin-1")


def cut(stream: Stream, most: int = 1) -> Iterator[Cut]:
    """The whole input as one record; with a Problem if it is longer than MAX_RECORD."""
    length = 0
    while block := stream.read(_BLOCK):
        length += len(block)
    if length:
        yield Cut(0, length, 1, _TOO_LONG if length > MAX_RECORD else None)


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """One Record, its text whole: title and standfirst are found where articles are made whole. Needs no mapping."""
    try:
        text, note = decode(data)
    except UnicodeDecodeError as error:
        problem = Problem("WrongEncoding", f"The text is not UTF-8, nor any other encoding that fits ({error}).")
        yield Failure(position=piece.first, offset=piece.offset, length=len(data), raw=data[:MAX_RAW], problem=problem)
        return
    problems = [note] if note else []
    yield Record(position=piece.first, offset=piece.offset, length=len(data), text=text, problems=problems)


FORMAT = Format("text", recognises, cut, parse)
