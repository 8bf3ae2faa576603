"""Two texts side by side: what is common and what differs, word by word."""

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import Struct
from rapidfuzz.distance import Levenshtein

from pipeline.terminal import number_of, visible

MOST_WORDS = 2_000
"""Words of each text that are compared."""
MOST_LINES = 60
_SHORT = 3
_SHOWN = 6
_COLUMN = 48


class Part(Struct, frozen=True):
    """A run of words that both texts have, or what each has in its place."""

    same: bool
    left: str
    right: str


def compare(left: str, right: str) -> list[Part]:
    """The parts of both texts, in order. Case does not count, and what is common only for a word or two between
    differences belongs to them."""
    a, b = left.split()[:MOST_WORDS], right.split()[:MOST_WORDS]
    steps = Levenshtein.opcodes([word.casefold() for word in a], [word.casefold() for word in b])
    pieces = [
        (step.tag == "equal", a[step.src_start : step.src_end], b[step.dest_start : step.dest_end]) for step in steps
    ]
    last = len(pieces) - 1
    kept = [
        (same and (len(words) >= _SHORT or at in (0, last)), words, others)
        for at, (same, words, others) in enumerate(pieces)
    ]
    return [_joined(same, group) for same, group in groupby(kept, key=lambda piece: piece[0])]


def _joined(same: bool, pieces: Iterable[tuple[bool, list[str], list[str]]]) -> Part:
    left: list[str] = []
    right: list[str] = []
    for _, words, others in pieces:
        left += words
        right += others
    return Part(same, " ".join(left), " ".join(right))


def side_by_side(parts: Iterable[Part]) -> Iterator[str]:
    """The parts in two columns: `=` before what is common, of which only both ends are shown, `≠` before the rest."""
    lines = [line for part in parts for line in _lines(part)]
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"      … {number_of(len(lines) - MOST_LINES, 'line')} more"


def _lines(part: Part) -> Iterator[str]:
    if part.same:
        for line in textwrap.wrap(visible(_ends(part.left)), 2 * _COLUMN):
            yield f"    = {line}"
        return
    left, right = (textwrap.wrap(visible(text), _COLUMN) or ["–"] for text in (part.left, part.right))
    for number in range(max(len(left), len(right))):
        ours, theirs = ((side[number] if number < len(side) else "") for side in (left, right))
        yield f"    ≠ {ours:<{_COLUMN}} | {theirs}".rstrip()


def _ends(text: str) -> str:
    words = text.split(" ")
    if len(words) <= 2 * _SHOWN + 2:
        return text
    between = number_of(len(words) - 2 * _SHOWN, "word")
    return f"{' '.join(words[:_SHOWN])} … {between} … {' '.join(words[-_SHOWN:])}"
