"""The Delta log beside each table: one commit per batch, in the order of the log, and never twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from schemas.errors import WorldError
from schemas.records import File
from schemas.tables import Table
from transforms.files import Store

APP = "newsbeam"
_TRIES = 20
CHECKPOINT_EVERY = 100
"""Commits; a reader then reads one checkpoint and what came since."""


def create(store: Store, table: Table) -> None:
    """Create the Delta log of an empty table, if there is none."""

    def make() -> None:
        DeltaTable.create(
            store.path(table.name),
            table.full_schema,
            "ignore",
            list(table.partitions),
            table.name,
            f"one row per {table.one_row_per}",
            configuration={"delta.checkpointInterval": str(CHECKPOINT_EVERY)},
            storage_options=store.options or None,
        )

    with _explained(store):
        store.patiently(make)


def table_at(store: Store, table: Table) -> DeltaTable:
    """The table as Delta has it now."""
    with _explained(store):
        return store.patiently(lambda: DeltaTable(store.path(table.name), storage_options=store.options or None))


def done(store: Store, table: Table) -> int:
    """The number of the last batch that the table's Delta log has; 0 if none."""
    return table_at(store, table).transaction_version(APP) or 0


def commit(store: Store, table: Table, number: int, files: Sequence[File]) -> None:
    """Add a batch's files, unless its number or a later one is in.

    deltalake refuses a transaction that another writer repeats at the same moment, but accepts one that a fresh
    handle repeats later (measured with 1.6), so what is in is asked first, through the handle that then commits.
    """
    for _ in range(_TRIES):
        try:
            with _explained(store):
                store.patiently(lambda: _commit(store, table, number, files))
        except CommitFailedError:
            continue  # someone else rolled this entry forward at the same moment
        _sync(store, f"{table.name}/_delta_log")
        return
    raise WorldError(f"{store.path(table.name)}: Delta refuses batch {number}; end other writers and run this again.")


def _commit(store: Store, table: Table, number: int, files: Sequence[File]) -> None:
    """Once: in an object store its answer may be lost, and deltalake does not repeat it."""
    delta = table_at(store, table)
    if (delta.transaction_version(APP) or 0) >= number:
        return
    delta.create_write_transaction(
        [_add(file) for file in files],
        mode="append",
        schema=table.full_schema,
        partition_by=list(table.partitions),
        commit_properties=CommitProperties(app_transactions=[Transaction(APP, number)], max_commit_retries=0),
    )


def _add(file: File) -> AddAction:
    name = file.path.partition("/")[2]
    return AddAction(name, file.size, dict(file.partition), 0, True, file.stats)


def _sync(store: Store, folder: str) -> None:
    """deltalake does not wait for the disk; a lost commit would be a batch that Delta readers never see."""
    if store.options:
        return  # an object store has it when it says so
    newest = max(name for name in store.names(folder) if name.endswith(".json"))
    store.sync(f"{folder}/{newest}")


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """What an object store refuses deltalake, in a sentence; of a local table its errors tell of damage."""
    try:
        yield
    except (CommitFailedError, TableNotFoundError):
        raise
    except (DeltaError, OSError) as error:
        if not store.options:
            raise
        reason = " ".join(str(error).partition("\n")[0].split())[:300]
        raise WorldError(
            f"{store.root}: Delta cannot use the object store: {reason}. What was committed is safe; "
            "run the same command again."
        ) from error
