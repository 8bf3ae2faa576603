"""Columns of the user's own: what is kept, what becomes a problem, what is refused at the start, and end to end."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from pipeline.config import load_config
from pipeline.own_parts import check_own_parts
from pipeline.query import connect
from pipeline.verify import verify_warehouse
from schemas.errors import UsageError
from schemas.records import Article
from tests.command import PROJECT, newsbeam
from tests.plain import plain_run
from transforms import own_columns
from transforms.own_columns import OwnColumns, add_columns, load_function

HERE = "tests.test_own_columns"
KINDS = OwnColumns(f"{HERE}:every_kind", (("t", "text"), ("i", "integer"), ("n", "number"), ("b", "boolean")))


def every_kind(articles: Sequence[Article]) -> Iterator[dict[str, object]]:
    for article in articles:
        if article.title == "poison":
            raise RuntimeError("no")
        yield {"t": article.title, "i": 7, "n": 0.5, "b": True, "x": None} if article.title != "odd" else {"n": 3}


def too_few(articles: Sequence[Article]) -> list[dict[str, object]]:
    return []


def article(title: str, outcome: Any = "unique") -> Article:
    return Article(title=title, outcome=outcome)


def test_values_are_texts() -> None:
    own = KINDS._replace(columns=(*KINDS.columns, ("x", "text")))
    (one, odd, copy) = add_columns([article("A"), article("odd"), article("B", "duplicate")], [own], "")
    assert one.extra == {"t": "A", "i": "7", "n": "0.5", "b": "true"}
    assert odd.extra == {"n": "3"} and copy.extra == {} and not one.problems


def test_a_failure_costs_one_article_its_own_values() -> None:
    done = add_columns(
        [article("A"), article("poison"), article("odd")], [KINDS._replace(columns=(*KINDS.columns, ("x", "text")))], ""
    )
    assert [bool(one.extra) for one in done] == [True, False, True]
    assert done[1].problems == ["no t, i, n, b, x: RuntimeError: no"] and done[1].outcome == "unique"


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("7", "integer", "is str, not integer"),
        (True, "integer", "is bool, not integer"),
        (0.5, "integer", "is float, not integer"),
        (math.nan, "number", "not a finite number"),
        (1, "boolean", "is int, not boolean"),
        ("x" * (own_columns.MAX_CHARACTERS + 1), "text", "more than"),
        ("\ud800", "text", "surrogates not allowed"),
    ],
)
def test_values_of_another_kind_are_problems(
    value: object, kind: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_columns, "load_function", lambda name, root: lambda some: [{"v": value} for _ in some])
    (one,) = add_columns([article("A")], [OwnColumns("any:thing", (("v", kind),))], "")
    assert one.extra == {} and reason in one.problems[0]


def test_what_is_not_declared_or_not_for_each_article() -> None:
    (one,) = add_columns([article("A")], [KINDS._replace(columns=(("t", "text"),))], "")
    assert "'b' is not declared" in one.problems[0]
    (one,) = add_columns([article("A")], [KINDS._replace(function=f"{HERE}:too_few")], "")
    assert "0 results for 1 articles" in one.problems[0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("no_such_module:f", "cannot be imported: ModuleNotFoundError"),
        (f"{HERE}:every_kin", "no function 'every_kin'; did you mean 'every_kind'"),
    ],
)
def test_a_misspelt_function_is_refused_at_the_start(function: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "news.yaml"
    path.write_text(f"transforms:\n  - function: {function}\n    columns: {{a: text}}\n")
    with pytest.raises(UsageError, match=reason):
        check_own_parts(load_config(str(path), {}))
    result = newsbeam("run", str(path), "--input", str(path), "--output", str(tmp_path / "out"), status=2)
    assert "transforms: " in result.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("transforms: [{function: nonsense, columns: {a: text}}]", "function"),
        ("transforms: [{function: 'a:b', columns: {}}]", "columns"),
        ("transforms: [{function: 'a:b', columns: {A b: text}}]", "columns"),
        ("transforms: [{function: 'a:b', columns: {a: txt}}]", "text"),
        ("transforms: [{function: 'a:b', columns: {a: text}}, {function: 'a:c', columns: {a: text}}]", "two functions"),
        ("names: {gazeteer: x}", "did you mean 'gazetteer'"),
    ],
)
def test_what_the_configuration_refuses(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "news.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        load_config(str(path), {})


def test_a_module_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "desk_columns_of_a_test.py").write_text("def f(articles):\n    return [{} for _ in articles]\n")
    assert load_function("desk_columns_of_a_test:f", str(tmp_path))([article("A")]) == [{}]


def test_the_example_end_to_end(tmp_path: Path) -> None:
    """Columns and gazetteer of configs/own_columns.yaml reach the folders, Delta, queries; and verify is content."""
    output = tmp_path / "out"
    config = load_config(str(PROJECT / "configs/own_columns.yaml"), {"output": str(output)})
    check_own_parts(config)
    summary = plain_run(config)
    assert summary.unique > 5 and not summary.unreadable
    rows = ds.dataset(output / "articles", partitioning="hive", exclude_invalid_files=True).to_table().to_pylist()
    assert all(dict(row["extra"]).keys() <= {"reading_minutes", "has_quote"} for row in rows)
    minutes_of = {row["word_count"]: dict(row["extra"]).get("reading_minutes") for row in rows}
    assert all((minutes and float(minutes)) == (round(n / 230, 1) if n else None) for n, minutes in minutes_of.items())
    delta = DeltaTable(output / "articles").to_pyarrow_table().column("extra").to_pylist()
    assert sorted(map(str, delta)) == sorted(str(row["extra"]) for row in rows)
    with connect(str(output)) as connection:
        minutes = connection.execute("SELECT sum(extra['reading_minutes']::DOUBLE) FROM articles").fetchall()[0][0]
        wilk = connection.execute(
            "SELECT DISTINCT key, external_id, name FROM entities WHERE name = 'Tomasz Wilk'"
        ).fetchall()
        nothing = connection.execute("SELECT count(extra['no_such']) FROM articles").fetchall()[0][0]
    assert minutes > 0 and nothing == 0 and wilk == [("PERSON:desk-1001", "desk-1001", "Tomasz Wilk")]
    assert not verify_warehouse(str(output)).problems
