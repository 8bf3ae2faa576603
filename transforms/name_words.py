"""Rules that see nothing but the words of one name and the model's label: where it begins and ends, and what it is.

What such a rule says of the same words is always the same, so the answer is remembered: most names of news come again.
The gain at the end of each docstring is of F1 (place and label, in per cent) on the half of the cases in tests/names
that the rules were written by; `python -m tests.name_quality --gains` prints it.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from transforms.countries import code_of_place, countries


class Reading(NamedTuple):
    """How a name is read: the characters cut off before it, the words that stay, and its label."""

    cut: int
    words: str
    label: str


REMEMBERED = 20_000
"""Readings, keys and the like that are remembered, at about 300 bytes each."""

LABELS = {"PER": "PERSON"}
"""Labels of models of other languages, as ours."""

_EDGES = " \t\r\n.,;:!?-–—/|*\"'“”„‘’«»()[]{}<>#@"
_BEFORE = re.compile(r"(?:the|a|an|this|that|its|his|her|their|our)\s+(?=\S)", re.I)
_ARTICLES = frozenset(("The", "A", "An", "This", "That", "Its", "His", "Her", "Their", "Our"))
_AFTER = re.compile(r"(?<=\w)(?:['’´`]s?|'S|’S)$")
_KEEPS_ITS_DOT = re.compile(r"(?:\b[A-Z]\.|\b(?:Inc|Corp|Co|Ltd|Jr|Sr|St|Bros)\.)$")
NUMBERS = frozenset(["DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL"])
_PLACES = frozenset(["PERSON", "ORG", "GPE", "LOC", "NORP", "FAC", "PRODUCT", "LANGUAGE", "MISC"])

_TITLES = (
    "Mr Mrs Ms Miss Mx Dr Prof Professor Sir Lord Lady Dame President Vice-President Chairman Chairwoman Premier "
    "Prime Minister Foreign Finance Defence Defense Interior Deputy Minister Senator Sen Rep Representative "
    "Congressman Congresswoman Gov Governor Judge Justice Captain Capt Colonel Col General Gen Lieutenant Lt Sgt "
    "Sergeant Maj Major Admiral Adm Chancellor Secretary Treasury Mayor Archbishop Bishop Cardinal Rabbi Imam Rev "
    "Reverend Father Sister Coach Inspector Constable Detective Ambassador Councillor Commissioner Former Herr Frau"
)
_TITLE = rf"(?:{'|'.join(sorted(_TITLES.split(), key=len, reverse=True))})\b\.?"
_LEADING_TITLES = re.compile(rf"(?:{_TITLE} )+(?=\w)")
_REGNAL = "King Queen Prince Princess Pope Sheikh Sultan Emir Emperor Empress"
REGNAL = tuple(f"{title} " for title in _REGNAL.split())
"""Titles that belong to the name where a single word follows: `King Felipe`, but not that of `Prince Jan Dalen`."""
_LEADING_REGNAL = re.compile(rf"(?:(?:Crown )?(?:{'|'.join(_REGNAL.split())}) )+(?=\w+[ -]\w)")

_AGENCIES = ("Reuters", "REUTERS", "AFP", "AP", "Associated Press", "Xinhua", "EU", "UN", "U.N.", "NATO")
_NO_NAMES = (
    *("COVID-19", "Covid-19", "Covid", "COVID", "Internet", "Photo", "Photos", "Video", "Reporting", "Editing"),
    *(
        "Advertisement",
        "Read",
        "Mr",
        "Mrs",
        "Ms",
        "Dr",
        "I",
        "State",
        "Inc",
        "Inc.",
        "Corp",
        "Corp.",
        "Co",
        "Co.",
        "Ltd",
    ),
)
_OWN_APOSTROPHE = frozenset(
    f"{name}'s"
    for name in (
        "Moody",
        "McDonald",
        "Lloyd",
        "Sotheby",
        "Christie",
        "Macy",
        "Lowe",
        "Kohl",
        "Wendy",
        "Sainsbury",
        "Levi",
    )
)
"""Companies whose own name ends like a possessive."""
_KNOWN: dict[str, str | None] = {**dict.fromkeys(_AGENCIES, "ORG"), **dict.fromkeys(_NO_NAMES)}

_TELLING = {
    **dict.fromkeys(("Act", "Treaty", "Amendment"), "LAW"),
    **dict.fromkeys(("Bridge", "Tunnel", "Airport", "Stadium", "Cathedral"), "FAC"),
    **dict.fromkeys(("FC", "AFC", "Rovers", "Wanderers", "Ltd", "Inc", "Corp", "AG", "GmbH", "LLC"), "ORG"),
}
_TELLING_FIRST = dict.fromkeys(("Hurricane", "Typhoon", "Cyclone", "Tropical Storm"), "EVENT")
_LEGAL_FORMS = (
    *(
        "Inc",
        "Incorporated",
        "Corp",
        "Corporation",
        "Ltd",
        "Limited",
        "LLC",
        "LLP",
        "PLC",
        "Plc",
        "plc",
        "Co",
        "Company",
    ),
    *("AG", "SE", "SA", "S.A", "NV", "N.V", "AB", "ASA", "A/S", "Oyj", "GmbH", "KG", "SpA", "S.p.A", "Bhd", "Berhad"),
    *("Pty", "KK", "FC", "AFC", "CF"),
)
_LEGAL = re.compile(rf"(?:,? (?:{'|'.join(map(re.escape, _LEGAL_FORMS))})\.?)+$")
_LEGAL_ENDS = tuple(f" {form}{dot}" for form in _LEGAL_FORMS for dot in ("", "."))
_BREAK = re.compile(r"\s*\n\s*|\s(?:--?|[–—/|•])\s")

Rule = Callable[[Reading], Reading | None]


def parts(words: str) -> Iterator[tuple[int, str]]:
    """What a model ran together: a name crosses no line break, no dash between blanks (`OSLO - Calder`). +1.0."""
    at = 0
    if words.replace(" ", "").isalnum():  # most names
        yield at, words
        return
    for edge in _BREAK.finditer(words):
        yield at, words[at : edge.start()]
        at = edge.end()
    yield at, words[at:]


def trimmed(name: Reading) -> Reading | None:
    """Without article, possessive, quotes, brackets and dashes at its edges; None if nothing stays. +11.0."""
    cut, words, label = name
    if _is_trim(words):  # most names
        return name
    before = ""
    while words != before:
        before = words
        cut, words = _without_edges(cut, words)
        if words.endswith(("s", "S", "'", "’", "´", "`")) and words.replace("’", "'") not in _OWN_APOSTROPHE:
            words = _AFTER.sub("", words)
        if (article := _BEFORE.match(words)) and (label != "WORK_OF_ART" or words[0].islower()):
            cut, words = cut + article.end(), words[article.end() :]
    return Reading(cut, words, label) if words else None


def _is_trim(words: str) -> bool:
    """Whether there is surely nothing to cut off."""
    if not words[:1].isupper() or not words[-1].isalnum() or words.endswith(("'s", "’s", "'S", "’S")) or "(" in words:
        return False
    return words.partition(" ")[0] not in _ARTICLES or " " not in words


def _without_edges(cut: int, words: str) -> tuple[int, str]:
    left = words.lstrip(_EDGES)
    cut += len(words) - len(left)
    right = left.rstrip(_EDGES)
    rest = left[len(right) : len(right) + 1]
    if rest == "." and _KEEPS_ITS_DOT.search(right + rest):
        right += rest
    if rest == ")" and right.count("(") > right.count(")"):
        right += rest
    elif "(" in right and ")" not in right:
        right = right[: right.index("(")].rstrip(_EDGES)
    return cut, right


def without_titles(name: Reading) -> Reading | None:
    """A person without `President`, `Dr.` and the like before the name; a king of one name keeps his. +.2."""
    if name.label != "PERSON":
        return name
    for titles in (_LEADING_TITLES, _LEADING_REGNAL):
        if found := titles.match(name.words):
            name = Reading(name.cut + found.end(), name.words[found.end() :], "PERSON")
    return name


def with_a_capital(name: Reading) -> Reading | None:
    """Words without any capital letter are no name, where the script has capitals; nor are figures. +.2."""
    if name.label in NUMBERS:
        return name
    return None if name.words.islower() or not any(map(str.isalpha, name.words)) else name


def known_words(name: Reading) -> Reading | None:
    """A few words that models read wrong everywhere: agencies are organisations, `Covid-19` is no name. +.4."""
    if name.words not in _KNOWN:
        return name
    label = _KNOWN[name.words]
    return Reading(name.cut, name.words, label) if label else None


def told_by_a_word(name: Reading) -> Reading | None:
    """A word that leaves no doubt: an Act is a law, a Bridge a building, a club's `FC` an organisation, a Hurricane an
    event. +1.0.
    """
    first, _, last = name.words.rpartition(" ")
    label = (_TELLING.get(last) or _TELLING_FIRST.get(first)) if first else None
    return Reading(name.cut, name.words, label) if label and name.label in _PLACES else name


def country_or_people(name: Reading, language: str) -> Reading | None:
    """What is exactly a country's name is GPE, a demonym NORP, unless it means other things too. +.5."""
    known = countries(language)
    if name.label not in _PLACES or name.words.lower() in known.ambiguous:
        return name
    if code_of_place(name.words, known):
        return Reading(name.cut, name.words, "GPE")
    if name.label != "LANGUAGE" and name.words.lower() in known.peoples and name.words[0].isupper():
        return Reading(name.cut, name.words, "NORP")
    return name


RULES: tuple[Rule, ...] = (trimmed, without_titles, with_a_capital, known_words, told_by_a_word)
"""In the order that was measured best."""


@lru_cache(REMEMBERED)
def read_words(words: str, label: str, language: str) -> tuple[Reading, ...]:
    """The names in what a model found, by the words alone: mostly one, none if it is no name."""
    found = []
    for at, part in parts(words):
        name: Reading | None = Reading(at, part, LABELS.get(label, label))
        for rule in RULES:
            name = rule(name) if name else None
        if name and (name := country_or_people(name, language)):
            found.append(name)
    return tuple(found)


@lru_cache(REMEMBERED)
def without_legal(name: str) -> str:
    """`Calder Shipping` of `Calder Shipping Ltd.`"""
    return _LEGAL.sub("", name) or name if name.endswith(_LEGAL_ENDS) else name
