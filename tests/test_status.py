"""`status`: what the log says of a warehouse."""

import os
from datetime import date
from pathlib import Path

import msgspec
import pytest

from pipeline.lock import held
from pipeline.log import STAGING, append
from pipeline.status import InPart, Status, status_of, status_text
from pipeline.warehouse import open_warehouse
from schemas.errors import WorldError
from tests.warehouses import BATCHES, add, article, build, snapshot_of, staged
from transforms.files import store_at


@pytest.mark.parametrize("name", ["sample", "folded"])
def test_the_numbers_are_those_of_the_log(name: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(name)
    before = snapshot_of(root)
    status = status_of(str(root))
    assert (status.position, status.batches, status.unfinished) == (3, 3, [])
    assert status.outcomes == {"read": 13, "unique": 7, "duplicates": 3, "known": 1, "dead": 2}
    assert status.dead_by_class == {"BadRecord": 1, "NoText": 1}
    assert status.topics == {"2024": 1, "politics": 3, "sport": 1, "unclassified": 2}
    assert (status.inputs_done, status.inputs_in_part) == (2, [InPart("in/3.jsonl", "1-1", 2)])
    assert (status.first_date, status.last_date) == (date(2026, 1, 30), date(2026, 2, 1))
    assert status.held_by is None and status.leftovers.batches == 0
    assert snapshot_of(root) == before


def test_sizes_are_those_of_the_files(sample: Path) -> None:
    for name, size in status_of(str(sample)).tables.items():
        files = list(sample.glob(f"{name}/date=*/**/*.parquet"))
        assert (size.files, size.bytes) == (len(files), sum(path.stat().st_size for path in files))


def test_the_last_run_is_all_that_its_process_committed(sample: Path) -> None:
    last = status_of(str(sample)).last_run
    assert last
    assert (last.first_batch, last.last_batch, last.read, last.seconds) == (1, 3, 13, 6.0)
    assert last.per_second == round(13 / 6, 1)


def test_another_process_begins_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, BATCHES[0])
    monkeypatch.setattr(os, "getpid", lambda: 1)
    add(tmp_path, BATCHES[1])
    last = status_of(str(tmp_path)).last_run
    assert last and (last.first_batch, last.last_batch, last.read) == (2, 2, 6)


def test_an_empty_warehouse(tmp_path: Path) -> None:
    open_warehouse(str(tmp_path))
    status = status_of(str(tmp_path))
    assert (status.batches, status.last_run, status.first_date, status.inputs_done) == (0, None, None, 0)
    assert "0 complete" in status_text(status)


def test_an_unfinished_batch_is_told_and_not_counted(tmp_path: Path) -> None:
    build(tmp_path)
    warehouse = open_warehouse(str(tmp_path))
    append(warehouse.store, staged(warehouse, [article("https://late.example/1", "Late", "It came late.")]))
    status = status_of(str(tmp_path))
    assert (status.position, status.batches, status.unfinished) == (4, 3, [4])
    assert status.tables["articles"].rows == 7
    assert status.leftovers.batches == 0
    assert "the next `newsbeam run` finishes it" in status_text(status)


def test_an_input_that_came_in_several_batches_is_done_once(tmp_path: Path) -> None:
    for number in range(3):
        warehouse = open_warehouse(str(tmp_path))
        entry = staged(
            warehouse, [article(f"https://a.example/{number}", "Title", f"Text {number}.")], "in/large.jsonl"
        )
        piece = msgspec.structs.replace(entry.pieces[0], first=number, offset=100 * number, last=number == 2)
        assert warehouse.commit(msgspec.structs.replace(entry, pieces=[piece]))
        status = status_of(str(tmp_path))
        if number < 2:
            assert (status.inputs_done, status.inputs_in_part) == (0, [InPart("in/large.jsonl", "1-1", number + 1)])
    assert (status.inputs_done, status.inputs_in_part) == (1, [])


def test_who_holds_the_lock(sample: Path) -> None:
    with held(store_at(str(sample))):
        status = status_of(str(sample))
    assert status.held_by and (status.held_by.pid, status.held_by.alive) == (os.getpid(), True)
    assert "works in it" in status_text(status)


def test_what_dead_processes_left(tmp_path: Path) -> None:
    warehouse = open_warehouse(str(tmp_path))
    entry = staged(warehouse, BATCHES[0])
    host, _, rest = entry.token.rpartition("_")[0].rpartition("_")
    os.rename(tmp_path / STAGING / entry.token, tmp_path / STAGING / f"{host}_{2**22 + int(rest)}_0")
    leftovers = status_of(str(tmp_path)).leftovers
    assert leftovers.batches == 1
    assert leftovers.bytes > sum(file.size for file in entry.files)


def test_a_damaged_log_is_one_sentence_with_its_cure(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "_newsbeam/log/000000000002.json").write_text("{")
    with pytest.raises(WorldError, match="newsbeam verify"):
        status_of(str(tmp_path))


def test_the_text_has_every_number_and_the_json_comes_back(sample: Path) -> None:
    status = status_of(str(sample))
    text = status_text(status)
    for part in (
        "3 complete",
        "13 read",
        "3 copies",
        "NoText 1",
        "in/3.jsonl up to record 2",
        "2026-01-30 to 2026-02-01",
    ):
        assert part in text
    assert msgspec.json.decode(msgspec.json.encode(status), type=Status) == status
