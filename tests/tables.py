"""Reading tables back, the simplest way, to compare them."""

from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from pipeline.delta import table_at
from schemas.tables import TABLES
from transforms.files import store_at

RUN_DEPENDENT = ("read_at", "batch", "original_batch")
"""Columns that tell which run made a row; all others must not depend on it."""


def read_rows(
    output: Path | str, name: str, *, delta: bool = False, without: tuple[str, ...] = RUN_DEPENDENT
) -> list[Any]:
    """All rows of a table as sorted texts, from its folder or as Delta says."""
    table = TABLES[name]
    if delta:
        rows = table_at(store_at(str(output)), table).to_pyarrow_table().to_pylist()
    else:
        files = [str(path) for path in sorted((Path(output) / name).glob("date=*/**/*.parquet"))]
        if not files:
            return []
        rows = ds.dataset(files, table.full_schema, partitioning="hive").to_table().to_pylist()
    return sorted(repr(sorted((key, value) for key, value in row.items() if key not in without)) for row in rows)


def all_rows(output: Path | str, *, delta: bool = False) -> dict[str, list[Any]]:
    """The rows of the four tables that do not depend on how the work was cut into batches."""
    return {name: read_rows(output, name, delta=delta) for name in TABLES if name != "runs"}
