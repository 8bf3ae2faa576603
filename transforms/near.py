"""Whether two texts are copies of each other, by their fingerprints alone: pure functions of two of them.

The thresholds were measured on newswire and on perturbed articles (docs/copies.md): follow-ups that reuse background
paragraphs, and two people's reports of one event, have a Jaccard of .2 to .4, and must stay apart.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from transforms.fingerprints import SKETCH, Fingerprint, Hashes, words
from transforms.number_words import is_number


@dataclass(frozen=True)
class Rules:
    """What counts as a copy, and from where on two texts are copies."""

    mode: Literal["near", "exact", "off"] = "near"
    """`exact`: only the same words, and lesser forms of a page; `off`: nothing is a copy, and every version is kept."""
    look_back: int = 30
    """Days between the dates of two articles that are compared."""
    jaccard: float = 0.40
    """Shared part of all their shingles."""
    containment: float = 0.60
    """Part of the smaller text's shingles that the larger one has."""
    edit_ratio: float = 0.75
    """Likeness of the texts, letter by letter, if a fifth of their shingles is common."""
    same_words: float = 0.90
    """Part of the words of the text with fewer different ones that the other has, if a fifth of their shingles is."""
    same_figures: float = 0.75
    """The same of their exact figures, of which there are at least FIGURES: then other numbers do not count."""


LEAST_SAMPLES = 12
"""Sampled shingles of the smaller text from which its containment counts."""
EDITED_JACCARD = 0.20
"""From where on the texts themselves are compared."""
EDITED_TOKENS = 80
"""Of the shorter text, from where on its letters say enough."""
EDITED_LETTERS = 4_000
"""Of each text that are compared."""
EDITED_WORDS = 600
"""Of each text that are compared word by word."""
FIGURES, FIGURE_DIGITS = 4, 3
"""Exact figures that two texts have in common at least, each of so many digits, of which zeros at an end tell nothing.
Two accounts of one balance sheet have them; the next one, from the same template, has others."""
MOST_IN_PLACE = 0.15
"""Share of the numbers in the same places that may be others in a short copy."""
AGREEING = 3
"""Numbers in the same places that outweigh others elsewhere."""
MISREAD = 25
"""One word in so many, at least, differs by a letter or two where a text was misread."""
REPEATED = 60
"""Articles of one source from which a shingle in all of them is boilerplate, such as a footer."""
# Samples that must be left for boilerplate to be left out; else texts that keep less than this part must be so alike.
_LEFT, _KEPT, _BOILERPLATE_JACCARD = 8, 0.7, 0.9
# Texts of one source whose titles are less alike than this must be so alike.
_SAME_SOURCE_TITLE, _SAME_SOURCE_JACCARD = 0.5, 0.9
_UNRELATED = 0.05
_NO_TEXTS = ("", "")
_YEAR, _NO_DIGIT = re.compile("(19|20)[0-9]{2}"), re.compile(r"\D")
_SLOT_BITS = 20
NO_HASHES = np.zeros(0, np.uint32)


class Likeness(NamedTuple):
    """What two fingerprints have in common."""

    jaccard: float
    containment: float
    samples: int
    """Sampled shingles of the smaller text."""
    is_boilerplate: bool
    """Whether most of one text is what its source repeats everywhere."""


class Judgement(NamedTuple):
    """Whether two texts are copies, and why. `method` is empty if they are not; then `reason` says what forbids it."""

    method: str
    similarity: float
    reason: str
    likeness: Likeness
    numbers_shared: int
    numbers_replaced: int


class Side:
    """One of the two texts, with what every comparison of it needs."""

    __slots__ = ("fingerprint", "last", "numbers", "own", "places", "source", "title")

    def __init__(
        self, fingerprint: Fingerprint, title: str, source: str | None, boilerplate: Hashes = NO_HASHES
    ) -> None:
        self.fingerprint, self.title, self.source = fingerprint, title, source
        sketch = fingerprint.sketch
        # The sketch holds every hash of the text up to `last`; `own` is the sketch without boilerplate.
        self.last = int(sketch[-1]) if fingerprint.shingles > SKETCH else 2**32 - 1
        self.own = sketch[~_is_in(sketch, boilerplate)] if len(boilerplate) else sketch
        self.numbers = frozenset((fingerprint.numbers & np.uint32(0xFFFF)).tolist())
        self.places: dict[int, int] | None = None  # made when it is asked for


def likeness(one: Side, other: Side) -> Likeness:
    """Jaccard and containment of the shingles, estimated on the range of hashes that both sketches cover.

    Boilerplate does not count, as long as enough is left of both texts.
    """
    upto = min(one.last, other.last)
    a, b = _within(one.own, one.last, upto), _within(other.own, other.last, upto)
    if min(a, b) >= _LEFT:
        return _likeness(a, b, _common(one.own, other.own), False)
    all_a, all_b = (_within(side.fingerprint.sketch, side.last, upto) for side in (one, other))
    only = a < _KEPT * all_a or b < _KEPT * all_b
    return _likeness(all_a, all_b, _common(one.fingerprint.sketch, other.fingerprint.sketch), only)


def _likeness(a: int, b: int, common: int, is_boilerplate: bool) -> Likeness:
    return Likeness(common / max(a + b - common, 1), common / max(min(a, b), 1), min(a, b), is_boilerplate)


def _within(hashes: Hashes, last: int, upto: int) -> int:
    """How many of rising hashes, none beyond `last`, are at most `upto`."""
    return len(hashes) if last <= upto else int(hashes.searchsorted(np.uint32(upto), side="right"))


def _is_in(hashes: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    """Of rising hashes, which are among the others, rising too and not none."""
    return np.equal(others.take(others.searchsorted(hashes), mode="clip"), hashes)


def _common(one: Hashes, other: Hashes) -> int:
    return int(np.count_nonzero(_is_in(one, other))) if len(other) else 0


def judge(one: Side, other: Side, rules: Rules, texts: Callable[[], tuple[str, str] | None]) -> Judgement:
    """Whether two texts are copies of each other. `texts` gives both if they can be had; that costs the most, so they
    are asked for only where the fingerprints do not decide."""
    alike = likeness(one, other)
    shared = len(one.numbers & other.numbers)
    replaced = min(len(one.numbers), len(other.numbers)) - shared
    tokens = min(one.fingerprint.tokens, other.fingerprint.tokens)
    may_be = alike.jaccard >= min(rules.jaccard, EDITED_JACCARD) or alike.containment >= rules.containment

    def judged(method: str, similarity: float, reason: str) -> Judgement:
        return Judgement(method, similarity, reason, alike, shared, replaced)

    if alike.is_boilerplate and alike.jaccard < _BOILERPLATE_JACCARD:
        return judged("", alike.jaccard, "they share what their source repeats everywhere")
    others = _filled_anew(one, other, shared, replaced) if may_be else replaced * is_template(tokens, shared, replaced)
    texts = cache(texts)
    is_close = alike.jaccard >= EDITED_JACCARD
    may_agree = is_close and shared >= FIGURES  # in their exact figures, whatever else differs
    if (
        others
        and not _may_be_misread(alike, others, texts)
        and not (may_agree and same_figures(*(texts() or _NO_TEXTS)) >= rules.same_figures)
    ):
        return judged("", alike.jaccard, "their numbers differ, as in a template that is filled in anew")
    is_same_source = one.source is not None and one.source == other.source
    if (
        is_same_source
        and alike.jaccard < _SAME_SOURCE_JACCARD
        and title_ratio(one.title, other.title) < _SAME_SOURCE_TITLE
    ):
        return judged("", alike.jaccard, "one source gave them different titles, and they differ")
    if alike.jaccard >= rules.jaccard:
        return judged("jaccard", alike.jaccard, "")
    if alike.containment >= rules.containment and alike.samples >= LEAST_SAMPLES:
        return judged("containment", alike.containment, "")
    if is_close and (both := texts()) and (found := _by_texts(*both, tokens, rules)):
        return judged(*found, "")
    return judged("", alike.jaccard, "too little of them is common")


def _by_texts(one: str, other: str, tokens: int, rules: Rules) -> tuple[str, float] | None:
    """The method by which the texts themselves are copies, and their likeness."""
    if tokens >= EDITED_TOKENS and (ratio := edit_ratio(one, other)) >= rules.edit_ratio:
        return "edit-ratio", ratio
    if (share := same_words(one, other)) >= rules.same_words:
        return "same-words", share
    if (share := same_figures(one, other)) >= rules.same_figures:
        return "same-figures", share
    return None


def is_template(tokens: int, shared: int, replaced: int) -> bool:
    """The number test: whether so many numbers differ that one text is the other's template with new ones.

    `tokens` of the shorter text; numbers of the text that has fewer of them, in the other or not. Without this test
    precision on look-alike newswire falls from .90 to .42.
    """
    share = replaced / max(shared + replaced, 1)
    return (
        (tokens < 80 and replaced >= 1 and share > 0.22)
        or (tokens < 200 and replaced >= 2 and share > 0.25)
        or (replaced >= 6 and share > 0.60)
    )


def _filled_anew(one: Side, other: Side, shared: int, replaced: int) -> int:
    """How many numbers are others, if that makes one text the other's template, filled in anew; else 0.

    Behind the same two words fewer are enough: "raised to 27 cents" for "raised to 26.50 cents" is news, whatever else
    is the same. And if many agree there and none is another, a third may differ: those that one text leaves out.
    """
    tokens = min(one.fingerprint.tokens, other.fingerprint.tokens)
    a, b = _places(one), _places(other)
    others = sum(a[place] != b[place] for place in a.keys() & b.keys())
    same = _common(one.fingerprint.numbers, other.fingerprint.numbers)
    if tokens < 200 and others >= (1 if tokens < 80 else 2) and others > MOST_IN_PLACE * (same + others):
        return others
    agree = same >= AGREEING and not others and replaced * 2 <= shared
    return replaced if is_template(tokens, shared, replaced) and not agree else 0


def _places(side: Side) -> dict[int, int]:
    """The numbers behind two words that no other number of the text stands behind; a table's columns tell nothing."""
    if side.places is None:
        numbers = side.fingerprint.numbers.tolist()
        counts = Counter(number >> 16 for number in numbers)
        side.places = {number >> 16: number for number in numbers if counts[number >> 16] == 1}
    return side.places


def _may_be_misread(alike: Likeness, replaced: int, texts: Callable[[], tuple[str, str] | None]) -> bool:
    """Whether numbers differ as words do, by a letter here and there. Asks for the texts only if more of them differs
    than the numbers account for: each is in three runs of three words."""
    differing = (1 - alike.containment) * alike.samples
    if alike.jaccard < EDITED_JACCARD or differing <= 6 * replaced:
        return False
    both = texts()
    return both is not None and are_misread(*both, replaced)


def are_misread(one: str, other: str, replaced: int) -> bool:
    """Whether two texts differ as by typing or scanning errors: at least one word in MISREAD is another of like
    letters, and twice as many words as numbers are."""
    a, b = (words(text[: EDITED_LETTERS * 2])[:EDITED_WORDS] for text in (one, other))
    pairs = [
        pair
        for step in Levenshtein.opcodes(a, b)
        if step.tag == "replace"
        for pair in zip(a[step.src_start : step.src_end], b[step.dest_start : step.dest_end], strict=False)
    ]
    alike = sum(not is_number(x) and not is_number(y) and fuzz.ratio(x, y) >= 60 for x, y in pairs)
    return alike * MISREAD >= min(len(a), len(b)) and alike >= 2 * replaced


def title_ratio(one: str, other: str) -> float:
    """Likeness of two titles, 0 to 1, whatever the order of their words."""
    return fuzz.token_sort_ratio(one[:300].casefold(), other[:300].casefold()) / 100


def edit_ratio(one: str, other: str) -> float:
    """Likeness of two texts, letter by letter, 0 to 1 (normalised indel similarity of the first EDITED_LETTERS)."""
    a, b = (" ".join(words(text[: EDITED_LETTERS * 2]))[:EDITED_LETTERS] for text in (one, other))
    return fuzz.ratio(a, b) / 100


def same_words(one: str, other: str) -> float:
    """Part of the different words of one text that the other has, of the one that has fewer, 0 to 1.

    Who shortens and rearranges a text keeps its words; another's report of the same has others.
    """
    a, b = (set(words(text[: EDITED_LETTERS * 2])) for text in (one, other))
    return len(a & b) / max(min(len(a), len(b)), 1)


def same_figures(one: str, other: str) -> float:
    """The same of their exact figures; 0 if they have not FIGURES in common."""
    a, b = (_figures(text[: EDITED_LETTERS * 2]) for text in (one, other))
    common = len(a & b)
    return common / min(len(a), len(b)) if common >= FIGURES else 0.0


def _figures(text: str) -> set[str]:
    """Numbers of FIGURE_DIGITS digits or more, but years."""
    found = (word for word in words(text) if word[0].isdigit() and not _YEAR.fullmatch(word))
    return {word for word in found if len(_NO_DIGIT.sub("", word).strip("0")) >= FIGURE_DIGITS}


def are_unrelated(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two texts have next to nothing in common."""
    return likeness(Side(one, "", None), Side(other, "", None)).containment < _UNRELATED


def boilerplate(sketches: Sequence[tuple[str | None, Hashes]]) -> Hashes:
    """The shingles that stand in more than REPEATED articles of one source, rising; each article with its source.

    Counted by source, since a story that many papers carry is no boilerplate.
    """
    if len(sketches) <= REPEATED:
        return NO_HASHES
    numbers: dict[str | None, int] = {}
    sources = np.array([numbers.setdefault(source, len(numbers)) for source, _ in sketches], np.uint64)
    owners = np.repeat(sources << np.uint64(32), [len(sketch) for _, sketch in sketches])
    hashes = np.concatenate([sketch for _, sketch in sketches]) | owners
    slots = ((hashes ^ (hashes >> np.uint64(_SLOT_BITS))) & np.uint64((1 << _SLOT_BITS) - 1)).astype(np.intp)
    hashes = hashes[np.bincount(slots)[slots] > REPEATED]  # most are ruled out so, without sorting them
    values, counts = np.unique(hashes, return_counts=True)
    return np.unique(values[counts > REPEATED].astype(np.uint32))
