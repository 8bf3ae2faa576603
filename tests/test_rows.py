"""Rows from articles: every column, every partition, nested ones too."""

from collections import defaultdict
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from schemas.records import Article, Copy, Entity, Letter, Score
from schemas.tables import TABLES
from transforms.rows import arrow_array, mentions, rows_of

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def entity(key: str, field: str, start: int) -> Entity:
    return Entity(text="x", name="x", label="ORG", key=key, field=field, start=start, end=start + 1)


ARTICLES = [
    Article(article_id="b", outcome="unique", topic="sport", published_at=datetime(2026, 1, 5, 23, tzinfo=UTC)),
    Article(article_id="a", outcome="unique", topic="sport", published_at=datetime(2026, 1, 5, 23, tzinfo=UTC)),
    Article(article_id="c", outcome="unique", topics=[Score("health", 0.5)], entities=[entity("ORG:x", "title", 0)]),
    Article(article_id="d", outcome="duplicate", copy=Copy(duplicate_of="a", method="exact", similarity=1.0)),
    Article(article_id="e", outcome="known"),
    Article(
        outcome="dead",
        published_at=datetime(1999, 1, 1, tzinfo=UTC),
        letter=Letter(
            letter_id="f", stage="read", error_class="E", error="e", offset=0, length=1, raw=b"\xff", raw_size=1,
            raw_truncated=False,
        ),
    ),
]  # fmt: skip


def test_each_article_in_its_table_and_partition() -> None:
    rows: dict[str, dict[tuple[str, ...], pa.Table]] = defaultdict(dict)
    for kind, place, part in rows_of(ARTICLES, NOW, 7):
        rows[kind.name][place] = part
    places = {name: {place: len(table) for place, table in tables.items()} for name, tables in rows.items()}
    assert places == {
        "articles": {("2026-01-05", "sport"): 2, ("2026-02-01", "unclassified"): 1},
        "entities": {("2026-02-01", "unclassified"): 1},
        "duplicates": {("2026-02-01",): 1},
        "dead_letters": {("2026-02-01",): 1},
    }
    assert rows["articles"]["2026-01-05", "sport"]["article_id"].to_pylist() == ["a", "b"]
    assert rows["dead_letters"]["2026-02-01",]["raw"].to_pylist() == [b"\xff"]
    assert all(table["batch"].to_pylist() == [7] * len(table) for tables in rows.values() for table in tables.values())
    for name, tables in rows.items():
        assert all(table.schema.equals(TABLES[name].schema, check_metadata=True) for table in tables.values())


def test_mentions_of_one_name_are_counted() -> None:
    found = mentions([entity("ORG:x", "title", 3), entity("ORG:y", "body", 9), entity("ORG:x", "body", 5)])
    counts = [(first.key, count.mentions, count.in_title, count.first_offset) for first, count in found]
    assert counts == [("ORG:x", 2, True, 5), ("ORG:y", 1, False, 9)]


@pytest.mark.parametrize("values", [[], [[]], [[Score("a", 0.5)], [], [Score("b", 1.0), Score("c", 0.0)]]])
def test_lists_of_records_become_what_dicts_would(values: list[list[Score]]) -> None:
    kind = TABLES["articles"].schema.field("topics").type
    as_dicts = [[{"topic": score.topic, "score": score.score} for score in row] for row in values]
    assert arrow_array(values, kind).equals(pa.array(as_dicts, kind))
