"""Real newswire with labelled pairs, and perturbed copies of it: what recognising copies is measured on.

Labels come from an exhaustive comparison of all texts, never from the method's own candidates, and use title and time,
which no method is shown. Pairs and articles are split in two halves by cluster; only one was used for tuning.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio

from tests.conftest import SHARED

REUTERS = SHARED / "data/reuters21578.jsonl.gz"
Pair = tuple[int, int]
_MOMENT = re.compile(r"(\d{1,2}-[A-Z]{3}-1987 \d{2}:\d{2}:\d{2})")


@dataclass(frozen=True)
class Item:
    """One item of Reuters-21578."""

    title: str
    text: str
    moment: datetime


@cache
def items() -> list[Item]:
    with gzip.open(REUTERS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Item(row["title"] or "", row["text"] or "", _moment(row["date"])) for row in rows]


def _moment(text: str) -> datetime:
    found = _MOMENT.search(text)
    return datetime.strptime((found[1] if found else "1-MAR-1987 00:00:00").title(), "%d-%b-%Y %H:%M:%S").replace(
        tzinfo=UTC
    )


@dataclass(frozen=True)
class Labels:
    """Pairs that are copies, and look-alikes that are not, of one half."""

    positive: frozenset[Pair]
    negative: frozenset[Pair]


@cache
def labels() -> dict[str, Labels]:
    """`tuning` and `test`: pairs of item numbers, the lower first. Positive: equal texts, or less than 20 hours apart
    with alike titles and much in common; negative: as much in common, but 48 hours apart. Others do not count."""
    positive, negative = set(), set()
    parents = list(range(len(items())))
    for one, other, jaccard, _ in similar_pairs([item.text for item in items()]):
        parents[_root(parents, one)] = _root(parents, other)
        a, b = items()[one], items()[other]
        apart = abs(a.moment - b.moment)
        if jaccard >= 0.999 or (apart < timedelta(hours=20) and _same_title(a.title, b.title)):
            positive.add((one, other))
        elif apart >= timedelta(hours=48):
            negative.add((one, other))
    roots = {_root(parents, one) for one in range(len(items()))}
    chance = random.Random(6)
    tuning = {root for root in sorted(roots) if chance.random() < 0.5}
    return {
        name: Labels(
            *(frozenset(p for p in pairs if (_root(parents, p[0]) in tuning) == half) for pairs in (positive, negative))
        )
        for name, half in (("tuning", True), ("test", False))
    }


def _root(parents: list[int], one: int) -> int:
    while parents[one] != one:
        parents[one] = parents[parents[one]]
        one = parents[one]
    return one


def _same_title(one: str, other: str) -> bool:
    numbers = [sorted(re.findall(r"\d[\d.,/]*", title)) for title in (one, other)]
    return numbers[0] == numbers[1] and token_sort_ratio(one.lower(), other.lower()) >= 85


def similar_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int, float, float]]:
    """All pairs with a Jaccard of .3 or a containment of .6, exactly, by the three-word runs of texts of 20 words."""
    numbers: dict[Any, int] = {}
    sets: list[Any] = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        runs = zip(words, words[1:], words[2:], strict=False) if len(words) >= 20 else ()
        sets.append(np.unique(np.fromiter((numbers.setdefault(run, len(numbers)) for run in runs), np.int64)))
    sizes = np.array([len(one) for one in sets])
    members = np.repeat(np.arange(len(sets)), sizes)
    all_runs = np.concatenate(sets)
    order = np.argsort(all_runs, kind="stable")
    members = members[order]
    starts = np.searchsorted(all_runs[order], np.arange(len(numbers) + 1))
    for one, runs in enumerate(sets):
        if not len(runs):
            continue
        common = np.bincount(np.concatenate([members[starts[run] : starts[run + 1]] for run in runs]))
        others = np.flatnonzero(common[: one + 1])[:-1] if len(common) > one else np.flatnonzero(common)
        shared = common[others]
        jaccard = shared / (sizes[one] + sizes[others] - shared)
        containment = shared / np.minimum(sizes[one], sizes[others])
        for at in np.flatnonzero((jaccard >= 0.3) | (containment >= 0.6)):
            yield int(others[at]), one, float(jaccard[at]), float(containment[at])


# Perturbed copies

FOOTER = (
    "Subscribers of the Harbour Group of newspapers may read all our reports on every device for a single price each "
    "month and may end their subscription at any time. Write to our readers' desk if you have found a mistake in this "
    "report or if you know more about what it tells. The group does not answer for pages of others to which it links. "
    "All rights to texts and pictures are reserved, and nothing may be copied or sent on without our written leave. "
    "Our offices are open on working days from nine until five, and our editors thank you for your trust in their work."
)
INTRO = (
    "LONDON, Meridian News Service - In a report that was seen by this agency, the following was made known to "
    "customers of the service late in the day, and officials who had been asked for a statement did not answer at once."
)
HEADLINE = "What you need to know this morning"


def cut_by_half(item: Item, chance: random.Random) -> Item:
    words = item.text.split(" ")
    return Item(item.title, " ".join(words[: len(words) // 2]), item.moment)


def words_changed(item: Item, chance: random.Random) -> Item:
    """One word in ten is another; numbers stay, as an editor leaves them."""
    words = item.text.split(" ")
    other = [word for word in vocabulary() if word.isalpha()]
    places = [at for at, word in enumerate(words) if word.isalpha()]
    for at in chance.sample(places, min(len(places), max(len(words) // 10, 1))):
        words[at] = chance.choice(other)
    return Item(item.title, " ".join(words), item.moment)


def footer_added(item: Item, chance: random.Random) -> Item:
    return Item(item.title, f"{item.text}\n\n{FOOTER}", item.moment)


def headline_changed(item: Item, chance: random.Random) -> Item:
    return Item(HEADLINE, item.text, item.moment)


def ocr_noise(item: Item, chance: random.Random) -> Item:
    """One character in fifty, whichever it is, is read as another, lost or doubled."""
    letters = list(item.text)
    for at in chance.sample(range(len(letters)), len(letters) // 50):
        letters[at] = chance.choice(["", letters[at] * 2, chance.choice("abcdefghijklmnopqrstuvwxyz1li0o5s")])
    return Item(item.title, "".join(letters), item.moment)


def paragraphs_moved(item: Item, chance: random.Random) -> Item:
    """Two sentences that follow each other, on average a quarter of the text, go to the end."""
    parts = re.split(r"(?<=[.!?])\s+", item.text)
    at = chance.randrange(max(len(parts) - 1, 1))
    return Item(item.title, "\n\n".join([*parts[:at], *parts[at + 2 :], *parts[at : at + 2]]), item.moment)


def other_intro(item: Item, chance: random.Random) -> Item:
    return Item(item.title, f"{INTRO}\n\n{item.text}", item.moment)


KINDS = {
    "cut by half": cut_by_half,
    "10 % of words changed": words_changed,
    "footer of 100 words": footer_added,
    "headline changed": headline_changed,
    "OCR noise": ocr_noise,
    "two paragraphs moved": paragraphs_moved,
    "another agency's intro": other_intro,
}


@cache
def vocabulary() -> list[str]:
    return sorted({word for item in items()[:500] for word in item.text.split()})


def perturbed(half: str, seed: int, count: int) -> tuple[list[Item], list[tuple[str, int]]]:
    """Items of one half that resemble no other, and after them a copy of each by every kind of perturbation; and for
    each item its kind (`` for the originals) and the number of its original."""
    pairs = set().union(*(one.positive | one.negative for one in labels().values()))
    alike = {number for pair in pairs for number in pair}
    chance = random.Random(seed)
    lonely = [at for at, item in enumerate(items()) if at not in alike and len(item.text.split()) >= 60]
    mine = [at for at in lonely if (at % 2 == 0) == (half == "tuning")]
    originals = [items()[at] for at in chance.sample(mine, count)]
    made = [(kind, at, change(item, chance)) for kind, change in KINDS.items() for at, item in enumerate(originals)]
    return (
        originals + [item for *_, item in made],
        [("", at) for at in range(count)] + [(kind, at) for kind, at, _ in made],
    )


def pairs_of(clusters: Sequence[Sequence[int]]) -> set[Pair]:
    """All pairs within clusters."""
    return {(a, b) for one in clusters for at, a in enumerate(sorted(one)) for b in sorted(one)[at + 1 :]}
