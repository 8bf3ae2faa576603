"""Precision, recall, F1 and confusion, of anything that is labelled: topics of articles, names in texts.

All of it derives from pairs (expected, found). None as the first says that nothing was expected (a name found where
there is none), None as the second that nothing was found.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from msgspec import Struct

from pipeline.terminal import visible

Pair = tuple[str | None, str | None]
"""A label that was expected, and the one that was found."""


class Measure(Struct, frozen=True, kw_only=True):
    """How well one label, or all of them, was found."""

    label: str
    expected: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """Of what was found, the part that is right; 0 where nothing was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Of what was expected, the part that was found; 0 where nothing was expected."""
        return self.right / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (self.found + self.expected) if self.right else 0.0


def measures(pairs: Iterable[Pair]) -> list[Measure]:
    """One measure for each label, by name."""
    counts = Counter(pairs)
    labels = sorted({label for pair in counts for label in pair if label is not None})
    expected, found = (_totals(counts, side) for side in (0, 1))
    return [
        Measure(label=label, expected=expected[label], found=found[label], right=counts[label, label])
        for label in labels
    ]


def _totals(counts: Counter[Pair], side: int) -> Counter[str | None]:
    totals: Counter[str | None] = Counter()
    for pair, count in counts.items():
        totals[pair[side]] += count
    return totals


def overall(some: Sequence[Measure]) -> Measure:
    """All labels together, each item counted once (micro-average)."""
    return Measure(
        label="all",
        expected=sum(one.expected for one in some),
        found=sum(one.found for one in some),
        right=sum(one.right for one in some),
    )


def macro_f1(some: Iterable[Measure]) -> float:
    """The mean F1 of the labels that were expected at least once, each label counted once."""
    return fmean([one.f1 for one in some if one.expected] or [0.0])


def as_json(one: Measure) -> dict[str, object]:
    """A measure with what derives from it, rounded."""
    shares = {name: round(getattr(one, name), 4) for name in ("precision", "recall", "f1")}
    return {"label": one.label, **shares, "expected": one.expected, "found": one.found, "right": one.right}


def measures_text(some: Sequence[Measure]) -> Iterator[str]:
    """A table: a line for each label, then for all together."""
    width = max(8, *(len(visible(one.label)) for one in some)) if some else 8
    yield f"{'':{width}} {'precision':>9} {'recall':>9} {'F1':>9} {'expected':>9} {'found':>9}"
    for one in (*some, overall(some)):
        shares = f"{one.precision:>9.3f} {one.recall:>9.3f} {one.f1:>9.3f}"
        yield f"{visible(one.label):{width}} {shares} {one.expected:>9,} {one.found:>9,}"
    yield f"macro-F1 {macro_f1(some):.3f} over {sum(one.expected > 0 for one in some)} labels"


def confusions(pairs: Iterable[Pair]) -> list[tuple[str | None, str | None, int]]:
    """Every kind of mistake with its count, the most frequent first; equal ones by name."""
    counts = Counter(pair for pair in pairs if pair[0] != pair[1])
    found = [(expected, found, count) for (expected, found), count in counts.items()]
    return sorted(found, key=lambda row: (-row[2], row[0] or "", row[1] or ""))


def confusions_text(rows: Sequence[tuple[str | None, str | None, int]], most: int) -> Iterator[str]:
    """The most frequent kinds of mistake, a line each."""
    for expected, found, count in rows[:most]:
        yield f"{count:>9,}  {visible(expected or 'nothing')} taken for {visible(found or 'nothing')}"
    if more := sum(count for _, _, count in rows[most:]):
        yield f"{more:>9,}  in {len(rows) - most:,} other kinds"
