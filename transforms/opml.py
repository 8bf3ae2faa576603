"""OPML, the lists of feeds that readers exchange (opml.org, version 2.0): read leniently, written strictly.

Of 118 published lists of news feeds 80 are not well-formed XML, for a bare `&` or quotation marks inside of a text.
"""

import re
from collections.abc import Iterable, Iterator

from lxml import etree
from msgspec import Struct

from schemas.records import Problem
from transforms.addresses import feed_address
from transforms.formats.base import HEAD, MAX_RECORD
from transforms.formats.encoding import decode
from transforms.text import one_line
from transforms.urls import canonical

MOST_PROBLEMS = 100
"""That are named; a list of anything may have one in each line."""
LONGEST_NAME = 500
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_INNER_QUOTE = re.compile(r'(?<!=)(?<!= )"(?!\s{1,20}[\w:.-]{1,40}\s{0,9}=\s{0,9}"|\s{0,20}[/?]?>)')
"""A quotation mark that neither opens nor closes an attribute."""
_INNER_TAG = re.compile(
    r"<(?!/?(?:\w{1,20}:)?(?:opml|head|body|outline|title|docs|date\w*|owner\w*|expansion\w*|vert\w*|window\w*)\b|[!?])"
    r"(?:(/?[a-z][^<>]{0,1000})>)?",
    re.IGNORECASE,
)
"""A tag or a `<` inside of a text, as in a description: none of OPML's own."""
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?opml\b", re.IGNORECASE)
_OUTLINE = re.compile(r"\bxmlurl\s*=\s*[\"']", re.IGNORECASE)
_SPACE = re.compile(r"[\s\x00-\x1f]")


class Listed(Struct, frozen=True, kw_only=True):
    """One feed of a list."""

    url: str
    title: str | None = None
    groups: tuple[str, ...] = ()
    """The folders that it is in, the outermost first."""
    link: str | None = None
    """The page that it is the feed of."""


class FeedList(Struct, frozen=True, kw_only=True):
    """The feeds of a list, each once, and what was wrong with it, a sentence each."""

    title: str | None = None
    feeds: tuple[Listed, ...] = ()
    problems: tuple[str, ...] = ()


class NotAList(Exception):
    """Raised for what is no OPML; carries a Problem."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.problem = Problem("NotAList", error)


def parse_opml(data: bytes) -> FeedList:
    """The feeds that a list names. Raises NotAList; a list that is damaged gives what can be read of it."""
    if len(data) > MAX_RECORD:
        raise NotAList(f"The list is longer than {MAX_RECORD:,} bytes.")
    text, note = decode(data)
    start = _ROOT.search(text[:HEAD])
    root, problems = _tree(text[start.start() :]) if start else (None, [])
    if root is None or _tag(root) != "opml":
        raise NotAList("This is no OPML: there is no element <opml>.")
    problems += [note] if note else []
    feeds: dict[str, Listed] = {}
    for found in _outlines(root):
        if isinstance(found, str):
            problems.append(found)
        elif found.url in feeds:
            problems.append(f"{found.url} stands there twice; its first place counts")
        else:
            feeds[found.url] = found
    lost = len(_OUTLINE.findall(text)) - sum(1 for one in root.iter() if _attribute(one, "xmlurl") is not None)
    if lost > 0:
        problems.append(f"{lost} outlines stand where the list is too damaged to be read")
    return FeedList(title=_title(root), feeds=tuple(feeds.values()), problems=_some(problems))


def _tree(body: str) -> tuple[etree._Element | None, list[str]]:
    """The list's elements; mended, and with the parser's first complaint, where it is no XML.

    Without what stood before it, a list has no DOCTYPE, and so no entities that could grow.
    """
    try:
        return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True)), []
    except (etree.XMLSyntaxError, ValueError) as error:
        problem = f"not well-formed XML: {str(error)[:200]}"
    try:
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        return etree.fromstring(_mended(body), parser), [problem]
    except (etree.XMLSyntaxError, ValueError):
        return None, [problem]


def _mended(body: str) -> str:
    text = _INNER_TAG.sub(_escaped, _CONTROLS.sub("", _BARE.sub("&amp;", body)))
    return _INNER_QUOTE.sub("&quot;", text)


def _escaped(tag: re.Match[str]) -> str:
    inside = (tag[1] or "").replace('"', "&quot;")
    return f"&lt;{inside}&gt;" if inside else "&lt;"


def _outlines(root: "etree._Element") -> Iterator[Listed | str]:
    """Each feed, in the order of the list, or what is wrong with it."""
    waiting: list[tuple[etree._Element, tuple[str, ...]]] = [(one, ()) for one in reversed(root)]
    while waiting:
        element, groups = waiting.pop()
        inner = groups
        if _tag(element) == "outline":
            found = _outline(element, groups)
            if found:
                yield found
            name = _name(element, "text", "title")
            inner = (*groups, name) if name and not isinstance(found, Listed) else groups
        waiting += [(one, inner) for one in reversed(element)]


def _outline(element: "etree._Element", groups: tuple[str, ...]) -> Listed | str | None:
    """The feed that an outline names, or what is wrong with it; None for a folder, or a link to something else."""
    url = _attribute(element, "xmlurl")
    kind = (_attribute(element, "type") or "").lower()
    title = _name(element, "title", "text")
    if url is None:
        if kind == "include":
            return f"{(_attribute(element, 'url') or '')[:200]} is another list, and not followed"
        return f"{title or 'an outline'} is of type {kind}, but has no xmlUrl" if kind in ("rss", "atom") else None
    address = web_address(url)
    if address is None:
        return f"{title or 'an outline'} has no address of a feed: {one_line(url)[:200]}"
    return Listed(
        url=address,
        title=title if title != address else None,
        groups=groups,
        link=web_address(_attribute(element, "htmlurl") or ""),
    )


def web_address(url: str) -> str | None:
    """An address as lists give it; None if it is none."""
    url = feed_address(url)
    return url if canonical(url) and not _SPACE.search(url) else None


def _tag(element: "etree._Element") -> str:
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def _attribute(element: "etree._Element", name: str) -> str | None:
    """An attribute, whatever the case of its name."""
    return next((str(value) for key, value in element.attrib.items() if str(key).lower() == name), None)


def _name(element: "etree._Element", *attributes: str) -> str | None:
    names = (one_line(_attribute(element, name) or "")[:LONGEST_NAME] for name in attributes)
    return next(filter(None, names), None)


def _title(root: "etree._Element") -> str | None:
    found = next((one for one in root.iter() if _tag(one) == "title"), None)
    return one_line(found.text or "")[:LONGEST_NAME] or None if found is not None else None


def _some(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - MOST_PROBLEMS
    return (*problems[:MOST_PROBLEMS], f"and {more} more problems") if more > 0 else tuple(problems)


def write_opml(feeds: Iterable[Listed], title: str) -> bytes:
    """A list of feeds as OPML 2.0. Feeds of one group stand together, in the order of the groups' first feeds."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = one_line(title)
    folders: dict[tuple[str, ...], etree._Element] = {(): etree.SubElement(root, "body")}
    for feed in feeds:
        folder = folders[()]
        for depth in range(1, len(feed.groups) + 1):
            path = feed.groups[:depth]
            if path not in folders:
                folders[path] = etree.SubElement(folder, "outline", text=path[-1])
            folder = folders[path]
        more = {"htmlUrl": feed.link} if feed.link else {}
        name = feed.title or feed.url
        etree.SubElement(folder, "outline", type="rss", text=name, title=name, xmlUrl=feed.url, **more)
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
