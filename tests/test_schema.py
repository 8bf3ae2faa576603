"""The schema is a contract: every column's name, type and meaning stands in a file that changes only on purpose.

To renew it after a change that is meant, and then read the difference:

    python -m tests.test_schema
"""

from pathlib import Path

import pyarrow as pa

from pipeline.index import SCHEMA as INDEX
from pipeline.ledger import SCHEMA as LEDGER
from pipeline.snapshots import LOG_SCHEMA
from schemas.tables import FORMAT_VERSION, TABLES

GOLDEN = Path(__file__).parent / "golden_schema.txt"


def lines(fields: "pa.Schema | list[pa.Field]", depth: int = 1) -> list[str]:
    """A line per column: name, type, meaning; below it those of the records in it."""
    result = []
    for field in fields:
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        is_record = pa.types.is_struct(inner)
        kind = str(field.type) if not is_record else "list of records" if inner is not field.type else "record"
        meaning = (field.metadata or {}).get(b"meaning", b"").decode()
        result.append(f"{'  ' * depth}{field.name}: {kind}{f' - {meaning}' if meaning else ''}")
        if is_record:
            result += lines(list(inner), depth + 1)
    return result


def described() -> str:
    """Every table and every file of our own."""
    parts = [f"format {FORMAT_VERSION}"]
    for table in TABLES.values():
        folders = "/".join(f"{name}=…" for name in table.partitions)
        parts += ["", f"{table.name}: one row per {table.one_row_per}, in {table.name}/{folders}/"]
        parts += lines(table.full_schema)
    for name, schema in (("index", INDEX), ("ledger", LEDGER), ("log snapshot", LOG_SCHEMA)):
        parts += ["", f"{name}: in _newsbeam", *lines(schema)]
    return "\n".join(parts) + "\n"


def test_the_schema_is_as_agreed() -> None:
    assert described() == GOLDEN.read_text("utf-8"), "meant? then run: python -m tests.test_schema"


def test_every_column_of_a_table_has_a_meaning() -> None:
    for table in TABLES.values():
        assert [field.name for field in table.full_schema if not field.metadata] == []


def test_no_two_columns_of_a_table_share_a_name_in_lower_case() -> None:
    """DuckDB and Spark take names that differ in case only for one."""
    for table in TABLES.values():
        names = [name.lower() for name in table.full_schema.names]
        assert len(set(names)) == len(names)


if __name__ == "__main__":
    GOLDEN.write_text(described(), "utf-8")
