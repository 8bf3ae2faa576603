"""Reading a chunk: from pieces of input to articles."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from schemas.records import Article, Chunk, Piece
from transforms.article import InputChanged, read_piece
from transforms.files import Inputs
from transforms.formats import format_named, polled
from transforms.formats.base import MAX_RAW


def read_chunk(
    chunk: Chunk, store: Inputs, columns: Mapping[str, str], now: datetime, dated_by: str | None = None
) -> Chunk:
    """The chunk with the articles of its pieces, as many as they have records.

    A piece whose input has changed since it was planned is left out, and the input named in `changed`.
    """
    articles: list[Article] = []
    pieces: list[Piece] = []
    changed: list[str] = []
    for piece in chunk.pieces:
        try:
            read = _read(piece, store, columns, now, dated_by)
        except (FileNotFoundError, InputChanged):
            if _unchanged(piece, store):
                raise
            read = []
        if _unchanged(piece, store):
            pieces.append(piece)
            articles += read
        else:
            changed.append(piece.input)
    return replace(chunk, pieces=pieces, articles=articles, changed=changed)


def _read(
    piece: Piece, store: Inputs, columns: Mapping[str, str], now: datetime, dated_by: str | None
) -> list[Article]:
    data = store.read(piece.path, piece.at, min(piece.length, MAX_RAW) if piece.problem else piece.length)
    return read_piece(piece, data, format_named(piece.format) if piece.format else None, dict(columns), now, dated_by)


def _unchanged(piece: Piece, store: Inputs) -> bool:
    if piece.format == polled.FORMAT.name:  # it stands in the spool, whatever the feed does
        return True
    info = store.info(piece.input)
    return info is not None and info.version == piece.version
