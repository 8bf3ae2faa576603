"""Field by field scores of extraction on a folder of pages with expected records.

    python -m tests.extraction DIR_OR_ARCHIVE [--worst N] [--against] [--half a|b]

In a folder each `NAME.html` has a `NAME.expected.json` beside it, in the form of `seeds/`. An archive or a folder with
`ground-truth.json` and `html/*.html.gz` is read as the article extraction benchmark (bodies only). Pages run through
the line's own reader, so what is scored is what the tables get.

Body: precision and recall of the runs of four words, repetitions counted, as the benchmark has it; F1 is of the mean
precision and the mean recall, and beside it stands the mean of the pages' own F1. Title: the same words. Authors: the
same set. Dates: the same day, and the same minute. Others: equal.

`--against` scores the bodies of other libraries too; readability-lxml and newspaper4k come with
`pip install -e '.[bench]'` (pip 24 or later). `--half` takes the pages the SHA-1 of whose name is even (a) or odd (b):
make rules on the one, and report the other.
"""

import argparse
import gzip
import hashlib
import json
import logging
import re
import shutil
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from schemas.records import Article
from tests.reading import read_bytes

Fields = Mapping[str, Any]
BODY = "body"
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")


class Case(NamedTuple):
    """A page and what it must become; of a page that is no article `error_class`."""

    name: str
    markup: bytes
    url: str | None
    expected: Fields


def cases(path: Path) -> Iterator[Case]:
    """The pages of a folder or an archive, by name. Exits where there are none."""
    if path.is_file():
        yield from _benchmark(_archived(path))
    elif (path / "ground-truth.json").exists():
        yield from _benchmark(
            {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}
        )
    else:
        for page in sorted(path.glob("*.html")):
            (expected,) = json.loads(page.with_suffix(".expected.json").read_text("utf-8"))
            yield Case(page.stem, page.read_bytes(), None, expected)


def _archived(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        members = (member for member in archive if member.isfile())
        return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def _benchmark(files: Mapping[str, bytes]) -> Iterator[Case]:
    for name, truth in sorted(json.loads(files["ground-truth.json"]).items()):
        markup = gzip.decompress(files[f"html/{name}.html.gz"])
        yield Case(name, markup, truth.get("url"), {BODY: truth["articleBody"]})


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Runs of four words with their counts; of Chinese and Japanese of four characters. A short text is one run."""
    words = _WORD.findall(text.replace("\u00ad", ""))
    return Counter(tuple(words[at : at + 4]) for at in range(max(1, len(words) - 3)))


def precision_recall(expected: str, got: str) -> tuple[float, float]:
    """Of the runs of words in the text how many are wanted, and of those wanted how many are there."""
    wanted, found = shingles(expected), shingles(got)
    common = (wanted & found).total()
    return common / found.total() if got else 0.0, common / wanted.total()


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def told(article: Article, field: str) -> Any:
    """A field as the expected records have it."""
    if field == "error_class":
        return article.letter.error_class if article.letter else None
    value = getattr(article, field)
    return value.isoformat() if hasattr(value, "isoformat") else value


def score(field: str, expected: Any, got: Any) -> float:
    """0 to 1."""
    if field == BODY:
        return f1(*precision_recall(expected, got or ""))
    if field == "title":
        return float((expected or "").split() == (got or "").split())
    if field == "authors":
        return float({name.casefold() for name in expected} == {name.casefold() for name in got})
    if field == "categories":
        common = len({*expected} & {*got})
        return f1(common / len(got), common / len(expected)) if common else float(not expected and not got)
    return float(expected == got)


def scores(case: Case, article: Article) -> dict[str, float]:
    """Of each expected field; dates twice, by day and by minute."""
    found: dict[str, float] = {}
    for field, expected in case.expected.items():
        got = told(article, field)
        if field.endswith("_at") and expected:
            found[f"{field} (day)"] = float(expected[:10] == (got or "")[:10])
            found[f"{field} (minute)"] = float(expected[:16] == (got or "")[:16])
        else:
            found[field] = score(field, expected, got)
    return found


def by_newsbeam(case: Case) -> Article:
    """What the line makes of a page."""
    (article,) = read_bytes(case.markup, f"{case.name}.html")
    return article


def by_trafilatura(case: Case) -> str:
    from trafilatura import bare_extraction

    found = bare_extraction(case.markup, url=case.url, include_comments=False, with_metadata=True)
    return found.text if found else ""


def by_readability(case: Case) -> str:
    from lxml import html
    from readability import Document

    return "\n".join(html.fromstring(Document(case.markup.decode("utf-8", "replace")).summary()).itertext())


def by_newspaper(case: Case) -> str:
    import newspaper

    settings = newspaper.Config()
    settings.fetch_images = False
    page = newspaper.Article(case.url or "https://example.com/page", config=settings)
    page.download(input_html=case.markup.decode("utf-8", "replace"))
    page.parse()
    return str(page.text)


OTHERS: dict[str, Callable[[Case], str]] = {
    "trafilatura": by_trafilatura,
    "readability-lxml": by_readability,
    "newspaper4k": by_newspaper,
}


def bodies_line(name: str, expected: Sequence[str], got: Sequence[str], seconds: float) -> str:
    """Scores of some bodies, as a line."""
    pairs = [precision_recall(one, other) for one, other in zip(expected, got, strict=True)]
    precision, recall = (sum(pair[at] for pair in pairs) / len(pairs) for at in (0, 1))
    mean = sum(f1(*pair) for pair in pairs) / len(pairs)
    figures = f"F1 {f1(precision, recall):.3f}  precision {precision:.3f}  recall {recall:.3f}  mean F1 {mean:.3f}"
    return f"{name:17} {figures}  {1000 * seconds / len(pairs):5.1f} ms a page"


def compare(pages: Sequence[Case], ours: Sequence[Article], seconds: float) -> None:
    """Print the bodies' scores of the line, and of the others."""
    expected = [case.expected[BODY] for case in pages]
    print(bodies_line("newsbeam", expected, [article.body for article in ours], seconds))
    for name, other in OTHERS.items():
        try:
            other(pages[0])
        except ImportError:
            print(f"{name:17} is not installed: pip install -e '.[bench]'")
            continue
        started = time.process_time()
        got = [_or_nothing(other, case) for case in pages]
        print(bodies_line(name, expected, got, time.process_time() - started))


def _or_nothing(extract: Callable[[Case], str], case: Case) -> str:
    """A library that fails on a page, such as for want of an extra for its language, has found nothing."""
    try:
        return extract(case)
    except Exception:
        return ""


def table(found: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """A line for each field: its pages, its mean score, and how many are right."""
    for field in dict.fromkeys(field for one in found for field in one):
        values = [one[field] for one in found if field in one]
        right = sum(value == 1 for value in values)
        yield f"{field:24} {sum(values) / len(values):6.3f}   {right} of {len(values)} exactly right"


def side_by_side(case: Case, article: Article, found: Mapping[str, float]) -> Iterator[str]:
    """Expected and found beside each other, for each field that is not right."""
    half = (shutil.get_terminal_size((160, 40)).columns - 5) // 2
    yield f"\n== {case.name}  {case.url or ''}".rstrip()
    for field in dict.fromkeys(name.partition(" ")[0] for name, value in found.items() if value < 1):
        yield f"-- {field}: expected | found"
        wanted, got = _lines(case.expected[field]), _lines(told(article, field))
        left = [line for line in wanted if line not in got] if field == BODY else wanted
        right = [line for line in got if line not in wanted] if field == BODY else got
        columns = ([part for line in lines for part in wrap(line, half)] for lines in (left, right))
        yield from (f"{one:{half}} | {other}" for one, other in zip_longest(*columns, fillvalue=""))


def _lines(value: Any) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def in_half(case: Case, half: str | None) -> bool:
    """Whether a page belongs to a half of the set."""
    return half is None or int(hashlib.sha1(case.name.encode()).hexdigest(), 16) % 2 == "ab".index(half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--worst", type=int, default=0, help="show so many of the worst pages, side by side")
    parser.add_argument("--against", action="store_true", help="score the bodies of other libraries too")
    parser.add_argument("--half", choices=("a", "b"), help="only this half of the pages")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    pages = [case for case in cases(options.path) if in_half(case, options.half)] if options.path.exists() else []
    if not pages:
        sys.exit(f"{options.path} holds no pages with expected records.")
    by_newsbeam(pages[0])
    started = time.process_time()
    articles = [by_newsbeam(case) for case in pages]
    seconds = time.process_time() - started
    found = [scores(case, article) for case, article in zip(pages, articles, strict=True)]
    print(f"{len(pages)} pages\n" + "\n".join(table(found)))
    if options.against:
        with_body = [at for at, case in enumerate(pages) if case.expected.get(BODY)]
        compare([pages[at] for at in with_body], [articles[at] for at in with_body], seconds)
    worst = sorted(range(len(pages)), key=lambda at: (min(found[at].values()), sum(found[at].values())))
    for at in worst[: options.worst]:
        print("\n".join(side_by_side(pages[at], articles[at], found[at])))


if __name__ == "__main__":
    main()
