"""Planning for an unbounded pipeline: what is handed out at each tick, and what of it has arrived.

What was handed out is remembered by the process that plans, and lost with it: then it is planned again, and the commit
leaves out what is in already. The warehouse's lock tells whether to go on: a job whose driver no longer holds it, or
has started another job, fails at its next tick. Nobody else would end it: Beam's job server tells Flink no cancel.
"""

import dataclasses
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from pipeline.config import Config
from pipeline.following import files_named
from pipeline.inputs import list_inputs
from pipeline.ledger import Ledger
from pipeline.lock import STALE, holder_of
from pipeline.log import STAGING, History, read_history
from pipeline.plan import Planner
from pipeline.quiet import Quiet
from pipeline.staging import new_token
from pipeline.steps import Batch
from schemas.errors import WorldError
from schemas.records import Chunk
from transforms.files import Info, Inputs, store_at

STATE = "_newsbeam/watch.json"
PATIENCE = 120.0
"""Seconds without any progress after which what was handed out is given up, and planned again."""


class State(Struct):
    """What the planning process tells the driver, at each tick."""

    job: str = ""
    ticks: int = 0
    waiting: int = 0
    lag: float = 0.0
    handed: int = 0
    """Batches handed out that are not in yet."""
    drained: bool = False
    """No more will be handed out, and all that was is in."""


class _Handed(Struct):
    token: str
    chunk: Chunk
    bytes: int


class Watcher:
    """The memory of planning, in the process that plans."""

    def __init__(self, config: Config, job: str) -> None:
        self._config, self._job = config, job
        self._store = store_at(config.output)
        self._quiet = Quiet(config.watch.quiet)
        self._planner: Planner | None = None
        self._handed: list[_Handed] = []
        self._state = State(job=job)
        self._beat: tuple[object, float] = (None, time.monotonic())
        self._last_tick = self._last_handed = self._progress = float("-inf")
        self._store.write(STATE, msgspec.json.encode(self._state))  # the first tick may take long: we are here

    def tick(self) -> list[Batch]:
        """What is handed out now; nothing for a tick that comes late, in a burst after a pause.

        Raises WorldError when our driver has gone, which ends the job.
        """
        clock = time.monotonic()
        if clock - self._last_tick < self._config.watch.interval / 2:
            return []
        self._last_tick = clock
        going = self._going(clock)
        history = read_history(self._store)
        found = list_inputs(self._config.root, files_named(self._config), self._config.output, False)
        listed = {info.name: info for info in found}
        self._prune(history, listed, clock)
        waiting = self._waiting(history, listed.values(), clock)
        batches = self._hand_out(history, waiting, clock) if going else []
        self._tell(waiting, drained=not going and not self._handed)
        return batches

    def _going(self, clock: float) -> bool:
        """Whether to hand out more: our driver does not drain. Raises WorldError where it has gone."""
        holder = holder_of(self._store)
        if holder and holder.get("heartbeat") != self._beat[0]:
            self._beat = (holder.get("heartbeat"), clock)
        another = holder is None or (holder and job_of(holder) != self._job)
        if another or clock - self._beat[1] > STALE:
            raise WorldError("The driver of this job has ended or started another: so this one ends.")
        return not holder.get("draining") if holder else False  # it is just being written

    def _prune(self, history: History, listed: dict[str, Info], clock: float) -> None:
        """Forget what is in, what will never come since its input changed, and all of it after a long silence."""
        inputs = {(piece.input, piece.version) for one in self._handed for piece in one.chunk.pieces}
        ledger = Ledger(self._store, history, [Info(name, 0, version) for name, version in inputs])
        kept = []
        for one in self._handed:
            open_pieces = [
                piece
                for piece in one.chunk.pieces
                if (info := listed.get(piece.input)) and info.version == piece.version and not ledger.has(piece)
            ]
            if open_pieces:
                kept.append(one)
        if len(kept) < len(self._handed):
            self._progress = clock
        elif kept and clock - self._progress > PATIENCE:
            kept, self._planner = [], None
        for token in {one.token for one in self._handed} - {one.token for one in kept}:
            self._store.remove(f"{STAGING}/{token}")  # its spool
        self._handed = kept

    def _waiting(self, history: History, listed: Iterable[Info], clock: float) -> list[Info]:
        """The whole files that are neither in nor handed out."""
        out = {(piece.input, piece.version) for one in self._handed for piece in one.chunk.pieces}
        new = [info for info in listed if (info.name, info.version) not in out]
        ledger = Ledger(self._store, history, new)
        return [info for info in self._quiet.whole(new, time.time(), clock) if not ledger.done(info).last]

    def _hand_out(self, history: History, waiting: list[Info], clock: float) -> list[Batch]:
        """Chunks, as long as what is on its way stays within two batches' bytes."""
        if self._planner is None:
            full = sum(info.size for info in waiting) >= self._config.batch.bytes
            if not waiting or not (full or clock - self._last_handed >= self._config.watch.commit_every):
                return []
            ledger = Ledger(self._store, history, waiting)
            self._planner = Planner(Inputs(self._config.root), waiting, ledger, self._store)
        room = 2 * self._config.batch.bytes - sum(one.bytes for one in self._handed)
        if room <= 0:
            return []
        token = new_token()
        chunks = self._planner.batch(f"{STAGING}/{token}/spool", min(room, self._config.batch.bytes))
        if not chunks:
            self._planner = None
            return []
        if not self._handed:
            self._progress = clock
        self._last_handed = clock
        self._handed += [_Handed(token, chunk, sum(piece.length for piece in chunk.pieces)) for chunk in chunks]
        began = time.time()
        batch = Batch(history.position + 1, token, datetime.fromtimestamp(began, UTC), began, ())
        return [dataclasses.replace(batch, chunks=(chunk,)) for chunk in chunks]

    def _tell(self, waiting: list[Info], drained: bool) -> None:
        state = self._state
        state.ticks += 1
        state.waiting, state.handed, state.drained = len(waiting), len(self._handed), drained
        state.lag = max(map(age, waiting), default=0.0)
        self._store.write(STATE, msgspec.json.encode(state))


def age(info: Info) -> float:
    """Seconds since a file's last change; 0 where that lies ahead, since a clock was moved back."""
    return max(time.time() - info.modified, 0.0)


def job_of(holder: dict[str, str | int]) -> str:
    """What names a job: its driver's host, process and start, as the lock tells them, and which job of that driver."""
    return " ".join(str(holder.get(name)) for name in ("host", "pid", "since", "job"))
