"""Real newswire in other orders and cut otherwise: the copies step alone, over a warehouse that grows.

Run with `--soak` all of Reuters-21578, else its first items.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from pipeline import snapshots
from pipeline.snapshots import fold, fold_due
from pipeline.verify import verify_warehouse
from pipeline.warehouse import open_warehouse
from schemas.records import Article
from schemas.tables import TABLES
from tests.reuters import REUTERS, items
from tests.warehouses import add, article
from transforms.near import LEAST_SAMPLES, Rules

FEW = 600
Batches = Sequence[Sequence[Article]]
Clusters = dict[str, frozenset[str]]

pytestmark = pytest.mark.skipif(not REUTERS.exists(), reason="the folder of shared test material is absent")


def newswire(count: int | None) -> list[Article]:
    """The first items, by time, as if forty papers had carried them."""
    made = [
        article(
            f"https://wire.example/{number}",
            item.title,
            item.text,
            item.moment.isoformat(),
            source=f"Paper {number % 40}",
        )
        for number, item in enumerate(items()[:count])
    ]
    return sorted(made, key=lambda one: (one.published_at, one.article_id))


def cut(articles: Sequence[Article], parts: int) -> Batches:
    size = -(-len(articles) // parts)
    return [articles[at : at + size] for at in range(0, len(articles), size)]


def days_shuffled(articles: Sequence[Article], chance: random.Random) -> Batches:
    return cut(sorted(articles, key=lambda one: (one.published_at.date(), chance.random())), 10)  # type: ignore[union-attr]


ORDERS: dict[str, Callable[[Sequence[Article], random.Random], Batches]] = {
    "ten batches": lambda articles, chance: cut(articles, 10),
    "days shuffled inside": days_shuffled,
    "reversed": lambda articles, chance: cut(articles[::-1], 10),
    "any order": lambda articles, chance: cut(chance.sample(articles, len(articles)), 10),
}


def read(root: Path, batches: Batches) -> Path:
    """The batches, one after the other, with snapshots between them; the warehouse, which must be sound."""
    for number, articles in enumerate(batches):
        add(root, articles, f"{number}.jsonl")
        warehouse = open_warehouse(str(root))
        if fold_due(warehouse.history):
            fold(warehouse.store, warehouse.history)
    assert verify_warehouse(str(root)).problems == []
    return root


def rows(root: Path, name: str) -> list[dict[str, object]]:
    files = [str(path) for path in sorted((root / name).glob("date=*/**/*.parquet"))]
    return ds.dataset(files, TABLES[name].full_schema, partitioning="hive").to_table().to_pylist()


def clusters(root: Path) -> Clusters:
    """For each identity those that stand with it. Every copy must have been verified against a kept article."""
    members: dict[object, set[str]] = defaultdict(set)
    kept = {row["article_id"]: str(row["identity"]) for row in rows(root, "articles")}
    for id, identity in kept.items():
        members[id].add(identity)
    for row in rows(root, "duplicates"):
        assert row["duplicate_of"] in kept
        assert row["method"] == "exact" or is_verified(row), row
        members[row["duplicate_of"]].add(str(row["identity"]))
    return {identity: frozenset(cluster) for cluster in members.values() for identity in cluster}


def is_verified(row: dict[str, object]) -> bool:
    jaccard, containment, similarity = (float(str(row[name])) for name in ("jaccard", "containment", "similarity"))
    return {
        "jaccard": jaccard >= Rules.jaccard,
        "containment": containment >= Rules.containment and int(str(row["samples"])) >= LEAST_SAMPLES,
        "edit-ratio": similarity >= Rules.edit_ratio,
        "same-words": similarity >= Rules.same_words,
        "same-figures": similarity >= Rules.same_figures,
    }[str(row["method"])]


@pytest.fixture(scope="module")
def articles(request: pytest.FixtureRequest) -> list[Article]:
    return newswire(None if request.config.getoption("--soak") else FEW)


@pytest.fixture(scope="module")
def expected(articles: list[Article], tmp_path_factory: pytest.TempPathFactory) -> Clusters:
    return clusters(read(tmp_path_factory.mktemp("one") / "warehouse", [articles]))


@pytest.mark.parametrize("name", ORDERS)
def test_most_articles_stand_in_the_same_cluster(
    name: str, articles: list[Article], expected: Clusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FOLD_AFTER", 3)
    seed = random.randrange(1 << 32)
    found = clusters(read(tmp_path / "warehouse", ORDERS[name](articles, random.Random(seed))))
    assert found.keys() == expected.keys()
    same = sum(found[one] == expected[one] for one in found)
    print(f"{name}: {same / len(found):.4f} of {len(found):,} articles in an identical cluster, seed {seed}")
    assert same >= 0.99 * len(found)
    of_content: dict[str, set[frozenset[str]]] = defaultdict(set)
    for one in articles:
        of_content[one.content_hash].add(found[one.identity])
    assert all(len(one) == 1 for one in of_content.values())
