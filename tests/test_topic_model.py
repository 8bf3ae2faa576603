"""The text model: words, bags, scores, what it can't tell, bad input, and that its training gives the same bytes."""

import hashlib
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.topics_own import Lesson, learn
from schemas.errors import WorldError
from tests.command import PROJECT
from transforms import topic_model
from transforms.native import compiled_look_up
from transforms.taxonomy import Taxonomy, Topic
from transforms.topic_model import DEFAULT, MOST_WORDS, TopicModel, bags, load_model, words
from transforms.topic_training import Design, View, calibrate, fit, grid, softmax

MODEL = load_model(str(DEFAULT))
RATES = "The central bank raised its key rate, and shares of lenders fell as investors sold bonds."
MATCH = "The striker scored twice as Rovers won the cup final, and the coach praised his goalkeeper."

WORDS = [
    ("Rates rise 3%: banks' profit", "rates rise banks profit"),
    ("BANKS RAISE RATES", "banks raise rates"),
    ("“Élan” won — café’s naïve «plan» …", "élan won café s naïve plan"),
    ("Goal!!! ⚽🏆 the\u200d cup👨‍👩‍👧", "goal the cup"),
    ("a\nb\tc\x00d", "a b c d"),
    ("１２ ＡＢ、。", ""),
    ("\ud800lone surrogates\udfff", "lone surrogates"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_words(text: str, expected: str) -> None:
    assert b" ".join(words(text)).decode() == expected


def test_bags_count_words_and_tell_the_texts_apart() -> None:
    found = bags(["b a b c b d", "", "zz a"], {b"a": 1, b"b": 2, b"c": 3})
    assert found.words.tolist() == [0, 1, 2, 3, 0, 0, 1]
    assert found.starts.tolist() == [0, 4, 5]
    assert found.logs[2] == pytest.approx(1 + np.log(3))
    assert found.telling.tolist() == [True, False, False]


def test_scores_are_those_of_the_formula() -> None:
    found = bags([RATES], MODEL.vocabulary)
    rows = MODEL.table[found.words]
    length = np.sqrt((found.logs**2 * rows[:, -1]).sum())
    logits = (found.logs[:, None] * rows[:, :-1]).sum(axis=0) / length + MODEL.bias
    assert np.allclose(MODEL.scores(found)[0], softmax(logits[None] / MODEL.temperature)[0], atol=1e-5)


def test_what_it_tells_does_not_depend_on_company() -> None:
    alone = MODEL.classify([RATES]) + MODEL.classify([""]) + MODEL.classify([MATCH])
    for one, other in zip(MODEL.classify([RATES, "", MATCH]), alone, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert [next(iter(one), None) for one in alone] == ["economy", None, "sport"]
    assert all(len(one) in (0, 3) and list(one.values()) == sorted(one.values(), reverse=True) for one in alone)
    assert MODEL.classify([]) == []


ALIKE = [
    ("capitals", str.upper),
    ("no punctuation", lambda text: re.sub(r"[^\w ]", "", text)),
    ("emoji", lambda text: text.replace(" ", " 🏦🔥 ")),
    ("line breaks", lambda text: text.replace(" ", "\n")),
    ("curly quotes", lambda text: f"“{text}”"),
]


@pytest.mark.parametrize(("name", "change"), ALIKE)
def test_forms_of_the_same_text(name: str, change: object) -> None:
    assert callable(change)
    assert MODEL.classify([change(RATES)]) == MODEL.classify([RATES]), name


UNTOLD = [
    "",
    "Yes",
    "0 1 2 3 | 4 5 6 | 7",
    "🏦🔥⚽" * 50,
    "Verrin Okafor Brandtstetter Halloranson Lindqvistsen Ruizova Xyloph Qwertzuiop",
    "def f(x): return x_1 + qz; https://zq.example/xq?yy=1",
    "De regering heeft dinsdag in Den Haag een nieuwe begroting voor scholen en wegen gepresenteerd, zegt de minister.",
    "Rząd przedstawił we wtorek nowy budżet na szkoły i drogi. Opozycja skrytykowała dług i zażądała głosowania.",
    "Правительство представило во вторник новый бюджет на школы и дороги.",
    "政府は火曜日に学校と道路のための新しい予算を発表した。",
]


@pytest.mark.parametrize("text", UNTOLD)
def test_too_little_is_known(text: str) -> None:
    assert MODEL.classify([text]) == [{}]


@given(st.lists(st.text("aBéü株 \n-'’1🏦", max_size=60) | st.sampled_from([RATES, MATCH, RATES * 9]), max_size=5))
def test_compiled_or_not_the_same_words_are_known(texts: list[str]) -> None:
    vocabulary = {word: number for number, word in enumerate(sorted({*words(RATES), b"a", "bé".encode()}), 1)}
    compiled = compiled_look_up(list(vocabulary), topic_model._LETTERS, MOST_WORDS)
    if compiled is None:
        pytest.skip("nothing is compiled here")
    for one, other in zip(bags(texts, vocabulary), bags(texts, vocabulary, compiled), strict=True):
        assert (one == other).all()


def test_the_costs_of_a_text_are_bounded() -> None:
    started = time.process_time()
    for unit in ("word ", "x", "é🎤 ", "\n", "\ud800", "a" * 5_000 + " "):
        assert len(words(unit * (3_000_000 // len(unit)))) <= MOST_WORDS
    assert time.process_time() - started < 1


@given(st.lists(st.text(max_size=300), max_size=4))
def test_any_text_is_told_or_not(texts: list[str]) -> None:
    told = MODEL.classify(texts)
    assert len(told) == len(texts)
    assert all(0 <= score <= 1 for one in told for score in one.values())


def test_sums_are_exact_in_any_order() -> None:
    chance = np.random.default_rng(5)
    values, weights = grid(chance.normal(size=(4_000, 30)), 14), grid(chance.random((4_000, 3)), 20)
    order = chance.permutation(4_000)
    assert (values.T @ weights == values[order].T @ weights[order]).all()


def test_softmax_regression_learns() -> None:
    vocabulary = {b"up": 1, b"down": 2, b"left": 3}
    found = bags(["up up left", "down left", "up", "down"] * 10, vocabulary)
    answers = np.array([0, 1, 0, 1] * 10)
    learned = fit(Design(found, View(np.array([0.0, 1, 1, 1]))), np.eye(2)[answers], np.ones(40), 1e-4, 50)
    assert learned.table[1, 0] > 1 > -1 > learned.table[1, 1]


def test_calibration_finds_the_temperature() -> None:
    chance = np.random.default_rng(7)
    true = chance.normal(size=(20_000, 4)) * 2
    answers = np.array([chance.choice(4, p=row) for row in softmax(true)])
    assert calibrate(true * 2.5, answers) == pytest.approx(2.5, abs=0.2)


SMALL = """
import hashlib, random
from pipeline.topics_own import Lesson, learn
from transforms.taxonomy import Taxonomy, Topic
chance = random.Random(3)
kinds = {"a": ["bank", "rate", "share", "bond"], "b": ["goal", "cup", "coach"], "c": ["rain", "wind", "snow"]}
lessons = [Lesson(" ".join(chance.choices(kinds[k] + ["day", "said"], k=9)), k) for _ in range(60) for k in kinds]
data = learn(lessons, lessons[:60], Taxonomy("T", {k: Topic() for k in kinds}, {}), "small")
print(hashlib.sha256(data).hexdigest())
"""


def test_training_gives_the_same_bytes_twice_and_with_any_threads() -> None:
    hashes = set()
    for threads, seed in (("1", "0"), ("2", "1")):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SMALL], cwd=PROJECT, env=environment, capture_output=True, check=True
        )
        hashes.add(done.stdout)
    assert len(hashes) == 1


def test_the_model_that_ships_is_the_documented_one() -> None:
    data = DEFAULT.read_bytes()
    assert len(data) < 2_000_000
    assert hashlib.sha256(data).hexdigest() in (PROJECT / "docs/topics.md").read_text("utf-8")
    assert MODEL.name.startswith("newsbeam-iptc ")


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:5_000], lambda data: b"no model" * 100])
def test_a_damaged_model_is_refused_in_a_sentence(damage: object, tmp_path: Path) -> None:
    assert callable(damage)
    path = tmp_path / "model.npz"
    path.write_bytes(damage(DEFAULT.read_bytes()))
    with pytest.raises(WorldError, match=r"is no model of topics .* `newsbeam topics train` makes one"):
        TopicModel.load(path)


def test_a_model_of_lessons_alone() -> None:
    chance = random.Random(11)
    words_of = {"tide": ["harbour", "ferry", "tide"], "soil": ["wheat", "plough", "soil"]}
    lessons = [
        Lesson(" ".join(chance.choices(found, k=6)), slug) for slug, found in words_of.items() for _ in range(20)
    ]
    model = TopicModel.of(learn(lessons, [], Taxonomy("T", {slug: Topic() for slug in words_of}, {}), "two"))
    told = model.classify(
        ["The ferry left the harbour at high tide", "Farmers plough the soil for wheat", "Boats sail at sea"]
    )
    assert [max(one, key=one.__getitem__) for one in told] == ["tide", "soil", "tide"]  # boats by the model that ships
