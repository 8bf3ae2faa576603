"""`evaluate topics`: how well articles are filed, on a file with the topics that they should have."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from pipeline.labelled import Labelled
from pipeline.metrics import Measure, Pair, as_json, confusions, confusions_text, macro_f1, measures, measures_text
from pipeline.terminal import number_of, visible
from schemas.records import Article, Score
from transforms.taxonomy import UNCLASSIFIED
from transforms.topics import Filing, find_topics

AT_ONCE = 256
MOST_MISTAKES = 10
_CONTEXT = 160
"""Characters of an article that show a mistake."""


class Judged(Struct, frozen=True):
    """An article, the topic that it should have, the one under which it is filed, and the model's best guess."""

    expected: str
    found: str | None
    source: str | None
    best: str | None
    score: float
    opening: str


class Mistake(Struct, frozen=True):
    """A kind of mistake, how often it was made, and the article in which it was made most surely."""

    expected: str
    found: str | None
    count: int
    score: float
    opening: str


class Tenth(Struct, frozen=True):
    """Texts whose best score lies in one tenth: how many, their mean score, and the part of them that is right."""

    texts: int
    score: float
    right: float


class Evaluation(Struct, frozen=True):
    """What was measured. `topics` counts an unclassified article as not found; `guesses` takes the best topic of
    every text, however low its score."""

    articles: int
    left_out: int
    unknown_labels: dict[str, int]
    model: str
    threshold: float
    by_source: dict[str, int]
    topics: list[Measure]
    guesses: list[Measure]
    confusion: list[tuple[str | None, str | None, int]]
    calibration: list[Tenth]
    mistakes: list[Mistake]

    @property
    def classified(self) -> int:
        return sum(one.found for one in self.topics)

    @property
    def right(self) -> int:
        return sum(one.right for one in self.topics)


def evaluate_topics(labelled: Iterable[Labelled], filed: Filing) -> Evaluation:
    """File the articles and compare."""
    judged: list[Judged] = []
    unknown: Counter[str] = Counter()
    left_out = 0
    for group in _batched(labelled):
        known = [one for one in group if one.topic is not None and one.article.outcome == "unique"]
        left_out += len(group) - len(known)
        unknown.update(one.label for one in group if one.label and one.topic is None)
        found = find_topics([one.article for one in known], filed)
        judged += [_judged(str(one.topic), article) for one, article in zip(known, found, strict=True)]
    return evaluation(judged, filed, left_out, unknown)


def _batched(labelled: Iterable[Labelled]) -> Iterator[list[Labelled]]:
    iterator = iter(labelled)
    while group := list(islice(iterator, AT_ONCE)):
        yield group


def _judged(expected: str, article: Article) -> Judged:
    best = article.topics[0] if article.topics else Score("", 0.0)
    found = None if article.topic == UNCLASSIFIED else article.topic
    opening = " ".join(f"{article.title}: {article.body[:_CONTEXT]}".split())[:_CONTEXT]
    return Judged(expected, found, article.topic_source, best.topic or None, best.score, opening)


def evaluation(
    judged: Sequence[Judged], filed: Filing, left_out: int = 0, unknown: Mapping[str, int] | None = None
) -> Evaluation:
    """What follows from the judgements."""
    pairs: list[Pair] = [(one.expected, one.found) for one in judged]
    return Evaluation(
        articles=len(judged),
        left_out=left_out,
        unknown_labels=dict(sorted((unknown or {}).items(), key=lambda item: (-item[1], item[0]))[:MOST_MISTAKES]),
        model=filed.model.name,
        threshold=filed.threshold,
        by_source=dict(sorted(Counter(one.source or UNCLASSIFIED for one in judged).items())),
        topics=measures(pairs),
        guesses=measures((one.expected, one.best) for one in judged),
        confusion=confusions(pairs),
        calibration=calibration(judged),
        mistakes=_mistakes(judged),
    )


def calibration(judged: Iterable[Judged]) -> list[Tenth]:
    """What the model's best scores are worth, tenth by tenth; empty tenths too."""
    tenths: list[list[Judged]] = [[] for _ in range(10)]
    for one in judged:
        if one.best is not None and one.source in ("text", None):
            tenths[min(9, int(one.score * 10))].append(one)
    return [
        Tenth(len(some), _mean([one.score for one in some]), _mean([one.best == one.expected for one in some]))
        for some in tenths
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mistakes(judged: Iterable[Judged]) -> list[Mistake]:
    """The most frequent kinds, leaving out what was not classified; each with its surest case."""
    wrong = [one for one in judged if one.found not in (one.expected, None)]
    kinds = confusions((one.expected, one.found) for one in wrong)[:MOST_MISTAKES]
    found = []
    for expected, kind, count in kinds:
        cases = [one for one in wrong if (one.expected, one.found) == (expected, kind)]
        surest = max(cases, key=lambda one: (one.score, one.opening))
        found.append(Mistake(surest.expected, surest.found, count, surest.score, surest.opening))
    return found


def evaluation_json(found: Evaluation) -> dict[str, object]:
    """As JSON: the measures with what derives from them."""
    plain: dict[str, object] = msgspec.to_builtins(found)
    for name in ("topics", "guesses"):
        some: list[Measure] = getattr(found, name)
        plain[name] = {"macro_f1": round(macro_f1(some), 4), "labels": [as_json(one) for one in some]}
    return plain


def evaluation_text(found: Evaluation) -> Iterator[str]:
    """For a person. Nothing from outside reaches the terminal but visible characters."""
    yield f"{number_of(found.articles, 'article')}; model {visible(found.model)}, threshold {found.threshold}"
    if found.left_out:
        labels = ", ".join(f"{visible(label)} ({count:,})" for label, count in found.unknown_labels.items())
        yield f"{found.left_out:,} more left out, without a topic of the taxonomy{': ' + labels if labels else ''}"
    yield ""
    yield from measures_text(found.topics)
    if found.classified:
        share, right = found.classified / found.articles, found.right / found.classified
        sources = ", ".join(f"{name} {count:,}" for name, count in found.by_source.items())
        yield f"classified {share:.3f} ({sources}); of these right {right:.3f}"
    yield f"always choosing, however low the score: macro-F1 {macro_f1(found.guesses):.3f}"
    yield from ("", "scores of texts, and how many are right")
    yield f"{'':8} {'texts':>9} {'score':>9} {'right':>9}"
    for tenth, row in enumerate(found.calibration):
        if row.texts:
            yield f".{tenth} to .{tenth + 1} {row.texts:>9,} {row.score:>9.3f} {row.right:>9.3f}".replace(".10", "1")
    yield from ("", "confusions")
    yield from confusions_text(found.confusion, MOST_MISTAKES)
    yield from ("", "most frequent mistakes, each with its surest case")
    for one in found.mistakes:
        kind = f"{visible(one.expected)} as {visible(one.found or '')} ({one.score:.2f})"
        yield f"{one.count:>6,}  {kind}: {visible(one.opening)}"
