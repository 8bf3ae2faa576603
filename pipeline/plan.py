"""Planning: what is new in the inputs, cut into chunks, a batch at a time."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO

from msgspec.structs import replace

from pipeline.cutting import CHUNK_BYTES, CHUNK_RECORDS, Cutting, cuttings
from pipeline.feed_states import Change
from pipeline.ledger import Ledger
from pipeline.spool import Spool
from schemas.feeds import FeedState
from schemas.records import Chunk, Piece
from transforms.files import Info, Inputs, Store
from transforms.formats import format_named


class Planner:
    """Hands out what is new, batch by batch. Keeps its place, so that a large input is unpacked once in a run."""

    def __init__(self, store: Inputs, inputs: Iterable[Info], ledger: Ledger, warehouse: Store) -> None:
        self._store, self._ledger, self._spool = store, ledger, Spool(warehouse)
        self.unreadable: dict[str, str] = {}
        """Inputs that could not be opened, and why. Nothing of them is committed, so the next run tries them again."""
        self.changed: set[str] = set()
        """Inputs that changed while they were read; the next run reads them anew."""
        new = [info for info in inputs if not ledger.done(info).last]
        self.expects = bool(new)
        """Whether an input has something new, if it can be read."""
        self._total, self._finished = sum(info.size for info in new), 0
        self._open: BinaryIO | None = None
        self._cuttings = chain.from_iterable(map(self._input, new))
        self._held: Cutting | None = None
        self._changes: dict[str, Change] = {}
        self._quiet: list[FeedState] = []
        self.feeds: list[FeedState] = []
        """The states of feeds after the last batch: of those that it brought something of, or that brought nothing."""

    def add(self, pieces: Sequence[Piece], changes: Mapping[str, Change]) -> None:
        """Hand out these pieces too, which feeds brought, and with them the feeds' states.

        The states of feeds without any piece go with the next batch.
        """
        self._cuttings = chain(self._cuttings, (Cutting(piece, None) for piece in pieces))
        self._changes |= changes
        self._quiet = [changes[url].after for url in changes.keys() - {piece.input for piece in pieces}]

    def batch(self, spool: str, most_bytes: int, most_records: int | None = None) -> list[Chunk]:
        """The chunks of the next batch; none when nothing is new. At least one piece, however large."""
        self._spool.begin(spool)
        pieces: list[Piece] = []
        total, left = 0, most_records
        while left != 0 and (cutting := self._next()):
            if pieces and total + cutting.piece.length > most_bytes:
                self._held = cutting
                break
            if left is not None and cutting.piece.records > left:
                cutting = self._shortened(cutting, left)
            pieces.append(self._placed(cutting))
            total += cutting.piece.length
            left = None if left is None else left - cutting.piece.records
        self._spool.close()
        states = {one.input: self._changes[one.input].upto(one) for one in pieces if one.input in self._changes}
        self.feeds, self._quiet = sorted([*self._quiet, *states.values()], key=lambda state: state.url), []
        return chunks(pieces)

    @property
    def share(self) -> float:
        """How much of what was new is planned, 0 to 1, by the inputs' bytes as they are stored."""
        part = self._open.tell() if self._open and not self._open.closed else 0
        return min((self._finished + part) / self._total, 1.0) if self._total else 1.0

    def _next(self) -> Cutting | None:
        cutting, self._held = self._held or next(self._cuttings, None), None
        return cutting

    def _placed(self, cutting: Cutting) -> Piece:
        """The piece with the place where its bytes stand."""
        piece, data = cutting
        return piece if data is None else replace(piece, path=self._spool.path, at=self._spool.add(data))

    def _shortened(self, cutting: Cutting, records: int) -> Cutting:
        """The first records of a piece."""
        piece, data = cutting
        if data is None:
            data = self._store.read(piece.path, piece.at, piece.length)
        cut = next(format_named(piece.format).cut(io.BytesIO(data), records))
        shorter = replace(piece, records=cut.records, length=cut.length, last=False, skipped=cut.skipped)
        return Cutting(shorter, None if cutting.data is None else data[: cut.length])

    def _input(self, info: Info) -> Iterator[Cutting]:
        """The pieces of one input that are not in yet."""
        done = self._ledger.done(info)
        if not is_text(info.name):
            self.unreadable[ascii(info.name)] = "its name is not in UTF-8, so no row could hold it; rename it"
            return
        try:
            with self._store.open(info.name) as self._open:
                path, scratch = self._store.path(info.name), self._spool.scratch
                for cutting in cuttings(path, info, self._open, done, scratch):
                    if (now := self._store.info(info.name)) is None or now.version != info.version:
                        self.changed.add(info.name)
                        return
                    yield cutting
        except OSError as error:
            self.unreadable[info.name] = error.strerror or type(error).__name__
        self._finished += info.size


def is_text(name: str) -> bool:
    """Whether a name can be written down: other bytes than UTF-8 come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def chunks(pieces: Iterable[Piece]) -> list[Chunk]:
    """Pieces in a row that travel together: up to CHUNK_RECORDS records and CHUNK_BYTES bytes, or one larger piece."""
    groups: list[list[Piece]] = []
    records = size = 0
    for piece in pieces:
        records, size = records + piece.records, size + piece.length
        if not groups or records > CHUNK_RECORDS or size > CHUNK_BYTES:
            groups.append([])
            records, size = piece.records, piece.length
        groups[-1].append(piece)
    return [Chunk(number=number, pieces=group) for number, group in enumerate(groups)]
