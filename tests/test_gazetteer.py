"""The gazetteer: strings and token patterns, what wins, the ids, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.records import Article, Entity
from transforms.annotate import DEFAULT_LABELS, Wanted, annotated
from transforms.decoder import Span
from transforms.gazetteer import load_gazetteer

LINES: list[dict[str, Any]] = [
    {"label": "ORG", "pattern": "Calder Shipping", "id": "Q1"},
    {"label": "ORG", "pattern": "Calder", "id": "Q1"},
    {"label": "ORG", "pattern": [{"LOWER": "calder"}, {"LOWER": "lines"}], "id": "Q1"},
    {"label": "PERSON", "pattern": "Ada Verrin", "id": "Q2"},
    {"label": "PRODUCT", "pattern": [{"TEXT": {"REGEX": "^K[0-9]+$"}}, {"LOWER": "ferry", "OP": "?"}]},
    {"label": "GPE", "pattern": "U.S.", "id": "Q30"},
    {"label": "SHIP", "pattern": [{"TEXT": "Polar"}, {"TEXT": "Dawn"}]},
]


def written(folder: Path, lines: list[dict[str, Any]]) -> str:
    path = folder / "names.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n", "utf-8")
    return str(path)


def named(path: str, title: str, body: str, *spans: Span) -> list[Entity]:
    """Names of an article; the spans are what a model found in the body."""
    wanted = Wanted(frozenset(DEFAULT_LABELS), load_gazetteer(path).find)
    return annotated(Article(title=title, body=body, article_id="id"), [[], spans], wanted).entities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("At Calder Shipping today.", [("Calder Shipping", "ORG", "Q1", "Calder Shipping")]),
        ("CALDER LINES sank", [("CALDER LINES", "ORG", "Q1", "Calder Shipping")]),
        ("Calder's", [("Calder", "ORG", "Q1", "Calder Shipping")]),
        ("calder, Calderon, McCalder", []),
        ("Calder\nShipping", [("Calder", "ORG", "Q1", "Calder Shipping")]),
        ("the U.S.-led force", [("U.S.", "GPE", "Q30", "U.S.")]),
        ("the K12 ferry and K9", [("K12 ferry", "PRODUCT", None, None), ("K9", "PRODUCT", None, None)]),
        ("İstanbul Calder Lines", [("Calder", "ORG", "Q1", "Calder Shipping")]),  # lower case has other offsets
        ("", []),
    ],
)
def test_what_is_found(tmp_path: Path, text: str, expected: list[tuple[str, str, str | None, str | None]]) -> None:
    hits = load_gazetteer(written(tmp_path, LINES)).find(text)
    assert [(text[hit.start : hit.end], hit.label, hit.id, hit.name) for hit in hits] == expected


def test_it_wins_over_the_model_and_short_forms_follow(tmp_path: Path) -> None:
    body = "Ada Verrin left. Verrin said Calder Shipping Ltd sold the Polar Dawn."
    model = Span(0, 10, "ORG"), Span(17, 23, "GPE"), Span(29, 48, "PERSON")
    found = {entity.text: entity for entity in named(written(tmp_path, LINES), "", body, *model)}
    assert {words: (one.key, one.external_id) for words, one in found.items()} == {
        "Ada Verrin": ("PERSON:Q2", "Q2"),
        "Verrin": ("PERSON:Q2", "Q2"),
        "Calder Shipping": ("ORG:Q1", "Q1"),
        "Polar Dawn": ("SHIP:polar dawn", None),
    }
    assert found["Verrin"].name == "Ada Verrin" and found["Verrin"].label == "PERSON"


def test_a_country_keeps_its_code(tmp_path: Path) -> None:
    (one,) = named(written(tmp_path, LINES), "", "In the U.S. today")
    assert (one.key, one.country, one.external_id) == ("GPE:Q30", "US", "Q30")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"label": "ORG"}', "line 1: no pattern"),
        ('{"label": "ORG", "pattern": "X", "qid": "Q1"}', "qid"),
        ("nonsense", "line 1"),
        ('{"label": "org", "pattern": "X"}', "capitals"),
        ('{"label": "ORG", "pattern": " "}', "empty"),
        ('{"label": "ORG", "pattern": []}', "empty"),
        ('{"label": "ORG", "pattern": [{"POS": "PROPN"}]}', "POS needs a component"),
        ('{"label": "ORG", "pattern": [{"NONSENSE": "X"}]}', "NONSENSE"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(UsageError, match=reason):
        load_gazetteer(str(path))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_gazetteer(str(tmp_path / "none.jsonl"))


def test_like_spacys_entity_ruler(tmp_path: Path) -> None:
    """On plain sentences both find the same."""
    import spacy

    ruler = (nlp := spacy.blank("en")).add_pipe("entity_ruler")
    ruler.add_patterns(LINES)
    text = (
        "Ada Verrin of Calder Shipping, once Calder Lines, took the K4 ferry to the U.S. on the Polar Dawn. Calder won."
    )
    expected = [(ent.start_char, ent.end_char, ent.label_, ent.ent_id_ or None) for ent in nlp(text).ents]
    found = load_gazetteer(written(tmp_path, LINES)).find(text)
    assert [(hit.start, hit.end, hit.label, hit.id) for hit in found] == expected
