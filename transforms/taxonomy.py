"""The topics that articles are filed under, and what publishers call them: IPTC's 17, or a file of the user's."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import msgspec
import xxhash
import yaml
from msgspec import Struct

from schemas.errors import UsageError

IPTC = str(Path(__file__).parent / "data" / "topics.yaml")
UNCLASSIFIED = "unclassified"
MOST_TOPICS = 500
"""Each is a folder a day."""
_SLUG = re.compile("[a-z0-9][a-z0-9_-]{0,49}")
_NO_WORD = re.compile(r"[\W_]+")
_PARTS = re.compile(r"\s*(?:[/>|,;:»·&+]|\s-\s|\b(?:and|und|et|y|e|en)\b)\s*")


class Topic(Struct, frozen=True, forbid_unknown_fields=True):
    """A topic as the file has it. Its key there, the slug, is the name of its folders."""

    name: str = ""
    code: str | None = None
    sections: list[str] = []
    """What publishers call it."""
    keywords: list[str] = []
    """Words that tell it, for training."""
    examples: list[str] = []
    """Headlines that belong there, for training."""


class TaxonomyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the taxonomy's name, and its topics by slug."""

    taxonomy: str
    topics: dict[str, Topic]


class Taxonomy(Struct, frozen=True):
    """A set of topics."""

    name: str
    """As the file says, and the first digits of a hash of the slugs: another set never goes by the same name."""
    topics: dict[str, Topic]
    slugs: dict[str, str]
    """The topic that each publisher's label (folded) stands for."""


@cache
def taxonomy(path: str = IPTC) -> Taxonomy:
    """The taxonomy in a YAML file. Raises UsageError, which names the file and what is wrong."""
    try:
        values = yaml.load(Path(path).read_bytes(), yaml.CSafeLoader)
        file = msgspec.convert(values, TaxonomyFile)
    except OSError as error:
        raise UsageError(f"{path}: the topics cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())} (docs/topics.md shows such a file).") from error
    _check(path, file)
    digits = xxhash.xxh3_64_hexdigest("\n".join(sorted(file.topics)).encode())[:8]
    return Taxonomy(f"{file.taxonomy} {digits}", file.topics, _slugs(path, file))


def _check(path: str, file: TaxonomyFile) -> None:
    if not file.taxonomy.isprintable() or not 0 < len(file.taxonomy) <= 100:
        raise UsageError(f"{path}: give the taxonomy a name of 1 to 100 characters.")
    if not 2 <= len(file.topics) <= MOST_TOPICS:
        raise UsageError(f"{path}: there have to be 2 to {MOST_TOPICS} topics, not {len(file.topics)}.")
    for slug in file.topics:
        if not _SLUG.fullmatch(slug) or slug == UNCLASSIFIED:
            raise UsageError(
                f"{path}: {slug!r} cannot name a topic's folder: use up to 50 of a-z, 0-9, - and _, beginning with a "
                f"letter or digit, and not {UNCLASSIFIED!r}."
            )


def _slugs(path: str, file: TaxonomyFile) -> dict[str, str]:
    slugs: dict[str, str] = {}
    for slug, topic in file.topics.items():
        for name in filter(None, map(_folded, [*topic.sections, topic.name or slug])):
            if slugs.setdefault(name, slug) != slug:
                raise UsageError(f"{path}: {name!r} stands under both {slugs[name]} and {slug}.")
    return slugs


def one_topic(labels: Iterable[str], path: str = IPTC) -> str | None:
    """The slug of the one topic that the labels name; None if they name none or several."""
    found = {slug for label in labels for slug in named_topics(label, path)}
    return found.pop() if len(found) == 1 else None


@lru_cache(4096)
def named_topics(label: str, path: str = IPTC) -> frozenset[str]:
    """The topics that a label names, as a whole (`Science and technology`) or by its parts (`News > Sport`)."""
    slugs = taxonomy(path).slugs
    if slug := slugs.get(_folded(label)):
        return frozenset([slug])
    parts = (slugs.get(_folded(part)) for part in _PARTS.split(label[:200].lower()))
    return frozenset(slug for slug in parts if slug)


def _folded(label: str) -> str:
    """Without case, accents and punctuation; `&` is `and`."""
    plain = unicodedata.normalize("NFKD", label[:200].replace("&", " and ").casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _NO_WORD.sub(" ", letters).strip()
