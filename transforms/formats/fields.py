"""From a row of any shape to the fields of a Record: which key means what, and texts out of whatever stands there."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

TEXTS: dict[str, tuple[str, ...]] = {
    "title": ("title", "headline", "heading", "header", "name"),
    "summary": (
        *("summary", "description", "standfirst", "abstract", "excerpt", "subtitle", "subheadline", "dek", "lead"),
        *("teaser", "snippet", "intro"),
    ),
    "text": (
        *("maintext", "text", "body", "content", "article", "articletext", "articlebody", "bodytext", "contenttext"),
        *("fulltext", "plaintext", "cleantext", "story", "articlecontent", "bodyplain"),
    ),
    "id": ("id", "guid", "uuid", "articleid", "docid", "documentid", "_id", "uid", "newsid", "storyid"),
    "url": ("url", "link", "href", "uri", "articleurl", "sourceurl", "permalink", "weburl", "pageurl"),
    "canonical_url": ("canonicalurl", "canonical", "canonicallink"),
    "published": (
        *("published", "publishedat", "datepublished", "publisheddate", "publicationdate", "publishdate", "pubdate"),
        *("publishedon", "publishtime", "publishedtime", "pubtime", "date", "datetime"),
        *("firstpublished", "webpublicationdate", "timestamp", "created", "createdat", "datecreated", "time"),
    ),
    "updated": (
        *("updated", "updatedat", "dateupdated", "modified", "modifiedat", "datemodified", "lastmodified"),
        *("modifieddate", "lastupdated", "updateddate"),
    ),
    "language": ("language", "lang", "languagecode", "inlanguage", "locale"),
    "source": (
        *("source", "publisher", "sourcename", "publication", "publishername", "site", "sitename", "domain"),
        *("sourcedomain", "outlet", "newspaper", "hostname"),
    ),
    "section": ("sectionname", "section", "articlesection", "desk", "rubric", "rubrik", "channel", "topic"),
    "image_url": ("image", "imageurl", "imagelink", "urltoimage", "topimage", "thumbnail", "leadimage", "mainimage"),
}
LISTS: dict[str, tuple[str, ...]] = {
    "authors": ("authors", "author", "byline", "creator", "creators", "writer", "writers", "contributors"),
    "categories": ("categories", "categoryname", "category", "tags", "keywords", "topics", "subjects", "labels"),
}
"""The usual keys of each field, folded by `folded`, the surest first."""
MAPPABLE = frozenset(TEXTS) | frozenset(LISTS)
"""The fields of Record that a column mapping may name."""
INNER = "name text value rendered content title url href src label $date $oid @value"
"""Where an object keeps its text, the surest first: people, JSON-LD, WordPress, MongoDB exports."""
DEEPEST = 4
"""Levels of lists and objects within a field in which text is looked for."""
LONGEST_LIST = 1_000
"""Authors or categories that are kept."""
KEYS = frozenset(key for keys in (TEXTS | LISTS).values() for key in keys)
"""The usual keys of all fields."""
_RANK = {key: (field, rank) for field, keys in (TEXTS | LISTS).items() for rank, key in enumerate(keys)}
_INNER = INNER.split()
_SURROGATE = re.compile("[\ud800-\udfff]")


class NoText(Exception):
    """Raised for a row that has neither a title nor a text."""


def fields_of(row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The texts and lists of a Record, as keyword arguments. A field that `mapping` names has no other key.

    Raises NoText where there is neither a title nor a text.
    """
    fields: dict[str, Any] = {field: value for field, (_, value) in _usual(row).items() if field not in mapping}
    fields |= {field: value for field, path in mapping.items() if (value := _read(field, _follow(row, path)))}
    if "title" not in fields and "text" not in fields:
        raise NoText(_where_is_the_text(row))
    return fields


def _usual(row: Mapping[str, Any]) -> dict[str, tuple[int, str | list[str]]]:
    """For each field the surest of its usual keys that holds something."""
    best: dict[str, tuple[int, str | list[str]]] = {}
    for key, value in row.items():
        field, rank = _RANK.get(folded(key), ("", 0)) if len(key) <= 40 else ("", 0)
        if field and (field not in best or rank < best[field][0]):
            read = _read(field, value)
            if read:
                best[field] = rank, read
    return best


def _read(field: str, value: object) -> str | list[str] | None:
    if field in LISTS:
        return texts_in(value)
    return text_in(value, "\n\n" if field == "text" else ", ")


@lru_cache(4096)
def folded(key: str) -> str:
    """The key without case, and without what divides its words: publishedAt, published_at and Published-At are one."""
    return key if key.startswith("_") else re.sub("[^a-z0-9]", "", key.lower())


def _follow(row: Mapping[str, Any], path: str) -> object:
    """What stands under a key, or under a path of keys with dots; None if nothing does."""
    value: object = row
    if path in row:
        return row[path]
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_in(value: object, between: str, deepest: int = DEEPEST) -> str | None:
    """The text of whatever stands there: numbers written out, lists joined, objects by name or text; else None."""
    match value:
        case str():
            return value if value.strip() else None
        case bool() | None:
            return None
        case int() | float():
            return str(value) if math.isfinite(value) and abs(value) < 1e20 else None
        case list() if deepest:
            return between.join(filter(None, (text_in(item, between, deepest - 1) for item in value))) or None
        case dict() if deepest:
            return next(filter(None, (text_in(value.get(key), between, deepest - 1) for key in _INNER)), None)
    return None


def texts_in(value: object) -> list[str]:
    """A list's texts one by one; a text or an object as the only one. None twice."""
    items = value[:LONGEST_LIST] if isinstance(value, list) else [value]
    texts = (text_in(item, " ") for item in items)
    return list(dict.fromkeys(text.strip() for text in texts if text))


def _where_is_the_text(row: Mapping[str, Any]) -> str:
    keys = ", ".join(key[:40] for key in list(row)[:20]) or "none"
    return f"The record has neither a title nor a text. Its keys: {keys}. Map the right ones to title and text."


def without_surrogates(value: object) -> object:
    """The value with U+FFFD for each lone surrogate, which no encoding can write. Raises RecursionError if too deep."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [without_surrogates(item) for item in value]
        case dict():
            return {_SURROGATE.sub("\ufffd", key): without_surrogates(item) for key, item in value.items()}
    return value
