"""The tables as others read them: every reader, of the folder and of the Delta log, gives the same rows."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from pipeline.query import connect
from schemas.tables import TABLES, Table

Rows = list[dict[str, Any]]
Reader = Callable[[Path, Table], Rows]


def pattern(root: Path, table: Table) -> str:
    """The glob that every reader of the folder is given."""
    return str(root / table.name / "/".join(f"{name}=*" for name in table.partitions) / "*.parquet")


def by_duckdb(root: Path, table: Table) -> Rows:
    types = ", ".join(f"{name}: {'DATE' if name == 'date' else 'VARCHAR'}" for name in table.partitions)
    sql = f"SELECT * FROM read_parquet('{pattern(root, table)}', hive_partitioning = true, hive_types = {{{types}}})"
    with duckdb.connect() as connection:
        return dicts(connection.sql(sql))


def dicts(found: duckdb.DuckDBPyRelation) -> Rows:
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def by_query(root: Path, table: Table) -> Rows:
    with connect(str(root)) as connection:
        return dicts(connection.sql(f"SELECT * FROM {table.name}"))


def by_polars(root: Path, table: Table) -> Rows:
    types = {name: pl.Date if name == "date" else pl.String for name in table.partitions}
    return pl.scan_parquet(pattern(root, table), hive_partitioning=True, hive_schema=types).collect().to_dicts()


def by_polars_delta(root: Path, table: Table) -> Rows:
    return pl.scan_delta(str(root / table.name)).collect().to_dicts()


def by_pyarrow(root: Path, table: Table) -> Rows:
    partitions = pa.schema([(column.name, column.type) for column in table.partition_columns])
    hive = ds.partitioning(partitions, flavor="hive")
    rows: Rows = ds.dataset(root / table.name, partitioning=hive).to_table().to_pylist()
    return rows


def by_delta(root: Path, table: Table) -> Rows:
    rows: Rows = DeltaTable(root / table.name).to_pyarrow_table().to_pylist()
    return rows


def by_pandas(root: Path, table: Table) -> Rows:
    partitions = pa.schema([(column.name, column.type) for column in table.partition_columns])
    hive = ds.partitioning(partitions, flavor="hive")
    frame = pd.read_parquet(root / table.name, dtype_backend="pyarrow", partitioning=hive)
    rows: Rows = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    return rows


READERS: list[Reader] = [by_duckdb, by_query, by_polars, by_polars_delta, by_pyarrow, by_delta, by_pandas]
ROWS = {"articles": 7, "entities": 10, "duplicates": 3, "dead_letters": 2, "runs": 3}


def normal(rows: Rows) -> list[str]:
    """Rows as sorted texts: one form for times, lists, maps and nested records."""
    rows = [{**row, "extra": as_map(row["extra"])} if "extra" in row else row for row in rows]
    return sorted(json.dumps(row, default=as_text, sort_keys=True, ensure_ascii=False) for row in rows)


def as_map(value: Any) -> dict[str, str]:
    """A map, which readers give as one, as pairs, or as records."""
    if isinstance(value, dict):
        return value
    return dict((pair["key"], pair["value"]) if isinstance(pair, dict) else pair for pair in value)


def as_text(value: Any) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
    return list(value)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_gives_the_same_rows(reader: Reader, table: Table, sample: Path) -> None:
    expected = by_delta(sample, table)
    assert len(expected) == ROWS[table.name]
    assert set(expected[0]) == set(table.full_schema.names)
    assert normal(reader(sample, table)) == normal(expected)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_delta_has_the_schema_and_finds_partitions(table: Table, sample: Path) -> None:
    delta = DeltaTable(sample / table.name)
    assert pa.schema(delta.schema().to_arrow()).equals(table.full_schema)
    assert delta.metadata().partition_columns == list(table.partitions)
    days = {row["date"] for row in by_delta(sample, table)}
    day = min(days)
    found = delta.to_pyarrow_table(filters=[("date", "=", day)]).to_pylist()
    assert normal(found) == normal([row for row in by_delta(sample, table) if row["date"] == day])


def test_ids_and_batches_are_found_by_statistics(sample: Path) -> None:
    """What Delta says of bounds must be true, or readers would skip files that hold rows."""
    for table in (TABLES["articles"], TABLES["duplicates"]):
        for row in by_delta(sample, table):
            for name in ("article_id", "batch"):
                lazy = pl.scan_delta(str(sample / table.name)).filter(pl.col(name) == row[name])
                assert row["article_id"] in lazy.collect()["article_id"].to_list()
