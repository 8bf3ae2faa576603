"""Exact copies and revisions, as tables of cases."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from schemas.records import Article, Outcome
from transforms.copies import Known, Text, by_content, by_identity, decide, lesser_form, order, questions
from transforms.identity import article_id, content_hash

LONG = "The council met on Monday. It voted, nine to four, for the bridge. Work will begin in May, the mayor said."


def article(identity: str, body: str, day: int = 1, *, title: str = "The bridge", position: int = 0) -> Article:
    content = content_hash(title, body)
    return Article(
        article_id=article_id(identity, content),
        identity=identity,
        title=title,
        body=body,
        content_hash=content,
        published_at=datetime(2026, 1, day, tzinfo=UTC) if day else None,
        position=position,
    )


def outcomes(
    articles: list[Article], history: dict[str, list[Known]] | None = None
) -> list[tuple[Outcome, str | None]]:
    def text_of(known: Known) -> Text:
        return Text("The bridge", LONG)

    decided = decide(sorted(articles, key=order), history or {}, text_of, 2)
    found = {one.position: one for one in decided}
    return [
        (
            found[one.position].outcome,
            copy.method if (copy := found[one.position].copy) else found[one.position].revises,
        )
        for one in articles
    ]


FIRST = article("a", LONG)
CASES: dict[str, tuple[list[Article], list[tuple[Outcome, str | None]]]] = {
    "alone": ([article("a", LONG)], [("unique", None)]),
    "the same twice": ([article("a", LONG), article("a", LONG, position=1)], [("unique", None), ("known", None)]),
    "case and quotes do not matter": (
        [article("a", LONG), article("b", LONG.upper().replace(".", " ."), 2, title="THE “BRIDGE”", position=1)],
        [("unique", None), ("duplicate", "exact")],
    ),
    "the earlier one is the original": (
        [article("a", LONG, 2), article("b", LONG, 1, position=1)],
        [("duplicate", "exact"), ("unique", None)],
    ),
    "undated ones come last": (
        [article("a", LONG, 0), article("b", LONG, 28, position=1)],
        [("duplicate", "exact"), ("unique", None)],
    ),
    "new words under the same identity": (
        [article("a", LONG), article("a", "Nothing of this is in the other text at all.", 2, position=1)],
        [("unique", None), ("unique", FIRST.article_id)],
    ),
    "a shorter form": (
        [article("a", LONG), article("a", "The council met on Monday.", 2, position=1)],
        [("unique", None), ("duplicate", "url")],
    ),
    "another number is news": (
        [article("a", LONG), article("a", LONG.replace("nine", "ten"), 2, position=1)],
        [("unique", None), ("unique", FIRST.article_id)],
    ),
    "a copy under an identity that had other words": (
        [article("a", LONG), article("b", "Other words.", 2, position=1), article("b", LONG, 3, position=2)],
        [("unique", None), ("unique", None), ("duplicate", "exact")],
    ),
    "dead ones stay dead": (
        [Article(outcome="dead", position=0), article("a", LONG, position=1)],
        [("dead", None), ("unique", None)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_within_a_batch(name: str) -> None:
    articles, expected = CASES[name]
    assert outcomes(articles) == expected


def test_history_beats_the_batch() -> None:
    """However old the new one claims to be; and a copy of a copy points at the original."""
    old = Known(1, 0, "c" * 32, "d" * 32, 1, "date=2026-01-01/topic=sport")
    history = {by_content(FIRST): [old], by_identity(article("x", "")): [old]}
    new = article("z", LONG, 1)
    (decided,) = decide([new], history, lambda known: Text("", ""), 2)
    assert decided.copy and decided.copy.duplicate_of == "d" * 32 and decided.copy.place == old.place
    assert outcomes([article("x", LONG.replace("Monday", "Tuesday of the week after that"))], history) == [
        ("unique", "c" * 32)
    ]


def test_known_in_history() -> None:
    history = {by_identity(FIRST): [Known(1, 0, FIRST.article_id, FIRST.article_id, 1, "p")]}
    assert outcomes([FIRST], history) == [("known", None)]


def test_decisions_do_not_change_the_history_given() -> None:
    history: dict[str, list[Known]] = {}
    decide([FIRST], history, lambda known: Text("", ""), 2)
    assert history == {}


def test_questions_are_asked_of_what_was_read() -> None:
    assert questions([FIRST, Article(outcome="dead")]) == [by_identity(FIRST), by_content(FIRST)]


@pytest.mark.parametrize(
    ("new", "is_lesser"),
    [
        ("It voted, nine to four, for the bridge.", True),
        (LONG + " ", True),
        (LONG.replace("mayor", "Mayor"), True),
        ("", True),
        (LONG.replace("Monday", "Tuesday"), False),
        (LONG + " The opposition protested.", False),
        ("It voted for the bridge.", False),
        (LONG.replace("four", "5"), False),
    ],
)
def test_lesser_forms(new: str, is_lesser: bool) -> None:
    assert (lesser_form(Text("The bridge", new), Text("The bridge", LONG)) is not None) == is_lesser


def test_a_long_text_with_one_other_word_is_trivially_other() -> None:
    words = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300))
    assert lesser_form(Text("T", words.replace("wordaa", "corrected")), Text("T", words)) is not None
    assert lesser_form(Text("T", words + " 7"), Text("T", words)) is None


def test_a_day_without_a_time_comes_behind_the_times_of_that_day() -> None:
    timed = replace(article("b", LONG), published_at=datetime(2026, 1, 1, 23, tzinfo=UTC), date_precision="minute")
    bare = replace(article("a", LONG), date_precision="day")
    midnight = replace(article("c", LONG), date_precision="second")
    later = article("d", LONG, day=2)
    undated = article("e", LONG, day=0)
    assert sorted([undated, later, bare, timed, midnight], key=order) == [midnight, timed, bare, later, undated]
