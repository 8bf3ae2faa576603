"""The markup inside a feed: text in paragraphs, titles in one line, the first picture."""

import re
from html import unescape
from typing import NamedTuple

from transforms.extraction import html_to_paragraphs
from transforms.feeds.links import absolute


class Markup(NamedTuple):
    """A text that may be HTML, and the address that its links are relative to."""

    value: str
    base: str | None
    is_html: bool = True


_TAG = re.compile(r"</?[a-z][^<>]*>|<!--", re.IGNORECASE)
_SURE_TAG = re.compile(r"</[a-z]|<(?:br|img)\b|/>", re.IGNORECASE)
"""In a title: `<blink>` by itself may be what it is about."""
_IMAGE = re.compile(r"<img\b([^<>]*)>", re.IGNORECASE)
_SOURCE = re.compile(r"(?:^|\s)(?:data-)?src\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_TINY = re.compile(r"(?:^|\s)(?:width|height)\s*=\s*['\"]?[01](?:px)?\b", re.IGNORECASE)
MOST_IMAGES = 20
"""Of a text that are looked at."""


def clean(markup: Markup) -> str | None:
    """The text in paragraphs; None if there is none."""
    if markup.is_html and (_TAG.search(markup.value) or "&" in markup.value):
        return html_to_paragraphs(markup.value) or None
    return markup.value.strip() or None


def plain_title(value: str | None, is_html: bool | None = None) -> str | None:
    """A title in one line, without tags. `is_html` is None where the feed does not say whether it is markup."""
    if value and is_html is not False and (_TAG if is_html else _SURE_TAG).search(value):
        value = html_to_paragraphs(value)
    return " ".join((value or "").split()) or None


def first_image(html: str | None, base: str | None) -> str | None:
    """The first picture of a text that is not one of the single dots by which readers are counted."""
    for at, image in enumerate(_IMAGE.finditer(html or "")):
        source = _SOURCE.search(image[1])
        if at >= MOST_IMAGES:
            break
        if source and not _TINY.search(image[1]):
            address = absolute(unescape(next(filter(None, source.groups()), "")), base)
            if address:
                return address
    return None
