"""Aliases: which keys are linked, by what evidence, and which are not."""

from typing import Any

import duckdb
import pytest

from pipeline.aliases import ALIASES, LINKED_ENTITIES

Row = tuple[str, str, str, str, str | None]
"""Article, text, name, key, external id."""


def links(*rows: Row) -> dict[str, tuple[str, str]]:
    """Key: the key that it is the same as, and the evidence."""
    return {key: (same_as, evidence) for key, same_as, evidence, *_ in answer("SELECT * FROM aliases", *rows)}


def answer(sql: str, *rows: Row) -> list[Any]:
    connection = duckdb.connect()
    columns = "article_id, text, name, key, external_id"
    connection.execute(f"CREATE TABLE rows ({columns.replace(',', ' VARCHAR,')} VARCHAR)")
    connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)
    record = (
        "{text: text, name: name, label: split_part(key, ':', 1), key: key, country: NULL, external_id: external_id}"
    )
    connection.execute(f"CREATE TABLE articles AS SELECT article_id, list({record}) AS entities FROM rows GROUP BY ALL")
    connection.execute(
        "CREATE TABLE entities AS SELECT DISTINCT article_id, key, split_part(key, ':', 1) AS label FROM rows"
    )
    connection.execute(f"CREATE VIEW aliases AS {ALIASES}; CREATE VIEW linked_entities AS {LINKED_ENTITIES}")
    return connection.execute(sql).fetchall()


EU = ("EU", "European Union", "ORG:european union", None)
BARE = ("EU", "EU", "ORG:eu", None)


def test_acronyms_that_several_articles_declare() -> None:
    assert links(("1", *EU), ("2", *EU), ("3", *BARE)) == {"ORG:eu": ("ORG:european union", "acronym")}


@pytest.mark.parametrize(
    "rows",
    [
        [("1", *EU), ("3", *BARE)],  # once is not several
        [("1", *EU), ("2", *EU)],  # nothing to link
        [("1", *EU), ("2", *EU), ("4", "EU", "Edge Union", "ORG:edge union", None), ("3", *BARE)],  # they disagree
    ],
)
def test_acronyms_that_are_not_linked(rows: list[Row]) -> None:
    assert links(*rows) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ORG:coca cola", "ORG:cocacola"),
        ("ORG:bran & sons", "ORG:bran and sons"),
        ("PERSON:a al rashid", "PERSON:a alrashid"),
    ],
)
def test_spellings(one: str, other: str) -> None:
    rows = [("1", "x", "x", one, None), ("2", "x", "x", one, None), ("3", "y", "y", other, None)]
    assert links(*rows) == {other: (one, "spelling")}


def test_umlauts() -> None:
    rows = [("1", "x", "Jörg Müller", "PERSON:jorg muller", None), ("2", "y", "y", "PERSON:joerg mueller", None)]
    assert links(*rows) == {"PERSON:jorg muller": ("PERSON:joerg mueller", "umlaut")}
    assert links(rows[0]) == {}


def test_a_gazetteer_that_came_later() -> None:
    rows = [("1", "Calder", "Calder", "ORG:calder", None), ("2", "Calder", "Calder Shipping", "ORG:Q1", "Q1")]
    assert links(*rows) == {"ORG:calder": ("ORG:Q1", "gazetteer")}
    assert links(*rows, ("3", "Calder", "Calder", "ORG:Q2", "Q2")) == {}  # the list knows two of them


def test_links_of_links_end_at_the_last_key() -> None:
    listed = ("4", "European Union", "European Union", "ORG:Q458", "Q458")
    plain = ("5", "European Union", "European Union", "ORG:european union", None)
    found = links(("1", *EU), ("2", *EU), ("3", *BARE), listed, plain)
    assert {key: same_as for key, (same_as, _) in found.items()} == {
        "ORG:eu": "ORG:Q458",
        "ORG:european union": "ORG:Q458",
    }


def test_local_keys_are_never_linked() -> None:
    key = "PERSON:verrinson@" + 32 * "0"
    assert links(("1", "x", "x", key, None), ("2", "x", "x", "PERSON:verrin son@" + 32 * "0", None)) == {}


def test_entities_with_aliases_applied() -> None:
    sql = "SELECT entity, count(*) FROM linked_entities GROUP BY entity"
    assert answer(sql, ("1", *EU), ("2", *EU), ("3", *BARE)) == [("ORG:european union", 3)]
