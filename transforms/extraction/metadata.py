"""What a page says of itself, for machines: JSON-LD, meta tags, microdata."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, NamedTuple

import msgspec

from transforms.text import one_line

Node = dict[str, Any]
LONGEST_SCRIPT = 2_000_000
"""Characters of a JSON-LD script that is read."""
MOST_NODES = 2_000
"""JSON-LD objects and microdata properties that are looked at."""
LONGEST_VALUE = 10_000
"""Characters of a field that are cleaned."""
_WRAPPED = re.compile(
    r"\s*(?://|/\*)?\s*(?:<!\[CDATA\[|<!--)(?:\s*\*/)?|(?:(?://|/\*)\s*)?(?:\]\]>|-->)(?:\s*\*/)?\s*$"
)
_LAST_COMMA = re.compile(r",(?=\s{0,200}[}\]])")
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrtu])')
_ARTICLE = re.compile(r"Article\b|BlogPosting\b|Report\b|Reportage")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>")
_WANTED = ("headline", "author", "datePublished", "articleBody", "image", "articleSection")
_OPENED = ("mainEntity", "@graph", "mainEntityOfPage")


class Metadata(NamedTuple):
    """What a page says of itself."""

    nodes: list[Node]
    """Every JSON-LD object, in the page's order; graphs and lists are opened."""
    article: Node
    """The one that describes the article; empty if there is none."""
    meta: dict[str, list[str]]
    """Contents of the meta tags by name, in lower case."""
    items: dict[str, list[str]]
    """Microdata of the article, by property."""
    problems: list[str]


def read_metadata(tree: Any) -> Metadata:
    """The metadata of a page; what cannot be read of it is left out, with a note."""
    nodes, problems = _nodes(tree)
    return Metadata(nodes, _article_of(nodes), _meta(tree), _items(tree), problems)


def plain(value: object) -> str:
    """A field as one line of text, without entities (some pages escape them twice) and tags."""
    text = str(value or "")[:LONGEST_VALUE]
    if "&" in text:
        text = unescape(unescape(text))
    return one_line(_TAG.sub(" ", text) if "<" in text else text)


def text_of(tag: Any, most: int = 1_000) -> str:
    """The text in an element, on one line, up to so many characters: elements can lie in each other 250 deep."""
    parts: list[str] = []
    for part in tag.itertext():
        parts.append(part[:most])
        most -= len(part)
        if most <= 0:
            break
    return " ".join("".join(parts).split())


def as_list(value: object) -> list[Any]:
    """Whatever stands there as a list, since JSON-LD lets one value stand for a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def types_of(node: Node) -> str:
    """The types of a node, between blanks."""
    return " ".join(str(name) for name in as_list(node.get("@type")))


def is_article(node: Node) -> bool:
    """Whether a node says that it is an article, of any kind."""
    return _ARTICLE.search(types_of(node)) is not None


def _nodes(tree: Any) -> tuple[list[Node], list[str]]:
    nodes: list[Node] = []
    problems: list[str] = []
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or "").lower() or not script.text:
            continue
        try:
            nodes += _opened(_load(script.text))
        except (ValueError, RecursionError) as error:
            problems.append(f"JSON-LD not read: {str(error)[:100]}")
        if len(nodes) > MOST_NODES:
            break
    return nodes[:MOST_NODES], list(dict.fromkeys(problems))


def _load(text: str) -> object:
    """The value of a script. Forgiven are CDATA and comment marks, line breaks in texts, last commas, bad escapes.

    Raises ValueError, RecursionError.
    """
    if len(text) > LONGEST_SCRIPT:
        raise ValueError(f"longer than {LONGEST_SCRIPT:,} characters")
    try:
        return msgspec.json.decode(text)
    except ValueError:
        text = _WRAPPED.sub("", text.strip()).strip().rstrip(";")
    for mended in (text, _LAST_COMMA.sub("", text)):
        try:
            return json.loads(mended, strict=False)
        except ValueError:
            continue
    return json.loads(_BAD_ESCAPE.sub(r"\\\\", _LAST_COMMA.sub("", text)), strict=False)


def _opened(value: object) -> Iterator[Node]:
    """The objects in a value, in order: of lists and graphs each, and what an object says that the page is about."""
    todo, seen = [value], 0
    while todo and seen < MOST_NODES:
        seen += 1
        one = todo.pop()
        if isinstance(one, list):
            todo += one[:MOST_NODES][::-1]
        elif isinstance(one, dict):
            yield one
            todo += [inner for key in _OPENED for inner in as_list(one.get(key)) if isinstance(inner, dict | list)]


def _article_of(nodes: list[Node]) -> Node:
    """Of the nodes typed as articles the one that says most, the first of equals; else one with headline and date."""
    typed = [node for node in nodes if is_article(node)]
    found = typed or [node for node in nodes if node.get("datePublished") and node.get("headline")]
    return max(found, key=lambda node: sum(bool(node.get(name)) for name in _WANTED), default={})


def _meta(tree: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for tag in tree.iter("meta"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or tag.get("http-equiv")
        content = (tag.get("content") or "").strip()
        if name and content:
            found.setdefault(name.strip().lower(), []).append(content)
    return found


def _items(tree: Any) -> dict[str, list[str]]:
    """The properties of the page's article in microdata: of the first that has a body, else of the only one."""
    scopes = tree.xpath('//*[@itemscope][contains(@itemtype, "Article") or contains(@itemtype, "BlogPosting")]')
    with_body = [scope for scope in scopes[:20] if scope.xpath('boolean(.//*[@itemprop="articleBody"])')]
    scope = with_body[0] if with_body else scopes[0] if len(scopes) == 1 else None
    found: dict[str, list[str]] = {}
    for tag in scope.xpath(".//*[@itemprop]")[:MOST_NODES] if scope is not None else []:
        for name in tag.get("itemprop").split()[:5]:
            if name != "articleBody" and (value := _item_value(tag, name)):
                found.setdefault(name.lower(), []).append(value)
    return found


def _item_value(tag: Any, name: str) -> str:
    """As HTML has it: of some tags an attribute, else the text; of a person the name."""
    value = tag.get("content") or tag.get("datetime")
    if not value and tag.tag in ("img", "a", "link") and name in ("image", "url", "mainEntityOfPage"):
        value = tag.get("src") or tag.get("href")
    if not value and tag.get("itemscope") is not None:
        names = tag.xpath('.//*[@itemprop="name" or @itemprop="url"]')
        return _item_value(names[0], "") if names else ""
    return plain(value or text_of(tag))
