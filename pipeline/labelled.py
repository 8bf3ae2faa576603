"""Labelled files, read as the line reads articles: `evaluate topics` measures on them, `topics train` learns."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import xxhash
from msgspec import Struct
from msgspec.structs import replace

from pipeline.cutting import cuttings
from pipeline.ledger import Span
from schemas.errors import UsageError
from schemas.records import Article
from transforms.article import read_piece
from transforms.files import Info
from transforms.formats import format_named
from transforms.taxonomy import one_topic, taxonomy

LABEL = "topic"
"""The key of a record that holds its label."""


PARTS = 10
TUNING, TEST = 8, 9
"""Of the parts that `part_of` tells: one to tune on, one to test on; the eight before them teach."""


def part_of(text: str) -> int:
    """The part that a text falls into, 0 to 9. The same text always into the same: copies never stand on both sides."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) % PARTS


class Labelled(Struct, frozen=True):
    """An article with the slug of its topic; None where it has no label, or one that names no topic."""

    article: Article
    label: str
    topic: str | None


def read_labelled(path: str, columns: Mapping[str, str], topics: str, now: datetime) -> Iterator[Labelled]:
    """The articles of a file, without what would give the label away: section and categories.

    A label is a topic's slug, or a name that stands for it in the taxonomy. Records that cannot be read are left out
    like those without a label. Raises UsageError if the file cannot be read.
    """
    mapping = {**columns, "section": LABEL}
    try:
        size = Path(path).stat().st_size
        with open(path, "rb") as file, open(path, "rb") as bytes_of, TemporaryDirectory() as scratch:
            for piece, unpacked in cuttings(path, Info(path, size, "1"), file, Span(0, 0, 0, 0, False), scratch):
                bytes_of.seek(piece.at)
                data = bytes_of.read(piece.length) if unpacked is None else unpacked
                format = format_named(piece.format) if piece.format else None
                for article in read_piece(piece, data, format, mapping, now):
                    yield _labelled(article, topics)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error


def _labelled(article: Article, topics: str) -> Labelled:
    label = article.section or ""
    slug = label if label in taxonomy(topics).topics else one_topic([label], topics)
    outcome = "unique" if article.outcome == "read" else article.outcome
    return Labelled(replace(article, section=None, categories=[], outcome=outcome), label, slug)
