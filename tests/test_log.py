"""The log: entries are created once, in order, and a writer that was cut off is fenced off."""

from pathlib import Path

import pytest

from pipeline import snapshots
from pipeline.index import look_up
from pipeline.ledger import Ledger
from pipeline.lock import held, is_alive
from pipeline.log import LOG, append, entry_name, read_history
from pipeline.warehouse import check_format, open_warehouse
from schemas.errors import Busy, WorldError
from tests.plain import plain_config, plain_run
from tests.test_plan import entry_of
from transforms.files import LocalStore, store_at


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "out"))


def test_a_number_is_taken_once(store: LocalStore) -> None:
    assert append(store, entry_of([], 1))
    assert not append(store, entry_of([], 1))
    assert append(store, entry_of([], 2))
    assert read_history(store).position == 2


def test_a_gap_is_an_error_that_names_the_entry(store: LocalStore) -> None:
    append(store, entry_of([], 1))
    append(store, entry_of([], 3))
    with pytest.raises(WorldError, match="log entry 2 is missing"):
        read_history(store)


@pytest.fixture
def folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """A warehouse of six batches of which a snapshot holds at least four, its old files swept away."""
    monkeypatch.setattr(snapshots, "FOLD_AFTER", 2)
    (tmp_path / "in").mkdir()
    for number in range(6):
        text = f"Headline number {number}\n\nThe text of number {number} is short, and says so.\n"
        (tmp_path / f"in/{number}.txt").write_text(text)
    config = plain_config(tmp_path / "in", tmp_path / "out", batch={"bytes": 1})
    plain_run(config)
    plain_run(config)
    return LocalStore(str(tmp_path / "out"))


def test_a_writer_that_slept_through_a_snapshot_is_fenced_off(folded: LocalStore) -> None:
    before = read_history(folded)
    assert before.manifest.number >= 4 and entry_name(1).rpartition("/")[2] not in folded.names(LOG)
    assert not append(folded, entry_of([], 1))
    assert read_history(folded).position == before.position == 6
    assert folded.info(entry_name(1)) is None


def test_snapshots_hold_the_ledger_and_the_index(folded: LocalStore, tmp_path: Path) -> None:
    history = read_history(folded)
    infos = list(LocalStore(str(tmp_path / "in")).walk())
    ledger = Ledger(folded, history, infos)
    assert len(infos) == 6 and all(ledger.done(info).last for info in infos)
    texts = [f"identity input:{info.name}#0" for info in infos]
    found = look_up(folded, history, [*texts, "identity absent"])
    assert sorted(found) == sorted(texts) and sorted(rows[0].batch for rows in found.values()) == [1, 2, 3, 4, 5, 6]


def test_readers_of_another_format_are_told(store: LocalStore) -> None:
    open_warehouse(store.root)
    store.write("_newsbeam/format.json", b'{"format": 99}')
    with pytest.raises(WorldError, match="format 99"):
        check_format(store)


def test_an_object_store_is_refused_in_a_sentence() -> None:
    with pytest.raises(WorldError, match="cannot be used; give"):
        store_at("gs://bucket/x")


def test_the_lock(store: LocalStore) -> None:
    with held(store), pytest.raises(Busy, match="is in use by process"), held(store):
        pass
    with held(store):
        pass
    assert store.names("_newsbeam") == []


def test_a_lock_whose_holder_is_gone_is_taken_over(store: LocalStore) -> None:
    for holder in (b'{"host": "elsewhere", "pid": 1, "heartbeat": 0, "since": ""}', b"torn"):
        store.write("_newsbeam/lock", holder)
        with held(store):
            pass


def test_who_holds_a_lock_is_alive_while_its_heart_beats() -> None:
    import socket
    import time

    here = {"host": socket.gethostname(), "pid": 2**22 + 1, "heartbeat": time.time()}
    there = {"host": "elsewhere", "pid": 1, "heartbeat": time.time()}
    assert not is_alive(here) and is_alive(there) and not is_alive({**there, "heartbeat": time.time() - 100})


def test_snapshots_stay_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they are merged: a lookup reads only groups that may hold a key."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipeline import sorted_files

    monkeypatch.setattr(sorted_files, "ROW_GROUP", 1000)
    store = LocalStore(str(tmp_path))
    schema = pa.schema([*sorted_files.KEY_FIELDS])
    keys = np.random.default_rng(1).integers(0, 2**63, 20_000).astype(np.uint64)
    for number in range(10):
        part = pa.table({"key": keys[number::10], "check": keys[number::10]}, schema)
        store.write("a.parquet", sorted_files.merged(store, "a.parquet" if number else None, [part], schema))
    file = pq.ParquetFile(tmp_path / "a.parquet")
    rows = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sum(rows) == 20_000 and max(rows) <= 1000 and min(rows) >= 400
    wanted = np.sort(keys[:50])
    found = [key for table in sorted_files.lookup(store, "a.parquet", wanted) for key in table["key"].to_pylist()]
    assert found == wanted.tolist()


@pytest.mark.parametrize("name", ["_newsbeam/format.json", entry_name(2)])
def test_damage_is_said_in_a_sentence(name: str, store: LocalStore) -> None:
    open_warehouse(store.root)
    append(store, entry_of([], 1))
    append(store, entry_of([], 2))
    store.write("_newsbeam/log/notes.txt", b"a stranger's")
    assert read_history(store).position == 2
    store.write(name, b"{")
    with pytest.raises(WorldError, match="is damaged"):
        open_warehouse(store.root)


def test_a_folder_that_delta_cannot_use(tmp_path: Path) -> None:
    from pipeline.warehouse import check_usable

    with pytest.raises(WorldError, match="name another folder"):
        check_usable(LocalStore(str(tmp_path / "100%20")))
