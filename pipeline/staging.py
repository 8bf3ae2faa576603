"""Staging: a batch's files are written where no reader sees them, before its log entry names them."""

import json
import os
import secrets
import socket
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from pipeline.log import STAGING
from pipeline.sorted_files import parquet_bytes
from schemas.records import File
from schemas.tables import TABLES, Run, Table
from transforms.files import Store
from transforms.rows import Place, run_rows

GARBAGE_AGE = 86_400.0
"""Seconds after which what another machine staged without committing is taken for garbage."""
_STATISTICS = ("article_id", "duplicate_of", "letter_id", "key", "published_at", "batch", "word_count")
"""Columns with statistics: ids, dates and counts, not texts."""
WRITERS = 8
"""Files written at once: each waits for the disk twice, and the disk serves many as fast as one."""
_FEW_VALUES = [
    *("date_source", "date_precision", "language", "source", "feed_url", "section", "wire", "topic_code"),
    "topic_source",
    *("entity_model", "extraction", "input", "label", "country", "method", "stage", "error_class", "batch", "read_at"),
    *("categories.list.element", "authors.list.element", "entities.list.element.label", "entities.list.element.field"),
    *("topics.list.element.topic", "problems.list.element", "entities.list.element.key", "key", "name"),
]
"""Columns worth a dictionary; making one for each text column costs a fifth of the writing."""


def new_token(ends_with_process: bool = True) -> str:
    """A name for a batch's staged files that tells whether the process that stages them still lives.

    A job on a cluster may outlive the process that began it, so what it staged is only garbage when it is old.
    """
    owner = os.getpid() if ends_with_process else "job"
    return f"{socket.gethostname()}_{owner}_{uuid.uuid4().hex[:12]}"


def attempt(token: str) -> str:
    """A name for one try at a batch: an engine may try a step again, even while the first try still runs."""
    return f"{token}/{secrets.token_hex(4)}"


def batch_of(token: str) -> str:
    """The batch that an attempt belongs to."""
    return token.partition("/")[0]


def stage(store: Store, token: str, number: int, rows: Iterable[tuple[Table, Place, pa.Table]]) -> list[File]:
    """Write the rows of a batch where no reader sees them, while more are made. Durable when it returns."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(lambda part: stage_one(store, token, number, *part), rows))


def stage_one(store: Store, token: str, number: int, table: Table, place: Place, rows: pa.Table) -> File:
    """Write the rows of one file. Durable when it returns."""
    folder = folder_of(table, place)
    statistics = [name for name in _STATISTICS if name in rows.column_names]
    data = parquet_bytes(rows, write_statistics=statistics, use_dictionary=_FEW_VALUES)
    staged = f"{STAGING}/{token}/{folder}.parquet"
    store.write(staged, data)
    return File(
        table=table.name,
        staged=staged,
        path=f"{folder}/{number:012}.parquet",
        rows=len(rows),
        size=len(data),
        partition=dict(zip(table.partitions, place, strict=True)),
        stats=_delta_statistics(rows),
    )


def folder_of(table: Table, place: Place) -> str:
    """Where the rows of one place stand: `articles/date=…/topic=…`."""
    return "/".join([table.name, *(f"{name}={value}" for name, value in zip(table.partitions, place, strict=True))])


def _delta_statistics(rows: pa.Table) -> str:
    """The row count, in Delta's form. No bounds: deltalake's dataset takes a column without bounds for one of nulls
    as soon as another has some, and a filter on it then finds nothing (measured with 1.6)."""
    return json.dumps({"numRecords": len(rows)})


def stage_run(store: Store, token: str, run: Run, day: str) -> File:
    """Stage the batch's row in `runs`."""
    return stage_one(store, token, run.batch, TABLES["runs"], (day,), run_rows(run))


def stage_index(store: Store, token: str, index: pa.Table) -> None:
    """Stage the batch's part of the index."""
    store.write(staged_index(token), parquet_bytes(index))


def staged_index(token: str) -> str:
    return f"{STAGING}/{token}/index.parquet"


def stage_fingerprints(store: Store, token: str, data: bytes) -> None:
    """Stage the fingerprints of the batch's articles."""
    store.write(staged_fingerprints(token), data)


def staged_fingerprints(token: str) -> str:
    return f"{STAGING}/{token}/fingerprints.parquet"


def is_garbage(store: Store, token: str) -> bool:
    """Whether nobody will commit what is staged under a token: its process is gone, or it is a day old."""
    host, _, rest = token.rpartition("_")[0].rpartition("_")
    if host == socket.gethostname() and rest.isdigit():
        return not process_lives(int(rest))
    newest = max((info.modified for info in store.walk(f"{STAGING}/{token}")), default=None)
    return newest is not None and time.time() - newest > GARBAGE_AGE


def process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
