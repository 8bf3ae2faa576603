"""Reading an input the plain way: unpacked at once, piece after piece, in this process."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from schemas.records import Article, Piece
from transforms.article import read_piece
from transforms.compression import plain_name, unpacked
from transforms.formats import recognise
from transforms.formats.base import HEAD, Cut, Format
from transforms.topics import find_topic

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COLUMNS: Mapping[str, str] = {}


def read_file(path: Path, columns: Mapping[str, str] = COLUMNS) -> list[Article]:
    """The articles of a file, with the topics that its publisher gives them."""
    with path.open("rb") as file:
        stream, _ = unpacked(file)
        data = b"".join(iter(lambda: stream.read(1 << 20), b""))
    return [find_topic(article) for article in read_bytes(data, path.name, columns)]


def read_bytes(data: bytes, name: str, columns: Mapping[str, str] = COLUMNS) -> list[Article]:
    """The articles of an unpacked input. Fails if no format recognises it."""
    format = recognise(data[:HEAD], plain_name(name))
    assert format, f"{name} is not recognised"
    articles: list[Article] = []
    for cut in format.cut(io.BytesIO(data), 256):
        piece = piece_of(cut, format, name, len(articles))
        part = data[cut.offset : cut.offset + cut.length]
        articles += read_piece(piece, part, format, dict(columns), NOW)
    return articles


def piece_of(cut: Cut, format: Format, name: str, first: int) -> Piece:
    return Piece(
        input=name,
        version="1",
        format=format.name,
        first=first,
        records=cut.records,
        offset=cut.offset,
        length=cut.length,
        last=False,
        path=name,
        at=cut.offset,
        problem=cut.problem,
    )
