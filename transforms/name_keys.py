"""One name for each entity of an article, and the key by which articles join.

Nothing here is learned: a short form stands for the long one that the same article has. What nothing resolves keeps its
own words; a person of one word, or a mere `Commission`, then has a key with the article's id in it, which joins none.
"""

import re
import unicodedata
from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from transforms.countries import Countries, code_of_people, code_of_place, countries, country_of
from transforms.name_rules import Mention, last_words
from transforms.name_words import REMEMBERED, without_legal


class Meaning(NamedTuple):
    """What a mention stands for."""

    name: str
    key: str
    country: str | None = None
    external_id: str | None = None


LOCAL = "@"
"""Parts a local key from the article's id behind it; no key that joins has one."""

_GENERIC = frozenset(
    (
        *("bank", "central bank", "commission", "company", "corporation", "group", "council", "board", "committee"),
        *(
            "agency",
            "association",
            "authority",
            "party",
            "court",
            "union",
            "government",
            "international",
            "fund",
            "club",
        ),
        *("ministry", "department", "finance ministry", "foreign ministry", "defence ministry", "defense ministry"),
        *("interior ministry", "health ministry", "justice ministry", "national assembly", "university", "institute"),
    )
)
"""Organisations of which there are many: in another article the same words mean another one."""
_LETTERS = {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th"} | dict(
    zip("øØłŁđĐðÐıħŧ", "oOlLdDdDiht", strict=True)
)
_NOT_FOLDED = str.maketrans(_LETTERS)
_DASHES = re.compile(r"[-‐‑‒–—/]")
_DROPPED = re.compile(r"[^\w& ]+|_")
_LONE_LETTERS = re.compile(r"\b(\w) (?=\w\b)")
_MIDDLE_INITIAL = re.compile(r"(?<=\w\w )\w (?=\w\w)")
_CAPITALS = re.compile(r"(?:^|[ -])([A-Z])")


@lru_cache(REMEMBERED)
def folded(name: str) -> str:
    """A name without case, accents, punctuation and doubled blanks; a dash is a blank, initials stand together.

    `José Álvarez-Gil` gives `jose alvarez gil`, `J. K. Farrow` gives `jk farrow`.
    """
    plain = name.lower() if name.isascii() else _without_accents(name).casefold()
    words = plain.split()
    if not "".join(words).isalnum():
        words = _DROPPED.sub("", _DASHES.sub(" ", plain)).split()
    plain = " ".join(words)
    return _LONE_LETTERS.sub(r"\1", plain) if words and min(map(len, words)) == 1 else plain


def _without_accents(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.translate(_NOT_FOLDED))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@lru_cache(REMEMBERED)
def name_key(label: str, name: str) -> str:
    """What joins the mentions of a name: `PERSON:julian assange`, `ORG:calder shipping`.

    A person's one middle initial does not count, nor what says only that an organisation is a company (or a club).
    """
    if label == "ORG":
        name = without_legal(name)
    plain = folded(name)
    if label == "PERSON":
        plain = _MIDDLE_INITIAL.sub("", plain)
    return f"{label}:{plain or name.casefold()}"


@lru_cache(REMEMBERED)
def initials(name: str) -> str:
    """`FRB` of `Federal Reserve Board`: the capitals that begin a word."""
    return "".join(_CAPITALS.findall(without_legal(name)))


_Forms = dict[str, tuple[list[int], list[str]]]
"""By a folded short form: the full names that have it, with the numbers of the mentions where the name changes."""


class People:
    """The persons of one article who have a full name, by the shorter forms that may stand for them."""

    def __init__(self, mentions: Sequence[Mention], labels: Mapping[str, str]) -> None:
        self._by_end: _Forms = {}
        self._by_first: _Forms = {}
        self._longest: dict[tuple[str, str], str] = {}
        for number, mention in enumerate(mentions):
            words = mention.words
            if " " in words and labels[words] == "PERSON" and (ends := last_words(words)):
                self._add(number, words, ends)

    def _add(self, number: int, words: str, ends: tuple[str, ...]) -> None:
        plain = folded(words)
        first, _, _ = plain.partition(" ")
        outer = first, folded(ends[-1])
        if len(plain) > len(folded(self._longest.get(outer, ""))):
            self._longest[outer] = words
        for forms, form in ((self._by_first, first), *((self._by_end, folded(end)) for end in ends)):
            numbers, names = forms.setdefault(form, ([], []))
            if not names or names[-1] != words:
                numbers.append(number)
                names.append(words)

    def full_name(self, words: str, number: int) -> str:
        """The full name that a mention stands for, by its number: of several the nearest before it, else the first.

        A surname, else a first name; the words themselves if they are no short form of a name in the article.
        """
        plain = folded(words)
        if found := self._by_end.get(plain) or self._by_first.get(plain):
            numbers, names = found
            words = names[max(0, bisect(numbers, number) - 1)]
        ends = last_words(words)
        return self._longest.get((folded(words).partition(" ")[0], folded(ends[-1])), words) if ends else words


class Organisations:
    """The organisations of one article, by the acronyms and short forms that may stand for them."""

    def __init__(self, labels: Mapping[str, str], expansions: Mapping[str, str]) -> None:
        self._long: dict[str, set[str]] = {}
        self._declared = {short.replace(".", ""): words for short, words in expansions.items()}
        for words, label in labels.items():
            if label == "ORG" and " " in words:
                self._long.setdefault(initials(words), set()).add(words)
                first, *_, last = words.split(" ")
                if without_legal(words) != words or first.lower() in _GENERIC:
                    self._long.setdefault(first, set()).add(words)
                if last.lower() in _GENERIC:
                    self._long.setdefault(last, set()).add(words)

    def full_name(self, words: str) -> str:
        """What an acronym was declared to stand for, else the one organisation with these initials; the one company
        whose first word it is, if that name ends in a legal form; the one Commission. Else the words themselves.
        """
        short = words.replace(".", "")
        if short in self._declared:
            return self._declared[short]
        long = self._long.get(short, ()) if len(short) > 2 and " " not in short else ()
        return next(iter(long)) if len(long) == 1 else words


class Context(NamedTuple):
    """What is known beside the mentions of an article."""

    labels: Mapping[str, str]
    """Label by words."""
    expansions: Mapping[str, str]
    """What acronyms were declared to stand for."""
    listed: Mapping[str, Meaning]
    """What the user's gazetteer says of words."""
    language: str
    article_id: str


def meanings(mentions: Sequence[Mention], context: Context) -> list[Meaning]:
    """What each mention stands for."""
    labels, listed = context.labels, context.listed
    people = People(mentions, labels)
    organisations = Organisations(labels, context.expansions)
    known: dict[str, Meaning] = {}
    found = []
    for number, mention in enumerate(mentions):
        words = mention.words
        meaning = listed.get(words) or known.get(words)
        if meaning is None:
            label = labels[words]
            if label == "PERSON":
                full = people.full_name(words, number)
                meaning = listed.get(full) or _person(full, context.article_id)
            else:
                full = organisations.full_name(words) if label == "ORG" else context.expansions.get(words, words)
                meaning = known[words] = listed.get(full) or _other(full, label, context)
        found.append(meaning)
    return found


@lru_cache(REMEMBERED)
def listed_meaning(label: str, name: str, id: str | None) -> Meaning:
    """What a name of the gazetteer stands for. Its id, if it has one, is the key that joins."""
    plain = _by_itself(name, label, "en")
    return Meaning(name, f"{label}:{id}", plain.country, id) if id else plain


def _person(name: str, article_id: str) -> Meaning:
    meaning = _by_itself(name, "PERSON", "")
    return meaning if " " in name else Meaning(name, f"{meaning.key}{LOCAL}{article_id}")


def _other(name: str, label: str, context: Context) -> Meaning:
    """A name other than a person's; `Georgia` is the country where the article also names its people or cities."""
    if label == "GPE" and (code := countries(context.language).doubtful.get(name.lower())):
        known = countries(context.language)
        if any(code in (known.peoples.get(one.lower()), known.cities.get(one.lower())) for one in context.labels):
            return _country(code, known)
    meaning = _by_itself(name, label, context.language)
    if label == "ORG" and meaning.key[4:] in _GENERIC:
        return Meaning(name, f"{meaning.key}{LOCAL}{context.article_id}")
    return meaning


@lru_cache(REMEMBERED)
def _by_itself(name: str, label: str, language: str) -> Meaning:
    """What a name stands for in whatever article."""
    if label in ("GPE", "LOC"):
        if code := code_of_place(name, countries(language)):
            return _country(code, countries(language))
    elif label == "NORP" and (code := code_of_people(name, countries(language))):
        return Meaning(countries(language).demonyms.get(code, name), f"NORP:{code}", country_of(code))
    return Meaning(name, name_key(label, name))


def _country(code: str, known: Countries) -> Meaning:
    return Meaning(known.names[code], f"GPE:{code}", country_of(code))
