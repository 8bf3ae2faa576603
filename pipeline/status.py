"""`status`: what is in a warehouse, what was done last, and who holds it. From the log alone; it writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline import delta
from pipeline.feed_health import Health, counted
from pipeline.ledger import Span, joined, ledger_table
from pipeline.lock import holder_of, is_alive
from pipeline.log import STAGING, History, read_history, snapshot_name
from pipeline.staging import batch_of, is_garbage
from pipeline.terminal import number_of, ranked, size_text, visible
from pipeline.warehouse import warehouse_at
from schemas.errors import WorldError
from schemas.tables import FORMAT_VERSION, TABLES, Run
from transforms.files import Store

_OUTCOMES = ("read", "unique", "duplicates", "known", "dead")
_MOST_SHOWN = 10


class Size(Struct):
    """What a table holds."""

    rows: int = 0
    bytes: int = 0
    files: int = 0


class InPart(Struct, frozen=True):
    """A version of an input of which only the first records are in."""

    input: str
    version: str
    record: int


class LastRun(Struct, frozen=True, kw_only=True):
    """The batches that the last process committed, taken together."""

    first_batch: int
    last_batch: int
    started_at: datetime
    ended_at: datetime
    seconds: float
    """Of work: a process that waits for news between its batches does not count that."""
    read: int
    per_second: float


class Holder(Struct, frozen=True):
    """The process that the lock names, and whether it still works."""

    host: str
    pid: int
    since: str
    alive: bool


class Leftovers(Struct, frozen=True):
    """Batches that were staged by processes that are gone; the next `run` removes them."""

    batches: int
    bytes: int


class Status(Struct, frozen=True, kw_only=True):
    """A warehouse, in numbers. All but `position` and `unfinished` tells of complete batches only."""

    warehouse: str
    format: int
    position: int
    batches: int
    unfinished: list[int]
    outcomes: dict[str, int]
    dead_by_class: dict[str, int]
    skipped_by_reason: dict[str, int]
    topics: dict[str, int]
    tables: dict[str, Size]
    inputs_done: int
    inputs_in_part: list[InPart]
    feeds: list[Health]
    first_date: date | None
    last_date: date | None
    last_run: LastRun | None
    held_by: Holder | None
    leftovers: Leftovers


class _File(Struct):
    table: str
    rows: int
    size: int
    partition: dict[str, str]


class _Replaced(Struct):
    file: _File
    rows_before: int
    size_before: int


class _Entry(Struct):
    """What status asks of a log entry; the rest of it is skipped unread."""

    number: int
    token: str
    run: Run
    topics: dict[str, int]
    files: list[_File]
    replaced: list[_Replaced] = []


class _Totals:
    """Sums over the log, entry by entry."""

    def __init__(self) -> None:
        self.batches = 0
        self.outcomes: Counter[str] = Counter(dict.fromkeys(_OUTCOMES, 0))
        self.dead: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.topics: Counter[str] = Counter()
        self.tables = {name: Size() for name in TABLES}
        self.dates: tuple[str, str] | None = None
        self.last: list[_Entry] = []

    def add(self, entry: _Entry) -> None:
        self.batches += 1
        for name in _OUTCOMES:
            self.outcomes[name] += getattr(entry.run, name)
        self.dead.update({count.name: int(count.value) for count in entry.run.dead_by_class})
        self.skipped.update({count.name: int(count.value) for count in entry.run.skipped_by_reason})
        self.topics.update(entry.topics)
        for file in entry.files:
            self._add_file(file)
        for one in entry.replaced:
            size = self.tables[one.file.table]
            size.rows += one.file.rows - one.rows_before
            size.bytes += one.file.size - one.size_before
        if self.last and _process(self.last[-1]) != _process(entry):
            self.last = []
        self.last.append(entry)

    def _add_file(self, file: _File) -> None:
        size = self.tables[file.table]
        size.rows, size.bytes, size.files = size.rows + file.rows, size.bytes + file.size, size.files + 1
        if file.table == "articles":
            day = file.partition["date"]
            self.dates = (min(day, self.dates[0]), max(day, self.dates[1])) if self.dates else (day, day)


def status_of(root: str, feeds: Sequence[Health] = ()) -> Status:
    """The state of a warehouse, and of the feeds that are followed. Writes nothing.

    Raises WorldError if the log or what is derived from it cannot be read.
    """
    store = warehouse_at(root)
    try:
        return _status(store, feeds)
    except (OSError, ValueError, pa.ArrowException) as error:  # msgspec's errors are ValueErrors
        raise WorldError(f"{root}: the log cannot be read ({error}); `newsbeam verify` says what to do.") from error


def _status(store: Store, feeds: Sequence[Health]) -> Status:
    history = read_history(store)
    done = _published(store)
    totals = _Totals()
    for entry in _entries(store, history):
        if entry.number <= done:
            totals.add(entry)
    whole, in_part = _inputs(store, history)
    first, last = map(date.fromisoformat, totals.dates) if totals.dates else (None, None)
    return Status(
        warehouse=store.root,
        format=FORMAT_VERSION,
        position=history.position,
        batches=totals.batches,
        unfinished=[entry.number for entry in history.tail if entry.number > done],
        outcomes=dict(totals.outcomes),
        dead_by_class=dict(sorted(totals.dead.items())),
        skipped_by_reason=dict(sorted(totals.skipped.items())),
        topics=dict(sorted(totals.topics.items())),
        tables=totals.tables,
        inputs_done=whole,
        inputs_in_part=in_part,
        feeds=list(feeds),
        first_date=first,
        last_date=last,
        last_run=_last_run(totals.last),
        held_by=_holder(store),
        leftovers=_leftovers(store, {batch_of(entry.token) for entry in history.tail}),
    )


def _published(store: Store) -> int:
    """The last batch that is complete: whoever opens the warehouse for writing goes by the same number."""
    try:
        return delta.done(store, TABLES["runs"])
    except Exception as error:  # deltalake raises many kinds
        raise WorldError(f"{store.root}: the Delta log of runs cannot be read; `newsbeam verify` says more.") from error


def _entries(store: Store, history: History) -> Iterator[_Entry]:
    """Every entry of the log, in order: of the snapshot, then of the tail."""
    if history.manifest.number:
        with store.open(snapshot_name(history.manifest.number, "log")) as source, pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=256, columns=["entry"]):
                for text in batch.column(0).to_pylist():
                    yield msgspec.json.decode(text, type=_Entry)
    for entry in history.tail:
        yield msgspec.convert(entry, _Entry, from_attributes=True)


def _process(entry: _Entry) -> str:
    """Host and process that staged a batch: the same for all batches of one run."""
    return batch_of(entry.token).rpartition("_")[0]


def _last_run(entries: list[_Entry]) -> LastRun | None:
    if not entries:
        return None
    read = sum(entry.run.read for entry in entries)
    seconds = sum(entry.run.seconds for entry in entries)
    last = entries[-1]
    return LastRun(
        first_batch=entries[0].number,
        last_batch=last.number,
        started_at=entries[0].run.started_at,
        ended_at=last.run.started_at + timedelta(seconds=last.run.seconds),
        seconds=round(seconds, 3),
        read=read,
        per_second=round(read / max(seconds, 0.001), 1),
    )


def _inputs(store: Store, history: History) -> tuple[int, list[InPart]]:
    """How many versions of inputs are whole, and those that are not, with the record that comes next."""
    whole, spans = 0, defaultdict[tuple[str, str], list[Span]](list)
    for rows in _ledger_rows(store, history):
        is_whole = pc.and_(pc.equal(rows["first"], 0), rows["last"])
        whole += pc.sum(is_whole).as_py() or 0
        for row in rows.filter(pc.invert(is_whole)).to_pylist():
            spans[row.pop("input"), row.pop("version")].append(Span(**row))
    in_part = []
    for (input, version), parts in sorted(spans.items()):
        first = joined(parts)[0]
        if first.first == 0 and first.last:
            whole += 1
        else:
            in_part.append(InPart(input, version, first.end if first.first == 0 else 0))
    return whole, in_part


def _ledger_rows(store: Store, history: History) -> Iterator[pa.Table]:
    columns = ["input", "version", *Span.__struct_fields__]
    if history.manifest.number:
        with store.open(snapshot_name(history.manifest.number, "ledger")) as source, pq.ParquetFile(source) as file:
            for batch in file.iter_batches(columns=columns):
                yield pa.table(batch)
    yield ledger_table(history).select(columns)


def _holder(store: Store) -> Holder | None:
    holder = holder_of(store)
    if holder is None:
        return None
    return Holder(str(holder.get("host")), int(holder.get("pid", 0)), str(holder.get("since")), is_alive(holder))


def _leftovers(store: Store, committed: set[str]) -> Leftovers:
    tokens = [name for name in store.names(STAGING) if name not in committed and is_garbage(store, name)]
    return Leftovers(len(tokens), sum(info.size for token in tokens for info in store.walk(f"{STAGING}/{token}")))


def status_text(status: Status) -> str:
    """The state of a warehouse for a person."""
    return "\n".join(f"{name:<13}{line}".rstrip() for name, line in _lines(status))


def _lines(status: Status) -> Iterator[tuple[str, str]]:
    yield "Warehouse", f"{visible(status.warehouse)} (format {status.format})"
    yield "Batches", f"{status.batches:,} complete; the log is at {status.position:,}"
    for number in status.unfinished:
        at_work = status.held_by and status.held_by.alive
        cure = "it is on its way" if at_work else "the next `newsbeam run` finishes it"
        yield "", f"{number:,} is committed but not yet in the tables: {cure}"
    yield "Records", f"{status.outcomes['read']:,} read" + (", as" if status.batches else "")
    if status.batches:
        yield from _outcome_lines(status)
        yield "Dates", f"{status.first_date} to {status.last_date}" if status.first_date else "no article yet"
    for name, size in status.tables.items():
        rows, files = number_of(size.rows, "row"), number_of(size.files, "file")
        yield "Tables" if name == "articles" else "", f"{name:<13}{rows:>16}{size_text(size.bytes):>12} in {files}"
    yield from _input_lines(status)
    yield from _feed_lines(status)
    yield from _process_lines(status)


def _feed_lines(status: Status) -> Iterator[tuple[str, str]]:
    if not status.feeds:
        return
    yield "Feeds", counted(status.feeds)
    troubled = sorted((one for one in status.feeds if one.failure), key=lambda one: (-one.failures, one.url))
    for one in troubled[:_MOST_SHOWN]:
        yield "", f"{one.how} {visible(one.url)}: {visible(one.failure or '')}"
    if (more := len(troubled) - _MOST_SHOWN) > 0:
        yield "", f"and {more:,} more; `newsbeam feeds list` shows them all"


def _outcome_lines(status: Status) -> Iterator[tuple[str, str]]:
    names = {"unique": "unique", "duplicates": "copies", "known": "known", "dead": "dead letters"}
    for name, shown in names.items():
        detail = ranked({"unique": status.topics, "dead": status.dead_by_class}.get(name, {}))
        yield "", f"{status.outcomes[name]:>13,} {shown}{': ' * bool(detail)}{detail}"
    if status.skipped_by_reason:
        yield "Skipped", f"{sum(status.skipped_by_reason.values()):,}, no records: {ranked(status.skipped_by_reason)}"


def _input_lines(status: Status) -> Iterator[tuple[str, str]]:
    yield "Inputs", f"{status.inputs_done:,} done, {len(status.inputs_in_part):,} in part"
    for part in status.inputs_in_part[:_MOST_SHOWN]:
        yield "", f"{visible(part.input)} up to record {part.record:,}"
    if (more := len(status.inputs_in_part) - _MOST_SHOWN) > 0:
        yield "", f"and {more:,} more"


def _process_lines(status: Status) -> Iterator[tuple[str, str]]:
    if last := status.last_run:
        when = f"{last.ended_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        work = f"{number_of(last.read, 'record')} in {last.seconds:,.1f} s ({last.per_second:,.1f} a second)"
        yield "Last run", f"{work}, ended {when}"
    if holder := status.held_by:
        state = "works in it" if holder.alive else "held it and is gone; the next run takes over"
        yield "Lock", f"process {holder.pid} on {visible(holder.host)} {state} (since {visible(holder.since)})"
    else:
        yield "Lock", "free"
    if status.leftovers.batches:
        what = number_of(status.leftovers.batches, "unfinished batch", "es")
        yield "Leftovers", f"{what} of dead processes, {size_text(status.leftovers.bytes)}; the next run removes them"
