"""`evaluate entities`: both kinds of file, the counts, and what is refused."""

import json
from pathlib import Path

import pytest

from pipeline.evaluate_names import Labelled, evaluate_names, read_labelled, result_text
from schemas.errors import UsageError
from tests.command import newsbeam
from transforms.names import DEFAULT_MODELS

TEXT = "Ada Verrin left Oslo for the Northern Water Board."
NAMES = frozenset([(0, 10, "PERSON"), (16, 20, "GPE"), (29, 49, "ORG")])


@pytest.mark.parametrize("name", ["entities", "spans", "label"])
@pytest.mark.parametrize("as_objects", [False, True])
def test_jsonl(tmp_path: Path, name: str, as_objects: bool) -> None:
    places = [dict(zip(("start", "end", "label"), one, strict=True)) if as_objects else list(one) for one in NAMES]
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT, name: places}) + "\n\n")
    assert read_labelled(str(path)) == [Labelled(TEXT, NAMES)]


def test_conll(tmp_path: Path) -> None:
    path = tmp_path / "texts.conll"
    path.write_text(
        "-DOCSTART- -X- O O\n\nAda NNP B-PER\nVerrin NNP I-PER\nleft VBD O\nOslo NNP S-LOC\n\nBob NNP I-PER\n"
        "-DOCSTART- O\nOslo B-LOC\nBergen B-LOC\n"
    )
    assert read_labelled(str(path)) == [
        Labelled("\nAda Verrin left Oslo \nBob ", frozenset([(1, 11, "PER"), (17, 21, "LOC"), (23, 26, "PER")])),
        Labelled("Oslo Bergen ", frozenset([(0, 4, "LOC"), (5, 11, "LOC")])),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no labelled name"),
        ('{"text": "Oslo", "entities": []}', "no labelled name"),
        ('{"text": "Oslo", "entities": [[0, 9, "GPE"]]}', "line 1: no text with offsets: 0 to 9"),
        ('{"text": "Oslo", "entities": [[0, 4]]}', "line 1"),
        ('{"entities": []}', "line 1"),
        ("Ada B-PER\nVerrin", "line 2: 'Verrin' is no token"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "bad"
    path.write_text(content)
    with pytest.raises(UsageError, match=reason):
        read_labelled(str(path))


def test_result() -> None:
    texts = [Labelled(TEXT, NAMES), Labelled("Ada Verrin left.", frozenset([(0, 10, "ORG"), (11, 15, "ORG")]))]
    result = evaluate_names(texts, DEFAULT_MODELS, "en", None)
    person, gpe, org = sorted(result.by_label, key=lambda one: ["PERSON", "GPE", "ORG"].index(one.label))
    assert (person.expected, person.found, person.right) == (1, 2, 1)
    assert (gpe.right, org.right, org.expected) == (1, 1, 3)
    assert {(one.words, one.expected, one.found) for one in result.mistakes} == {
        ("Ada Verrin", "ORG", "PERSON"),
        ("left", "ORG", None),
    }
    text = result_text(result)
    assert "[Ada Verrin] left." in text and "PERSON, should be ORG" in text and "the model alone" in text


def test_conll_labels_are_the_four(tmp_path: Path) -> None:
    result = evaluate_names([Labelled(TEXT, frozenset([(0, 10, "PER"), (16, 20, "LOC")]))], DEFAULT_MODELS, "en", None)
    assert {one.label: one.right for one in result.by_label if one.expected} == {"PER": 1, "LOC": 1}


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT, "entities": [list(one) for one in NAMES]}))
    found = json.loads(newsbeam("evaluate", "entities", str(path), "--json").stdout)
    assert found["all"]["f1"] == 1.0 and found["model"] == "en_core_web_md 3.7.1"


def test_a_language_without_a_model() -> None:
    with pytest.raises(UsageError, match="no model for 'de'"):
        evaluate_names([Labelled(TEXT, NAMES)], DEFAULT_MODELS, "de", None)
