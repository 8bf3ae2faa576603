"""`evaluate dedup`: figures against a plain count, what to label, and files that cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.comparison import Part, compare, side_by_side
from pipeline.evaluate_copies import borderline, evaluate, report_text
from schemas.errors import UsageError
from tests.near_stories import near_stories
from tests.plain import plain_config, plain_run
from transforms.near import Rules

RULES = Rules()


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def told(stories: int = 40) -> list[dict[str, Any]]:
    return [{**row, "cluster": row["story"]} for row in near_stories(8, stories)]


def test_clusters(tmp_path: Path) -> None:
    rows = told()
    report = evaluate(written(tmp_path / "a.jsonl", rows), RULES)
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["cluster"]] = sizes.get(row["cluster"], 0) + 1
    assert report.copies == sum(size * (size - 1) // 2 for size in sizes.values())
    assert report.quality.precision >= 0.99 and report.quality.recall >= 0.95
    assert report.ari is not None and 0.97 <= report.ari <= 1


def test_wrong_labels_are_the_mistakes_that_are_shown(tmp_path: Path) -> None:
    rows = told(6)
    for number, row in enumerate(rows):
        row["cluster"] = number % 2
    report = evaluate(written(tmp_path / "a.jsonl", rows), RULES)
    assert report.wrongly_joined and report.missed and report.ari is not None and report.ari < 0.5
    assert "too little of them is common" in report_text(report)


def pair(one: str, other: str, same: bool | None, **more: object) -> dict[str, Any]:
    return {"a": {"text": one, **more}, "b": {"text": other}, "same": same}


def test_pairs(tmp_path: Path) -> None:
    one, two = (
        row["text"] for row in told(9) if row["url"].startswith("https://paper0.example/") and row["story"] < "2"
    )
    rows = [pair(one, one, True), pair(one, one + " More.", True), pair(one, two, False), pair(two, one, None)]
    report = evaluate(written(tmp_path / "a.jsonl", rows), RULES)
    assert (report.pairs, report.copies, report.unlabelled, report.ari) == (3, 2, 1, None)
    assert (report.quality.precision, report.quality.recall) == (1, 1)
    exact = evaluate(str(tmp_path / "a.jsonl"), Rules(mode="exact"))
    assert exact.quality.recall == 0.5


WRONG = {
    "": "holds no line",
    "x": "is not JSON Lines",
    "[1]": "is not JSON Lines: it is no object",
    '{"a": 1}': "line 1: a pair is",
    '{"a": {"text": "x"}, "b": 7, "same": true}': "line 1: an article is an object",
    '{"a": {"text": "x", "published_at": "x"}, "b": {"text": "x"}, "same": true}': "published_at is a time",
    '{"a": {"text": "x"}, "b": {"text": "y"}, "same": false}': "no pair that is labelled as the same",
    '{"text": "x", "cluster": 1}\n{"text": "x"}': "line 2: it has no `cluster`",
    "[" * 100_000: "is not JSON Lines",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_files_are_told_by_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UsageError, match=WRONG[text]):
        evaluate(str(tmp_path / "a.jsonl"), RULES)


def test_what_is_drawn_can_be_labelled_and_given_back(tmp_path: Path) -> None:
    written(tmp_path / "in.jsonl", told(60))
    plain_run(plain_config(tmp_path, tmp_path / "out", "in.jsonl"))
    drawn = borderline(str(tmp_path / "out"), RULES, 10)
    assert len(drawn) == 10 and all(one["same"] is None and one["a"]["text"] for one in drawn)
    report = evaluate(written(tmp_path / "labelled.jsonl", [{**one, "same": True} for one in drawn]), RULES)
    assert report.pairs == 10


@pytest.mark.parametrize(
    ("left", "right", "parts"),
    [
        ("", "", []),
        ("a b c", "A b c", [Part(True, "a b c", "A b c")]),
        ("a b c", "x y z", [Part(False, "a b c", "x y z")]),
        ("a b c d e", "a b c x e", [Part(True, "a b c", "a b c"), Part(False, "d", "x"), Part(True, "e", "e")]),
        ("a b c d e f", "x b c y e z", [Part(False, "a b c d e f", "x b c y e z")]),
        ("a b c", "a b c d", [Part(True, "a b c", "a b c"), Part(False, "", "d")]),
    ],
)
def test_comparison(left: str, right: str, parts: list[Part]) -> None:
    assert compare(left, right) == parts


def test_a_comparison_is_bounded_and_steers_no_terminal() -> None:
    long = " ".join(f"w{number}" for number in range(100_000))
    lines = list(side_by_side(compare(long, long[::-1])))
    assert len(lines) <= 61 and lines[-1].endswith("more")
    assert "\x1b" not in "".join(side_by_side(compare("a \x1b[31m b", "c")))
