"""Articles on which engines are compared, and what must be the same of their tables."""

import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.query import connect
from tests.command import PROJECT, newsbeam
from tests.near_stories import near_stories
from tests.reuters import REUTERS, Item, footer_added, headline_changed, items, other_intro, paragraphs_moved
from tests.stories import stories, write_jsonl

FILES = 40
NEAR = (footer_added, headline_changed, other_intro, paragraphs_moved)


def write_inputs(folder: Path, seed: int, count: int) -> None:
    """Some thousand articles: the samples in all formats, made-up stories with copies and revisions, and newswire."""
    shutil.copytree(PROJECT / "seeds", folder / "seeds")
    rows: list[dict[str, Any]] = [*stories(seed, count * 2 // 5)]
    rows += islice(near_stories(seed, count), count // 5)
    rows += islice(newswire(seed), count - len(rows)) if REUTERS.exists() else stories(seed + 1, count - len(rows))
    random.Random(seed).shuffle(rows)
    for number in range(FILES):
        write_jsonl(folder / f"{number:02}.jsonl{'' if number % 4 else '.gz'}", rows[number::FILES])


def newswire(seed: int) -> Iterator[dict[str, Any]]:
    """Items of Reuters; each eighth is carried by another paper too, each other eighth is edited there."""
    chance = random.Random(seed)
    for number, item in enumerate(items()):
        yield wire_row(item, f"https://wire.example/{number}")
        if number % 8 == 0:
            yield wire_row(item, f"https://copy.example/{number}")
        elif number % 8 == 4 and len(item.text.split()) >= 80:
            yield wire_row(chance.choice(NEAR)(item, chance), f"https://near.example/{number}")


def wire_row(item: Item, url: str) -> dict[str, Any]:
    return {"url": url, "title": item.title, "text": item.text, "date": item.moment.isoformat()}


@dataclass(frozen=True)
class Told:
    """What tables say, whatever order the articles came in."""

    read: int
    ids: frozenset[str]
    dead: frozenset[str]
    clusters: dict[str, frozenset[str]]
    """Of each article those that stand together with it."""
    contents: frozenset[frozenset[str]]
    """Articles that have the same words, by words."""
    near: frozenset[str]
    """Those that are near copies."""

    def apart(self) -> frozenset[frozenset[str]]:
        """Articles that have the same words and don't stand together."""
        return frozenset(same for same in self.contents if len({self.clusters[id] for id in same}) > 1)


def told(output: Path | str) -> Told:
    with connect(str(output)) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        found = rows("SELECT article_id, article_id, content_hash FROM articles")
        found += rows("SELECT article_id, duplicate_of, content_hash FROM duplicates")
        near = {id for (id,) in rows("SELECT article_id FROM duplicates WHERE method != 'exact'")}
        dead = [id for (id,) in rows("SELECT letter_id FROM dead_letters")]
        ((read,),) = rows("SELECT sum(read)::INT FROM runs")
    clusters, contents = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for id, original, content in found:
        clusters[original].add(id)
        contents[content].add(id)
    assert len(found) == len({id for id, *_ in found}) and len(dead) == len(set(dead))
    return Told(
        read,
        frozenset(id for id, *_ in found),
        frozenset(dead),
        {id: frozenset(cluster) for cluster in clusters.values() for id in cluster},
        frozenset(map(frozenset, contents.values())),
        frozenset(near),
    )


def check_like(output: Path | str, expected: Told) -> None:
    """The same articles, exact copies and dead letters, and nearly the same clusters; all that `verify` checks."""
    found = told(output)
    assert (found.read, found.ids, found.dead) == (expected.read, expected.ids, expected.dead)
    assert found.contents == expected.contents
    apart = found.apart() ^ expected.apart()  # the order decides, where one of them is also near to a third
    assert all(same & (found.near | expected.near) for same in apart), apart
    alike = sum(found.clusters[id] == cluster for id, cluster in expected.clusters.items()) / len(found.ids)
    print(f"{len(found.ids)} articles and copies, {alike:.4f} in identical clusters; exact copies apart: {len(apart)}")
    assert alike >= 0.99
    newsbeam("verify", "--output", str(output))
