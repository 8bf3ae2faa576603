"""The index: every article ever committed, by identity and by content. Derived: the newest snapshot and the tail."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.log import History, index_name, snapshot_name
from pipeline.sorted_files import KEY_FIELDS, key_pair, lookup, sorted_by_key
from schemas.errors import WorldError
from schemas.records import Article
from transforms.copies import Known, Text, known_by, order
from transforms.files import Store
from transforms.rows import place_of

_ID = pa.binary(16)
SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("article_id", _ID),
        pa.field("canonical", _ID, metadata={"meaning": "the unique article: itself, or what it is a copy of"}),
        pa.field("original", pa.int64(), metadata={"meaning": "the batch that brought the canonical article"}),
        pa.field("place", pa.string(), metadata={"meaning": "date=…/topic=… of the canonical article"}),
        pa.field("batch", pa.int64()),
        pa.field("rank", pa.int64(), metadata={"meaning": "place in the order in which the batch was decided"}),
        pa.field("published_at", pa.timestamp("us", tz="UTC")),
    ]
)


def index_table(articles: Sequence[Article], now: datetime, batch: int) -> pa.Table:
    """The index rows of a batch's articles, sorted by key.

    Each article stands under what it is `known_by`.
    """
    places = {article.article_id: place_of(article, now) for article in articles if article.outcome == "unique"}
    rows = []
    for rank, article in enumerate(sorted(articles, key=order)):
        canonical = article.copy.duplicate_of if article.copy else article.article_id
        place = places.get(canonical) or (article.copy.place if article.copy else "")
        original = article.copy.original_batch if article.copy else batch
        ids = bytes.fromhex(article.article_id), bytes.fromhex(canonical), original
        rows += [(*key_pair(text), *ids, place, batch, rank, article.published_at) for text in known_by(article)]
    if not rows:
        return SCHEMA.empty_table()
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return sorted_by_key(pa.Table.from_arrays(columns, schema=SCHEMA))


def look_up(store: Store, history: History, texts: Iterable[str]) -> dict[str, list[Known]]:
    """What was committed up to the history's position under each of the texts, oldest first."""
    names = [index_name(entry.number) for entry in history.tail if entry.index_rows]
    if history.manifest.index_rows:
        names.insert(0, snapshot_name(history.manifest.number, "index"))
    wanted = {key_pair(text): text for text in texts} if names else {}
    if not wanted:
        return {}
    keys = np.array(sorted({key for key, _ in wanted}), np.uint64)
    found: dict[str, list[Known]] = defaultdict(list)
    forgotten = history.forgotten
    for name in names:
        for table in lookup(store, name, keys):
            for row in table.to_pylist():
                if text := wanted.get((row["key"], row["check"])):
                    found[text].append(_known(row, forgotten))
    return {text: sorted(rows) for text, rows in found.items()}


def _known(row: dict[str, Any], forgotten: Container[str]) -> Known:
    published = row["published_at"]
    return Known(
        batch=row["batch"],
        rank=row["rank"],
        article_id=row["article_id"].hex(),
        canonical=row["canonical"].hex(),
        original=row["original"],
        place=row["place"],
        published_at=published.astimezone(UTC) if published else None,
        forgotten=row["article_id"].hex() in forgotten,
    )


def text_of(store: Store, known: Known) -> Text:
    """The words of a canonical article, from the file that its batch brought. Raises WorldError if it is not there."""
    name = f"articles/{known.place}/{known.original:012}.parquet"
    with suppress(FileNotFoundError), store.open(name) as source:
        wanted = pc.field("article_id") == known.canonical
        for row in pq.read_table(source, columns=["title", "body"], filters=wanted).to_pylist():
            return Text(row["title"], row["body"])
    raise WorldError(f"{store.root}: the article {known.canonical} is missing in {name}; run `newsbeam verify`.")
