"""Near copies through the whole line, without the engine: orders, batch cuts, crashes, settings."""

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from pipeline import snapshots
from pipeline.fingerprint_rebuild import rebuild_fingerprints
from pipeline.verify import verify_warehouse
from schemas.errors import WorldError
from schemas.tables import TABLES
from tests.near_stories import near_stories
from tests.plain import plain_config, plain_run
from tests.tables import all_rows

STORIES = 150
Row = dict[str, str]


def run(folder: Path, batches: Sequence[Sequence[Row]], **more: object) -> Path:
    """Read the batches one after the other; the warehouse, which must be sound."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(batches):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"in/{number:03}.jsonl").write_text(text)
    plain_run(plain_config(folder / "in", folder / "out", batch={"bytes": 1}, **more))
    assert verify_warehouse(str(folder / "out")).problems == []
    return folder / "out"


def table(output: Path, name: str) -> list[dict[str, object]]:
    files = [str(path) for path in sorted((output / name).glob("date=*/**/*.parquet"))]
    return ds.dataset(files, TABLES[name].full_schema, partitioning="hive").to_table().to_pylist() if files else []


def clusters(output: Path) -> dict[str, frozenset[str]]:
    """Of each identity the identities that stand together, by its first version."""
    members: dict[object, set[str]] = defaultdict(set)
    for row in table(output, "articles"):
        members[row["article_id"]].add(str(row["identity"]))
    for row in table(output, "duplicates"):
        members[row["duplicate_of"]].add(str(row["identity"]))
    return {identity: frozenset(cluster) for cluster in members.values() for identity in cluster}


def told() -> list[Row]:
    return list(near_stories(3, STORIES))


def cut(rows: Sequence[Row], parts: int) -> list[Sequence[Row]]:
    size = -(-len(rows) // parts)
    return [rows[at : at + size] for at in range(0, len(rows), size)]


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("order"), [sorted(told(), key=lambda row: row["date"])])


def test_stories_are_told_apart_and_their_copies_are_found(in_order: Path) -> None:
    stories = {row["url"]: row["story"] for row in told()}
    for identity, cluster in clusters(in_order).items():
        assert {stories[one] for one in cluster} == {stories[identity]}
    assert len(table(in_order, "articles")) <= STORIES * 1.02
    methods = {row["method"] for row in table(in_order, "duplicates")}
    assert methods >= {"exact", "jaccard"}


def shuffled_days(rows: Sequence[Row], chance: random.Random) -> list[Row]:
    return sorted(rows, key=lambda row: (row["date"][:10], chance.random()))


ORDERS = {
    "ten batches": lambda rows, chance: cut(sorted(rows, key=lambda row: row["date"]), 10),
    "days shuffled inside": lambda rows, chance: cut(shuffled_days(rows, chance), 20),
    "reversed": lambda rows, chance: cut(sorted(rows, key=lambda row: row["date"], reverse=True), 10),
    "any order": lambda rows, chance: cut(chance.sample(rows, len(rows)), 7),
}


@pytest.mark.parametrize("name", ORDERS)
def test_other_orders_and_cuts_give_nearly_the_same_clusters(
    name: str, in_order: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FOLD_AFTER", 3)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rows = told()
    found, expected = clusters(run(tmp_path, ORDERS[name](rows, random.Random(seed)))), clusters(in_order)
    assert found.keys() == expected.keys()
    same = sum(found[one] == expected[one] for one in found)
    assert same >= 0.99 * len(found), (seed, same, len(found))
    exact: dict[tuple[str, str], set[frozenset[str]]] = defaultdict(set)
    for row in rows:
        exact[row["title"], row["text"]].add(found[row["url"]])
    assert all(len(one) == 1 for one in exact.values()), seed


def test_equal_order_and_cuts_give_equal_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the fingerprints are cut into files."""
    batches = cut(sorted(told(), key=lambda row: row["date"]), 6)
    first = all_rows(run(tmp_path / "one", batches))
    monkeypatch.setattr(snapshots, "FOLD_AFTER", 1)
    monkeypatch.setattr("pipeline.fingerprint_files.PART_ROWS", 50)
    monkeypatch.setattr("pipeline.fingerprint_files.ROW_GROUP", 16)
    assert all_rows(run(tmp_path / "two", batches)) == first


def test_every_copy_was_compared_with_its_original(in_order: Path) -> None:
    for row in table(in_order, "duplicates"):
        if row["method"] not in ("exact", "url"):
            assert row["samples"] and row["jaccard"] is not None and row["title_ratio"] is not None
            assert row["similarity"] == row.get(row["method"], row["similarity"])
            assert row["original_batch"] <= row["batch"]


def story(url: str, day: int, text: str, title: str = "The harbour bridge") -> Row:
    return {"url": url, "title": title, "text": text, "date": f"2026-01-{day:02}T08:00:00Z"}


def texts(seed: int, count: int = 2) -> list[str]:
    return [row["text"] for row in near_stories(seed, count * 4) if row["url"].startswith("https://paper0.")][:count]


def test_a_better_original_that_comes_later_is_a_copy_with_a_flag(tmp_path: Path) -> None:
    (text,) = texts(1, 1)
    output = run(
        tmp_path,
        [
            [story("https://late.example/1", 9, text), story("https://same.example/1", 10, text)],
            [story("https://first.example/1", 8, text + " One more sentence."), story("https://e.example/1", 7, text)],
        ],
    )
    flags = {row["identity"]: row["earlier"] for row in table(output, "duplicates")}
    assert flags == {"https://same.example/1": False, "https://first.example/1": True, "https://e.example/1": True}


RESIGNED = "\n\nIn the evening the mayor resigned, as she had said she would, and the council will choose another."


def test_revisions_and_copies_work_together(tmp_path: Path) -> None:
    """A page keeps its history; the page of a copy stays a copy while it is one; a page may come to carry another."""
    one, two = texts(2)
    output = run(
        tmp_path,
        [
            [story("https://a.example/1", 1, one), story("https://b.example/1", 2, one + " Too much of it.")],
            [story("https://a.example/1", 3, one + RESIGNED), story("https://c.example/2", 3, two)],
            [story("https://b.example/1", 4, one + RESIGNED + " Just now.", "Now the mayor")],
            [story("https://a.example/1", 5, two + " And so on.")],
        ],
    )
    articles = {row["article_id"]: row for row in table(output, "articles")}
    copies = table(output, "duplicates")
    assert sorted((row["identity"], row["revises"] is not None) for row in articles.values()) == [
        ("https://a.example/1", False),
        ("https://a.example/1", True),
        ("https://c.example/2", False),
    ]
    assert sorted((row["identity"], articles[row["duplicate_of"]]["identity"]) for row in copies) == [
        ("https://a.example/1", "https://c.example/2"),
        ("https://b.example/1", "https://a.example/1"),
        ("https://b.example/1", "https://a.example/1"),
    ]


def test_the_look_back_ends(tmp_path: Path) -> None:
    (text,) = texts(4, 1)
    batches = [[story("https://a.example/1", 1, text)], [story("https://b.example/1", 9, text + " Anew.")]]
    assert len(table(run(tmp_path / "far", batches, dedup={"look_back": 7}), "duplicates")) == 0
    assert len(table(run(tmp_path / "near", batches, dedup={"look_back": 8}), "duplicates")) == 1
    together = [batches[0] + batches[1]]
    assert len(table(run(tmp_path / "one", together, dedup={"look_back": 7}), "duplicates")) == 0


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_the_words_of_a_near_copy_are_known_however_late_they_come_again(parts: int, tmp_path: Path) -> None:
    (text,) = texts(4, 1)
    edited = text + " Anew."
    rows = [
        story("https://a.example/1", 1, text),
        story("https://b.example/1", 6, edited),
        story("https://c.example/1", 12, edited),  # too far from the first to be compared with it
    ]
    output = run(tmp_path, cut(rows, parts), dedup={"look_back": 7})
    (kept,) = table(output, "articles")
    found = {row["identity"]: (row["method"], row["duplicate_of"]) for row in table(output, "duplicates")}
    assert found == {
        "https://b.example/1": ("jaccard", kept["article_id"]),
        "https://c.example/1": ("exact", kept["article_id"]),
    }


def test_a_page_that_takes_on_the_words_of_its_copy_is_revised(tmp_path: Path) -> None:
    (text,) = texts(4, 1)
    rows = [
        story("https://a.example/1", 1, text),
        story("https://b.example/1", 2, text + RESIGNED),
        story("https://a.example/1", 3, text + RESIGNED),
    ]
    output = run(tmp_path, cut(rows, 2))
    first, second = sorted(table(output, "articles"), key=lambda row: str(row["published_at"]))
    assert second["revises"] == first["article_id"]
    assert [row["identity"] for row in table(output, "duplicates")] == ["https://b.example/1"]


def test_the_words_of_a_lesser_form_are_nobodys(tmp_path: Path) -> None:
    """A teaser says too little: elsewhere it may belong to another story."""
    (text,) = texts(4, 1)
    teaser = " ".join(text.split(" ")[:8])
    rows = [
        story("https://a.example/1", 1, text),
        story("https://a.example/1", 2, teaser),
        story("https://b.example/1", 3, teaser),
    ]
    output = run(tmp_path, cut(rows, 2))
    assert [row["method"] for row in table(output, "duplicates")] == ["url"]
    assert len(table(output, "articles")) == 2


@pytest.mark.parametrize(("mode", "copies"), [("near", 2), ("exact", 1), ("off", 0)])
def test_modes(mode: str, copies: int, tmp_path: Path) -> None:
    (text,) = texts(5, 1)
    rows = [story(f"https://{name}.example/1", 1, text + more) for name, more in (("a", ""), ("b", ""), ("c", " Go."))]
    output = run(tmp_path, [rows], dedup={"mode": mode})
    assert len(table(output, "duplicates")) == copies
    plain_run(plain_config(tmp_path / "in", output, dedup={"mode": mode}))
    assert len(table(output, "duplicates")) == copies


def test_missing_fingerprints_are_told_and_can_be_made(tmp_path: Path) -> None:
    (text,) = texts(6, 1)
    batches = [[story("https://a.example/1", 1, text)], [story("https://b.example/1", 2, text + " Once more.")]]
    output = run(tmp_path, batches[:1], dedup={"mode": "exact"})
    (tmp_path / "in/001.jsonl").write_text(json.dumps(batches[1][0]) + "\n")
    config = plain_config(tmp_path / "in", output)
    with pytest.raises(WorldError, match=r"missing for 1 article, .*newsbeam compact --fingerprints"):
        plain_run(config)
    assert rebuild_fingerprints(str(output)).articles == 1
    plain_run(config)
    assert [row["method"] for row in table(output, "duplicates")] == ["jaccard"]
    assert verify_warehouse(str(output)).problems == []


def test_another_version_of_the_rules_is_told_and_fingerprints_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = cut(told()[:60], 5)
    output = run(tmp_path, batches)
    before = all_rows(output)
    monkeypatch.setattr("pipeline.steps.VERSION", 2)
    for module in ("pipeline.fingerprint_files", "pipeline.fingerprint_rebuild"):
        monkeypatch.setattr(f"{module}.VERSION", 2)
    (tmp_path / "in/x.jsonl").write_text(json.dumps({**batches[0][0], "url": "https://new.example/1"}) + "\n")
    with pytest.raises(WorldError, match="made by version 1 of the rules, and this is version 2"):
        plain_run(plain_config(tmp_path / "in", output))
    rebuild_fingerprints(str(output))
    assert all_rows(output) == before
    plain_run(plain_config(tmp_path / "in", output))
    assert verify_warehouse(str(output)).problems == []
    assert not [name for name in (output / "_newsbeam/fingerprints").iterdir() if "-v1-" in name.name]
