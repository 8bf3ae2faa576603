"""Planning: every record of an input in one piece, cut alike however often it is begun again."""

import bz2
import gzip
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from pipeline.ledger import Ledger, Span, joined
from pipeline.log import Entry, History, Manifest
from pipeline.plan import CHUNK_RECORDS, Planner, chunks
from pipeline.run import Session, Stopped, Summary, new_inputs
from pipeline.spool import Spool, Tee
from schemas.records import Chunk, Piece
from schemas.tables import Run
from tests.plain import NOW, plain_config
from transforms.files import Inputs, LocalStore
from transforms.formats.base import MAX_RAW

EMPTY = History(Manifest(number=0, index_rows=0), [])
PACK: dict[str, Callable[[bytes], bytes]] = {
    "jsonl": bytes,
    "jsonl.gz": gzip.compress,
    "jsonl.bz2": bz2.compress,
    "jsonl.zst": zstandard.compress,
}
ROWS = [json.dumps({"title": f"Title {n}", "text": "words " * (n % 700)}).encode() + b"\n" for n in range(3000)]


def entry_of(pieces: list[Piece], number: int) -> Entry:
    run = Run(
        batch=number, started_at=NOW, seconds=0, read=0, unique=0, duplicates=0, known=0, dead=0, dead_by_class=[],
        steps=[], inputs=0, versions=[], models=[], taxonomy="", config_hash="",
    )  # fmt: skip
    return Entry(
        number=number, token="t", now=NOW, run=run, pieces=pieces, changed=[], topics={}, files=[], index_rows=0
    )


def plan_all(root: Path, history: History, spool: Path, most: int, batches: int | None = None) -> list[list[Chunk]]:
    store = LocalStore(str(root))
    inputs = list(store.walk())
    planner = Planner(Inputs(store.root), inputs, Ledger(store, history, inputs), store)
    result: list[list[Chunk]] = []
    while (batches is None or len(result) < batches) and (batch := planner.batch(f"{spool}{len(result)}", most)):
        result.append(batch)
    return result


def contents(batches: list[list[Chunk]]) -> bytes:
    """The bytes of all pieces, read where workers read them."""
    data = b""
    for piece in (piece for batch in batches for chunk in batch for piece in chunk.pieces):
        with open(piece.path, "rb") as file:
            file.seek(piece.at)
            data += file.read(piece.length)
    return data


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("most", [1, 700_000, 10**9])
def test_every_byte_once_and_resumed_alike(kind: str, most: int, tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / f"a.{kind}").write_bytes(PACK[kind](b"".join(ROWS)))
    whole = plan_all(root, EMPTY, tmp_path / "spool", most)
    pieces = [piece for batch in whole for chunk in batch for piece in chunk.pieces]
    assert contents(whole) == b"".join(ROWS)
    assert sum(piece.records for piece in pieces) == 3000
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(before.end == piece.first for before, piece in pairwise(pieces))
    assert all(sum(piece.length for piece in chunk.pieces) <= 1_000_000 for batch in whole for chunk in batch)
    for done in range(1, len(whole)):
        committed = [piece for batch in whole[:done] for chunk in batch for piece in chunk.pieces]
        history = History(Manifest(number=0, index_rows=0), [entry_of(committed, 1)])
        rest = plan_all(root, history, tmp_path / "again", most)
        cuts = [(p.first, p.records, p.offset, p.length, p.last) for b in rest for c in b for p in c.pieces]
        assert cuts == [(p.first, p.records, p.offset, p.length, p.last) for p in pieces[len(committed) :]]
        assert contents(rest) == b"".join(ROWS)[pieces[len(committed)].offset :]


def test_a_limit_cuts_inside_a_piece(tmp_path: Path) -> None:
    for name, pack in PACK.items():
        root = tmp_path / name
        root.mkdir()
        (root / f"a.{name}").write_bytes(pack(b"".join(ROWS)))
        store = LocalStore(str(root))
        planner = Planner(Inputs(store.root), list(store.walk()), Ledger(store, EMPTY, []), store)
        batch = planner.batch(str(root / "spool"), 10**9, 300)
        pieces = [piece for chunk in batch for piece in chunk.pieces]
        assert [piece.records for piece in pieces] == [256, 44] and not pieces[-1].last
        assert contents([batch]) == b"".join(ROWS[:300])


def test_small_files_travel_together(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number in range(600):
        (root / f"{number:03}.txt").write_text(f"A headline\n\nThe text of number {number}.\n")
    (batch,) = plan_all(root, EMPTY, tmp_path / "spool", 10**9)
    assert [len(chunk.pieces) for chunk in batch] == [CHUNK_RECORDS, CHUNK_RECORDS, 600 - 2 * CHUNK_RECORDS]
    assert [chunk.number for chunk in batch] == [0, 1, 2]


def test_what_is_done_is_not_planned(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.txt").write_text("A headline\n\nText.\n")
    (batch,) = plan_all(root, EMPTY, tmp_path / "spool", 10**9)
    done = History(Manifest(number=0, index_rows=0), [entry_of(batch[0].pieces, 1)])
    assert plan_all(root, done, tmp_path / "spool", 10**9) == []
    (root / "a.txt").write_text("A headline\n\nAnother text.\n")
    assert len(plan_all(root, done, tmp_path / "spool", 10**9)) == 1


def test_spans_join() -> None:
    parts = [Span(2, 4, 20, 40, False), Span(0, 2, 0, 20, False), Span(5, 6, 50, 60, True)]
    assert joined(parts) == [Span(0, 4, 0, 40, False), Span(5, 6, 50, 60, True)]
    assert joined([]) == []


def test_no_pieces_no_chunks() -> None:
    assert chunks([]) == []


def test_the_tee_keeps_what_was_read_and_of_a_long_record_the_head() -> None:
    short, long, tail = b"s" * 700_000, b"l" * 90_000_000, b"t" * 900_000
    tee = Tee(io.BytesIO(short + long + tail))
    while tee.read(1 << 18):
        assert len(tee._kept) < 45_000_000
    assert tee.pending == len(short + long + tail)
    assert tee.take(len(short)) == short
    head = tee.take(len(long))
    assert len(head) >= MAX_RAW and set(head) == {ord("l")}
    assert tee.take(len(tail)) == tail
    assert tee.pending == 0


def test_a_plan_that_is_broken_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl.gz").write_bytes(gzip.compress(b"".join(ROWS)))
    config = plain_config(tmp_path / "in", tmp_path / "out")
    session = Session(config, new_inputs(config), Summary(), now=NOW)
    laid, whole_add = list[int](), Spool.add

    def add(spool: Spool, data: bytes) -> int:
        laid.append(len(data))
        if len(laid) == 3:
            raise Stopped(15)
        return whole_add(spool, data)

    monkeypatch.setattr(Spool, "add", add)
    with pytest.raises(Stopped):
        session.plan(None)
    assert list((tmp_path / "out/_newsbeam").glob("staging/*")) == []
