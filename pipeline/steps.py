"""What the line does at each step, as plain functions of chunks. Made by the driver, sent to the workers."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from pipeline import progress
from pipeline.config import Config
from pipeline.fingerprint_files import fingerprint_bytes, fingerprint_table, look_up_near
from pipeline.index import index_table, look_up, text_of
from pipeline.log import Entry, File, read_history
from pipeline.staging import attempt, stage, stage_fingerprints, stage_index, stage_run
from pipeline.versions import versions
from pipeline.warehouse import Warehouse
from schemas.errors import WorldError
from schemas.feeds import FeedState
from schemas.records import Article, Chunk
from schemas.tables import Count, Run
from transforms import copies, names, own_columns, topics
from transforms.files import Inputs, store_at
from transforms.fingerprints import VERSION
from transforms.read import read_chunk
from transforms.rows import rows_of

_one_chunk = threading.Lock()
"""Some engines work on several chunks in threads of one process; models and their caches bear one at a time."""


@dataclass(frozen=True)
class Batch:
    """What is known of a batch before it is read."""

    number: int
    """Of the log entry that will commit it: its decisions are made at the position before."""
    token: str
    """Names its staged files."""
    now: datetime
    """The clock: of undated articles, dead letters and read_at."""
    began: float
    """When its planning began, in seconds since the epoch."""
    chunks: tuple[Chunk, ...]
    feeds: tuple[FeedState, ...] = ()
    """The states of feeds after it."""

    def small(self) -> "Batch":
        """The same without its chunks, for steps that get them as elements."""
        return dataclasses.replace(self, chunks=())


@dataclass(frozen=True)
class Steps:
    """The steps of the line, for one configuration and one batch."""

    config: Config
    batch: Batch

    def plan(self, batch: Batch) -> Iterable[Chunk]:
        """The batch's chunks. The driver has planned them, since it must know when nothing is new."""
        return batch.chunks

    def read(self, chunk: Chunk) -> Chunk:
        """From pieces of input to articles, each `read` or `dead`."""
        root = Inputs(self.config.root)
        columns, dated_by = self.config.columns, self.config.dates.file_name

        def read() -> Chunk:
            return self.with_fingerprints(read_chunk(chunk, root, columns, self.batch.now, dated_by))

        return _timed("read", chunk, read)

    def with_fingerprints(self, chunk: Chunk) -> Chunk:
        """The chunk with what near copies are recognised by, if they are to be."""
        if self.config.dedup.mode != "near":
            return chunk
        return replace(chunk, articles=copies.with_fingerprints(chunk.articles))

    def recognise_copies(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The whole batch at once, in a fixed order: every article gets its outcome, by the log as it was before."""
        started = time.perf_counter()
        chunks = without_changed(sorted(chunks, key=lambda chunk: chunk.number))
        store = store_at(self.config.output)
        articles = sorted((article for chunk in chunks for article in chunk.articles), key=copies.order)
        log = read_history(store)
        history = look_up(store, log, copies.questions(articles))
        rules = self.config.dedup.rules()
        past = look_up_near(store, log, articles, self.batch.number, rules.look_back)
        decided = copies.decide(articles, history, lambda one: text_of(store, one), self.batch.number, rules, past)
        found = {(article.input, article.position): article for article in decided}
        seconds = time.perf_counter() - started
        for chunk in chunks:
            articles = [found[article.input, article.position] for article in chunk.articles]
            yield replace(chunk, articles=articles, seconds={**chunk.seconds, "copies": seconds})
            seconds = 0.0
        progress.tell_requests()

    def find_names(self, chunk: Chunk) -> Chunk:
        """The unique articles with their names."""

        def named() -> Chunk:
            settings = self.config.names
            articles = names.find_names(chunk.articles, self.config.models, settings.labels, settings.gazetteer)
            return replace(chunk, articles=articles)

        return _timed("names", chunk, named)

    def find_topics(self, chunk: Chunk) -> Chunk:
        """The unique articles with their topics."""

        def filed() -> Chunk:
            return replace(chunk, articles=topics.find_topics(chunk.articles, self.config.filing()))

        return _timed("topics", chunk, filed)

    def add_columns(self, chunk: Chunk) -> Chunk:
        """The unique articles with the user's own columns."""
        own = self.config.own_columns()
        if not own:
            return chunk
        add = own_columns.add_columns
        return _timed("own columns", chunk, lambda: replace(chunk, articles=add(chunk.articles, own, self.config.root)))

    def write(self, chunks: Iterable[Chunk]) -> Iterator[Entry]:
        """The whole batch staged, and the log entry that would commit it."""
        started = time.perf_counter()
        chunks = sorted(chunks, key=lambda chunk: chunk.number)
        for chunk in chunks:
            check_complete(chunk)
        articles = [article for chunk in chunks for article in chunk.articles]
        batch, store, token = self.batch, store_at(self.config.output), attempt(self.batch.token)
        files = stage(store, token, batch.number, rows_of(articles, batch.now, batch.number))
        index = index_table(articles, batch.now, batch.number)
        if len(index):
            stage_index(store, token, index)
        fingerprints = fingerprint_table(articles, batch.now, batch.number)
        if len(fingerprints):
            stage_fingerprints(store, token, fingerprint_bytes(fingerprints))
        run = self._run(chunks, articles, time.perf_counter() - started)
        files.append(stage_run(store, token, run, str(batch.now.date())))
        progress.tell_requests()
        yield self._entry(token, chunks, run, files, len(index), len(fingerprints))

    def commit(self, entry: Entry) -> Iterator[int]:
        """The number of the entry, if it could be committed; nothing if the batch is void: someone took its number."""
        if entry.run.read != sum(piece.records for piece in entry.pieces):
            raise WorldError("The batch's counts do not add up; nothing was committed. Please report this.")
        committed = Warehouse(store_at(self.config.output)).commit(entry)
        progress.tell_requests()
        if committed:
            progress.tell("committed", entry.number)
            yield entry.number

    def _run(self, chunks: Sequence[Chunk], articles: Sequence[Article], writing: float) -> Run:
        outcomes = Counter(article.outcome for article in articles)
        reasons = Counter(article.letter.error_class for article in articles if article.letter)
        steps = Counter({"write": writing})
        skipped: Counter[str] = Counter()
        for chunk in chunks:
            steps.update(chunk.seconds)
            for piece in chunk.pieces:
                skipped.update(piece.skipped)
        return Run(
            batch=self.batch.number,
            started_at=datetime.fromtimestamp(self.batch.began, UTC),
            seconds=time.time() - self.batch.began,
            read=len(articles),
            unique=outcomes["unique"],
            duplicates=outcomes["duplicate"],
            known=outcomes["known"],
            dead=outcomes["dead"],
            dead_by_class=_counts(reasons),
            skipped_by_reason=_counts(skipped),
            steps=_counts(steps),
            inputs=len({piece.input for chunk in chunks for piece in chunk.pieces}),
            versions=versions(),
            models=sorted({f"{one.language}: {one.entity_model}" for one in articles if one.entity_model}),
            taxonomy=self.config.filing().taxonomy.name,
            config_hash=self.config.hash(),
        )

    def _entry(
        self, token: str, chunks: Sequence[Chunk], run: Run, files: list[File], index_rows: int, fingerprint_rows: int
    ) -> Entry:
        return Entry(
            number=self.batch.number,
            token=token,
            now=self.batch.now,
            run=run,
            pieces=[piece for chunk in chunks for piece in chunk.pieces],
            changed=sorted({name for chunk in chunks for name in chunk.changed}),
            topics=dict(Counter(one.topic for chunk in chunks for one in chunk.articles if one.outcome == "unique")),
            files=files,
            index_rows=index_rows,
            fingerprint_rows=fingerprint_rows,
            fingerprint_version=VERSION if self.config.dedup.mode == "near" else 0,
            feeds=list(self.batch.feeds),
        )


def without_articles(batch: Batch, steps: Steps) -> None:
    """Commit what feeds say of themselves, where none of them brought an article: no engine is needed for it."""
    for entry in steps.write(()):
        for _ in steps.commit(entry):
            pass


def without_changed(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks without any piece of an input that changed: what is in of an input has no gap."""
    changed = {name for chunk in chunks for name in chunk.changed}
    if not changed:
        return list(chunks)
    return [_without(chunk, changed) for chunk in chunks]


def _without(chunk: Chunk, inputs: set[str]) -> Chunk:
    pieces = [piece for piece in chunk.pieces if piece.input not in inputs]
    left = {piece.named for piece in pieces}
    return replace(chunk, pieces=pieces, articles=[article for article in chunk.articles if article.input in left])


def check_complete(chunk: Chunk) -> None:
    """Raises WorldError unless every record of the chunk's pieces is an article with one of the four outcomes."""
    records = sum(piece.records for piece in chunk.pieces)
    if records != len(chunk.articles) or any(article.outcome == "read" for article in chunk.articles):
        raise WorldError("A chunk lost articles on its way; nothing was committed. Please report this.")


def _timed(step: str, chunk: Chunk, work: Callable[[], Chunk]) -> Chunk:
    """The work's result, which knows how long the step took; the driver is told."""
    with _one_chunk:
        started = time.perf_counter()
        done = work()
    progress.tell(step, len(done.articles))
    progress.tell_requests()
    return replace(done, seconds={**chunk.seconds, step: time.perf_counter() - started})


def _counts(values: Counter[str]) -> list[Count]:
    return [Count(name, round(value, 3)) for name, value in sorted(values.items())]
