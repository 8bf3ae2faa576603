"""Each sample input gives exactly the records that are written down beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Article
from tests.reading import read_file

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
INPUTS = sorted(path for path in SEEDS.iterdir() if not path.name.endswith((".expected.json", ".md")))


def expected_of(path: Path) -> Path:
    """`storm-page.expected.json` for `storm-page.txt`."""
    return path.with_name(f"{path.name.partition('.')[0]}.expected.json")


def told(article: Article, field: str) -> Any:
    """A field as JSON has it; `error_class` is its letter's."""
    if field == "error_class":
        return article.letter.error_class if article.letter else None
    value = getattr(article, field)
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.mark.parametrize("path", INPUTS, ids=[path.name for path in INPUTS])
def test_seed(path: Path) -> None:
    expected = json.loads(expected_of(path).read_text("utf-8"))
    articles = read_file(path)
    assert len(articles) == len(expected)
    for article, fields in zip(articles, expected, strict=True):
        assert {field: told(article, field) for field in fields} == fields


def test_no_expectation_stands_alone() -> None:
    assert {expected_of(path) for path in INPUTS} == set(SEEDS.glob("*.expected.json"))
    assert len(INPUTS) >= 14
    assert sum(path.stat().st_size for path in SEEDS.iterdir()) < 150_000


def test_the_seeds_hold_copies_and_a_revision() -> None:
    articles = [article for path in INPUTS for article in read_file(path) if article.outcome != "dead"]
    contents = [article.content_hash for article in articles]
    assert len(contents) - len(set(contents)) == 4  # copies under other addresses
    ids = {article.article_id for article in articles}
    assert len(ids) - len({article.identity for article in articles}) == 1  # a revision: one identity, two contents
