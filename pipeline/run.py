"""`run`: plan a batch, send it down the line, until nothing is new."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING

from msgspec import Struct

from pipeline.config import Config
from pipeline.engine import Line, Listener, engine_for
from pipeline.feed_health import health
from pipeline.feed_states import feed_states
from pipeline.fingerprint_files import check_comparable
from pipeline.following import Followed, due_and_others, files_named, followed, names_feeds
from pipeline.inputs import list_inputs
from pipeline.ledger import Ledger
from pipeline.lock import held
from pipeline.log import STAGING, Entry, History, Manifest, read_history
from pipeline.own_parts import check_own_parts
from pipeline.plan import Planner
from pipeline.staging import batch_of, new_token
from pipeline.steps import Batch, Steps, without_articles
from pipeline.warehouse import check_taxonomy, check_usable, exists, open_warehouse
from schemas.errors import UsageError, WorldError
from transforms.files import Info, Inputs, Store, asked, store_at

if TYPE_CHECKING:
    from pipeline.polls import Poller
    from transforms.web import Resolve

_VOID_TRIES = 20


class Stopped(BaseException):
    """The run was asked to end, by the signal of this number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Summary(Struct, kw_only=True):
    """What a run did."""

    batches: int = 0
    read: int = 0
    unique: int = 0
    duplicates: int = 0
    known: int = 0
    dead: int = 0
    dead_by_class: dict[str, int] = {}
    skipped_by_reason: dict[str, int] = {}
    topics: dict[str, int] = {}
    inputs: int = 0
    unreadable: dict[str, str] = {}
    feeds: int = 0
    """Feeds that are followed, and of these the ones that were asked, and why some failed."""
    feeds_asked: int = 0
    feeds_failed: dict[str, str] = {}
    changed: list[str] = []
    requests: int = 0
    """To object stores, by this machine's processes; without those of the Delta logs."""
    seconds: float = 0.0

    def counting(self, listener: Listener) -> Listener:
        """The listener, once the requests that workers tell of are counted here."""

        def listen(what: str, value: str) -> None:
            if what == "requests":
                self.requests += int(value)
            else:
                listener(what, value)

        return listen

    def add(self, entry: Entry) -> None:
        """Count a batch that was committed."""
        self.batches += 1
        for name in ("read", "unique", "duplicates", "known", "dead"):
            setattr(self, name, getattr(self, name) + getattr(entry.run, name))
        for name in ("dead_by_class", "skipped_by_reason"):
            counts = {count.name: int(count.value) for count in getattr(entry.run, name)}
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(counts)))
        self.topics = dict(Counter(self.topics) + Counter(entry.topics))
        self.changed = sorted({*self.changed, *entry.changed})


class Session:
    """One run over one list of inputs, holding the warehouse."""

    def __init__(
        self,
        config: Config,
        inputs: Sequence[Info],
        summary: Summary,
        listener: Listener = lambda what, value: None,
        now: datetime | None = None,
        resolve: "Resolve | None" = None,
        ended: threading.Event | None = None,
    ) -> None:
        """`ended`: once it is set, polls are given up."""
        self.config, self.summary, self.now, self._inputs, self._listener = config, summary, now, inputs, listener
        self._warehouse = open_warehouse(config.output)
        self._void = 0
        self._resolve, self._polls, self._ended = resolve, True, ended
        self._poller: Poller | None = None
        self._folder = ""  # of what the last group of feeds brought
        self.planner = self._new_planner()

    def _new_planner(self) -> Planner:
        history = self._warehouse.refresh()
        check_comparable_with(self.config, self._warehouse.store, history)
        ledger = Ledger(self._warehouse.store, history, self._inputs)
        self._due, self._others = self._followed(history) if self._polls else ([], [])
        return Planner(Inputs(self.config.root), self._inputs, ledger, self._warehouse.store)

    def _followed(self, history: History) -> tuple[list[Followed], list[Followed]]:
        """The feeds that are due, and the others."""
        states = feed_states(self._warehouse.store, history)
        feeds = followed(self.config, states, lambda problem: self._listener("list", problem))
        self.summary.feeds = len(feeds)
        return due_and_others(feeds, states, self.now or datetime.now(UTC))

    def look(self, inputs: Sequence[Info], polls: bool) -> None:
        """Turn to another list of inputs, and to the feeds that are due now, if feeds are to be polled."""
        self._inputs, self._polls, self._poller = inputs, polls, None
        self.planner = self._new_planner()

    def finished(self) -> list[Info]:
        """The inputs that are in to their ends."""
        ledger = Ledger(self._warehouse.store, self._warehouse.history, self._inputs)
        return [info for info in self._inputs if ledger.done(info).last]

    def plan(self, most_records: int | None, most_bytes: int | None = None) -> Batch | None:
        """The next batch, of files and then of what feeds bring; None when nothing is new.

        `most_bytes`: if it is to be smaller than the configuration says.
        """
        size = min(most_bytes or self.config.batch.bytes, self.config.batch.bytes)
        while True:
            began, token = time.time(), new_token(self.config.runner == "DirectRunner")
            try:
                chunks = self.planner.batch(f"{STAGING}/{token}/spool", size, most_records)
            except BaseException:  # a signal, perhaps
                self._warehouse.store.remove(f"{STAGING}/{token}")
                raise
            self.summary.unreadable |= self.planner.unreadable
            self.summary.changed = sorted({*self.summary.changed, *self.planner.changed})
            if chunks or self.planner.feeds:
                now = self.now or datetime.fromtimestamp(began, UTC)
                number = self._warehouse.history.position + 1
                return Batch(number, token, now, began, tuple(chunks), tuple(self.planner.feeds))
            if most_records == 0 or not self._poll():
                return None

    def _poll(self) -> bool:
        """Ask the next group of feeds that are due; False if there are none left, or it was given up."""
        if not self._due:
            return False
        from pipeline.polls import GROUP, Abandoned, Poller  # what speaks HTTP is loaded only where it is needed

        group, self._due = self._due[:GROUP], self._due[GROUP:]
        self._poller = self._poller or Poller(self.config.feeds, self._resolve)
        self._listener("feeds", str(len(group)))
        self.close()
        self._folder = f"{STAGING}/{new_token()}"
        now = self.now or datetime.now(UTC)
        try:
            polled = self._poller.poll(
                group, self._warehouse.store, self._warehouse.history, self._folder, now, self._ended
            )
        except Abandoned:
            return False
        self.planner.add(polled.pieces, polled.changes | self._poller.put_off(self._others, now))
        self.summary.feeds_asked += polled.asked
        asked = {feed.url for feed, _ in group}
        before = {url: reason for url, reason in self.summary.feeds_failed.items() if url not in asked}
        self.summary.feeds_failed = before | polled.failed
        return True

    def close(self) -> None:
        """Remove what feeds brought, once it is committed or given up."""
        if self._folder:
            self._warehouse.store.remove(self._folder)
            self._folder = ""

    def send(self, batch: Batch, line: Line) -> None:
        """Send a batch down the line, and count it if it was committed; if it is void, what is new is planned anew."""
        self._listener("share", str(self.planner.share))
        self._listener("batch", str(sum(piece.records for chunk in batch.chunks for piece in chunk.pieces)))
        committed = over = False
        try:
            line(batch, Steps(self.config, batch.small()))
            over = True
        finally:  # also where the line was broken off: the log knows
            for entry in self._warehouse.refresh().tail:
                if batch_of(entry.token) == batch.token:
                    self.summary.add(entry)
                    committed = True
            if committed or over or self.config.runner == "DirectRunner":  # else a job may go on without us
                self._warehouse.store.remove(f"{STAGING}/{batch.token}")
        if not committed:
            self._plan_anew()

    def _plan_anew(self) -> None:
        self._void += 1
        if self._void > _VOID_TRIES:
            raise WorldError("Other writers take every number in the log; end them, and run this again.")
        self.planner = self._new_planner()


def run(
    config: Config,
    options: Sequence[str],
    summary: Summary,
    listener: Listener,
    now: datetime | None = None,
    limit: int | None = None,
) -> None:
    """Read all that is new, batch by batch; `summary` grows with every batch that is committed.

    Raises UsageError, WorldError, Busy, and Stopped on SIGINT and SIGTERM.
    """
    making = engine_for(config, options, summary.counting(listener))
    check_own_parts(config)
    started = time.monotonic()
    inputs = new_inputs(config)
    config.filing()  # what cannot be loaded is said before anything is made
    store = store_at(config.output)
    check_usable(store)
    with stopping(), held(store), ExitStack() as stack:
        session = Session(config, inputs, summary, listener, now)
        stack.callback(session.close)
        engine: Line | None = stack.enter_context(making) if session.planner.expects else None  # loads meanwhile
        while batch := session.plan(None if limit is None else limit - summary.read):
            if batch.chunks:
                engine = engine or stack.enter_context(making)
            session.send(batch, engine or without_articles)
        summary.inputs = len(inputs)
        summary.seconds = time.monotonic() - started
    summary.requests += asked()


def new_inputs(config: Config, must_match: bool = True) -> list[Info]:
    """The files that the configuration names.

    Raises UsageError if it names neither files nor feeds, or a file that is not there.
    """
    if not config.input and not names_feeds(config):
        raise UsageError("There is nothing to read: give --input, or `input` or `feeds` in the configuration.")
    if not config.output:
        raise UsageError("There is nowhere to write: give --output, or `output` in the configuration.")
    return list_inputs(config.root, files_named(config), config.output, must_match)


def check_comparable_with(config: Config, store: Store, history: History) -> None:
    """Raises UsageError or WorldError unless what the configuration makes can stand beside what the warehouse has."""
    check_taxonomy(store, history, config.filing().taxonomy.name)
    if config.dedup.mode == "near":
        check_comparable(history)


class Prospect(Struct, frozen=True):
    """What a run would read of one input."""

    input: str
    size: int
    state: str


def dry_run(config: Config, now: datetime) -> list[Prospect]:
    """What `run` would read, without asking or writing anything."""
    inputs = new_inputs(config)
    store = store_at(config.output)
    history = read_history(store) if exists(config.output) else History(Manifest(number=0, index_rows=0), [])
    ledger = Ledger(store, history, inputs)

    def state(info: Info) -> str:
        done = ledger.done(info)
        return "done" if done.last else f"from record {done.end}" if done.end else "new"

    files = [Prospect(info.name, info.size, state(info)) for info in inputs]
    return files + [
        Prospect(one.url, 0, "due" if one.due else f"not before {one.due_at:%Y-%m-%d %H:%M}" if one.due_at else "done")
        for one in health(config, now)
    ]


@contextmanager
def stopping() -> Iterator[None]:
    """Turns SIGINT and SIGTERM into Stopped, once; a second one ends the process at once."""

    def stop(number: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
