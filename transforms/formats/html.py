"""HTML: one news page a file."""

import re
from collections.abc import Iterator

from schemas.records import Piece
from transforms.formats.base import MAX_RAW, Failure, Format, Record
from transforms.formats.text import as_text, cut, is_text

_NAMES = (".html", ".htm", ".xhtml", ".shtml")
_OPENS = re.compile(
    r"(?>(?:<\?xml[^<>]*>|<!--(?>.*?-->))\s*)*+<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TAGS = re.compile(r"<(?:html|head|body|title|p|div|article|h1)\b", re.IGNORECASE)
_FEED = re.compile(r"<(?:rss|feed|rdf:RDF|urlset|sitemapindex|opml)\b")


def recognises(head: bytes, name: str) -> bool:
    """Whether it opens as a page; under a name that says so, whether it has tags of one."""
    if not is_text(head):
        return False
    text = as_text(head).lstrip("\ufeff \t\r\n")
    if _OPENS.match(text):
        return True
    return name.lower().endswith(_NAMES) and bool(_TAGS.search(text)) and not _FEED.search(text[:2_000])


def parse(data: bytes, piece: Piece, mapping: dict[str, str]) -> Iterator[Record | Failure]:
    """One Record, or a Failure that names what the page is instead of an article. Needs no mapping."""
    from transforms.extraction import NotAnArticle, extract  # heavy, and it needs this package

    at, length = piece.offset, len(data)
    try:
        yield Record(position=piece.first, offset=at, length=length, **extract(data))
    except NotAnArticle as error:
        yield Failure(position=piece.first, offset=at, length=length, raw=data[:MAX_RAW], problem=error.problem)


FORMAT = Format("html", recognises, cut, parse)
