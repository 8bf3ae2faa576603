"""Answers of web servers, as web archives keep them: what they hold, whether that can be an article, and its bytes."""

import re
import zlib
from typing import NamedTuple

from transforms.formats.base import MAX_RECORD

MOST_HEAD = 65_536
"""Bytes of an answer's header lines."""
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})\b")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_HTML = ("text/html", "application/xhtml+xml")
_KINDS = {
    "text/css": "style sheet",
    "text/javascript": "script",
    "application/javascript": "script",
    "application/x-javascript": "script",
    "application/json": "data",
    "application/ld+json": "data",
    "text/plain": "plain text",
    "text/xml": "feed or XML",
    "application/xml": "feed or XML",
    "application/rss+xml": "feed or XML",
    "application/atom+xml": "feed or XML",
    "application/rdf+xml": "feed or XML",
    "application/pdf": "PDF",
}
_FAMILIES = {"image": "image", "audio": "sound", "video": "film", "font": "font"}
_ROBOTS = re.compile(r"https?://[^/]+/robots\.txt(?:$|[?#])", re.IGNORECASE)
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*+<(?:!doctype html|html|head|body)\b", re.I | re.S)


class Answer(NamedTuple):
    """An answer's status, its header by lower-case names (the first of each), and where its body begins."""

    status: int
    header: dict[str, str]
    body_at: int


def read_answer(block: bytes) -> Answer | None:
    """The answer that begins here; None if it does not look like one."""
    found = _STATUS.match(block)
    if not found:
        return None
    header, at = read_header(block, block.find(b"\n") + 1 or len(block))
    return Answer(int(found[1]), header, at)


def read_header(block: bytes, at: int) -> tuple[dict[str, str], int]:
    """Header lines from a place on up to an empty one: by lower-case names, and where the empty line ends."""
    header: dict[str, str] = {}
    while at < len(block):
        end = block.find(b"\n", at) + 1 or len(block)
        line = block[at:end].strip()
        at = end
        if not line:
            break
        name, _, value = line.partition(b":")
        header.setdefault(name.strip().lower().decode("latin-1"), value.strip().decode("latin-1"))
    return header, at


def media_type(value: str | None) -> str:
    """`text/html` of `text/html; charset=utf-8`."""
    return (value or "").partition(";")[0].strip().lower()


def charset(value: str | None) -> str | None:
    """`utf-8` of `text/html; charset=utf-8`."""
    found = _CHARSET.search(value or "")
    return found[1] if found else None


def why_no_page(status: int, kind: str, address: str, body: bytes) -> str | None:
    """Why an answer can be no article, in a word or two to count by; None for a page. `body` is its beginning."""
    if _ROBOTS.match(address):
        return "robots.txt"
    if 300 <= status < 400:
        return "redirect"
    if status != 200:
        return "error status"
    if not body:
        return "empty"
    if kind in _HTML or (not kind and _MARKUP.match(body)):
        return None
    return _KINDS.get(kind) or _FAMILIES.get(kind.partition("/")[0]) or "other media type"


def body_of(answer: Answer, block: bytes) -> tuple[bytes, str | None]:
    """The body without chunks and compression, and a note where that was damaged. At most MAX_RECORD + 1 bytes."""
    body = block[answer.body_at :]
    if answer.header.get("transfer-encoding", "").lower() == "chunked":
        body = without_chunks(body)
    note = None
    for coding in reversed(answer.header.get("content-encoding", "").lower().split(",")):
        body, problem = _decoded(body, coding.strip())
        note = note or problem
    return body[: MAX_RECORD + 1], note


def without_chunks(body: bytes) -> bytes:
    """The chunks' contents; from where they are none, the rest as it stands: archives often keep what was unchunked."""
    parts: list[bytes] = []
    at = 0
    while found := _CHUNK.match(body, at):
        size = int(found[1], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[found.end() : found.end() + size])
        at = found.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else 0
    return b"".join([*parts, body[at:]])


def _decoded(body: bytes, coding: str) -> tuple[bytes, str | None]:
    """The body without one compression. What is not compressed at all stays as it is: archives often keep it so."""
    match coding:
        case "gzip" | "x-gzip":
            return _inflated(body, 31) if body.startswith(b"\x1f\x8b") else (body, None)
        case "deflate":
            return _inflated(body, 15 if body[:1] == b"\x78" else -15)
        case "br":
            return _unbrotlied(body)
    return body, None


def _inflated(body: bytes, window: int) -> tuple[bytes, str | None]:
    """What can be inflated up to a break."""
    decoder = zlib.decompressobj(window)
    try:
        given = decoder.decompress(body, MAX_RECORD + 1)
    except zlib.error:
        decoder, given = zlib.decompressobj(window), b""
        try:
            for at in range(0, len(body), 256):
                given += decoder.decompress(body[at : at + 256], MAX_RECORD + 1 - len(given))
        except zlib.error:
            return (given, "the page's compression is damaged") if given else (body, None)
    is_whole = decoder.eof or len(given) > MAX_RECORD
    return given, None if is_whole else "the page's compression ends early"


def _unbrotlied(body: bytes) -> tuple[bytes, str | None]:
    import brotli

    decoder = brotli.Decompressor()
    try:
        given: bytes = decoder.process(body, output_buffer_limit=MAX_RECORD + 1)
        while len(given) <= MAX_RECORD and not decoder.is_finished() and (more := decoder.process(b"")):
            given += more
    except brotli.error:
        return body, None
    return given, None if decoder.is_finished() or len(given) > MAX_RECORD else "the page's compression ends early"
