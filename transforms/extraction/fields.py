"""Which of the things that a page says of itself is believed, field by field."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urljoin

from transforms.extraction.metadata import Metadata, as_list, plain, types_of
from transforms.extraction.shown import SHOWN
from transforms.formats.fields import text_in
from transforms.pages import key
from transforms.urls import canonical, host_name, path_segments

PRECEDENCE: dict[str, tuple[str, ...]] = {
    # h1 before og:title loses 19 of 129 titles of news pages, JSON-LD first 4.
    "title": (
        *("meta og:title", "jsonld headline", "item headline", "page h1", "meta twitter:title", "meta parsely-title"),
        *("meta sailthru.title", "meta dc.title", "meta headline", "page title"),
    ),
    "authors": (
        *("jsonld author", "jsonld creator", "meta article:author", "meta author", "meta parsely-author"),
        *("meta sailthru.author", "meta dc.creator", "meta byl", "meta og:author", "meta cxenseparse:author"),
        *("meta article:author_name", "item author", "page byline"),
    ),
    "published": (
        *("jsonld datePublished", "nodes datePublished", "meta article:published_time", "meta og:published_time"),
        *("meta article:published", "meta og:article:published_time", "meta datepublished", "meta parsely-pub-date"),
        *("meta sailthru.date", "meta cxenseparse:recs:publishtime", "meta publish-date", "meta publishdate"),
        *("meta pubdate", "meta dc.date.issued", "meta dcterms.created", "meta dcterms.date", "meta dc.date"),
        *("meta date", "meta article_date_original", "jsonld dateCreated", "item datepublished", "page time"),
    ),
    "updated": (
        *("jsonld dateModified", "meta article:modified_time", "meta og:updated_time", "meta datemodified"),
        *("meta dcterms.modified", "item datemodified", "meta last-modified"),
    ),
    "summary": ("meta og:description", "meta description", "meta twitter:description", "jsonld description"),
    "section": (
        *("jsonld articleSection", "meta article:section", "meta parsely-section", "meta sailthru.section"),
        *("meta section", "meta cxenseparse:recs:articlesection", "item articlesection", "page breadcrumb"),
    ),
    "categories": (
        *("jsonld keywords", "meta article:tag", "meta news_keywords", "meta parsely-tags", "meta sailthru.tags"),
        "meta keywords",
    ),
    "language": (
        *("page lang", "jsonld inLanguage", "meta og:locale", "meta content-language", "meta language"),
        "meta dc.language",
    ),
    "canonical_url": ("page canonical", "meta og:url", "jsonld url"),
    "image_url": (
        *("meta og:image", "meta og:image:url", "meta og:image:secure_url", "meta twitter:image"),
        *("meta twitter:image:src", "meta parsely-image-url", "jsonld image", "item image"),
    ),
    "source": ("meta og:site_name", "jsonld publisher", "meta application-name", "meta publisher"),
}
"""For each field the places where it is looked for, the surest first.

`jsonld`: of the node that describes the article; `nodes`: of any other; `meta`: by property or name; `item`:
microdata; `page`: what stands in the markup itself, by a function of that name in shown.py.
"""
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z0-9-]+)?")


class Page(NamedTuple):
    """A page, taken apart."""

    tree: Any
    data: Metadata
    url: str | None


def told(page: Page, field: str) -> Iterator[tuple[str, list[str]]]:
    """What each place says of a field: the place, and the cleaned texts there; places that say nothing are left out."""
    for place in PRECEDENCE[field]:
        if values := texts(page, place):
            yield place, values


def first(page: Page, field: str) -> str | None:
    """What the first place says that says anything."""
    return next((values[0] for _, values in told(page, field)), None)


def texts(page: Page, place: str) -> list[str]:
    """The cleaned texts in one place."""
    kind, _, name = place.partition(" ")
    match kind:
        case "jsonld":
            found: Iterable[object] = _texts_of(page.data.article.get(name))
        case "nodes":
            found = (text for node in page.data.nodes for text in _texts_of(node.get(name)))
        case "meta":
            found = page.data.meta.get(name, [])
        case "item":
            found = page.data.items.get(name, [])
        case _:
            found = SHOWN[name](page.tree, page.data)
    return list(filter(None, map(plain, found)))


def _texts_of(value: object) -> list[str]:
    """Texts, numbers, and of objects their names."""
    return list(filter(None, (text_in(one, ", ") for one in as_list(value)[:100])))


def section_and_categories(page: Page, title: str) -> tuple[str | None, list[str]]:
    """The section, and what else the page is filed under. A section that only repeats the headline is none."""
    sections = [part for part in _listed(page, "section") if key(part) != key(title)]
    return (sections[0] if sections else None), list(dict.fromkeys([*sections[1:], *_listed(page, "categories")]))


def _listed(page: Page, field: str) -> list[str]:
    """A single text may hold a list."""
    values = next((values for _, values in told(page, field)), [])
    return [part for text in values for part in (re.split(r"\s*[,;]\s*", text) if len(values) == 1 else [text]) if part]


def language(page: Page) -> str | None:
    """The first that looks like a code."""
    values = (value for _, found in told(page, "language") for value in found)
    return next((value for value in values if _LANGUAGE.fullmatch(value)), None)


def addresses(page: Page) -> Iterator[str]:
    """The addresses that the page gives as its own, the surest first."""
    values = (value for _, found in told(page, "canonical_url") for value in found)
    yield from (url for value in values if (url := _absolute(page, value)))


def canonical_url(page: Page) -> str | None:
    """The first address that names a page; a site's front page only if the page may be that."""
    may_be_front = page.url is not None and not path_segments(page.url)
    return next((url for url in addresses(page) if path_segments(url) or may_be_front), None)


def image_url(page: Page) -> str | None:
    """The leading image."""
    values = (value for _, found in told(page, "image_url") for value in found)
    return next((url for value in values if (url := _absolute(page, value))), None)


def _absolute(page: Page, url: str) -> str | None:
    try:
        url = urljoin(page.url or "", url)
    except ValueError:
        return None
    return url if canonical(url) else None


def site_names(page: Page) -> list[str]:
    """What the site may be called: by itself, by its organisation, by its host."""
    names = [name for _, found in told(page, "source") for name in found]
    nodes = (node for node in page.data.nodes if re.search("Organization|WebSite", types_of(node)))
    names += [plain(node.get("name")) for node in nodes if isinstance(node.get("name"), str)]
    host = host_name(page.url or canonical_url(page)) or ""
    labels = host.removeprefix("m.").removeprefix("amp.").split(".")
    names += [host, *(labels[-2:-1]), labels[0]]
    return list(dict.fromkeys(name for name in names if name))
