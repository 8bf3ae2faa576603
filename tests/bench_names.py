"""What rules and keys cost beside the decoder: CPU time on the same articles, in turns. Needs the shared material.

    python -m tests.bench_names [--rounds N]

Each round takes new articles (Reuters items as they are): first the decoder finds spans, then rules, keys and countries
are made of these; and once more with a gazetteer of 5,000 names. The median round counts.
"""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from schemas.records import Article
from tests.conftest import SHARED
from transforms.annotate import DEFAULT_LABELS, Wanted, annotated
from transforms.decoder import Span
from transforms.gazetteer import load_gazetteer
from transforms.names import DEFAULT_MODELS, namer
from transforms.text import one_line, paragraphs

WARM, ROUND = 2_560, 256
LISTED = 5_000


def items() -> list[Article]:
    """All Reuters items, their lines joined to paragraphs as the pipeline does."""
    with gzip.open(SHARED / "data/reuters21578.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [
            Article(
                title=one_line(row["title"]), body="\n\n".join(paragraphs(row["text"])), article_id=f"{number:032x}"
            )
            for number, row in enumerate(rows)
        ]


def made_up_gazetteer(folder: str) -> str:
    """The path of a list of companies, a tenth of them as token patterns."""
    path = Path(folder) / "names.jsonl"
    with path.open("w") as lines:
        for number in range(LISTED):
            words = [f"Harbour{number % 97}", f"Works{number}"]
            pattern = " ".join(words) if number % 10 else [{"LOWER": word.lower()} for word in words]
            lines.write(json.dumps({"label": "ORG", "pattern": pattern, "id": f"Q{number}"}) + "\n")
    return str(path)


def seconds(some: Sequence[Article], spans: Sequence[Sequence[Span]], wanted: Wanted) -> float:
    """CPU time of rules, keys and countries of the articles."""
    started = time.process_time()
    for number, article in enumerate(some):
        annotated(article, spans[2 * number : 2 * number + 2], wanted)
    return time.process_time() - started


def main() -> None:
    """Print words a second and the share of the decoder's time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    if not SHARED.is_dir():
        sys.exit("The shared test material is absent: nothing to measure on.")
    articles = list(islice(items(), WARM + rounds * ROUND))
    find = namer(str(DEFAULT_MODELS["en"])).find
    with tempfile.TemporaryDirectory() as folder:
        listed = load_gazetteer(made_up_gazetteer(folder)).find
    labels = frozenset(DEFAULT_LABELS)
    times: dict[str, list[float]] = {"decoder": [], "rules and keys": [], "with a gazetteer": []}
    words = names = 0
    for start in range(0, len(articles), ROUND):
        some = articles[start : start + ROUND]
        started = time.process_time()
        spans = find([text for article in some for text in (article.title, article.body)])
        decoder = time.process_time() - started
        found = decoder, seconds(some, spans, Wanted(labels)), seconds(some, spans, Wanted(labels, listed))
        if start >= WARM:
            words += sum(len(article.title.split()) + len(article.body.split()) for article in some)
            names += sum(map(len, spans))
            for of_name, time_of in zip(times.values(), found, strict=True):
                of_name.append(time_of)
    print(f"{rounds * ROUND:,} articles, {words:,} words, {names:,} spans, one core, CPU time")
    for name, of_name in times.items():
        share = median(time / decoder for time, decoder in zip(of_name, times["decoder"], strict=True))
        rate = words / rounds / median(of_name)
        print(f"{name:18} {rate:>10,.0f} words/s {share:>7.1%} of the decoder's time")


if __name__ == "__main__":
    main()
