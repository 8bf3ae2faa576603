"""The warehouse: the log is the truth, and everything else can be made from it again.

A batch is staged, then committed by its log entry, then published: its files move to their final names, each table
gets its Delta commit, and `runs` its row, last. A batch that was cut off after its entry is rolled forward by whoever
opens the warehouse next; what was staged without an entry is garbage.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor

from pipeline import delta
from pipeline.log import STAGING, Entry, History, append, fingerprints_name, index_name, read_history
from pipeline.snapshots import fold, fold_due, last_run, remove_folded
from pipeline.staging import WRITERS, batch_of, is_garbage, staged_fingerprints, staged_index
from schemas.errors import UsageError, WorldError
from schemas.records import File
from schemas.tables import FORMAT_VERSION, TABLES, Table
from transforms.files import Store, store_at

FORMAT = "_newsbeam/format.json"


class Warehouse:
    """A warehouse opened for writing (`open_warehouse`), as one process sees it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.history = read_history(store)

    def refresh(self) -> History:
        """Read what was committed since, and finish what another left unfinished."""
        self.history = read_history(self.store)
        done = delta.done(self.store, TABLES["runs"])
        for entry in self.history.tail:
            if entry.number > done:
                self._publish(entry)
        return self.history

    def _publish(self, entry: Entry) -> None:
        """Who looks for a batch's files after another has published it, and folded or compacted it, finds none."""
        try:
            publish(self.store, entry)
        except FileNotFoundError:
            if delta.done(self.store, TABLES["runs"]) < entry.number:
                raise

    def commit(self, entry: Entry, may_fold: bool = True) -> bool:
        """Commit and publish a staged batch. False if its number was taken: then the batch is void.

        So it is if something staged was taken for garbage: its writer slept for a day, or was given up as dead.
        A snapshot is made of the entries before it, so that whoever sent the batch finds it in the log; only the holder
        of the lock `may_fold`.
        """
        if may_fold and fold_due(self.history):
            fold(self.store, self.refresh())
        there = {info.name for info in self.store.walk(f"{STAGING}/{batch_of(entry.token)}")}
        if not set(staged_names(entry)) <= there or not append(self.store, entry):
            return False
        self.refresh()
        self.store.remove(f"{STAGING}/{batch_of(entry.token)}")
        return True


def staged_names(entry: Entry) -> list[str]:
    """Every file that a batch was staged in."""
    index = [staged_index(entry.token)] if entry.index_rows else []
    fingerprints = [staged_fingerprints(entry.token)] if entry.fingerprint_rows else []
    return [*(file.staged for file in _files(entry)), *index, *fingerprints]


def _files(entry: Entry) -> list[File]:
    """What a batch shows: its own files, and those of others that it replaces."""
    return [*entry.files, *(one.file for one in entry.replaced)]


def exists(root: str) -> bool:
    """Whether a warehouse is there."""
    return store_at(root).info(FORMAT) is not None


def warehouse_at(root: str) -> Store:
    """The store of a warehouse, for reading. Raises UsageError if there is none, WorldError for another format."""
    must_exist(root)
    store = store_at(root)
    check_format(store)
    return store


def must_exist(root: str) -> None:
    """Raises UsageError, which says how to make one, unless a warehouse is there."""
    store_at(root).check()
    if not exists(root):
        raise UsageError(f"{root} is not a warehouse; `newsbeam run --output {root}` makes one.")


def open_warehouse(root: str) -> Warehouse:
    """Open a warehouse for writing: make it if there is none, roll forward, remove garbage.

    Raises WorldError where the folder cannot be written, holds other things, or has another format.
    """
    store = store_at(root)
    try:
        _prepare(store)
        warehouse = Warehouse(store)
        warehouse.refresh()
    except OSError as error:
        raise WorldError(f"{root} cannot be used as a warehouse: {error.strerror or error}.") from error
    remove_garbage(store, warehouse.history)
    return warehouse


def check_format(store: Store) -> None:
    """Raises WorldError unless the warehouse has this version's format."""
    try:
        version = json.loads(store.read(FORMAT))["format"]
    except (ValueError, KeyError, TypeError):
        raise WorldError(
            f'{store.root}: {FORMAT} is damaged; a warehouse of this version has {{"format": {FORMAT_VERSION}}} there.'
        ) from None
    if version != FORMAT_VERSION:
        raise WorldError(
            f"{store.root} has format {version}; this newsbeam reads format {FORMAT_VERSION}: use the matching version."
        )


def check_taxonomy(store: Store, history: History, taxonomy: str) -> None:
    """Raises UsageError if the warehouse's topics are of another taxonomy: a folder would then mean two things."""
    last = last_run(store, history)
    if last and last.taxonomy != taxonomy:
        raise UsageError(
            f"{store.root} holds topics of {last.taxonomy!r}, and the configuration says {taxonomy!r}: "
            "name a new folder for them (--output NEW), or the `topics.taxonomy` of before."
        )


def check_usable(store: Store) -> None:
    """Raises WorldError where there is neither a warehouse nor room for one: other files, or no folder at all."""
    store.check()
    if re.search(r"[\\%\x00-\x1f\ud800-\udfff]", store.root):
        raise WorldError(
            f"{store.root!r}: Delta cannot use a path with a percent sign, a backslash, or control characters, or one "
            "that is no UTF-8; name another folder."
        )
    try:
        names = [name for name in store.names("") if not name.startswith(".") and name not in (*TABLES, "_newsbeam")]
    except OSError as error:
        raise WorldError(f"{store.root} cannot be a warehouse: {error.strerror}.") from error
    if names and store.info(FORMAT) is None:
        raise WorldError(f"{store.root} holds other things ({names[0]}, …); name an empty or a new folder.")


def _prepare(store: Store) -> None:
    store.create(FORMAT, json.dumps({"format": FORMAT_VERSION}).encode())
    check_format(store)
    for table in TABLES.values():
        delta.create(store, table)


def publish(store: Store, entry: Entry) -> None:
    """Show a committed batch to readers. May be done again from any point, also by several at once."""
    if entry.index_rows:
        store.move(staged_index(entry.token), index_name(entry.number))
    if entry.fingerprint_rows:
        store.move(staged_fingerprints(entry.token), fingerprints_name(entry.number))
    for table in (table for table in TABLES.values() if table.name != "runs"):
        _publish_table(store, entry, table)
    _publish_table(store, entry, TABLES["runs"])


def _publish_table(store: Store, entry: Entry, table: Table) -> None:
    files = [file for file in _files(entry) if file.table == table.name]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda file: store.move(file.staged, file.path), files))
    if files:
        delta.commit(store, table, entry.number, files)


def remove_garbage(store: Store, history: History) -> None:
    """Remove what was staged by processes that are gone, and log entries that a snapshot has."""
    for name in store.names(STAGING):
        if is_garbage(store, name):
            store.remove(f"{STAGING}/{name}")
    remove_folded(store, history.manifest)
