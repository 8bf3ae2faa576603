"""Precision, recall, F1 and confusion."""

import pytest

from pipeline.metrics import Pair, as_json, confusions, confusions_text, macro_f1, measures, measures_text, overall

PAIRS: list[Pair] = [("a", "a")] * 3 + [("a", "b"), ("b", "b"), ("b", None), (None, "a"), (None, "c")]


def test_measures_of_each_label() -> None:
    a, b, c = measures(PAIRS)
    assert (a.label, a.precision, a.recall, a.f1) == ("a", 3 / 4, 3 / 4, 3 / 4)
    assert (b.label, b.precision, b.recall, b.f1) == ("b", 1 / 2, 1 / 2, 1 / 2)
    assert (c.label, c.precision, c.recall, c.f1) == ("c", 0, 0, 0)
    assert as_json(a) == {
        **{"label": "a", "precision": 0.75, "recall": 0.75, "f1": 0.75},
        **{"expected": 4, "found": 4, "right": 3},
    }


def test_averages() -> None:
    some = measures(PAIRS)
    whole = overall(some)
    assert (whole.expected, whole.found, whole.right) == (6, 7, 4)
    assert macro_f1(some) == pytest.approx((3 / 4 + 1 / 2) / 2)  # c was never expected
    assert macro_f1([]) == 0


def test_confusions_are_sorted() -> None:
    assert confusions(PAIRS) == [(None, "a", 1), (None, "c", 1), ("a", "b", 1), ("b", None, 1)]
    assert list(confusions_text(confusions(PAIRS), 2))[1:] == [
        "        1  nothing taken for c",
        "        2  in 2 other kinds",
    ]


def test_tables_are_safe_for_a_terminal() -> None:
    lines = list(measures_text(measures([("\x1b[2J", "\x1b[2J")])))
    assert "\x1b" not in "".join(lines)
    assert list(measures_text([]))[-1] == "macro-F1 0.000 over 0 labels"
