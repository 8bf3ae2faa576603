"""Ways to damage the sample warehouse. Each is a function of its folder."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import log

Damage = Callable[[Path], object]
ARTICLE = "articles/date=2026-01-30/topic=politics/000000000001.parquet"
REVISION = "articles/date=2026-01-30/topic=politics/000000000002.parquet"
NAMES = "entities/date=2026-01-30/topic=politics/000000000001.parquet"
COPY = "duplicates/date=2026-01-30/000000000001.parquet"
COPIES = "duplicates/date=2026-01-31/000000000002.parquet"
LETTER = "dead_letters/date=2026-01-31/000000000001.parquet"
RUN = "runs/date=2026-01-31/000000000001.parquet"
FINGERPRINTS = "_newsbeam/fingerprints/000000000001.parquet"
INDEX = "_newsbeam/index/000000000001.parquet"


def edit_json(root: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads((root / name).read_text())
    change(value)
    (root / name).write_text(json.dumps(value))


def entry(number: int, change: Callable[[dict[str, Any]], object]) -> Damage:
    return lambda root: edit_json(root, log.entry_name(number), change)


def remove(name: str) -> Damage:
    return lambda root: (root / name).unlink()


def write(name: str, data: bytes) -> Damage:
    return lambda root: write_whole(root / name, data)


def write_whole(path: Path, data: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(data)


def truncate(name: str) -> Damage:
    return lambda root: os.truncate(root / name, 1000)


def scribble(name: str) -> Damage:
    """The same size, but other bytes where the data is."""

    def damage(root: Path) -> None:
        data = bytearray((root / name).read_bytes())
        data[40:400] = bytes(360)
        (root / name).write_bytes(data)

    return damage


def copied(name: str, to: str) -> Damage:
    return lambda root: shutil.copy(root / name, root / to)


def rows(name: str, change: Callable[[pa.Table], pa.Table]) -> Damage:
    """Change the rows of a file, so that its log entry and Delta agree with its new size and number of rows."""

    def damage(root: Path) -> None:
        table = change(pq.ParquetFile(root / name).read())
        pq.write_table(table, root / name)
        _tell_log(root, name, len(table))
        _tell_delta(root, name, len(table))

    return damage


def _tell_log(root: Path, name: str, length: int) -> None:
    for path in (root / "_newsbeam/log").glob("*.json"):
        value = json.loads(path.read_text())
        for file in value["files"]:
            if file["path"] == name:
                file |= {"size": (root / name).stat().st_size, "rows": length}
        path.write_text(json.dumps(value))


def file_of(entry: dict[str, Any], path: str) -> dict[str, Any]:
    return next(file for file in entry["files"] if file["path"] == path)


def _tell_delta(root: Path, name: str, length: int) -> None:
    table, _, below = name.partition("/")
    for path in (root / table / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if line.get("add", {}).get("path") == below:
                stats = json.loads(line["add"]["stats"]) | {"numRecords": length}
                line["add"] |= {"size": (root / name).stat().st_size, "stats": json.dumps(stats)}
        path.write_text("\n".join(map(json.dumps, lines)) + "\n")


def values(name: str, **columns: object) -> Damage:
    """Other values in the first row of a file."""

    def change(table: pa.Table) -> pa.Table:
        data = table.to_pylist()
        data[0] |= columns
        return pa.Table.from_pylist(data, table.schema)

    return rows(name, change)


def entities(**fields: object) -> Damage:
    """Other values in the first name of an article."""

    def change(table: pa.Table) -> pa.Table:
        data = table.to_pylist()
        data[0]["entities"][0] |= fields
        return pa.Table.from_pylist(data, table.schema)

    return rows(ARTICLE, change)


def both(*damages: Damage) -> Damage:
    return lambda root: [damage(root) for damage in damages]


def delta(table: str, number: int, change: Callable[[list[dict[str, Any]]], object]) -> Damage:
    """Change a commit of a table's Delta log."""

    def damage(root: Path) -> None:
        path = root / table / f"_delta_log/{number:020}.json"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change(lines)
        path.write_text("\n".join(map(json.dumps, lines)) + "\n")

    return damage


def repeat_first(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def index(change: Callable[[pa.Table], pa.Table], name: str = INDEX) -> Damage:
    def damage(root: Path) -> None:
        pq.write_table(change(pq.ParquetFile(root / name).read()), root / name)

    return damage


def other_canonical(table: pa.Table) -> pa.Table:
    data = table.to_pylist()
    data[0]["canonical"] = bytes(16)
    return pa.Table.from_pylist(data, table.schema)


def as_article(first: Any) -> dict[str, object]:
    """The columns that make a copy the same article as another."""
    return {
        "identity": first.identity,
        "title": first.title,
        "body": first.body,
        "content_hash": first.content_hash,
        "article_id": first.article_id,
    }
