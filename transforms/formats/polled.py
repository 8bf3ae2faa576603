"""Entries of a polled feed, one a line, each with its page where one was fetched: how polling hands them to reading.

Only the spool holds such lines. A line is JSON, and whole in itself, so that a dead letter can be handled again.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from schemas.records import Piece, Problem
from transforms.formats import jsonl
from transforms.formats.base import MAX_RAW, MAX_RECORD, Failure, Format, Record
from transforms.text import count_words


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of fetching an entry's page."""

    url: str
    """Where redirects led."""
    status: int | None = None
    """Of the answer; None where there was none."""
    size: int | None = None
    """Bytes, unpacked."""
    charset: str | None = None
    """What the server said of its encoding."""
    markup: bytes | None = None
    """None where there is no page; `problem` says why."""
    problem: str | None = None


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry: the fields of a Record; nothing but `known` if it was committed before."""

    fields: dict[str, Any] = {}
    page: Page | None = None
    problem: Problem | None = None
    """Why it makes no article."""
    known: bool = False


def line_of(line: Line) -> bytes:
    """As it stands in the spool. A page that makes it longer than a record may be is left out, and says so."""
    data = msgspec.json.encode(line)
    if len(data) < MAX_RECORD or line.page is None:
        return data + b"\n"
    page = msgspec.structs.replace(line.page, markup=None, problem="PageTooLarge")
    return msgspec.json.encode(msgspec.structs.replace(line, page=page)) + b"\n"


def recognises(head: bytes, name: str) -> bool:
    """Never: what polling laid into the spool is known for what it is."""
    return False


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """A Record for each line, with the text of its page where that says more. Needs no mapping."""
    offset = piece.offset
    for position, line in enumerate(data.splitlines(keepends=True), piece.first):
        at: dict[str, Any] = {"position": position, "offset": offset, "length": len(line)}
        offset += len(line)
        entry = msgspec.json.decode(line, type=Line)
        if entry.problem:
            yield Failure(**at, raw=line[:MAX_RAW], problem=entry.problem)
        else:
            yield Record(**at, **_fields(entry))


def _fields(line: Line) -> dict[str, Any]:
    if line.known:
        return {"known": True}
    if line.page is None:
        return line.fields
    fetched = {"fetched_url": line.page.url, "fetched_status": line.page.status, "fetched_bytes": line.page.size}
    return with_page(line.fields, line.page) | fetched


def with_page(fields: dict[str, Any], page: Page) -> dict[str, Any]:
    """The entry's fields with the page's text, and whatever the feed does not say; the feed's text if it says more."""
    from transforms.extraction import NotAnArticle, extract

    if page.markup is None:
        return _with_problem(fields, f"full text: {page.problem}")
    try:
        found = extract(page.markup, page.url, page.charset)
    except NotAnArticle as error:
        return _with_problem(fields, f"full text: {error.problem.error_class}: {error.problem.error}")
    if _words(found) < _words(fields):
        return _with_problem(fields, "full text: the page gives less than the feed")
    text = {"text": found.get("text"), "summary": fields.get("summary") or found.get("summary"), "how": "page"}
    dates = {} if fields.get("published") else {"date_source": "metadata"}
    problems = [*fields.get("problems", []), *found.get("problems", [])]
    return {**found, **fields, **text, **dates, "problems": problems}


def _with_problem(fields: dict[str, Any], problem: str) -> dict[str, Any]:
    return {**fields, "problems": [*fields.get("problems", []), problem]}


def _words(fields: dict[str, Any]) -> int:
    return count_words(fields.get("text") or fields.get("summary") or "")


FORMAT = Format("polled", recognises, jsonl.cut, parse)
