"""A news page in, the fields of a Record out."""

from datetime import UTC, datetime
from typing import Any

from transforms.dates import date_in_url
from transforms.extraction.authors import read_authors
from transforms.extraction.body import find_standfirst, read_body
from transforms.extraction.errors import NotAnArticle
from transforms.extraction.fields import (
    Page,
    addresses,
    canonical_url,
    first,
    image_url,
    language,
    section_and_categories,
    site_names,
    told,
)
from transforms.extraction.kinds import cut_short, other_kind, read_signs
from transforms.extraction.markup import is_too_deep, read_markup
from transforms.extraction.metadata import read_metadata
from transforms.extraction.shown import shown_dates
from transforms.extraction.titles import read_titles

FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
"""Stands for the clock, which is not read here."""
MOST_DATES = 10
"""Texts of metadata that are tried as the date of publication."""


def extract(markup: bytes, url: str | None = None, charset: str | None = None) -> dict[str, Any]:
    """The fields of a Record, as keyword arguments: what the page says of itself, and its text in paragraphs.

    `url` is where the page is from, if that is known; `charset` what the server said of its encoding.
    Raises NotAnArticle for a page that is something else, or beyond a limit.
    """
    elements, notes = read_markup(markup, charset)
    tree = elements[0]
    page = Page(tree, read_metadata(tree), url)
    sites = site_names(page)
    titles = read_titles(page, sites)
    title = titles[0] if titles else ""
    authors = read_authors(page, sites)
    section, categories = section_and_categories(page, title)
    description = first(page, "summary") or ""
    dated = {place: values[:3] for place, values in told(page, "published")}
    dates = list(dict.fromkeys(value for values in dated.values() for value in values))
    is_dated = any(place != "page time" for place in dated) or sum(1 for _ in tree.iter("time")) == 1
    address = url or next(addresses(page), None)
    fields: dict[str, Any] = {
        "title": title,
        "url": url,
        "canonical_url": canonical_url(page),
        "published": dates[0] if dates else None,
        "more_dates": dates[1:MOST_DATES],
        "shown_dates": shown_dates(tree, needs_any=not dates and not date_in_url(address, FAR_AHEAD)),
        "updated": first(page, "updated"),
        "authors": authors,
        "language": language(page),
        "source": first(page, "source"),
        "section": section,
        "categories": categories,
        "image_url": image_url(page),
    }
    body = read_body(tree, page.data.nodes, titles, authors, description)
    signs = read_signs(page, address, titles, body, is_dated)
    if problem := other_kind(page, signs):
        raise NotAnArticle(problem.error_class, problem.error)
    if not body:
        raise _no_text(tree)
    fields["summary"] = find_standfirst(tree, description, body) or description
    fields["text"] = "\n\n".join(body)
    fields["problems"] = [*notes, *page.data.problems, *cut_short(page, signs)]
    return {name: value for name, value in fields.items() if value}


def _no_text(tree: Any) -> NotAnArticle:
    if is_too_deep(tree):
        return NotAnArticle("TooDeep", "The page's tags are nested so deeply that its text is lost.")
    return NotAnArticle("NoText", "The page holds no text that is an article.")
