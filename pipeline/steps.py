"""What the line does at each step, as plain functions of chunks. Made by the driver, sent to the workers."""

import dataclasses
import gc
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from pipeline import progress
from pipeline.config import Config
from pipeline.fingerprint_files import fingerprint_bytes, fingerprint_table
from pipeline.fingerprint_lookup import look_up_near
from pipeline.index import index_table, look_up, text_of
from pipeline.log import Entry, read_history
from pipeline.staging import attempt, stage, stage_fingerprints, stage_index, stage_run
from pipeline.versions import versions
from pipeline.warehouse import Warehouse
from schemas.errors import WorldError
from schemas.feeds import FeedState
from schemas.records import Article, Chunk, File
from schemas.tables import Count, Run
from transforms import copies, names, own_columns, topics
from transforms.files import Inputs, store_at
from transforms.fingerprints import VERSION
from transforms.read import read_chunk
from transforms.rows import partition_day, rows_of, without_texts

_SHARES = 8
"""Parts in which the days of a batch are written: one worker's writing took 4 of 30 s (19,000 articles, two cores)."""
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
        articles = sorted((article for chunk in chunks for article in chunk.articles), key=copies.order)
        with _uncollected():
            decided = self._decided(articles)
        found = {(article.input, article.position): article for article in decided}
        seconds = time.perf_counter() - started
        for chunk in sorted(chunks, key=size, reverse=True):  # dealt out in turn, they make workers equally busy
            articles = [found[article.input, article.position] for article in chunk.articles]
            yield replace(chunk, articles=articles, seconds={**chunk.seconds, "copies": seconds})
            seconds = 0.0
        progress.tell_requests()

    def _decided(self, articles: Sequence[Article]) -> list[Article]:
        store, rules = store_at(self.config.output), self.config.dedup.rules()
        log = read_history(store)
        history = look_up(store, log, copies.questions(articles))
        past = look_up_near(store, log, articles, rules.look_back)
        return copies.decide(articles, history, lambda one: text_of(store, one), self.batch.number, rules, past)

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

    def shares(self, chunk: Chunk) -> Iterator[tuple[int, Chunk]]:
        """The chunk in parts that may be written apart, since no two have a day in common; its pieces go with one."""
        parts: dict[int, list[Article]] = defaultdict(list)
        for article in chunk.articles:
            parts[partition_day(article, self.batch.now).toordinal() % _SHARES].append(article)
        share = chunk.number % _SHARES
        yield share, replace(chunk, articles=parts.pop(share, []))
        for share, articles in parts.items():
            yield share, Chunk(number=chunk.number, pieces=[], articles=articles)

    def write(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The rows of the batch, or of one share of it, staged; what is left of the chunks is what the commit needs."""
        started = time.perf_counter()
        chunks = sorted(chunks, key=lambda chunk: chunk.number)
        articles = [article for chunk in chunks for article in chunk.articles]
        rows = rows_of(articles, self.batch.now, self.batch.number)
        files = stage(store_at(self.config.output), attempt(self.batch.token), self.batch.number, rows)
        seconds = time.perf_counter() - started
        for chunk in chunks:
            left = list(map(without_texts, chunk.articles))
            yield replace(chunk, articles=left, files=files, seconds={**chunk.seconds, "write": seconds})
            files, seconds = [], 0.0
        progress.tell_requests()

    def commit(self, chunks: Iterable[Chunk]) -> Iterator[int]:
        """The number of the batch's log entry, if it could be committed; nothing if someone took its number."""
        started = time.perf_counter()
        chunks = sorted(chunks, key=lambda chunk: (chunk.number, not chunk.pieces))
        articles = [article for chunk in chunks for article in chunk.articles]
        check_complete(chunks, articles)
        batch, store, token = self.batch, store_at(self.config.output), attempt(self.batch.token)
        index = index_table(articles, batch.now, batch.number)
        if len(index):
            stage_index(store, token, index)
        fingerprints = fingerprint_table(articles, batch.now, batch.number)
        if len(fingerprints):
            stage_fingerprints(store, token, fingerprint_bytes(fingerprints))
        run = self._run(chunks, articles, time.perf_counter() - started)
        files = sorted((file for chunk in chunks for file in chunk.files), key=lambda file: file.path)
        files.append(stage_run(store, token, run, str(batch.now.date())))
        entry = self._entry(token, chunks, run, files, len(index), len(fingerprints))
        committed = Warehouse(store).commit(entry)
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
        topics = Counter(one.topic for chunk in chunks for one in chunk.articles if one.outcome == "unique")
        return Entry(
            number=self.batch.number,
            token=token,
            now=self.batch.now,
            run=run,
            pieces=[piece for chunk in chunks for piece in chunk.pieces],
            changed=sorted({name for chunk in chunks for name in chunk.changed}),
            topics=dict(sorted(topics.items())),
            files=files,
            index_rows=index_rows,
            fingerprint_rows=fingerprint_rows,
            fingerprint_version=VERSION if self.config.dedup.mode == "near" else 0,
            feeds=list(self.batch.feeds),
        )


def without_articles(batch: Batch, steps: Steps) -> None:
    """Commit what feeds say of themselves, where none of them brought an article: no engine is needed for it."""
    for _ in steps.commit(()):
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


def check_complete(chunks: Sequence[Chunk], articles: Sequence[Article]) -> None:
    """Raises WorldError unless every record of the chunks' pieces is an article with one of the four outcomes."""
    records = sum(piece.records for chunk in chunks for piece in chunk.pieces)
    if records != len(articles) or any(article.outcome == "read" for article in articles):
        raise WorldError("Articles were lost on their way; nothing was committed. Please report this.")


def size(chunk: Chunk) -> int:
    """In characters of its texts."""
    return sum(len(article.body) for article in chunk.articles)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles of unused objects: many are made that are needed, and looking took a fifth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
