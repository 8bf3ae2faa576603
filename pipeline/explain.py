"""`explain`: why an article is where it is, or why a record is not in the tables."""

import re
from collections import defaultdict
from datetime import UTC, timedelta
from typing import Any

import duckdb

from pipeline.comparison import compare
from pipeline.explanation import (
    Answer,
    Brief,
    DeadLetter,
    Details,
    Evidence,
    Explanation,
    Made,
    Original,
    explanation_text,
)
from pipeline.log import read_entry
from pipeline.query import connect, explained
from pipeline.terminal import visible
from schemas.errors import UsageError
from transforms.files import Store, store_at
from transforms.urls import canonical

__all__ = ["explain_article", "explanation_text"]
SHORTEST = 6
"""Digits of an id that must be given at least."""
RAW_SHOWN = 400
"""Bytes of a dead letter's record that are shown."""


KEPT = """
CREATE TEMP VIEW kept AS
SELECT 'unique' AS outcome, article_id, identity, url, canonical_url, title, source, published_at, updated_at, input,
    batch, date, topic, revises, NULL AS duplicate_of, NULL AS method, NULL AS similarity FROM articles
UNION ALL
SELECT 'duplicate', article_id, identity, url, NULL, title, source, published_at, NULL, input,
    batch, date, NULL, NULL, duplicate_of, method, similarity FROM duplicates
"""
_IDS = """
SELECT article_id FROM kept WHERE article_id >= $low AND article_id < $high
UNION SELECT letter_id FROM dead_letters WHERE letter_id >= $low AND letter_id < $high
ORDER BY 1 LIMIT 6
"""
_IDENTITIES = """
SELECT DISTINCT identity FROM kept
WHERE identity IN ($raw, $canonical) OR canonical_url IN ($raw, $canonical) OR url IN ($raw, $canonical) ORDER BY 1
"""
_BY_ID = "SELECT * FROM kept WHERE article_id = $id"
_VERSIONS = """
SELECT * FROM kept WHERE identity = $identity ORDER BY batch, published_at NULLS LAST,
    coalesce(updated_at, published_at) NULLS LAST, article_id
"""
_COPIES = "SELECT * FROM kept WHERE duplicate_of = $id ORDER BY published_at NULLS LAST, article_id"
_DETAILS = """
SELECT date::VARCHAR AS date, date_source, topic, topic_source, topic_score, language, word_count, countries,
    entity_model, extraction, problems FROM articles WHERE article_id = $id
"""
_NAMES = "SELECT label, name, mentions FROM entities WHERE article_id = $id ORDER BY label, mentions DESC, name"
_LETTER = """
SELECT letter_id, stage, error_class, error, "offset", length, raw_size, raw_truncated, raw[:$most] AS raw_start,
    input, batch FROM dead_letters WHERE letter_id = $id
"""
_EVIDENCE = """
SELECT jaccard, containment, samples, numbers_shared, numbers_replaced, title_ratio, original_batch, earlier
FROM duplicates WHERE article_id = $id
"""
_TEXTS = """
SELECT 1 AS side, title || chr(10) || body AS text FROM duplicates WHERE article_id = $id
UNION ALL SELECT 2, title || chr(10) || body FROM articles WHERE article_id = $original ORDER BY side
"""
_RUN = "SELECT batch, started_at, seconds, models, versions, taxonomy, config_hash FROM runs WHERE batch = $batch"


def explain_article(root: str, what: str) -> Answer:
    """What is known of an article id or letter id (or its first digits), an address, or an identity.

    Raises UsageError if nothing goes by that name, or several ids begin so; WorldError if tables cannot be read.
    """
    store = store_at(root)
    with connect(root) as connection, explained():
        connection.execute(KEPT)
        if is_id(what):
            return Answer(what, [_by_id(connection, store, whole_id(connection, what.lower()))])
        found = identities(connection, what)
        chains = [rows_of(connection, _VERSIONS, identity=identity) for identity in found]
        return Answer(what, [_article(connection, store, chain[-1]) for chain in chains])


def is_id(what: str) -> bool:
    """Whether it is an id, or the first digits of one."""
    return bool(re.fullmatch(rf"[0-9a-fA-F]{{{SHORTEST},32}}", what))


def identities(connection: duckdb.DuckDBPyConnection, what: str) -> list[str]:
    """The identities that go by an address, or are one. Raises UsageError if none do."""
    found = rows_of(connection, _IDENTITIES, raw=what, canonical=canonical(what) or what)
    if not found:
        raise UsageError(not_found(what))
    return [row["identity"] for row in found]


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: object) -> list[dict[str, Any]]:
    result = connection.execute(sql, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def not_found(what: str) -> str:
    return (
        f"Nothing in the tables goes by {visible(what)}. Ask by the address of an article, by article_id or letter_id "
        f"(or at least {SHORTEST} of its first digits), or by identity. An article that came again unchanged (`known`) "
        "has no row of its own: ask by its address for the one that was kept. A batch that is not complete is not seen."
    )


def whole_id(connection: duckdb.DuckDBPyConnection, start: str) -> str:
    """The one id that begins so. Raises UsageError if there is none, or more than one."""
    ids = [str(*row.values()) for row in rows_of(connection, _IDS, low=start, high=start + "g")]
    if not ids:
        raise UsageError(not_found(start))
    if len(ids) > 1:
        raise UsageError(
            f"Several ids begin with {start}: {', '.join(ids[:5])}{', …' * (len(ids) > 5)}. Give more digits."
        )
    return ids[0]


def _by_id(connection: duckdb.DuckDBPyConnection, store: Store, id: str) -> Explanation:
    rows = rows_of(connection, _BY_ID, id=id)
    if rows:
        return _article(connection, store, rows[0])
    return _letter(connection, store, rows_of(connection, _LETTER, id=id, most=RAW_SHOWN)[0])


def _article(connection: duckdb.DuckDBPyConnection, store: Store, row: dict[str, Any]) -> Explanation:
    original = _original(connection, row) if row["duplicate_of"] else None
    return Explanation(
        outcome=row["outcome"],
        why=_why(row),
        article=_brief(row),
        original=original,
        versions=[_brief(one) for one in rows_of(connection, _VERSIONS, identity=row["identity"])],
        copies=[_brief(one) for one in rows_of(connection, _COPIES, id=row["article_id"])],
        details=None if original else _details(connection, row["article_id"]),
        input=row["input"],
        records=_records(store, row["batch"], row["input"]),
        made=_made(connection, row["batch"]),
    )


def _why(row: dict[str, Any]) -> str:
    if row["revises"]:
        return f"Kept as a revision of {row['revises']}: the same identity with new words."
    match row["method"]:
        case None:
            return "Kept: when it came, nothing had its identity, and nothing had its words."
        case "exact":
            return "A copy by `exact`: under another identity the words of the article that was kept, or of a copy."
        case "url":
            return "A copy by `url`: the same page in a lesser form, with less text or with trivial changes."
        case "jaccard":
            return "A copy by `jaccard`: enough runs of three words stand in both texts, and the numbers agree."
        case "containment":
            return "A copy by `containment`: the longer text has most of the shorter one, and the numbers agree."
        case "edit-ratio":
            return "A copy by `edit-ratio`: letter by letter the texts are nearly the same, and the numbers agree."
        case "same-words":
            return "A copy by `same-words`: nearly all words of one text stand in the other, and the numbers agree."
        case "same-figures":
            return "A copy by `same-figures`: nearly all exact figures of one text stand in the other."
    return f"A copy by `{row['method']}` of the article that was kept."


def _brief(row: dict[str, Any]) -> Brief:
    return Brief(**{name: row[name] for name in Brief.__struct_fields__})


def _original(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> Original:
    found = rows_of(connection, _BY_ID, id=row["duplicate_of"])
    brief = _brief(found[0]) if found else None
    evidence = Evidence(**rows_of(connection, _EVIDENCE, id=row["article_id"])[0])
    texts = [one["text"] for one in rows_of(connection, _TEXTS, id=row["article_id"], original=row["duplicate_of"])]
    parts = compare(*texts) if len(texts) == 2 else []
    return Original(row["duplicate_of"], row["method"], row["similarity"], brief, evidence, parts)


def _details(connection: duckdb.DuckDBPyConnection, id: str) -> Details:
    names: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows_of(connection, _NAMES, id=id):
        names[row["label"]][row["name"]] = names[row["label"]].get(row["name"], 0) + row["mentions"]
    return Details(**rows_of(connection, _DETAILS, id=id)[0], names=dict(names))


def _letter(connection: duckdb.DuckDBPyConnection, store: Store, row: dict[str, Any]) -> Explanation:
    input, batch, raw = row.pop("input"), row.pop("batch"), row.pop("raw_start")
    start = visible(bytes(raw).decode("utf-8", "backslashreplace"))
    return Explanation(
        outcome="dead",
        why=f"A dead letter: the step `{row['stage']}` could not handle it.",
        letter=DeadLetter(**row, raw_start=start),
        input=input,
        records=_records(store, batch, input),
        made=_made(connection, batch),
    )


def _records(store: Store, batch: int, input: str) -> tuple[int, int] | None:
    """The first and last record of the input that its batch brought; None once a snapshot has taken the entry in."""
    try:
        pieces = [piece for piece in read_entry(store, batch).pieces if piece.named == input]
    except (OSError, ValueError):
        return None
    return (min(piece.first for piece in pieces), max(piece.end for piece in pieces) - 1) if pieces else None


def _made(connection: duckdb.DuckDBPyConnection, batch: int) -> Made | None:
    rows = rows_of(connection, _RUN, batch=batch)
    if not rows:
        return None
    row = rows[0]
    committed = row.pop("started_at") + timedelta(seconds=row.pop("seconds"))
    return Made(**row, committed_at=committed.astimezone(UTC))
