"""Reading an input the plain way: unpacked at once, piece after piece, in this process."""

import io
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from pipeline.cutting import cuttings
from pipeline.ledger import Span
from schemas.records import Article, Piece
from transforms.article import read_piece
from transforms.compression import plain_name
from transforms.files import Info
from transforms.formats import format_named, recognise
from transforms.formats.base import HEAD, Cut, Format
from transforms.topics import filing, find_topics

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COLUMNS: Mapping[str, str] = {}


def read_file(path: Path, columns: Mapping[str, str] = COLUMNS) -> list[Article]:
    """The articles of a file, with their topics."""
    info = Info(path.name, path.stat().st_size, "1")
    articles: list[Article] = []
    with path.open("rb") as file, tempfile.TemporaryDirectory() as scratch:
        for piece, data in cuttings(str(path), info, file, Span(0, 0, 0, 0, False), scratch):
            part = path.read_bytes()[piece.at :][: piece.length] if data is None else data
            format = format_named(piece.format) if piece.format else None
            articles += read_piece(piece, part, format, dict(columns), NOW)
    unique = [replace(one, outcome="unique") if one.outcome == "read" else one for one in articles]
    filed = find_topics(unique, filing())
    return [replace(after, outcome=before.outcome) for before, after in zip(articles, filed, strict=True)]


def read_bytes(data: bytes, name: str, columns: Mapping[str, str] = COLUMNS) -> list[Article]:
    """The articles of an unpacked input. Fails if no format recognises it."""
    format = recognise(data[:HEAD], plain_name(name))
    assert format, f"{name} is not recognised"
    if format.lines:
        data = b"".join(format.lines(io.BytesIO(data), 0))
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
