"""What is taken out of a page before its text is looked for: paragraphs and lists that are only links, captions."""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from transforms.extraction.metadata import text_of
from transforms.pages import key

_BODY = re.compile(r"body|content|article|text|story")
_NO_BODY = re.compile(r"comment|footer|related|teaser|card")
_READ = ("script", "noscript", "link", "meta")
"""What metadata is read from, and no text: without it trafilatura, which copies the page four times, is faster."""
_CAPTION = re.compile("[cC]aption")
_KICKER = re.compile(r"kicker|dachzeile|eyebrow|overline|spitzmarke|topline", re.IGNORECASE)
_STANDFIRST = re.compile(r"standfirst|vorspann|sub-?title|sub-?head|\bde[ck]k?\b|chapeau|entradilla|ingress|lead", re.I)
LONGEST_KICKER = 80
LONGEST_LIST = 20_000
"""Characters of a list that can be one of links; more are not counted."""
SHORTEST_COLUMN = 300
"""Characters of a table's cell that is a column of a page's layout."""
LONGEST_LINK = 200
"""Characters of a paragraph that is only a link; a longer one is text that is linked as a whole."""


def prune(tree: Any, description: str = "") -> None:
    """Joins a body that stands in several containers, and drops what is surely not of it. Changes the tree.

    `description` is the page's own: the paragraph that is marked as standfirst and says the same is not of the body.
    """
    etree.strip_elements(tree, *_READ, with_tail=False)
    open_tables(tree)
    join_twins(tree)
    for tag in [*_link_paragraphs(tree), *_link_lists(tree), *_by_name(tree, description)]:
        drop(tag)


def drop(tag: Any) -> None:
    """Takes an element out; the text behind it stays."""
    parent = tag.getparent()
    if parent is None:
        return
    if tag.tail:
        before = tag.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + tag.tail
        else:
            parent.text = (parent.text or "") + tag.tail
    parent.remove(tag)


def open_tables(tree: Any) -> None:
    """Makes plain containers of tables that lay out a page, as those before 2005 are: of which a cell holds paragraphs
    or lines, and much text. trafilatura would take them for one paragraph."""
    for table in tree.iter("table"):
        cells = (cell for cell in table.iter("td") if len(cell.findall("p")) + len(cell.findall("br")) > 2)
        if any(_length(cell) > SHORTEST_COLUMN for cell in cells):
            for tag in table.iter("table", "tbody", "tr", "td"):
                tag.tag = "div"


def join_twins(tree: Any) -> None:
    """Joins containers of the same class that hold the paragraphs: trafilatura takes only the first one.

    +.0001 / +.0022 / +.0041; two pages had .45 and .35 of their text without it.
    """
    groups: dict[tuple[str, str], dict[Any, int]] = {}
    for paragraph in tree.iter("p"):
        parent = paragraph.getparent()
        name = parent.get("class") if parent is not None else None
        if name and _is_long(paragraph) and _BODY.search(name) and not _NO_BODY.search(name):
            counts = groups.setdefault((parent.tag, name), {})
            counts[parent] = counts.get(parent, 0) + 1
    for counts in groups.values():
        twins = [parent for parent, count in counts.items() if count >= 2]
        for twin in twins[1:]:
            if not any(parent in twins for parent in twin.iterancestors()):
                twins[0].extend(list(twin))


def _is_long(paragraph: Any) -> bool:
    """Whether it has more than 60 characters that are its own, and not of links and the like."""
    return len(paragraph.text or "") + sum(len(child.tail or "") for child in paragraph) > 60


def _link_paragraphs(tree: Any) -> Iterator[Any]:
    """Paragraphs that are a link and nothing else (+.0003 / 0 / +.0010)."""
    for paragraph in tree.iter("p"):
        text, linked = _lengths(paragraph)
        if linked and 12 < text < LONGEST_LINK and linked >= 0.9 * text:
            yield paragraph


def _link_lists(tree: Any) -> Iterator[Any]:
    """Lists of links (+.0001 / +.0032 / +.0011)."""
    for each in tree.iter("ul", "ol"):
        items = [item for item in each if item.tag == "li"]
        if items and all(item.find(".//a") is not None for item in items):
            text, linked = _lengths(each)
            if text < LONGEST_LIST and linked >= 0.8 * text:
                yield each


def _by_name(tree: Any, description: str) -> Iterator[Any]:
    """By the names that publishers use: captions that stand in no figure, kickers, and the standfirst if it is the
    page's description."""
    for tag in tree.iter("p", "div", "span", "h2", "h3", "h4", "strong"):
        name = tag.get("class")
        if name and (_CAPTION.search(name) or _is_kicker(tag, name) or _is_standfirst(tag, name, description)):
            yield tag


def _is_kicker(tag: Any, name: str) -> bool:
    return _KICKER.search(name) is not None and _length(tag) <= LONGEST_KICKER


def _is_standfirst(tag: Any, name: str, description: str) -> bool:
    if not description or not _STANDFIRST.search(name):
        return False
    return key(text_of(tag, 2 * len(description))) == key(description)


def _lengths(tag: Any) -> tuple[int, int]:
    """Characters of text, and how many of them are links."""
    links = [link for link in tag.iter("a")]
    if not links:
        return 0, 0
    return _length(tag), sum(map(_length, links))


def _length(tag: Any) -> int:
    return len(text_of(tag, LONGEST_LIST))
