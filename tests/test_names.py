"""Names: trimming and keys as tables; the path is chosen by the model; offsets point at the very words."""

import pytest
from msgspec.structs import replace

from schemas.errors import WorldError
from schemas.records import Article
from transforms import names
from transforms.decoder import Span
from transforms.name_keys import name_key
from transforms.name_words import Reading, trimmed

MODELS = names.DEFAULT_MODELS
BODY = "Ada Verrin flew to Norway on Monday.\n\nThe Northern Water Board's chair, Jonas Okafor, met Verrin in Oslo."


@pytest.mark.parametrize(
    ("words", "label", "expected"),
    [
        ("the European Union", "ORG", "European Union"),
        ("Ada Verrin's", "PERSON", "Ada Verrin"),
        ("the Smiths’", "PERSON", "Smiths"),
        ("“Ada Verrin”", "PERSON", "Ada Verrin"),
        ("Verrin -", "PERSON", "Verrin"),
        ("Harbour (HBR)", "ORG", "Harbour (HBR)"),
        ("Harbour (", "ORG", "Harbour"),
        ("U.S.", "GPE", "U.S."),
        ("Bran & Sons Ltd.", "ORG", "Bran & Sons Ltd."),
        ("Norway.", "GPE", "Norway"),
        ("The Old House", "WORK_OF_ART", "The Old House"),
        ("the", "ORG", "the"),
        ("...", "ORG", None),
    ],
)
def test_trimmed(words: str, label: str, expected: str | None) -> None:
    name = trimmed(Reading(0, words, label))
    assert (name.words if name else None) == expected
    assert not name or words[name.cut :].startswith(name.words)


def test_keys_join_spellings() -> None:
    assert name_key("PERSON", "Tomás  RUIZ") == name_key("PERSON", "tomas ruiz") == "PERSON:tomas ruiz"


def article(**more: object) -> Article:
    return replace(Article(outcome="unique", language="en", title="Ada Verrin visits Oslo", body=BODY), **more)


def test_names_of_an_article() -> None:
    (found,) = names.find_names([article()], MODELS)
    keys = {entity.key for entity in found.entities}
    assert {"PERSON:ada verrin", "PERSON:jonas okafor", "GPE:NO", "GPE:oslo", "ORG:northern water board"} <= keys
    assert found.entity_model == "en_core_web_md 3.7.1"
    for entity in found.entities:
        assert getattr(found, entity.field)[entity.start : entity.end] == entity.text


def test_only_unique_articles_of_a_language_with_a_model() -> None:
    others = [article(outcome="duplicate"), article(language="de"), article(language=None)]
    done = names.find_names(others, MODELS)
    assert not any(one.entities or one.entity_model for one in done)
    assert [one.problems for one in done] == [
        [],
        ["no names: no model for language de"],
        ["no names: language unknown"],
    ]


def test_an_article_that_the_model_fails_on_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    real = names.namer(str(MODELS["en"]))

    def find(texts: list[str]) -> list[list[Span]]:
        if any("poison" in text for text in texts):
            raise ValueError("poison")
        return real.find(texts)

    monkeypatch.setattr(names, "namer", lambda model: real._replace(find=find))
    done = names.find_names([article(), article(body="poison"), article()], MODELS)
    assert [bool(one.entities) for one in done] == [True, False, True]
    assert done[1].problems == ["no names: ValueError: poison"] and done[1].outcome == "unique"


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(WorldError, match="pip install no_such_model"):
        names.namer("no_such_model")


def test_spacys_own_path_for_other_models(tmp_path: object) -> None:
    """A model with a ruler cannot be decoded fast; it runs as spaCy runs it."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Calder Shipping"}])
    nlp.to_disk(str(tmp_path))
    namer = names.namer(str(tmp_path))
    assert namer.path.startswith("spaCy (")
    assert namer.find(["At Calder Shipping.", ""]) == [[(3, 18, "ORG")], []]


LONG = "Ada Verrin met officials of the Northern Water Board in Oslo. " * 4_800
BAD = {
    "all capitals": "PRESIDENT VELASQUEZ WINS IN BRAZIL AS MARKETS FALL",
    "no punctuation": "ada verrin said the board of calder shipping met in oslo and nobody knew why " * 20,
    "a list of names": ", ".join(f"Ada Verrin{number}" for number in range(300)),
    "a table": "Team | W | L\n--- | --- | ---\nAjax Harbour | 3 | 1\nReal Montera\t2\t2\n" * 20,
    "addresses and code": "See https://news.example/a?b=Ada+Verrin or for (i = 0; i < n; i++) { print('Oslo'); } // UK",
    "emoji": "🎉🎉 Ada Verrin 👩🏽‍🚀 won!! 🥇 in 🇳🇴 Oslo",
    "another language": "Der Kanzler sprach am Dienstag in Berlin mit Präsident Müller über die Europäische Union.",
    "mixed quotes": '“Ada Verrin" said ‘Jonas Okafor’ of «Calder Shipping» that "it\'s" the ’Northern Water Board“’s.',
    "line breaks in names": "Ada\nVerrin met the Northern\nWater Board and Jonas\n\nOkafor in Os-\nlo.",
    "no letters": "*** ... --- 12:30 %% \u00a0 \u3000",
    "nothing": "",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input(kind: str) -> None:
    """Nothing crashes, and every name is the very text at its place."""
    for title, body in ((BAD[kind][:300], BAD[kind]), ("", BAD[kind] * 3)):
        (done,) = names.find_names([article(title=title, body=body)], MODELS)
        assert done.entity_model and not done.problems
        for entity in done.entities:
            assert getattr(done, entity.field)[entity.start : entity.end] == entity.text


def test_a_long_article_is_read_whole() -> None:
    """300,000 characters: names up to the end, in time that grows with the text."""
    (done,) = names.find_names([article(body=LONG)], MODELS)
    assert len(LONG) > 297_000 and done.entities[-1].start > len(LONG) - 60
    assert {entity.key for entity in done.entities if entity.field == "body"} == {
        *("PERSON:ada verrin", "ORG:northern water board", "GPE:oslo")
    }


def test_labels_that_are_asked_for() -> None:
    (done,) = names.find_names([article()], MODELS, ["PERSON", "DATE"])
    assert {entity.label for entity in done.entities} == {"PERSON", "DATE"}
    (done,) = names.find_names([article(body="OSLO - Ada Verrin left.")], MODELS, ["PERSON", "ORG"])
    assert {entity.label for entity in done.entities} <= {"PERSON", "ORG"}
