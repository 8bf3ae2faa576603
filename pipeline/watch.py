"""`watch`: `run` for ever. At each tick what is new goes down the line, with workers that stay warm in between."""

import signal
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.config import Config
from pipeline.engine import Engine, Listener, engine_for
from pipeline.following import names_feeds
from pipeline.lock import held, say
from pipeline.own_parts import check_own_parts
from pipeline.quiet import Quiet
from pipeline.run import Session, Summary, check_comparable_with, new_inputs
from pipeline.steps import without_articles
from pipeline.warehouse import check_usable, open_warehouse
from pipeline.watcher import STATE, State, age, job_of
from schemas.errors import UsageError, WorldError
from transforms.files import Info, Inputs, asked, store_at

if TYPE_CHECKING:
    from pipeline.portable import Job

_DRAIN = 120.0
"""Seconds that what was handed out may take to arrive after a signal; the rest is planned again the next time."""
_SILENCE = 300.0
"""Seconds without a tick or a commit after which a job that has begun is replaced."""
_SAMPLED = 20
_FIRST_BYTES = 1_000_000
"""Of the first batch of a tick; each further one may have twice as much, up to `batch.bytes`. So a flood becomes rows
from its first seconds on, and costs hardly more batches."""
_FEEDS_EVERY = 60.0
"""Least seconds between two looks for feeds that are due; what a run may ask of a host holds for each look."""
_TRIES = 5
"""Failures in a row, without a batch committed in between, that are borne."""


class Flow(Struct):
    """What a watch tells of itself: the last minute, and what waits."""

    waiting: int = 0
    lag: float = 0.0
    """Seconds since the oldest file that waits was closed; 0 if none does."""
    latency: float = 0.0
    """Median seconds from a file's last change to its rows, of the last 1,000 files."""
    trouble: str = ""
    """What went wrong and is being tried again."""


class Order(NamedTuple):
    """What a watch is given, and keeps over failures."""

    config: Config
    options: Sequence[str]
    summary: Summary
    flow: Flow
    listener: Listener
    mine: dict[str, str | int]
    """What the lock says of us."""
    ended: threading.Event
    """Is set by a signal."""


def watch(config: Config, options: Sequence[str], summary: Summary, flow: Flow, listener: Listener) -> None:
    """Read what is new, tick by tick, until a signal asks to end; then finish the batch at hand and return.

    Raises UsageError, Busy, and WorldError where the first batch fails, or the same thing again and again.
    """
    engine_for(config, options, listener)
    check_own_parts(config)
    new_inputs(config, must_match=False)
    config.filing()  # what cannot be loaded is said before anything is made
    store = store_at(config.output)
    check_usable(store)
    if config.runner != "DirectRunner" and names_feeds(config):
        raise UsageError(f"watch polls no feeds on {config.runner}: leave the feeds out, or the runner.")
    started, failures = time.monotonic(), 0
    ticks = Stream if config.runner != "DirectRunner" else Ticks
    with draining() as ended, held(store) as mine:
        while not ended.is_set():
            batches = summary.batches
            try:
                ticks(Order(config, options, summary, flow, listener, mine, ended)).until_ended()
            except UsageError:
                raise
            except WorldError as error:
                failures = failures + 1 if summary.batches == batches else 1
                if not summary.batches or failures > _TRIES or ended.is_set():
                    raise
                flow.trouble = str(error)
                listener("trouble", flow.trouble)
                ended.wait(config.watch.interval * 2**failures)
    summary.requests += asked()
    summary.seconds = time.monotonic() - started


class Ticks:
    """The ticks between two failures: one engine, one session."""

    def __init__(self, order: Order) -> None:
        self._config, self._options, self._summary, self._flow, self._listener, _, self._ended = order
        self._quiet = Quiet(self._config.watch.quiet)
        self._done: set[tuple[str, str]] = set()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._committed = self._polled = float("-inf")
        self._session = Session(self._config, [], self._summary, self._listener, ended=self._ended)

    def until_ended(self) -> None:
        with ExitStack() as stack:
            stack.callback(self._session.close)
            listener = self._summary.counting(self._listener)
            engine = stack.enter_context(Engine(self._config, self._options, listener))
            while not self._ended.is_set():
                began = time.monotonic()
                waiting = self._waiting()
                self._tell(waiting)
                polls = began - self._polled >= max(_FEEDS_EVERY, self._config.feeds.host_spacing)
                if self._due(waiting) or (polls and names_feeds(self._config)):
                    self._work(waiting, polls, engine)
                self._ended.wait(max(self._config.watch.interval - (time.monotonic() - began), 0))

    def _waiting(self) -> list[Info]:
        """The whole files that are not known to be in."""
        listed = new_inputs(self._config, must_match=False)
        self._done &= {(info.name, info.version) for info in listed}
        new = [info for info in listed if (info.name, info.version) not in self._done]
        return self._quiet.whole(new, time.time(), time.monotonic())

    def _due(self, waiting: Sequence[Info]) -> bool:
        """Whether it is time for a commit: some seconds after the last one, or with enough for a full batch."""
        rested = time.monotonic() - self._committed >= self._config.watch.commit_every
        return bool(waiting) and (rested or sum(info.size for info in waiting) >= self._config.batch.bytes)

    def _work(self, waiting: Sequence[Info], polls: bool, engine: Engine) -> None:
        """Send all that waits down the line, and what due feeds bring, batch by batch; after a signal no batch more."""
        self._summary.unreadable.clear()
        self._session.look(waiting, polls)
        self._polled = time.monotonic() if polls else self._polled
        size = _FIRST_BYTES
        while not self._ended.is_set() and (batch := self._session.plan(None, size)):
            size *= 2
            pieces = [piece for chunk in batch.chunks for piece in chunk.pieces]
            self._session.send(batch, engine if batch.chunks else without_articles)
            self._committed = time.monotonic()
            names = {piece.input for piece in pieces}
            self._measure(info for info in waiting if info.name in names)
            ended = {piece.input for piece in pieces if piece.last}
            waiting = [info for info in waiting if info.name not in ended]
            self._tell(waiting)
        self._session.close()
        self._done |= {(info.name, info.version) for info in self._session.finished()}
        self._flow.trouble = ""
        self._tell([info for info in waiting if (info.name, info.version) not in self._done])

    def _measure(self, read: Iterable[Info]) -> None:
        self._latencies.extend(age(info) for info in read)
        self._flow.latency = statistics.median(self._latencies or [0.0])

    def _tell(self, waiting: Sequence[Info]) -> None:
        self._flow.waiting = len(waiting)
        self._flow.lag = max(map(age, waiting), default=0.0)
        self._listener("tick", str(len(waiting)))


class Stream:
    """One unbounded pipeline on another engine: its planning hands out what is new, and we follow the log."""

    def __init__(self, order: Order) -> None:
        from pipeline.portable import PortableEngine

        self._config, options, self._summary, self._flow, self._listener, self._mine, self._ended = order
        self._engine = PortableEngine(self._config, options, self._listener)
        self._warehouse, self._inputs = open_warehouse(self._config.output), Inputs(self._config.root)
        check_comparable_with(self._config, self._warehouse.store, self._warehouse.history)
        self._position = self._warehouse.history.position
        self._latencies: deque[float] = deque(maxlen=1000)

    def until_ended(self) -> None:
        with self._engine:
            while not self._ended.is_set():
                say(self._warehouse.store, self._mine, job=int(self._mine.get("job", 0)) + 1)
                with self._engine.stream(job_of(self._mine)) as job:
                    if self._stalled(job):
                        continue
                    say(self._warehouse.store, self._mine, draining=1)
                    deadline = time.monotonic() + _DRAIN
                    while time.monotonic() < deadline and job.runs(self._config.watch.interval):
                        if self._follow().drained:
                            break
                    return

    def _stalled(self, job: "Job") -> bool:
        """Follow a job to its end, or ours. True if nothing comes of it: then another has to take its place.

        Its first tick must come within `worker_timeout`. It may be silent for longer once it works: when a clock was
        moved back, Beam's source waits until it is as late as it was.
        """
        self._warehouse.store.remove(STATE)
        sign, seen, allowed = (0, 0), time.monotonic(), self._config.worker_timeout
        while job.runs(self._config.watch.interval) and not self._ended.is_set():
            state = self._follow()
            allowed = _SILENCE if state.job else allowed
            if sign != (state.ticks, self._position):
                sign, seen = (state.ticks, self._position), time.monotonic()
            elif time.monotonic() - seen > allowed:
                self._flow.trouble = f"The engine's job gave no sign of life for {allowed:.0f} s: another is started."
                self._listener("trouble", self._flow.trouble)
                return True
        return False

    def _measure(self, names: Sequence[str]) -> None:
        """The latency of some of a batch's files."""
        found = (self._inputs.info(name) for name in names[:_SAMPLED])
        self._latencies.extend(age(info) for info in found if info)
        self._flow.latency = statistics.median(self._latencies or [0.0])

    def _follow(self) -> State:
        """Count what was committed since the last look; what the planning process says."""
        store = self._warehouse.store
        for entry in self._warehouse.refresh().tail:
            if entry.number > self._position:
                self._summary.add(entry)
                self._position = entry.number
                self._measure(sorted({piece.input for piece in entry.pieces}))
                self._flow.trouble = ""
        state = State()
        with suppress(FileNotFoundError, msgspec.DecodeError):
            state = msgspec.json.decode(store.read(STATE), type=State)
        self._flow.waiting, self._flow.lag = state.waiting, state.lag
        self._listener("tick", str(state.waiting))
        return state if state.job == job_of(self._mine) else State()


@contextmanager
def draining() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal ends the process at once."""
    ended = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
