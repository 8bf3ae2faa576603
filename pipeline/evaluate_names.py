"""`evaluate entities`: how well names are found in somebody's own labelled texts.

Two kinds of file. JSONL, a text a line with the places of its names, in characters:

    {"text": "Ada Verrin left Oslo.", "entities": [[0, 10, "PERSON"], [16, 20, "GPE"]]}

where `entities` may also be called spans, labels or label, and a place may be an object (start, end, label). And CoNLL:
a token a line, its BIO or BILOU tag in the last column, an empty line between sentences, `-DOCSTART-` between texts.
A name counts as found if place and label are exactly right.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.metrics import (
    Measure,
    Pair,
    as_json,
    confusions,
    confusions_text,
    measures,
    measures_text,
    overall,
)
from pipeline.terminal import visible
from schemas.errors import UsageError
from schemas.records import Article
from transforms.annotate import DEFAULT_LABELS
from transforms.names import find_names, namer

MOST_MISTAKES = 10
_CONTEXT = 40
"""Characters shown on each side of a mistake."""
_CONLL = {
    **{"PERSON": "PER", "ORG": "ORG", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "NORP": "MISC", "EVENT": "MISC"},
    **{"WORK_OF_ART": "MISC", "PRODUCT": "MISC", "LAW": "MISC", "LANGUAGE": "MISC"},
}
"""Our labels as the four of CoNLL 2003."""

Span = tuple[int, int, str]


class Labelled(NamedTuple):
    """A text and the names that it should have."""

    text: str
    names: frozenset[Span]


class Mistake(Struct, frozen=True):
    """A kind of mistake: the words, what was expected and found, how often, and one place where it happened."""

    words: str
    expected: str | None
    found: str | None
    count: int
    context: str


class Result(Struct, frozen=True, kw_only=True):
    """What an evaluation says."""

    texts: int
    model: str
    model_alone: Measure
    """All labels together, before rules."""
    by_label: list[Measure]
    confusions: list[tuple[str | None, str | None, int]]
    mistakes: list[Mistake]


def read_labelled(path: str) -> list[Labelled]:
    """Read a file of either kind. Raises UsageError, which names the line, if it is neither."""
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8.") from None
    is_jsonl = next((line for line in lines if line.strip()), "").lstrip().startswith("{")
    texts = list(_jsonl(path, lines) if is_jsonl else _conll(path, lines))
    if not any(one.names for one in texts):
        raise UsageError(f"{path} has no labelled name: give JSONL with offsets, or CoNLL.")
    return texts


def _jsonl(path: str, lines: Iterable[str]) -> Iterator[Labelled]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _labelled(msgspec.json.decode(line))
            except (msgspec.DecodeError, ValueError, TypeError, KeyError) as error:
                raise UsageError(f"{path}, line {number}: no text with offsets: {error}.") from None


def _labelled(row: Mapping[str, Any]) -> Labelled:
    text = str(row["text"])
    places: list[Any] = next((row[name] for name in ("entities", "spans", "labels", "label") if name in row), [])
    names = set()
    for place in places:
        start, end, label = (place["start"], place["end"], place["label"]) if isinstance(place, dict) else place[:3]
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
            raise ValueError(f"{start} to {end} is no place in a text of {len(text)} characters")
        names.add((start, end, str(label)))
    return Labelled(text, frozenset(names))


def _conll(path: str, lines: Iterable[str]) -> Iterator[Labelled]:
    tokens: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if parts[:1] == ["-DOCSTART-"]:
            if tokens:
                yield _joined(tokens)
            tokens = []
        elif not parts:
            tokens.append(("\n", "O"))
        elif len(parts) == 1 or not (parts[-1] == "O" or parts[-1][1:2] == "-"):
            raise UsageError(f"{path}, line {number}: {visible(line[:60])!r} is no token with a tag such as B-PER.")
        else:
            tokens.append((parts[0], parts[-1]))
    if tokens:
        yield _joined(tokens)


def _joined(tokens: Sequence[tuple[str, str]]) -> Labelled:
    """Tokens joined by blanks; a name goes on while its label does and no tag begins anew."""
    text, names = "", []
    begun: Span | None = None
    for token, tag in tokens:
        start = len(text)
        text += token if token == "\n" else f"{token} "
        action, _, label = tag.partition("-")
        if begun and not (action in "ILE" and label == begun[2]):
            names.append(begun)
            begun = None
        if label:
            begun = (begun[0] if begun else start, start + len(token), label)
    return Labelled(text, frozenset([*names, *([begun] if begun else [])]))


def evaluate_names(
    texts: Sequence[Labelled], models: Mapping[str, str | None], language: str, gazetteer: str | None
) -> Result:
    """Find the names of all texts, and compare. Raises UsageError for a language without a model."""
    model = models.get(language)
    if model is None:
        raise UsageError(f"There is no model for {language!r}; name one under `models` in the configuration.")
    wanted = {label for one in texts for *_, label in one.names}
    rename = _CONLL if wanted & {"PER", "MISC"} else {}
    articles = [Article(outcome="unique", language=language, body=one.text) for one in texts]
    labels = [name for name in dict.fromkeys((*DEFAULT_LABELS, *sorted(wanted))) if rename.get(name, name) in wanted]
    found = [
        frozenset((name.start, name.end, rename.get(name.label, name.label)) for name in article.entities)
        for article in find_names(articles, models, labels, gazetteer)
    ]
    raw = [
        frozenset((start, end, rename.get(label, label)) for start, end, label in spans if label in labels)
        for spans in namer(model).find([one.text for one in texts])
    ]
    pairs = [pair for one, names in zip(texts, found, strict=True) for pair in _pairs(one.names, names)]
    alone = [pair for one, names in zip(texts, raw, strict=True) for pair in _pairs(one.names, names)]
    return Result(
        texts=len(texts),
        model=namer(model).model,
        model_alone=overall(measures(alone)),
        by_label=measures(pairs),
        confusions=confusions(pairs),
        mistakes=_mistakes(texts, found),
    )


def _pairs(expected: frozenset[Span], found: frozenset[Span]) -> list[Pair]:
    return [pair for _, _, pair in _compared(expected, found)]


def _compared(expected: frozenset[Span], found: frozenset[Span]) -> Iterator[tuple[int, int, Pair]]:
    """Each place with the label that was expected there and the one that was found."""
    right, ours = ({(start, end): label for start, end, label in spans} for spans in (expected, found))
    for start, end in sorted(right.keys() | ours.keys()):
        yield start, end, (right.get((start, end)), ours.get((start, end)))


def _mistakes(texts: Sequence[Labelled], found: Sequence[frozenset[Span]]) -> list[Mistake]:
    counts: Counter[tuple[str, Pair]] = Counter()
    contexts: dict[tuple[str, Pair], str] = {}
    for one, names in zip(texts, found, strict=True):
        for start, end, pair in _compared(one.names, names):
            if pair[0] != pair[1]:
                kind = one.text[start:end], pair
                counts[kind] += 1
                contexts.setdefault(kind, _context(one.text, start, end))
    first = sorted(counts, key=lambda kind: (-counts[kind], kind[0], str(kind[1])))[:MOST_MISTAKES]
    return [Mistake(words, *pair, counts[words, pair], contexts[words, pair]) for words, pair in first]


def _context(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
    return " ".join(f"{before}[{text[start:end]}]{after}".split())


def result_text(result: Result) -> str:
    """The result for people."""
    alone = result.model_alone
    lines = [f"{result.texts:,} texts, names found by {visible(result.model)} and rules", ""]
    lines += measures_text(result.by_label)
    lines += [f"the model alone: precision {alone.precision:.3f}, recall {alone.recall:.3f}, F1 {alone.f1:.3f}", ""]
    lines += ["Confusion (place exact; a name with wrong edges is one missed and one too many)"]
    lines += [*confusions_text(result.confusions, MOST_MISTAKES), "", "Most frequent mistakes"]
    for one in result.mistakes:
        lines.append(f"{one.count:>9,}  {visible(one.words)}: {_what(one)}")
        lines.append(f"{'':11}{visible(one.context)}")
    return "\n".join(lines)


def _what(one: Mistake) -> str:
    if one.found is None:
        return f"{visible(str(one.expected))} was not found"
    return f"{visible(one.found)}, " + (f"should be {visible(one.expected)}" if one.expected else "is none")


def result_json(result: Result) -> dict[str, object]:
    """The result for machines."""
    return {
        "texts": result.texts,
        "model": result.model,
        "all": as_json(overall(result.by_label)),
        "model_alone": as_json(result.model_alone),
        "labels": [as_json(one) for one in result.by_label],
        "confusions": [dict(zip(("expected", "found", "count"), row, strict=True)) for row in result.confusions],
        "mistakes": [msgspec.to_builtins(one) for one in result.mistakes],
    }
