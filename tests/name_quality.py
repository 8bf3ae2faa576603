"""How good names are on the cases in tests/names: F1 of the model alone, of the rules, and of keys and countries.

    python -m tests.name_quality [--model NAME] [--gains] [--mistakes]

Rules were written by the first half; the half that was kept apart is what counts. `--gains` prints what each rule is
worth on the first half: how much F1 is lost without it. `--mistakes` lists what is wrong in the first half.
"""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

from schemas.records import Article
from tests.names import Case, articles, sentences
from transforms import name_rules, name_words
from transforms.annotate import DEFAULT_LABELS, Wanted, annotated
from transforms.decoder import Span
from transforms.name_keys import LOCAL
from transforms.names import DEFAULT_MODELS, namer

Find = Callable[[Sequence[str]], list[list[Span]]]
WANTED = Wanted(frozenset(DEFAULT_LABELS))
_FIELD = {"title": 0, "body": 1}


class Scores(NamedTuple):
    """F1 in per cent."""

    model: float
    rules: float
    keys: float
    countries: float


class Found(NamedTuple):
    """What is right, expected and found in one case, in four ways."""

    model: tuple[set[Any], set[Any]]
    rules: tuple[set[Any], set[Any]]
    keys: tuple[set[Any], set[Any]]
    countries: tuple[set[Any], set[Any]]


def found_in(case: Case, spans: Sequence[Sequence[Span]]) -> Found:
    """Expected and found: places with labels of the model and of the rules, places with keys, countries."""
    article = annotated(Article(title=case.title, body=case.body, article_id="case"), spans, WANTED)
    labels = {(name.field, name.start, name.end, name.label) for name in case.names}
    raw = {(field, *span) for field in (0, 1) for span in spans[field] if span.label in WANTED.labels}
    ours = [(_FIELD[one.field], one.start, one.end, one) for one in article.entities]
    keys = {(name.field, name.start, name.end, name.key) for name in case.names}
    return Found(
        (labels, raw),
        (labels, {(*place, one.label) for *place, one in ours}),
        (keys, {(*place, "PERSON:~" if LOCAL in one.key else one.key) for *place, one in ours}),
        (set(case.countries), set(article.countries)),
    )


def scores(cases: Sequence[Case], spans: Sequence[Sequence[Sequence[Span]]]) -> Scores:
    """Micro-F1 over the cases."""
    found = [found_in(case, of_case) for case, of_case in zip(cases, spans, strict=True)]
    return Scores(*(_f1([one[way] for one in found]) for way in range(4)))


def _f1(pairs: Sequence[tuple[set[Any], set[Any]]]) -> float:
    right = sum(len(expected & found) for expected, found in pairs)
    total = sum(len(expected) + len(found) for expected, found in pairs)
    return 200 * right / total if total else 0.0


def spans_of(cases: Sequence[Case], find: Find) -> list[list[list[Span]]]:
    """The model's spans in title and body of each case."""
    spans = find([text for case in cases for text in (case.title, case.body)])
    return [spans[at : at + 2] for at in range(0, len(spans), 2)]


@contextmanager
def without(rule: str) -> Iterator[None]:
    """The rules without one of them."""
    name_words.read_words.cache_clear()
    if rule in {one.__name__ for one in name_words.RULES}:
        rest = tuple(one for one in name_words.RULES if one.__name__ != rule)
        with mock.patch.object(name_words, "RULES", rest):
            yield
    elif hasattr(name_words, rule):
        identity = {"parts": lambda words: [(0, words)]}.get(rule, lambda name, language: name)
        with mock.patch.object(name_words, rule, identity):
            yield
    else:
        nothing = {"repeats": lambda texts, mentions, wanted: list(mentions)}.get(rule, lambda *arguments: {})
        with mock.patch.object(name_rules, rule, nothing):
            yield
    name_words.read_words.cache_clear()


WORD_RULES = ("parts", *(rule.__name__ for rule in name_words.RULES), "country_or_people")
ARTICLE_RULES = ("companies", "full_names", "surnames", "declared", "after_titles", "repeats")


def main() -> None:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODELS["en"])
    parser.add_argument("--gains", action="store_true")
    parser.add_argument("--mistakes", action="store_true")
    options = parser.parse_args()
    find = namer(options.model).find
    print(f"{namer(options.model).model:36}  cases  names  model  rules   keys countries")
    for apart in (False, True):
        for kind, all_cases in (("sentences", sentences()), ("articles", articles())):
            cases = [case for case in all_cases if case.apart == apart]
            result = scores(cases, spans_of(cases, find))
            half = "kept apart" if apart else "by which rules were written"
            names = sum(len(case.names) for case in cases)
            countries = f"{result.countries:9.1f}" if kind == "articles" else ""
            figures = f"{result.model:6.1f} {result.rules:6.1f} {result.keys:6.1f} {countries}"
            print(f"{kind} {half:26} {len(cases):6} {names:6} {figures}")
    first = [case for case in (*sentences(), *articles()) if not case.apart]
    spans = spans_of(first, find)
    if options.gains:
        whole = scores(first, spans)
        for rule in (*WORD_RULES, *ARTICLE_RULES):
            with without(rule):
                less = scores(first, spans)
            print(f"{rule:20} {whole.rules - less.rules:+5.1f} names, {whole.keys - less.keys:+5.1f} keys")
    if options.mistakes:
        for case, of_case in zip(first, spans, strict=True):
            expected, found = found_in(case, of_case).keys
            if expected != found:
                texts = case.title, case.body
                print(texts[1][:100].replace("\n", " "))
                for what, places in (("missed", expected - found), ("wrong", found - expected)):
                    print(f"    {what}: {[(texts[at][start:end], key) for at, start, end, key in sorted(places)]}")


if __name__ == "__main__":
    main()
