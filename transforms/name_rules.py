"""Rules that see all names of one article: what the words of each are, and where they stand untagged.

A rule decides for words, not for each mention: `Okafor` is one thing throughout an article. So the work goes with the
different names of an article; its text is looked through once, for repeats. All of it is linear in the text.
The gain at the end of each docstring is of F1 (place and label, in per cent) on the half of the cases in tests/names
that the rules were written by; `python -m tests.name_quality --gains` prints it. Some gain nothing there, where
articles are short, but do on longer news: repeats, full names, and the labels of acronyms and after titles.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from transforms.countries import countries
from transforms.name_words import REMEMBERED, without_legal


class Mention(NamedTuple):
    """A name in one of an article's texts: the text's number, its place there in characters, its words and label."""

    field: int
    start: int
    end: int
    words: str
    label: str


Labels = Mapping[str, str]
"""Label by words."""

_HONORIFICS = tuple(f"{title}{dot} " for title in ("Mr", "Mrs", "Ms", "Dr", "Sir", "Dame", "Prof") for dot in ("", "."))
_FIRST_WORD = re.compile(r"[^\W\d_]\w*")
_CAPITALISED = re.compile(r"[A-Z\u00c0-\u00de\u0100-\u0180\u0386-\u03ab\u0400-\u042f]\w*")
_BRACKETED = re.compile(r"[\"”]? \(((?:[A-Z&]\.?){2,10})s?\)")
_SUFFIXES = frozenset(("Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"))
_SPREAD = frozenset(["PERSON", "ORG", "GPE", "LOC", "NORP"])
_NOT_ALONE = frozenset(
    (
        *("May", "March", "April", "June", "August", "Will", "Mark", "Young", "Long", "Day", "King", "Price", "Church"),
        *("State", "House", "Bank", "City", "English", "French", "German", "Said", "North", "South", "East", "West"),
    )
)
"""Surnames that are words besides: they are not looked for where the model saw no name."""
_QUICK_LOOK = 1_000_000
"""Characters that are looked through at most before the pass over a text."""
_LONGEST_PERSON = 5
"""Words of a person's full name at most; longer ones are lists or mistakes."""


def tally(mentions: Sequence[Mention]) -> dict[str, dict[str, int]]:
    """How often which words have which label."""
    counts: dict[str, dict[str, int]] = {}
    for _, _, _, words, label in mentions:
        of_words = counts.get(words)
        if of_words is None:
            counts[words] = {label: 1}
        else:
            of_words[label] = of_words.get(label, 0) + 1
    return counts


def majority(counts: Mapping[str, dict[str, int]]) -> dict[str, str]:
    """The same words have one label throughout an article: the most frequent; of equals the one that came up last,
    since models read headlines worse than sentences.
    """
    return {
        words: next(iter(labels)) if len(labels) == 1 else max(reversed(labels.items()), key=itemgetter(1))[0]
        for words, labels in counts.items()
    }


def companies(labels: Labels) -> dict[str, str]:
    """What an organisation is called without its legal form is one: `Calder Shipping` beside its `Ltd`. +.7."""
    stems = {without_legal(words) for words, label in labels.items() if label == "ORG"}
    return {words: "ORG" for words, label in labels.items() if label in ("PERSON", "PRODUCT", "FAC") and words in stems}


def surnames(labels: Labels) -> dict[str, str]:
    """Words that end a person's full name in this article are a person, whatever the model took them for. +1.0."""
    ends = {end for words, label in labels.items() if label == "PERSON" for end in last_words(words)}
    return {
        words: "PERSON"
        for words, label in labels.items()
        if words in ends and label != "PERSON" and not _is_country(words)
    }


def full_names(labels: Labels) -> dict[str, str]:
    """The other way round: what ends in a word that is a person in this article is that person's full name. +.0."""
    return {
        words: "PERSON"
        for words, label in labels.items()
        if label in ("ORG", "GPE", "LOC", "NORP", "FAC", "PRODUCT")
        and words.count(" ") in (1, 2)
        and labels.get(words.rpartition(" ")[2]) == "PERSON"
        and all(word[:1].isupper() for word in words.split(" "))
    }


@lru_cache(REMEMBERED)
def last_words(name: str) -> tuple[str, ...]:
    """How a person may be called after the first mention: `van Aalst` and `Aalst` of `Ruud van Aalst`."""
    words = name.split(" ")
    if words[-1] in _SUFFIXES:
        words.pop()
    if not 1 < len(words) <= _LONGEST_PERSON:
        return ()
    ends = [" ".join(words[first:]) for first in range(1, len(words))]
    return tuple(form for end in ends for form in dict.fromkeys((end, end[0].upper() + end[1:])) if len(end) > 2)


@lru_cache(REMEMBERED)
def _is_country(words: str) -> bool:
    known = countries("en")
    return words.lower() in known.places or words.lower() in known.peoples


def after_titles(texts: Sequence[str], mentions: Sequence[Mention]) -> dict[str, str]:
    """What follows `Mr.` or `Dr` is a person. +.0."""
    return {
        words: "PERSON"
        for field, start, _, words, label in mentions
        if label != "PERSON" and start > 2 and texts[field].startswith(" ", start - 1)
        and texts[field][max(0, start - 6) : start].endswith(_HONORIFICS)
    }  # fmt: skip


def declared(texts: Sequence[str], mentions: Sequence[Mention]) -> dict[str, str]:
    """Words by the acronym that stands in brackets behind them: `European Union (EU)`. +.0, and +.5 for keys."""
    found: dict[str, str] = {}
    for field, _, end, words, _ in mentions:
        text = texts[field]
        if text.startswith((" (", '" (', "” ("), end) and (bracket := _BRACKETED.match(text, end)):
            acronym = bracket[1]
            if " " in words and acronym[0] == words[0]:
                found.setdefault(acronym, words)
    return found


def acronyms(labels: Labels, expansions: Mapping[str, str]) -> dict[str, str]:
    """An acronym and what it was declared to stand for share a label, which is ORG where the model saw a person."""
    shared: dict[str, str] = {}
    for short, words in expansions.items():
        label = labels.get(words, "ORG")
        shared[short] = shared[words] = "ORG" if label in ("PERSON", "PRODUCT", "FAC", "NORP") else label
    return shared


def repeats(texts: Sequence[str], mentions: Sequence[Mention], wanted: Labels) -> list[Mention]:
    """All mentions, with those of the wanted words that the model left untagged: one pass over the text. +.0."""
    result: list[Mention] = []
    for field, text in enumerate(texts):
        tagged = [mention for mention in mentions if mention.field == field]
        if by_first := _by_first_word(_standing_elsewhere(wanted, text, tagged)):
            more = _untagged(text, tagged, by_first)
            tagged += [Mention(field, start, end, words, wanted[words]) for start, end, words in more]
            tagged.sort(key=_place)
        result += tagged
    return result


def _standing_elsewhere(wanted: Iterable[str], text: str, tagged: Iterable[Mention]) -> list[str]:
    """Of the wanted words those that the text has more often than what is tagged in it: a quick look, to save the pass.

    Each looks through the text, so where there are many for a long text all of them count.
    """
    within = "\n".join([mention.words for mention in tagged])
    some = list(wanted)
    if len(some) * len(text) > _QUICK_LOOK:
        return some
    return [words for words in some if text.count(words) > within.count(words)]


def _by_first_word(some: Iterable[str]) -> dict[str, list[str]]:
    """The words by the first of them, the longest first."""
    by_first: dict[str, list[str]] = {}
    for words in sorted(some, key=len, reverse=True):
        if first := _FIRST_WORD.match(words):
            by_first.setdefault(first[0], []).append(words)
    return by_first


def _place(mention: Mention) -> int:
    return mention.start


def _untagged(
    text: str, tagged: Sequence[Mention], by_first: Mapping[str, list[str]]
) -> Iterator[tuple[int, int, str]]:
    starts = [mention.start for mention in tagged] + [len(text) + 1]
    ends = [mention.end for mention in tagged] + [len(text) + 1]
    next_one, free = 0, 0
    for found in _CAPITALISED.finditer(text):
        several = by_first.get(found[0])
        if several is None:
            continue
        start = found.start()
        while ends[next_one] <= start:
            next_one += 1
        if starts[next_one] <= start or start < free:
            continue
        for words in several:
            end = start + len(words)
            if end <= starts[next_one] and text.startswith(words, start) and _stands_alone(text, start, end):
                yield start, end, words
                free = end
                break


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() or before in _JOINS or after.isalnum() or after in ("_", "-", "@", "/"))


_JOINS = frozenset("_.-@/#'’&")


def worth_looking_for(counts: Mapping[str, Mapping[str, int]], labels: Labels, short: Labels) -> dict[str, str]:
    """The words whose untagged repeats are names too: full names, what was tagged twice, surnames, acronyms."""
    wanted: dict[str, str] = {}
    for words, of_words in counts.items():
        label = labels[words]
        if label in _SPREAD and len(words) > 2 and (" " in words or sum(of_words.values()) > 1):
            wanted[words] = label
        if label == "PERSON" and " " in words:
            for end in last_words(words):
                if len(end) > 3 and end[0].isupper() and end not in _NOT_ALONE and not _is_country(end):
                    wanted.setdefault(end, "PERSON")
    return wanted | dict(short)


class Settled(NamedTuple):
    """What the rules say of an article's names."""

    mentions: list[Mention]
    """All of them, in order, with those that the rules add."""
    labels: Labels
    """The one that counts, not that of a mention."""
    expansions: Mapping[str, str]
    """What acronyms were declared to stand for."""


def settled(texts: Sequence[str], mentions: Sequence[Mention], fixed: Labels) -> Settled:
    """The rules, each of which wins over those before it; `fixed` says what words are, whatever the rules say."""
    counts = tally(mentions)
    labels = majority(counts)
    labels |= companies(labels)
    labels |= full_names(labels)
    labels |= surnames(labels)
    expansions = declared(texts, mentions)
    short = acronyms(labels, expansions)
    labels |= short
    labels |= after_titles(texts, mentions)
    labels |= {words: label for words, label in fixed.items() if words in labels}
    wanted = worth_looking_for(counts, labels, short)
    return Settled(repeats(texts, mentions, wanted), wanted | labels, expansions)
