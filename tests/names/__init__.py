"""The cases of names: sentences and whole articles of our own, with names, keys and countries written down by hand.

Half of them were kept apart, unread, while rules were written: which half a case is in follows from a hash of its text.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import xxhash

FOLDER = Path(__file__).parent
_LABELS = {
    **{"P": "PERSON", "O": "ORG", "G": "GPE", "L": "LOC", "N": "NORP", "E": "EVENT", "R": "PRODUCT"},
    **{"W": "WORK_OF_ART", "A": "LAW", "F": "FAC"},
}
_MARKED = re.compile(r"\{([A-Z]):([^{}=]+)(?:=([^{}]+))?\}")


class Name(NamedTuple):
    """A name that should be found: its text's number (0 title, 1 body), its place, label and key."""

    field: int
    start: int
    end: int
    label: str
    key: str


class Case(NamedTuple):
    """A text, or a title and a body, with the names and countries that should be found."""

    title: str
    body: str
    names: tuple[Name, ...]
    countries: tuple[str, ...]
    apart: bool
    """Whether it is in the half that was kept apart."""


def sentences() -> list[Case]:
    """Every line is a body of its own."""
    lines = (FOLDER / "sentences.txt").read_text("utf-8").splitlines()
    return [_case("", line, ()) for line in lines if line and not line.startswith("# ")]


def articles() -> list[Case]:
    """Whole articles, with countries."""
    text = (FOLDER / "articles.txt").read_text("utf-8")
    parts = re.findall(r"^= (.+)\n((?:.*\n)*?)~ ?(.*)$", text, re.M)
    return [_case(title, body.strip(), tuple(codes.split())) for title, body, codes in parts]


def _case(title: str, body: str, codes: tuple[str, ...]) -> Case:
    plain, names = [], []
    for field, marked in enumerate((title, body)):
        text, found = _unmarked(field, marked)
        plain.append(text)
        names += found
    return Case(plain[0], plain[1], tuple(names), codes, xxhash.xxh3_64_intdigest(" ".join(plain).encode()) % 2 == 1)


def _unmarked(field: int, marked: str) -> tuple[str, list[Name]]:
    text, names, at = "", [], 0
    for mark in _MARKED.finditer(marked):
        text += marked[at : mark.start()]
        letter, words, key = mark.groups()
        plain = key or words.lower().replace("-", " ")
        label = _LABELS[letter]
        names.append(Name(field, len(text), len(text) + len(words), label, f"{label}:{plain}"))
        text, at = text + words, mark.end()
    return text + marked[at:], names


def cases() -> Iterator[Case]:
    """All of them."""
    yield from sentences()
    yield from articles()
