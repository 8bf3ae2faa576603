"""From what a model saw in one article to its names: rules, the user's gazetteer, one name each, keys, countries."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.records import Article, Entity
from transforms.countries import countries, dateline, story_countries
from transforms.decoder import Span
from transforms.gazetteer import Hit
from transforms.name_keys import Context, Meaning, listed_meaning, meanings
from transforms.name_rules import Mention, settled
from transforms.name_words import NUMBERS, REGNAL, read_words

DEFAULT_LABELS = ("PERSON", "ORG", "GPE", "LOC", "NORP", "EVENT", "PRODUCT", "WORK_OF_ART", "LAW", "FAC")
RULES = 1
"""The version of the rules of names and keys: raise it when other names or keys come out. It stands in `runs`."""
_FIELDS = ("title", "body")


class Wanted(NamedTuple):
    """What is kept of a model's names: which labels; and what finds the names of the user's gazetteer."""

    labels: frozenset[str]
    listed: Callable[[str], list[Hit]] | None = None


def annotated(article: Article, spans: Sequence[Sequence[Span]], wanted: Wanted) -> Article:
    """The article with its names, by the model's spans in title and body, and with the countries that it is about."""
    texts, language = (article.title, article.body), article.language or "en"
    known = countries(language)
    line = dateline(article.body, known)
    read = [one for field in (0, 1) for one in _mentions(field, texts[field], spans[field], language, wanted.labels)]
    fixed: dict[str, str] = {line.city: "GPE"} if line else {}
    listed: dict[str, Meaning] = {}
    if wanted.listed:
        for field, text in enumerate(texts):
            read = _with_hits(read, field, text, wanted.listed(text), listed)
        fixed |= {words: meaning.key.partition(":")[0] for words, meaning in listed.items()}
    names = settled(texts, read, fixed)
    context = Context(names.labels, names.expansions, listed, language, article.article_id)
    entities = list(map(_entity, names.mentions, meanings(names.mentions, context)))
    if not wanted.labels.issuperset(DEFAULT_LABELS):  # rules may have given a name a label that is not wanted
        kept = wanted.labels.union(fixed[words] for words in listed)
        entities = [entity for entity in entities if entity.label in kept]
    about = story_countries(line.country if line else None, [one.country for one in entities if one.country])
    return replace(article, entities=entities, countries=about)


def _mentions(field: int, text: str, spans: Sequence[Span], language: str, labels: frozenset[str]) -> Iterator[Mention]:
    """The spans of one text as they are read; those of other labels are left out."""
    free = 0
    for at, end, model_label in spans:
        if model_label in NUMBERS and model_label not in labels:
            continue
        for cut, words, label in read_words(text[at:end], model_label, language):
            start = at + cut
            title = _regnal_before(text, start) if label == "PERSON" and " " not in words else ""
            if title and start - len(title) >= free:
                words, start = title + words, start - len(title)
            if label in labels and start >= free:
                free = start + len(words)
                yield Mention(field, start, free, words, label)


def _regnal_before(text: str, start: int) -> str:
    """The title of a king and the like that stands before a name; empty if none does."""
    before = text[max(0, start - 9) : start]
    return next((title for title in REGNAL if before.endswith(title)), "") if before.endswith(REGNAL) else ""


def _with_hits(
    mentions: Sequence[Mention], field: int, text: str, hits: Sequence[Hit], listed: dict[str, Meaning]
) -> list[Mention]:
    """The mentions with the gazetteer's hits in one text, which take the place of those that they overlap.

    What the gazetteer says of words is noted in `listed`.
    """
    found = [Mention(field, hit.start, hit.end, text[hit.start : hit.end], hit.label) for hit in hits]
    for hit, mention in zip(hits, found, strict=True):
        listed.setdefault(mention.words, listed_meaning(hit.label, hit.name or mention.words, hit.id))
    taken = {place for hit in hits for place in range(hit.start, hit.end)}
    kept = [one for one in mentions if one.field != field or taken.isdisjoint(range(one.start, one.end))]
    return sorted(kept + found, key=lambda one: (one.field, one.start))


def _entity(mention: Mention, meaning: Meaning) -> Entity:
    return Entity(
        text=mention.words,
        name=meaning.name,
        label=meaning.key.partition(":")[0],
        key=meaning.key,
        country=meaning.country,
        external_id=meaning.external_id,
        field=_FIELDS[mention.field],
        start=mention.start,
        end=mention.end,
    )
