"""What stands in a page's markup itself, beside its metadata."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from transforms.extraction.metadata import Metadata, Node, as_list, plain, text_of, types_of
from transforms.pages import key

LONGEST_BYLINE = 90
BY = re.compile(
    r"\s*(?:(?:written|reported|posted|published|story|text|words|analysis|review|opinion|édité|publié)\s+)?"
    r"(?:by|von|par|por|di|door|af|av|text|autor(?:in|es|a)?|authors?|publié par)\s*[:：]?\s+(?=\S)",
    re.IGNORECASE,
)
"""Opens a byline, in the languages that are common on the web."""
_AFTER_NAMES = re.compile(r"\s*(?:\d{1,2}[.:/ ]|\||•|·|\b(?:Published|Updated|Stand)\b).*$", re.DOTALL)
_BYLINES = (
    ('//*[@itemprop="author"]//*[@itemprop="name"]', False),
    ('//*[@rel="author"]', False),
    ('//*[@itemprop="author"]', False),
    ('//*[contains(@class, "byline") or contains(@class, "author") or contains(@class, "autor")]', True),
)
"""Where a page shows its authors; and whether that has to open with a word such as `By`."""
LONGEST_DATE = 80
MOST_DATED = 100
_DATED = re.compile(r"date|time|publish|posted|byline|meta")
_BAR = re.compile(r" [|·•] ")
_YEAR = re.compile(r"(?:19|20)\d\d")
_GENERIC = frozenset(("home", "start", "startseite", "accueil", "inicio", "news", "nachrichten", "articles", "stories"))


def _texts_at(tree: Any, path: str) -> Iterator[str]:
    return (text_of(tag) for tag in tree.iterfind(path))


def _canonical(tree: Any, data: Metadata) -> list[str]:
    links = (tag for tag in tree.iter("link") if "canonical" in (tag.get("rel") or "").lower().split())
    return [tag.get("href") for tag in links if tag.get("href")]


def _lang(tree: Any, data: Metadata) -> list[str]:
    root = tree.getroottree().getroot()
    return [root.get("lang") or root.get("xml:lang") or ""]


def _times(tree: Any, data: Metadata) -> list[str]:
    """The first that is marked as of publication, or stands in the article: others are of teasers and comments."""
    found = [tag for tag in tree.iter("time") if tag.get("datetime")]
    inside = (tag for tag in found if tag.get("pubdate") is not None or _is_inside(tag))
    return [tag.get("datetime") for tag in [*islice(inside, 1), *found][:1]]


def _is_inside(tag: Any) -> bool:
    return any(parent.tag in ("article", "header") for parent in tag.iterancestors())


def _breadcrumb(tree: Any, data: Metadata) -> list[str]:
    """The first entry of the trail that is neither the front page nor the headline."""
    named = [data.article.get("headline"), *data.meta.get("og:title", []), *data.meta.get("og:site_name", [])]
    others = {key(plain(text))[:30] for text in named}
    for node in data.nodes:
        if "BreadcrumbList" in types_of(node):
            entries = [_crumb(entry) for entry in as_list(node.get("itemListElement"))[:5] if isinstance(entry, dict)]
            return [name for name in entries if key(name) not in _GENERIC and key(name)[:30] not in others][:1]
    return []


def _crumb(entry: Node) -> str:
    item = entry.get("item")
    return plain(entry.get("name") or (item.get("name") if isinstance(item, dict) else None))


def _bylines(tree: Any, data: Metadata) -> Iterator[str]:
    for path, needs_by in _BYLINES:
        for tag in tree.xpath(path)[:20]:
            text = plain(tag.get("content") if tag.tag == "meta" else text_of(tag))
            text = _AFTER_NAMES.sub("", text)
            if 1 < len(text) <= LONGEST_BYLINE and (BY.match(text) or not needs_by):
                yield text


def shown_dates(tree: Any, needs_any: bool) -> list[str]:
    """Short texts with a year where pages show their date; if there are none, and one is needed, htmldate's guess.

    On 22 pages of the article extraction benchmark that have no date in their metadata they name the right day on
    13, mostly with a time, and htmldate on 7 of the others, in 1 to 5 ms (with its extensive search up to 54).
    """
    texts = (text_of(tag) for tag in islice(_dated(tree), MOST_DATED))
    parts = (part for text in texts if len(text) < 4 * LONGEST_DATE for part in _BAR.split(text))
    found = list(dict.fromkeys(part for part in parts if 6 < len(part) <= LONGEST_DATE and _YEAR.search(part)))
    return found[:5] or ([guess] if needs_any and (guess := _guess(tree)) else [])


def _dated(tree: Any) -> Iterator[Any]:
    for tag in tree.iter("time", "span", "div", "p", "li", "em", "small", "td", "font", "dd"):
        name = tag.get("class") or tag.get("id")
        if tag.tag == "time" or (name and len(tag) < 5 and _DATED.search(name)):
            yield tag


def _guess(tree: Any) -> str | None:
    """The latest day is far ahead, since the clock is not read here: whether it is believed is decided later."""
    from htmldate import find_date

    day: str | None = find_date(
        tree, original_date=True, extensive_search=False, min_date="1990-01-01", max_date="2100-01-01"
    )
    return day


SHOWN: dict[str, Callable[[Any, Metadata], Iterable[str]]] = {
    "h1": lambda tree, data: _texts_at(tree, ".//h1"),
    "title": lambda tree, data: _texts_at(tree, ".//head/title"),
    "canonical": _canonical,
    "lang": _lang,
    "time": _times,
    "breadcrumb": _breadcrumb,
    "byline": _bylines,
}
