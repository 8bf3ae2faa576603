"""`query`: the tables in SQL, by DuckDB, as they stood when the connection was made.

Which batches are complete is read first, from `runs`, and kept; every view then shows only rows of these. Files are
listed by each query anew, so a view always finds at least the files of the batches it shows: a batch that another
process publishes meanwhile is left out whole, and a file that was rewritten is found under its new name.
"""

import base64
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb

from pipeline.aliases import ALIASES, LINKED_ENTITIES
from pipeline.delta import table_at
from pipeline.terminal import visible
from pipeline.warehouse import warehouse_at
from schemas.errors import UsageError, WorldError
from schemas.tables import TABLES, Table
from transforms.files import Store

MOST_ROWS = 1_000
"""Rows that are drawn for a person; of a longer result the first and last. JSON has all."""
_NO_TERMINAL = 160
"""Columns of text where there is no terminal to ask."""
_SQL_TYPES = {"date": "DATE", "topic": "VARCHAR"}

DERIVED = {
    "latest_articles": """
SELECT * FROM articles WHERE article_id IN (
    SELECT article_id FROM articles QUALIFY 1 = row_number() OVER (
        PARTITION BY identity
        ORDER BY batch DESC, published_at DESC NULLS FIRST,
            coalesce(updated_at, published_at) DESC NULLS FIRST, article_id DESC))
""".strip(),
    "copies": """
SELECT article_id, count(*) - 1 AS copies, count(DISTINCT source) AS sources,
    min(published_at) AS first_published, max(published_at) AS last_published,
    min(read_at) AS first_seen, max(read_at) AS last_seen
FROM (SELECT article_id, source, published_at, read_at FROM articles
    UNION ALL SELECT duplicate_of, source, published_at, read_at FROM duplicates)
GROUP BY article_id
""".strip(),
    "aliases": ALIASES,
    "linked_entities": LINKED_ENTITIES,
}
"""The views that follow from the tables: the latest version of each identity; of each article in `articles`, how many
copies and sources (its own too) it has, when it was first and last published and read; keys that mean the same entity;
and `entities` with these applied."""


def view_sql(root: str = "") -> dict[str, str]:
    """The SQL of every view by its name, `runs` first, since the others ask it. Run it in this order.

    Without a root the paths are relative to the warehouse, for whoever works in its folder.
    """
    names = ["runs", *(name for name in TABLES if name != "runs")]
    return {name: _table_sql(TABLES[name], root) for name in names} | DERIVED


def _table_sql(table: Table, root: str) -> str:
    foreign = [f'"{name}"' for name in _hive_names(root)]
    columns = f"* EXCLUDE ({', '.join(foreign)})" if foreign else "*"
    types = ", ".join(f"'{name}': {_SQL_TYPES[name]}" for name in table.partitions)
    options = f"hive_partitioning = true, hive_types = {{{types}}}"
    complete = "" if table.name == "runs" else "\nWHERE batch IN (SELECT batch FROM runs)"
    return f"SELECT {columns} FROM read_parquet({_quoted(_pattern(table, root))}, {options}){complete}"


def _pattern(table: Table, root: str) -> str:
    """The glob of a table's files. It names every folder, so that nothing in `_delta_log` is taken for data."""
    literal = "".join(f"[{char}]" if char in "*?[" else char for char in root)
    folders = [table.name, *(f"{name}=*" for name in table.partitions)]
    return "/".join([*([literal] if root else []), *folders, "*.parquet"])


def _quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _hive_names(root: str) -> list[str]:
    """Names that DuckDB would take for columns since folders above the warehouse are called `name=value`."""
    return list(dict.fromkeys(part.partition("=")[0] for part in root.split("/") if "=" in part))


def connect(root: str) -> duckdb.DuckDBPyConnection:
    """A connection in memory with a view per table, of complete batches only, and the derived ones. Times are UTC.

    Raises UsageError where there is no warehouse, or where DuckDB cannot address it; WorldError if it is damaged.
    """
    store = warehouse_at(root)
    if not store.options:
        _check_addressable(store.root)
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",  # else `FROM name` would find variables of this program
            "temp_directory": os.path.join(tempfile.gettempdir(), f"newsbeam-query-{os.getpid()}"),
        }
    )
    with explained():
        connection.execute("SET TimeZone = 'UTC'")
        for name, sql in view_sql(store.root).items():
            if store.options and name in TABLES:
                _create_remote(connection, store, name)
            else:
                _create(connection, store, name, sql)
    return connection


def _create_remote(connection: duckdb.DuckDBPyConnection, store: Store, name: str) -> None:
    """A table in an object store, as Delta lists it: DuckDB would need an extension from the network to read there."""
    connection.register(f"remote_{name}", table_at(store, TABLES[name]).to_pyarrow_dataset())
    if name == "runs":
        connection.execute("CREATE TEMP TABLE runs AS SELECT * FROM remote_runs")
    else:
        rows = f"SELECT * FROM remote_{name} WHERE batch IN (SELECT batch FROM runs)"
        connection.execute(f"CREATE TEMP VIEW {name} AS {rows}")


def _check_addressable(root: str) -> None:
    """DuckDB takes a backslash for a slash, a folder above `date=…` for the partition; it would read other files."""
    known = {column.name for table in TABLES.values() for column in (*table.columns, *table.partition_columns)}
    clash = [name for name in _hive_names(root) if name.lower() in known or '"' in name or not name]
    if clash or "\\" in root or root != root.encode("utf-8", "replace").decode():
        reason = f"called {clash[0]}=…" if clash else "with a backslash, or with bytes that are no UTF-8"
        raise UsageError(
            f"{root!r}: DuckDB cannot read below a folder {reason}; make a symbolic link to the warehouse, and name it."
        )


def _create(connection: duckdb.DuckDBPyConnection, store: Store, name: str, sql: str) -> None:
    if name == "runs" and _has_files(store, "runs"):
        connection.execute(f"CREATE TEMP TABLE runs AS {sql}")
    elif name in TABLES and not _has_files(store, name):
        connection.register(f"empty_{name}", TABLES[name].full_schema.empty_table())
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM empty_{name}")
    else:
        connection.execute(f"CREATE TEMP VIEW {name} AS {sql}")


def _has_files(store: Store, table: str) -> bool:
    folders = (name for name in store.names(table) if name.startswith("date="))
    return any(info.name.endswith(".parquet") for folder in folders for info in store.walk(f"{table}/{folder}"))


@contextmanager
def explained() -> Iterator[None]:
    """DuckDB's errors as ours: a wrong question is a UsageError with DuckDB's own sentence, the rest a WorldError."""
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, duckdb.OperationalError | duckdb.InternalError) or ".parquet" in str(error):
            cure = "If a file of the warehouse is damaged or missing, `newsbeam verify` says what to do."
            raise WorldError(f"{_sentence(error)}\n{cure}") from error
        raise UsageError(_sentence(error)) from error


def _sentence(error: duckdb.Error) -> str:
    return visible(str(error).strip(), keep="\n")


def rows_as_text(connection: duckdb.DuckDBPyConnection, sql: str, as_json: bool) -> str:
    """The answer to a question: a drawn table for people, of each question where several are parted by `;`; a JSON
    list of objects, one a line, for machines, of the last.

    Raises UsageError with DuckDB's sentence for a wrong question, WorldError if files cannot be read.
    """
    with explained():
        if as_json:
            return _json_rows(connection, sql)
        return "\n".join(_drawn(connection, one.query) for one in connection.extract_statements(sql))


def _drawn(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    relation = connection.sql(sql)
    if relation is None:
        return "Done."
    width = shutil.get_terminal_size((_NO_TERMINAL, 0)).columns
    with redirect_stdout(io.StringIO()) as drawing:
        relation.show(max_rows=MOST_ROWS, max_width=width)
    return visible(drawing.getvalue().rstrip("\n"), keep="\n")


def _json_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    result = connection.execute(sql)
    names = _distinct(column[0] for column in result.description or ())
    rows = (dict(zip(names, map(plain, row), strict=True)) for row in result.fetchall()) if names else ()
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return f"[\n{lines}\n]" if lines else "[]"


def _distinct(names: Iterable[str]) -> list[str]:
    """Column names, the second `a` as `a_1`: an object has each name once."""
    result: list[str] = []
    for name in names:
        number, fresh = 0, name
        while fresh in result:
            number += 1
            fresh = f"{name}_{number}"
        result.append(fresh)
    return result


def plain(value: Any) -> Any:
    """A value as JSON can say it: times in ISO 8601, bytes as text or, if they are none, `{"base64": …}`."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return _text_or_base64(value)
        case dict():
            return {str(key): plain(part) for key, part in value.items()}
        case list() | tuple() | set():
            return [plain(part) for part in value]
    return str(value)


def _text_or_base64(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
