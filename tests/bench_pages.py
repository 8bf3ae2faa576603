"""How much CPU time extraction takes beside trafilatura alone, and what hostile pages cost.

    python -m tests.bench_pages [DIR_OR_ARCHIVE] [--rounds N] [--hostile]

On the same pages, in turns in one process: trafilatura with its metadata, `extract`, and the line's whole way from
bytes to articles. Time is the process's CPU time; the median of the rounds counts. `--hostile` prints what each page
of tests/test_extraction.py that was made to be costly costs.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from schemas.records import Piece
from tests.conftest import SHARED
from tests.extraction import Case, by_trafilatura, cases
from tests.reading import NOW
from transforms.article import read_piece
from transforms.extraction import NotAnArticle, extract
from transforms.formats import html

BENCHMARK = SHARED / "data/html-article-extraction-benchmark.tar.gz"


def extracted(case: Case) -> None:
    with suppress(NotAnArticle):
        extract(case.markup, case.url)


def whole(case: Case) -> None:
    """As the line reads a file that holds the page."""
    size = len(case.markup)
    piece = Piece(
        input=case.name, version="1", format="html", first=0, records=1, offset=0, length=size, last=True, path="", at=0
    )
    read_piece(piece, case.markup, html.FORMAT, {}, NOW)


WAYS: dict[str, Callable[[Case], object]] = {
    "trafilatura alone": by_trafilatura,
    "extract": extracted,
    "bytes to articles": whole,
}


def seconds(way: Callable[[Case], object], pages: Sequence[Case]) -> float:
    started = time.process_time()
    for case in pages:
        way(case)
    return time.process_time() - started


def hostile() -> None:
    """Print the seconds of each costly page."""
    from tests.test_extraction import HOSTILE

    for name, (make, _) in HOSTILE.items():
        case = Case(name, make().encode(), None, {})
        print(f"{name:28} {len(case.markup) / 1e6:5.1f} MB  {seconds(extracted, [case]):5.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", default=BENCHMARK)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.hostile:
        hostile()
        return
    pages = list(cases(options.path)) if options.path.exists() else []
    if not pages:
        sys.exit(f"{options.path} holds no pages with expected records.")
    for way in WAYS.values():
        seconds(way, pages)
    rounds = [{name: seconds(way, pages) for name, way in WAYS.items()} for _ in range(options.rounds)]
    print(f"{len(pages)} pages, median of {options.rounds} rounds")
    for name in WAYS:
        per_page = median(one[name] for one in rounds) / len(pages)
        kept = median(one["trafilatura alone"] / one[name] for one in rounds)
        print(f"{name:18} {1000 * per_page:5.1f} ms a page   {kept:4.2f} of the speed of trafilatura alone")


if __name__ == "__main__":
    main()
