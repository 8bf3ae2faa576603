"""JSON Feed 1.0 and 1.1 (jsonfeed.org)."""

import json
from typing import Any

import msgspec

from transforms.feeds.entries import settled
from transforms.feeds.links import absolute, unwrapped
from transforms.feeds.records import Entry, Feed, NotAFeed
from transforms.feeds.texts import Markup, clean, first_image, plain_title
from transforms.formats.fields import text_in, texts_in, without_surrogates


def read_json(text: str, url: str | None) -> Feed:
    """The feed that a text holds. Raises NotAFeed where it is no JSON, or holds no list of items."""
    row = _loaded(text)
    items = row.get("items") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(items, list):
        raise NotAFeed("OtherJson", "The body is JSON, but has no list of items.")
    link = absolute(text_in(row.get("home_page_url"), " "), url)
    base = link or url
    title, language = text_in(row.get("title"), " "), text_in(row.get("language"), " ")
    shared = {"language": language, "source": title, "authors": _authors(row)}
    entries = [_entry(item if isinstance(item, dict) else {}, base, shared) for item in items]
    return Feed(kind="json1", title=title, link=link, language=language, entries=settled(entries))


def _loaded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise NotAFeed("TooDeep", "The feed's lists and objects are nested too deeply.") from error
    except ValueError:
        try:
            return without_surrogates(json.loads(text.lstrip("\ufeff"), strict=False))
        except (ValueError, RecursionError) as error:
            raise NotAFeed("InvalidJson", f"The feed is not JSON: {str(error)[:200]}.") from error


def _entry(item: dict[str, Any], base: str | None, shared: dict[str, Any]) -> Entry:
    html, plain = text_in(item.get("content_html"), "\n\n"), text_in(item.get("content_text"), "\n\n")
    text = (clean(Markup(html, base)) if html else None) or plain
    summary = text_in(item.get("summary"), " ")
    image = next(filter(None, (absolute(text_in(item.get(key), " "), base) for key in ("image", "banner_image"))), None)
    return Entry(
        title=plain_title(text_in(item.get("title"), " ")),
        summary=summary if text else None,
        text=text or summary,
        id=text_in(item.get("id"), " "),
        url=unwrapped(
            absolute(text_in(item.get("url"), " "), base) or absolute(text_in(item.get("external_url"), " "), base)
        ),
        published=text_in(item.get("date_published"), " "),
        updated=text_in(item.get("date_modified"), " "),
        authors=_authors(item) or shared["authors"],
        language=text_in(item.get("language"), " ") or shared["language"],
        source=shared["source"],
        categories=texts_in(item.get("tags")),
        image_url=image or first_image(html, base),
    )


def _authors(row: dict[str, Any]) -> list[str]:
    """Version 1.1 has `authors`, 1.0 `author`."""
    authors = row.get("authors") if isinstance(row.get("authors"), list) else [row.get("author")]
    return texts_in([one.get("name") for one in authors or [] if isinstance(one, dict)])
