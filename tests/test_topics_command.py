"""Topics of one's own end to end, evaluation, and that two taxonomies never mix."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands.shared import load
from pipeline.evaluate_topics import calibration, evaluate_topics, evaluation_text
from pipeline.labelled import read_labelled
from pipeline.snapshots import fold, last_run
from pipeline.verify import verify_warehouse
from pipeline.warehouse import check_taxonomy, open_warehouse
from schemas.errors import UsageError
from tests.command import PROJECT, newsbeam
from tests.plain import NOW, plain_run
from tests.warehouses import TAXONOMY, add, article
from transforms.taxonomy import IPTC
from transforms.topics import filing

CASES = PROJECT / "tests/topic_cases.jsonl"
DESK = """
taxonomy: Harbour desk
topics:
  ships:
    name: Ships and shipping
    sections: [shipping]
    keywords: [freighter, captain, harbour, crew]
  rail:
    examples: [The night train to Turin is back after ten years]
  fish: {}
"""
KINDS = {
    "ships": ["freighter", "captain", "crew", "anchor", "tugboat", "container", "pier"],
    "rail": ["train", "track", "station", "signal", "driver", "carriage", "platform"],
    "fish": ["cod", "trawler", "quota", "herring", "nets", "catch", "mackerel"],
}


def rows(seed: int, count: int) -> Iterator[dict[str, str]]:
    """Labelled articles, drawn from each topic's words."""
    chance = random.Random(seed)
    for number in range(count):
        topic = chance.choice(list(KINDS))
        text = " ".join(chance.choice([*KINDS[topic], "the", "on", "Monday", "officials", "said"]) for _ in range(30))
        yield {"title": f"Report {number}", "text": text, "topic": topic}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a taxonomy, a configuration, labelled articles, and the model that was trained from them."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "desk.yaml").write_text(DESK)
    (folder / "news.yaml").write_text("input: in\noutput: out\ntopics: {taxonomy: desk.yaml, model: desk.npz}\n")
    (folder / "labelled.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows(1, 600)))
    (folder / "in").mkdir()
    news = [
        {
            "title": "Trawler catch",
            "text": "The herring and cod quota was cut, and nets stayed dry.",
            "url": "https://a.example/1",
        },
        {
            "title": "Late again",
            "text": "A signal at the station stopped the train and its driver.",
            "section": "Shipping",
        },
        {"title": "Hm", "text": "1 2 3"},
    ]
    (folder / "in" / "news.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in news))
    done = newsbeam("topics", "train", "news.yaml", "labelled.jsonl", "--json", cwd=folder)
    told = json.loads(done.stdout)
    assert told["taught"] + told["tuned"] + told["test"]["articles"] == 600 + 2
    assert told["test"]["topics"]["macro_f1"] > 0.95
    return folder


def test_the_tables_are_parted_by_ones_own_topics(desk: Path) -> None:
    plain_run(load(str(desk / "news.yaml"), None, ["models.en=null"]))
    found = sorted(path.parent.name for path in (desk / "out" / "articles").glob("*/*/*.parquet"))
    assert found == ["topic=fish", "topic=ships", "topic=unclassified"]
    assert not verify_warehouse(str(desk / "out")).problems
    done = newsbeam("query", "--output", "out", "SELECT DISTINCT taxonomy FROM articles", "--json", cwd=desk)
    assert json.loads(done.stdout)[0]["taxonomy"].startswith("Harbour desk ")
    with pytest.raises(UsageError, match=r"holds topics of 'Harbour desk .*', and the configuration says 'IPTC"):
        plain_run(load(str(desk / "news.yaml"), None, ["topics={}", "models.en=null"]))


def test_training_is_refused_without_lessons(desk: Path, tmp_path: Path) -> None:
    (desk / "few.jsonl").write_text(json.dumps({"title": "Cod quota", "topic": "rail"}) + "\n")
    done = newsbeam("topics", "train", "news.yaml", "few.jsonl", cwd=desk, status=2)
    assert "Nothing tells what fish means" in done.stderr
    done = newsbeam("topics", "train", "few.jsonl", cwd=desk, status=2)
    assert "Where to put the model?" in done.stderr


def test_a_warehouse_of_two_taxonomies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, [article("https://a.example/1", "One", "It is one.", "2026-02-01T05:00", topic="sport")])
    monkeypatch.setattr("tests.warehouses.TAXONOMY", "other 1")
    add(tmp_path, [article("https://a.example/2", "Two", "It is two.", "2026-02-02T05:00")])
    problems = [one.what for one in verify_warehouse(str(tmp_path)).problems]
    assert problems == [
        "Topics of 2 taxonomies are mixed: by hand 1 in batches 1 (topics sport); "
        "other 1 in batches 2 (topics unclassified)."
    ]


def test_the_last_taxonomy_is_known_though_a_snapshot_took_it_in(tmp_path: Path) -> None:
    warehouse = open_warehouse(str(tmp_path))
    check_taxonomy(warehouse.store, warehouse.history, "any")  # of an empty warehouse
    add(tmp_path, [article("https://a.example/1", "One", "It is one.", "2026-02-01T05:00")])
    fold(warehouse.store, warehouse.refresh())
    history = open_warehouse(str(tmp_path)).history
    assert not history.tail
    last = last_run(warehouse.store, history)
    assert last and (last.batch, last.taxonomy) == (1, TAXONOMY)
    check_taxonomy(warehouse.store, history, TAXONOMY)
    with pytest.raises(UsageError, match="name a new folder"):
        check_taxonomy(warehouse.store, history, "IPTC Media Topics")


def test_own_articles_are_told_well() -> None:
    """Written before the model was tried on them. Half of the two topics that it tells worst may be missed."""
    found = evaluate_topics(read_labelled(str(CASES), {}, IPTC, NOW), filing())
    assert (found.articles, found.left_out) == (40, 0)
    assert found.right >= 36 and found.classified >= 37


def test_the_command_tells_what_it_measured() -> None:
    done = newsbeam("evaluate", "topics", str(CASES))
    for part in ("model newsbeam-iptc", "precision", "macro-F1", "confusions", "surest case", "how many are right"):
        assert part in done.stdout
    told = json.loads(newsbeam("evaluate", "topics", str(CASES), "--json").stdout)
    assert {"topics", "guesses", "confusion", "calibration", "mistakes"} <= told.keys()


def test_labels_that_are_no_topics_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    lines = [
        {
            "headline": "Rovers win the cup final",
            "topic": "Sports",
            "section": "Health",
            "url": "https://a.example/arts/1",
        },
        {"title": "Cod", "topic": "fish\x1b[2J"},
        {"title": "No label"},
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "{broken\n")
    found = evaluate_topics(read_labelled(str(path), {}, IPTC, NOW), filing())
    assert (found.articles, found.left_out, len(found.unknown_labels)) == (1, 3, 1)
    assert found.by_source == {"url": 1}  # its section is the label's key, and tells nothing else
    assert "\x1b" not in "".join(evaluation_text(found))
    assert calibration([])[0].texts == 0


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    done = newsbeam("evaluate", "topics", str(tmp_path / "none.jsonl"), status=2)
    assert "none.jsonl cannot be read: No such file" in done.stderr
