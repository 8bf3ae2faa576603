"""Which topic the publisher gives an article: by its section, its categories or its address."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from msgspec.structs import replace

from schemas.records import Article, Score
from transforms.urls import path_segments

TAXONOMY = "IPTC Media Topics 1"
"""The set of topics that rows were filed under, and the version of our table; it stands in `runs`."""
TABLE = Path(__file__).parent / "data" / "topics.yaml"
_NO_WORD = re.compile(r"[\W_]+")
_PARTS = re.compile(r"\s*(?:[/>|,;:»·&+]|\s-\s|\b(?:and|und|et|y|e|en)\b)\s*")


class Topics(NamedTuple):
    """The topics: code by slug, name by slug, and slug by what publishers call it (folded)."""

    codes: dict[str, str]
    names: dict[str, str]
    slugs: dict[str, str]


@cache
def topics() -> Topics:
    """The table in data/topics.yaml. Raises ValueError if a name stands under two topics."""
    table: dict[str, Any] = yaml.load(TABLE.read_bytes(), yaml.CSafeLoader)["topics"]
    slugs: dict[str, str] = {}
    for slug, topic in table.items():
        for name in map(_folded, [*topic["sections"], topic["name"]]):
            if slugs.setdefault(name, slug) != slug:
                raise ValueError(f"{TABLE.name}: {name!r} stands under both {slugs[name]} and {slug}.")
    codes = {slug: topic["code"] for slug, topic in table.items()}
    return Topics(codes, {slug: topic["name"] for slug, topic in table.items()}, slugs)


def find_topic(article: Article) -> Article:
    """The article with the topic that its section names; else its categories; else its address's path.

    Each counts only if what it names is exactly one topic. Without any the article is `unclassified`, with nulls.
    """
    named = {
        "section": [article.section or ""],
        "category": article.categories,
        "url": path_segments(article.canonical_url or article.url)[:-1],
    }
    for source, labels in named.items():
        if slug := one_topic(labels):
            code = topics().codes[slug]
            return replace(
                article, topic=slug, topic_code=code, topic_source=source, topic_score=1.0, topics=[Score(slug, 1.0)]
            )
    return replace(article, topic="unclassified", topic_code=None, topic_source=None, topic_score=None, topics=[])


def one_topic(labels: Iterable[str]) -> str | None:
    """The slug of the one topic that the labels name; None if they name none or several."""
    found = {slug for label in labels for slug in named_topics(label)}
    return found.pop() if len(found) == 1 else None


@lru_cache(4096)
def named_topics(label: str) -> frozenset[str]:
    """The topics that a label names, as a whole (`Science and technology`) or by its parts (`News > Sport`)."""
    slugs = topics().slugs
    if slug := slugs.get(_folded(label)):
        return frozenset([slug])
    parts = (slugs.get(_folded(part)) for part in _PARTS.split(label[:200].lower()))
    return frozenset(slug for slug in parts if slug)


def _folded(label: str) -> str:
    """Without case, accents and punctuation; `&` is `and`."""
    plain = unicodedata.normalize("NFKD", label[:200].replace("&", " and ").casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _NO_WORD.sub(" ", letters).strip()
