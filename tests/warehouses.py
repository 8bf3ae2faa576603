"""Warehouses made by hand through the real commit layer, without Beam and without a model."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from pipeline.fingerprint_files import fingerprint_bytes, fingerprint_table
from pipeline.fingerprint_lookup import look_up_near
from pipeline.index import index_table, look_up, text_of
from pipeline.log import Entry
from pipeline.snapshots import fold
from pipeline.staging import new_token, stage, stage_fingerprints, stage_index, stage_run
from pipeline.warehouse import Warehouse, open_warehouse
from schemas.records import Article, Entity, Letter, Piece, Score
from schemas.tables import Count, Run
from transforms import copies
from transforms.fingerprints import VERSION
from transforms.identity import article_id, content_hash, letter_id
from transforms.near import Rules
from transforms.rows import rows_of

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""The clock of the first batch; each later one is an hour further on."""
CODES = {"politics": "medtop:11000000", "sport": "medtop:15000000", "2024": "medtop:00002024"}
"""Topics of the samples; one looks like a number."""
NAMES = {"Ada Verrin": "PERSON", "Northern Water Board": "ORG", "Oslo": "GPE", "Élan": "ORG"}
"""What the samples' names are found by."""
TAXONOMY = "by hand 1"
PAGE = "https://daily.example/politics/dam-report-1"


def article(
    url: str, title: str, body: str, published: str | None = None, *, topic: str = "unclassified", source: str = "Daily"
) -> Article:
    """An article as the reading step gives it, with what later steps would find if it is unique."""
    content = content_hash(title, body)
    return Article(
        article_id=article_id(url, content),
        identity=url,
        url=url + "?utm_source=feed" if url.startswith("http") else None,
        canonical_url=url if url.startswith("http") else None,
        title=title,
        body=body,
        authors=["Bo Lind"],
        published_at=datetime.fromisoformat(published).replace(tzinfo=UTC) if published else None,
        date_source="metadata" if published else "arrival",
        language="en",
        source=source,
        word_count=len(body.split()),
        content_hash=content,
        extraction="jsonl 1",
        topic=topic,
    )


def letter(input: str, position: int, raw: bytes, error_class: str = "BadRecord") -> Article:
    """A record that could not be read."""
    failure = Letter(
        letter_id=letter_id(input, "1-1", position),
        stage="read",
        error_class=error_class,
        error="the record is not JSON",
        offset=position * 100,
        length=len(raw),
        raw=raw,
        raw_size=len(raw),
        raw_truncated=False,
    )
    return Article(identity="", outcome="dead", letter=failure)


def enriched(article: Article) -> Article:
    """A unique article with its names, each at its place, and its topic."""
    if article.outcome != "unique":
        return article
    code = CODES.get(article.topic)
    return replace(
        article,
        entities=[*_mentions("title", article.title), *_mentions("body", article.body)],
        entity_model="none_by_hand 1",
        extra={"desk": "night", "words": str(article.word_count)},
        taxonomy=TAXONOMY,
        topic_code=code,
        topic_source="section" if code else None,
        topic_score=1.0 if code else None,
        topics=[Score(article.topic, 1.0)] if code else [],
        countries=["NO"] if "Oslo" in article.body else [],
    )


def _mentions(field: str, text: str) -> list[Entity]:
    found = []
    for name, label in NAMES.items():
        start = text.find(name)
        while start >= 0:
            end, key = start + len(name), f"{label}:{name.casefold()}"
            found.append(Entity(text=name, name=name, label=label, key=key, field=field, start=start, end=end))
            start = text.find(name, end)
    return sorted(found, key=lambda one: one.start)


def staged(warehouse: Warehouse, articles: Sequence[Article], input: str = "", last: bool = True) -> Entry:
    """Decide about the articles and stage them: the entry that would commit them, as the line makes it."""
    store, number = warehouse.store, warehouse.history.position + 1
    input = input or f"in/{number}.jsonl"
    now = START.replace(hour=12 + number % 12)
    read = [replace(one, input=input, position=place, read_at=now) for place, one in enumerate(articles)]
    read = copies.with_fingerprints(read)
    ordered = sorted(read, key=copies.order)
    known = look_up(store, warehouse.history, copies.questions(ordered))
    rules = Rules()
    past = look_up_near(store, warehouse.history, ordered, rules.look_back)
    decided = copies.decide(ordered, known, lambda one: text_of(store, one), number, rules, past)
    done = [enriched(one) for one in decided]
    token = new_token()
    files = stage(store, token, number, rows_of(done, now, number))
    index = index_table(done, now, number)
    if len(index):
        stage_index(store, token, index)
    fingerprints = fingerprint_table(done, now, number)
    if len(fingerprints):
        stage_fingerprints(store, token, fingerprint_bytes(fingerprints))
    run = _run(done, number, now)
    files.append(stage_run(store, token, run, str(now.date())))
    return Entry(
        number=number,
        token=token,
        now=now,
        run=run,
        pieces=[_piece(input, len(read), last)],
        changed=[],
        topics=dict(Counter(one.topic for one in done if one.outcome == "unique")),
        files=files,
        index_rows=len(index),
        fingerprint_rows=len(fingerprints),
        fingerprint_version=VERSION,
    )


def _run(articles: Sequence[Article], number: int, now: datetime) -> Run:
    outcomes = Counter(one.outcome for one in articles)
    reasons = Counter(one.letter.error_class for one in articles if one.letter)
    return Run(
        batch=number,
        started_at=now,
        seconds=2.0,
        read=len(articles),
        unique=outcomes["unique"],
        duplicates=outcomes["duplicate"],
        known=outcomes["known"],
        dead=outcomes["dead"],
        dead_by_class=[Count(name, value) for name, value in sorted(reasons.items())],
        steps=[Count("read", 0.5), Count("write", 0.25)],
        inputs=1,
        versions=["newsbeam 0", "identity 1"],
        models=["en: none_by_hand 1"],
        taxonomy=TAXONOMY,
        config_hash="0" * 16,
    )


def _piece(input: str, records: int, last: bool) -> Piece:
    return Piece(
        input=input, version="1-1", format="jsonl", first=0, records=records, offset=0, length=records * 100,
        last=last, path=input, at=0,
    )  # fmt: skip


def add(root: Path, articles: Sequence[Article], input: str = "", last: bool = True) -> Entry:
    """Commit a batch."""
    warehouse = open_warehouse(str(root))
    entry = staged(warehouse, articles, input, last)
    assert warehouse.commit(entry)
    return entry


REPORT = (
    "Ada Verrin told the Northern Water Board in Oslo that the dam would hold.\n\nThe board will meet again on Monday."
)
MATCH = "Élan won the match in Oslo by three goals to one.\n\nThe coach praised a young side."
FIRST = article(PAGE, "Ada Verrin on the dam", REPORT, "2026-01-30T08:00", topic="politics")
REVISION = article(
    PAGE, "Ada Verrin on the dam", REPORT + "\n\nOn Tuesday 14 engineers disagreed in a letter.", "2026-01-30T09:30",
    topic="politics",
)  # fmt: skip
RAW = b'{"title": "\x1b[31mred\xff'
"""Of a dead letter: neither JSON nor UTF-8, and with a colour for the terminal."""
BATCHES: tuple[tuple[Article, ...], ...] = (
    (
        FIRST,
        article("https://match.example/2", "A win for Élan", MATCH, "2026-01-30T23:59", topic="sport", source="Match"),
        article("https://echo.example/dam", FIRST.title, REPORT, "2026-01-30T10:00", source="Echo"),
        article("id:feed#17", "No date here", "Nobody knows when this was written."),
        letter("in/1.jsonl", 4, RAW),
    ),
    (
        FIRST,
        REVISION,
        article(
            "https://match.example/2", "A win for Élan", MATCH.split("\n\n")[0], "2026-01-31T01:00", source="Match"
        ),
        article("https://year.example/1", "The year in numbers", "It had 366 days.", "2026-01-31T02:00", topic="2024"),
        article(
            "https://copy.example/1", "The year, in numbers", "It had 366 days!", "2026-01-31T03:00", source="Copy"
        ),
        letter("in/2.jsonl", 5, b"", "NoText"),
    ),
    (
        article(
            "https://echo.example/dam",
            "The dam will not hold",
            "That is what 14 engineers now say.",
            "2026-01-31T11:00",
        ),
        article(
            PAGE,
            "The dam gave way",
            "Water stood in Oslo on Wednesday, said Ada Verrin.",
            "2026-02-01T00:00",
            topic="politics",
        ),
    ),
)
"""Uniques, a revision and a revision of that, one of a copy, copies by both methods, a known one, dead letters."""


def build(root: Path, folded: bool = False) -> Path:
    """The sample warehouse. Folded: the first two batches are in a snapshot, and only the third is a log entry."""
    return Path(shutil.copytree(_built(folded).name, root, dirs_exist_ok=True))


@cache
def _built(folded: bool) -> TemporaryDirectory[str]:
    """Made once in a session: a warehouse can be copied like any folder."""
    folder = TemporaryDirectory()
    for number, batch in enumerate(BATCHES, 1):
        add(Path(folder.name), batch, last=number < len(BATCHES))
        if folded and number == 2:
            warehouse = open_warehouse(folder.name)
            fold(warehouse.store, warehouse.history)
    return folder


def snapshot_of(root: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its size and the time of its last change, to see that nothing was written."""
    stats = {str(path.relative_to(root)): path.stat() for path in sorted(root.rglob("*"))}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def age(path: Path, seconds: float) -> None:
    """Make a file or folder look as if it was written that long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))
