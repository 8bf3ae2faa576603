"""`explain`: why an article is where it is."""

from pathlib import Path

import msgspec
import pytest

from pipeline.explain import explain_article, explanation_text
from pipeline.explanation import Answer
from schemas.errors import UsageError
from schemas.records import Article
from tests.warehouses import BATCHES, FIRST, MATCH, PAGE, REPORT, REVISION, add, article, build, snapshot_of

COPY, UNDATED = BATCHES[0][2], BATCHES[0][3]
LAST = BATCHES[2][1]


def ids(articles: list[Article]) -> list[str]:
    return [one.article_id for one in articles]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (FIRST.article_id, FIRST),
        (FIRST.article_id[:6], FIRST),
        (FIRST.article_id[:8].upper(), FIRST),
        (REVISION.article_id, REVISION),
        (PAGE, LAST),
        (f"{PAGE}?utm_source=elsewhere#top", LAST),
        (PAGE.replace("https://daily", "HTTPS://DAILY"), LAST),
        ("https://echo.example/dam", BATCHES[2][0]),
        ("id:feed#17", UNDATED),
        (COPY.article_id, COPY),
    ],
)
def test_an_article_is_found_by(what: str, found: Article, sample: Path) -> None:
    (one,) = explain_article(str(sample), what).found
    assert one.article and one.article.article_id == found.article_id


def test_a_revision_shows_the_chain(sample: Path) -> None:
    (one,) = explain_article(str(sample), PAGE).found
    assert one.outcome == "unique"
    assert REVISION.article_id in one.why
    assert [version.article_id for version in one.versions] == ids([FIRST, REVISION, LAST])


def test_a_unique_article_shows_its_copies_names_topic_and_origin(sample: Path) -> None:
    (one,) = explain_article(str(sample), FIRST.article_id).found
    assert one.why.startswith("Kept: ")
    assert [copy.article_id for copy in one.copies] == [COPY.article_id]
    assert one.details and one.details.names == {
        "GPE": {"Oslo": 1}, "ORG": {"Northern Water Board": 1}, "PERSON": {"Ada Verrin": 2},
    }  # fmt: skip
    assert (one.details.topic, one.details.date) == ("politics", "2026-01-30")
    assert (one.input, one.records) == ("in/1.jsonl", (0, 4))
    assert one.made and one.made.batch == 1 and one.made.models == ["en: none_by_hand 1"]
    assert str(one.made.committed_at) == "2026-01-31 13:00:02+00:00"


def test_an_exact_copy_shows_both_side_by_side(sample: Path) -> None:
    answer = explain_article(str(sample), COPY.article_id)
    original = answer.found[0].original
    assert original and (original.method, original.similarity) == ("exact", 1.0)
    assert original.article and original.article.article_id == FIRST.article_id
    lines = explanation_text(answer).splitlines()
    assert any("Echo" in line and "Daily" in line for line in lines)
    assert any("10:00:00" in line and "08:00:00" in line for line in lines)


def test_a_lesser_form_of_the_same_page_is_a_copy_by_url(sample: Path) -> None:
    lesser = article("https://match.example/2", "A win for Élan", MATCH.split("\n\n")[0])
    (one,) = explain_article(str(sample), lesser.article_id).found
    assert one.outcome == "duplicate" and "`url`" in one.why
    assert one.original and 0.5 < one.original.similarity < 1


def test_a_dead_letter_shows_its_place_and_its_start_without_steering_the_terminal(sample: Path) -> None:
    letter = BATCHES[0][4].letter
    assert letter
    answer = explain_article(str(sample), letter.letter_id)
    found = answer.found[0].letter
    assert found and (found.error_class, found.offset, found.length) == ("BadRecord", 400, 20)
    text = explanation_text(answer)
    assert '{"title": "\\x1b[31mred\\xff' in text and "bytes 400 to 420" in text
    assert "\x1b" not in text


def test_what_comes_from_outside_is_shown_as_visible_characters(tmp_path: Path) -> None:
    odd = article("https://odd.example/1", "Red \x1b[31m and \u202eback", REPORT)
    add(tmp_path, [odd])
    text = explanation_text(explain_article(str(tmp_path), odd.article_id))
    assert "Red \\x1b[31m and \\u202eback" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_an_address_of_several_identities_gives_each(tmp_path: Path) -> None:
    one = article("https://page.example/1", "One", "The first text.")
    other = msgspec.structs.replace(article("id:feed#1", "Other", "Another text."), url=one.url)
    add(tmp_path, [one, other])
    assert one.url
    answer = explain_article(str(tmp_path), one.url)
    assert sorted(found.article.title for found in answer.found if found.article) == ["One", "Other"]


@pytest.mark.parametrize(
    "what", ["https://nowhere.example/1", "0123456789", "abc", "", "'; DROP TABLE articles; --", "\x1b[2J"]
)
def test_what_is_not_there_is_refused_with_what_can_be_asked(what: str, sample: Path) -> None:
    with pytest.raises(UsageError, match="`known`") as caught:
        explain_article(str(sample), what)
    assert "\x1b" not in str(caught.value)


def test_a_start_of_several_ids_is_refused(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.explain.SHORTEST", 1)
    starts = [one.article_id[0] for batch in BATCHES for one in batch if one.article_id]
    double = next(start for start in starts if len({one for one in all_ids() if one[0] == start}) > 1)
    with pytest.raises(UsageError, match="Give more digits"):
        explain_article(str(sample), double)


def all_ids() -> set[str]:
    return {one.article_id for batch in BATCHES for one in batch if one.article_id}


def test_an_entry_in_a_snapshot_no_longer_knows_its_records(tmp_path: Path) -> None:
    build(tmp_path, folded=True)
    (one,) = explain_article(str(tmp_path), FIRST.article_id).found
    assert one.records is None and one.made
    assert "in/1.jsonl" in explanation_text(Answer(FIRST.article_id, [one]))


def test_nothing_is_written_and_the_json_comes_back(sample: Path) -> None:
    before = snapshot_of(sample)
    answer = explain_article(str(sample), PAGE)
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer
    assert snapshot_of(sample) == before
