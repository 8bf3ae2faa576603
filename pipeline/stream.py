"""The steps of a line without an end: each chunk is a batch of its own, decided where it is, committed in one place.

A decision names the log position it was made at (the batch's number). If anything was added since, the commit decides
again: so decisions need no state in the engine and no order among chunks, and whatever an engine repeats adds nothing.
"""

import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from pipeline.config import Config
from pipeline.ledger import Ledger
from pipeline.log import STAGING, History, read_history
from pipeline.staging import new_token
from pipeline.steps import Batch, Steps
from pipeline.warehouse import Warehouse
from pipeline.watcher import Watcher
from schemas.coder import compressed, decompressed
from schemas.errors import WorldError
from schemas.records import Chunk
from transforms.files import Info, store_at

Place = tuple[str, int]
"""Where an article stands: its input, and its position there."""
_VOID_TRIES = 20
_planning = threading.Lock()
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def pack(batch: Batch) -> bytes:
    """A batch of one chunk as bytes, as it goes from step to step."""
    return compressed(_encoder.encode(batch))


@dataclass(frozen=True)
class StreamSteps:
    """The steps for one configuration and one driver; each takes and gives packed batches of one chunk."""

    config: Config
    job: str

    def plan(self, _: object) -> Iterator[bytes]:
        """What a tick hands out."""
        with _planning:
            batches = _watcher(self.config, self.job).tick()
        yield from map(pack, batches)

    def read(self, packed: bytes) -> bytes:
        """The articles. Nothing, if the bytes are gone: another has committed them, or they will be planned again."""
        batch, chunk = _unpacked(packed)
        try:
            return self._packed(batch, Steps(self.config, batch).read(chunk))
        except FileNotFoundError:
            return self._packed(batch, replace(chunk, pieces=[], articles=[]))

    def recognise_copies(self, packed: bytes) -> bytes:
        """Every article with its outcome, by the log as it is now."""
        batch, chunk = _unpacked(packed)
        history = read_history(store_at(self.config.output))
        return self._packed(*self._decided(batch, chunk, history))

    def find_names(self, packed: bytes) -> bytes:
        batch, chunk = _unpacked(packed)
        return self._packed(batch, Steps(self.config, batch).find_names(chunk))

    def find_topics(self, packed: bytes) -> bytes:
        batch, chunk = _unpacked(packed)
        return self._packed(batch, Steps(self.config, batch).find_topics(chunk))

    def add_columns(self, packed: bytes) -> bytes:
        batch, chunk = _unpacked(packed)
        return self._packed(batch, Steps(self.config, batch).add_columns(chunk))

    def commit(self, packed: bytes) -> Iterator[int]:
        """The number of the entry that holds what of the chunk was not in before; nothing if all of it was."""
        batch, chunk = _unpacked(packed)
        warehouse = Warehouse(store_at(self.config.output))
        named = _unique(chunk)
        for _ in range(_VOID_TRIES):
            history = warehouse.refresh()
            chunk = without_committed(chunk, Ledger(warehouse.store, history, _inputs(chunk)))
            if not chunk.pieces:
                return
            if history.position >= batch.number:
                batch, chunk = self._decided_again(batch, chunk, history)
                chunk, named = self._completed(batch, chunk, named), named | _unique(chunk)
            batch = dataclasses.replace(batch, number=history.position + 1, token=new_token())
            steps = Steps(self.config, batch)
            for number in steps.commit(steps.write([chunk])):
                yield number
                return
            warehouse.store.remove(f"{STAGING}/{batch.token}")
        raise WorldError("Other writers take every number in the log; end them, and run this again.")

    def _decided(self, batch: Batch, chunk: Chunk, history: History) -> tuple[Batch, Chunk]:
        batch = dataclasses.replace(batch, number=history.position + 1)
        (decided,) = Steps(self.config, batch).recognise_copies([chunk])
        return batch, decided

    def _decided_again(self, batch: Batch, chunk: Chunk, history: History) -> tuple[Batch, Chunk]:
        """With new fingerprints, since copies lose theirs."""
        chunk = Steps(self.config, batch).with_fingerprints(undecided(chunk))
        return self._decided(batch, chunk, history)

    def _completed(self, batch: Batch, chunk: Chunk, named: set[Place]) -> Chunk:
        """Names, topics and own columns for the articles that only now turned out to be unique."""
        new = [one for one in chunk.articles if one.outcome == "unique" and (one.input, one.position) not in named]
        if not new:
            return chunk
        steps = Steps(self.config, batch)
        done = steps.add_columns(steps.find_topics(steps.find_names(replace(chunk, articles=new)))).articles
        found = {(one.input, one.position): one for one in done}
        return replace(chunk, articles=[found.get((one.input, one.position), one) for one in chunk.articles])

    def _packed(self, batch: Batch, chunk: Chunk) -> bytes:
        return pack(dataclasses.replace(batch, chunks=(chunk,)))


def _unpacked(packed: bytes) -> tuple[Batch, Chunk]:
    batch = _decoder.decode(decompressed(packed))
    return batch, batch.chunks[0]


def _unique(chunk: Chunk) -> set[Place]:
    return {(one.input, one.position) for one in chunk.articles if one.outcome == "unique"}


def _inputs(chunk: Chunk) -> list[Info]:
    return [Info(name, 0, version) for name, version in {(piece.input, piece.version) for piece in chunk.pieces}]


def without_committed(chunk: Chunk, ledger: Ledger) -> Chunk:
    """The chunk without the pieces that are in, and their articles."""
    pieces = [piece for piece in chunk.pieces if not ledger.has(piece)]
    if len(pieces) == len(chunk.pieces):
        return chunk
    kept = {(piece.input, position) for piece in pieces for position in range(piece.first, piece.end)}
    return replace(chunk, pieces=pieces, articles=[one for one in chunk.articles if (one.input, one.position) in kept])


def undecided(chunk: Chunk) -> Chunk:
    """The chunk as it was before copies were decided, but for fingerprints; names and topics that were found stay."""
    return replace(
        chunk,
        articles=[
            replace(one, outcome="read", copy=None, revises=None, is_roundup=False) if one.outcome != "dead" else one
            for one in chunk.articles
        ],
    )


_watchers: dict[str, Watcher] = {}


def _watcher(config: Config, job: str) -> Watcher:
    """The memory of planning for a driver, in this process."""
    if job not in _watchers:
        _watchers.clear()
        _watchers[job] = Watcher(config, job)
    return _watchers[job]
