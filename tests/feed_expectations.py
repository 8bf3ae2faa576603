"""What feedparser's own test feeds state about their entries, beside what becomes of them here.

    python -m tests.feed_expectations [FOLDER]

Each file says in a comment what a parser should find (`Expect: entries[0]['title'] == 'Example'`). Statements about
fields that the project keeps are compared with the article; the counts are printed, and each disagreement that is
left, with its reason. The expressions are taken apart, never evaluated.
"""

import ast
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.records import Article, Piece
from tests.conftest import SHARED
from transforms.article import make_whole
from transforms.dates import read_date
from transforms.feeds import Feed, NotAFeed, Place, found_in, parse_feed
from transforms.feeds.texts import Markup, clean
from transforms.formats.base import Record
from transforms.identity import tokens

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ARCHIVE = SHARED / "data" / "feeds-feedparser.tar.gz"
_EXPECT = re.compile(rb"Expect:\s*(.+)")
_HEADER = re.compile(rb"Header:\s*([\w-]+):\s*(.+)")
_SERVER = "http://127.0.0.1:8097/"
"""Where feedparser's own tests serve the files; some statements name it."""
_NO_TITLE = "an entry without a title"


REASONS = {
    r"sanitize/entry_title_on": "a title that is only a picture has no words",
    r"_(?:iframe|object)\.xml": "what follows an iframe or object that is not closed is inside of it",
    r"_crazy\.xml": "a page of broken scripts: what lxml sees of it is not what feedparser sees",
    r"script_nested_cdata": "the remains of a CDATA section inside of a script are no text",
    r"encoding/bozo_linenoise": "bytes in no encoding at all: we take them for damaged UTF-8",
    r"_base64(?:_2)?\.xml": "Atom 1.0 text in base64 is binary; in Atom 0.3 it is plain, and entities are read",
    r"entry_category_term": "of a category's two names the one for people is kept",
    r"rss/item_(?:dc_)?(?:author|creator)": "`Example editor` is what somebody does, not a name",
    r"item_description_br_shorttag": "`x` by itself is a share button",
    r"entity_in_doctype": "entities that a document declares itself are not expanded",
    r"node_precedence/atom10_id": "an id that several entries have tells none of them",
}
"""Why a file's statements may be contradicted, by what its name holds."""


class Statement(NamedTuple):
    """`entries[entry][path…] == value`"""

    entry: int
    path: tuple[str | int, ...]
    value: Any


class Verdict(NamedTuple):
    """A statement of a file, whether it holds here, and what is here instead."""

    file: str
    statement: Statement
    holds: bool
    ours: Any


def statements(expression: str) -> Iterator[Statement]:
    """The equations about entries in a Python expression; whatever else it says is left out."""
    try:
        tree: ast.expr = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return
    for clause in tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]:
        if isinstance(clause, ast.Compare) and all(isinstance(op, ast.Eq) for op in clause.ops):
            yield from _equations(clause)


def _equations(clause: ast.Compare) -> Iterator[Statement]:
    *paths, last = [clause.left, *clause.comparators]
    value = _constant(last)
    for node in paths if value is not None else ():
        path = _path(node)
        if path and path[0] == "entries" and len(path) > 2 and isinstance(path[1], int):
            named = value.items() if isinstance(value, dict) else [(None, value)]
            for key, one in named:
                yield Statement(path[1], (*path[2:], *([key] if key else [])), one)


def _constant(node: ast.expr) -> Any:
    """The value of a literal, also of texts added up; None for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None


def _path(node: ast.expr) -> tuple[str | int, ...] | None:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=name):
            return (*(_path(inner) or ()), name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
            return (*(_path(inner) or ()), key)
    return None


def articles_of(feed: Feed, url: str | None) -> list[Article]:
    """An article for each entry; one without a title gets one, since without words it would be a dead letter."""
    entries = [one if one.title else replace(one, title=_NO_TITLE, problem=None) for one in feed.entries]
    piece = Piece(
        input="feed", version="1", format="feed", first=0, records=1, offset=0, length=0, last=True, path="", at=0
    )
    places = [Place(at, 0, 0) for at in range(len(entries))]
    found = found_in(replace(feed, entries=tuple(entries)), url, places)
    return [make_whole(one, piece, NOW) for one in found if isinstance(one, Record)]


def field_of(path: tuple[str | int, ...]) -> str | None:
    """Which of our fields a path speaks of; None where the project keeps no such thing."""
    match path:
        case ("title",) | ("title_detail", "value"):
            return "title"
        case ("link",):
            return "url"
        case ("id" | "guid",):
            return "id"
        case ("author",) | ("author_detail", "name") | ("authors", int(), "name"):
            return "authors"
        case ("tags", int(), "term" | "label") | ("category",) | ("categories", int(), 1):
            return "categories"
        case (
            ("summary" | "description",)
            | ("summary_detail" | "description_detail", "value")
            | ("content", int(), "value")
        ):
            return "words"
        case ("published" | "issued" | "created",) | ("published_parsed" | "issued_parsed" | "created_parsed",):
            return "published"
        case ("updated" | "modified" | "date",) | ("updated_parsed" | "modified_parsed" | "date_parsed",):
            return "updated"
    return None


def ours(article: Article, field: str) -> Any:
    """What the article has of a field."""
    match field:
        case "id":
            return (article.identity, article.url)
        case "words":
            return (article.body, article.summary)
        case "published":
            return article.published_at
        case "updated":
            return (article.updated_at, article.published_at)
    return getattr(article, field)


def holds(field: str, value: Any, found: Any) -> bool:
    """Whether what a statement says is what we have."""
    match field:
        case "title":
            return _says(value, found) or (not value and found == _NO_TITLE)
        case "words":
            return any(_says(value, one or "") for one in found)
        case "authors":
            name = re.sub(r"\s*[(<]?[\w.+-]+@[\w.-]+\w[)>]?\s*", "", str(value)).strip(" ()")
            return name in found or (not name and not found)
        case "categories":
            return not value or any(tokens(str(value)) == tokens(one) for one in found)
        case "id":
            return value in found or found[0].endswith((f"#{value}", f"id:{value}"))
        case "published":
            return _moment(value) == found
        case "updated":
            return _moment(value) in found
    return bool(value == found or (not value and not found))


def _says(value: object, found: str) -> bool:
    """Whether a text has the words of the stated one, which is markup or plain."""
    return tokens(found) in (tokens(clean(Markup(str(value), None)) or ""), tokens(str(value)))


def _moment(value: object) -> datetime | None:
    if isinstance(value, tuple):
        return datetime(*value[:6], tzinfo=UTC)
    reading = read_date(str(value), NOW)
    return reading.moment if reading else None


def verdicts(name: str, data: bytes) -> Iterator[Verdict]:
    """What a file states about kept fields, each compared."""
    expected = _EXPECT.search(data[:8000].replace(b"\0", b""))
    wanted = list(statements(_expression(data, expected[1]))) if expected else []
    wanted = [one for one in wanted if field_of(one.path)]
    if not wanted:
        return
    headers = headers_in(data)
    url = headers.get("content-location", f"{_SERVER}{name}")
    try:
        articles = articles_of(parse_feed(data, url, headers.get("content-type")), url)
    except NotAFeed as error:
        yield from (Verdict(name, one, False, error.problem.error_class) for one in wanted)
        return
    for one in wanted:
        field = field_of(one.path) or ""
        found = ours(articles[one.entry], field) if one.entry < len(articles) else None
        yield Verdict(name, one, found is not None and holds(field, one.value, found), found)


def headers_in(data: bytes) -> dict[str, str]:
    """The headers, by their names in lower case, with which a file says that it is to be served."""
    found = _HEADER.findall(data[:4000].replace(b"\0", b""))
    return {name.decode().lower(): value.strip().decode() for name, value in found}


def _expression(data: bytes, line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r\n ")
    return text.removesuffix("-->").strip()


def files(archive: Path, named: str = r"\.xml$") -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each feed in an archive of the shared data: of each file whose name holds the pattern."""
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() and re.search(named, member.name) else None
            if file:
                yield member.name, file.read()


def compare(archive: Path = ARCHIVE) -> list[Verdict]:
    """All verdicts about the feeds of an archive."""
    return [verdict for name, data in files(archive) for verdict in verdicts(name, data)]


def reason(verdict: Verdict) -> str | None:
    """Why a statement does not hold here, where that is as it should be."""
    return next((why for pattern, why in REASONS.items() if re.search(pattern, verdict.file)), None)


def report(found: Sequence[Verdict]) -> Iterator[str]:
    """The counts, and the disagreements by their reason."""
    agreeing = Counter(field_of(one.statement.path) for one in found if one.holds)
    against = sorted((one for one in found if not one.holds), key=lambda one: (reason(one) or "", one.file))
    yield f"{agreeing.total()} statements agree: " + ", ".join(
        f"{count} {name}" for name, count in agreeing.most_common()
    )
    yield f"{len(against)} do not:"
    for why, group in groupby(against, key=lambda one: reason(one) or "FOR NO KNOWN REASON"):
        yield f"- {why}"
        for one in group:
            entry, path, value = one.statement
            where = "".join(f"[{part!r}]" for part in path)
            yield f"    {one.file}: entries[{entry}]{where} == {str(value)[:60]!r}, here {str(one.ours)[:100]!r}"


if __name__ == "__main__":
    for line in report(compare(Path(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVE)):
        print(line)
