"""`forget`: what is removed is gone from every file, the rest stands as it was, and it does not come back."""

import json
import os
import random
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline import forget as forgetting
from pipeline.delta import table_at
from pipeline.fingerprint_rebuild import rebuild_fingerprints
from pipeline.forget import Forgotten, forget
from pipeline.lock import held
from pipeline.log import append, read_history
from pipeline.snapshots import fold
from pipeline.status import status_of
from pipeline.verify import verify_warehouse
from schemas.errors import UsageError
from schemas.tables import TABLES
from tests.command import newsbeam
from tests.engines import minio_found
from tests.plain import NOW, plain_config, plain_run
from tests.stories import stories
from tests.tables import all_rows
from tests.test_crash_plain import Crash, Saboteur, saboteur
from tests.test_watch import drain, lines, records, wait_for, watch
from transforms.files import store_at

__all__ = ["saboteur"]
SECRET = "https://coast.example/secret"
WORDS = " ".join(f"tide{number} turned" for number in range(60))
NEAR = WORDS.replace("tide30", "ebb")


def story(number: int, **more: object) -> dict[str, object]:
    words = " ".join(f"word{number}x{i}" for i in range(40))
    return {"title": f"Story {number}", "text": words, "url": f"https://coast.example/{number}", **more}


def secret(**more: object) -> dict[str, object]:
    return {"title": "Harbour master named", "text": WORDS, "url": SECRET, "date": "2026-01-03", **more}


BATCHES = {
    "1.jsonl": [*(story(number, date=f"2026-01-0{number}") for number in range(1, 6)), secret()],
    "2.jsonl": [story(6), secret(url="https://copy.example/1"), story(1, url="https://copy.example/2")],
    "3.jsonl": [secret(text=f"{WORDS} And the harbour master has now answered at length, and denies it all.")],
    "4.jsonl": [secret(url="https://near.example/1", text=NEAR), story(7)],
}
"""An article, its exact copy, its revision, and its near copy, among others."""


def write(folder: Path, name: str, rows: Iterable[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for name, rows in BATCHES.items():
        write(tmp_path / "in", name, rows)
    return tmp_path / "in"


def build(inputs: Path, output: Path) -> Path:
    plain_run(plain_config(inputs, output, batch={"bytes": 1}))
    return output


def whole(output: Path) -> bool:
    """Whether plain and Delta readers agree, and nothing is wrong."""
    return all_rows(output) == all_rows(output, delta=True) and not verify_warehouse(str(output)).problems


def traces(output: Path) -> list[str]:
    """Files of a warehouse that have a word of the secret article in plain."""
    return [str(path) for path in output.rglob("*") if path.is_file() and b"tide" in plain_bytes(path)]


def plain_bytes(path: Path) -> bytes:
    if path.suffix == ".parquet" and "_delta_log" not in path.parts:
        return repr(pq.ParquetFile(path).read().to_pylist()).replace("Harbour master named", "tide").encode()
    if path.suffix == ".arrow":
        with pa.ipc.open_file(str(path)) as file:
            return repr(file.read_all().to_pylist()).replace("Harbour master named", "tide").encode()
    return path.read_bytes()


def test_it_is_gone_and_the_rest_stands(inputs: Path, tmp_path: Path) -> None:
    output = build(inputs, tmp_path / "out")
    before = all_rows(output)
    assert len(before["articles"]) == 9 and len(before["duplicates"]) == 3 and traces(output)
    done = forget(str(output), [SECRET], NOW)
    assert [row.outcome for row in done.rows] == ["unique", "unique", "duplicate", "duplicate"] and done.cleaned
    after = all_rows(output)
    for name, rows in after.items():
        assert rows == [row for row in before[name] if "tide" not in row]
    assert len(after["articles"]) == 7 and len(after["duplicates"]) == 1
    assert whole(output) and not traces(output)
    assert status_of(str(output)).tables["articles"].rows == 7
    with pytest.raises(UsageError, match="Nothing in the tables"):
        forget(str(output), [SECRET], NOW)


@pytest.mark.parametrize("folded", [False, True])
def test_it_does_not_come_back(inputs: Path, tmp_path: Path, folded: bool) -> None:
    """Neither its page, in whatever words, nor its words, on whatever page; other stories do."""
    output = build(inputs, tmp_path / "out")
    if folded:
        fold(store_at(str(output)), read_history(store_at(str(output))))
    forget(str(output), [SECRET], NOW)
    before = all_rows(output)
    again = [secret(), secret(text="New words on the same page, which say other things than before did.")]
    again += [secret(url="https://third.example/1")]
    again += [secret(url=f"https://{host}.example/1", text=NEAR) for host in ("near", "fourth")]
    write(inputs, "5.jsonl", again)
    summary = plain_run(plain_config(inputs, output))
    assert (summary.read, summary.known) == (5, 5) and all_rows(output) == before
    write(inputs, "6.jsonl", [story(1, url="https://copy.example/3"), story(8, url="https://copy.example/1")])
    plain_run(plain_config(inputs, output))
    assert len(all_rows(output)["articles"]) == 8 and len(all_rows(output)["duplicates"]) == 2
    rebuild_fingerprints(str(output))
    assert whole(output) and not traces(output)


@pytest.mark.engines
def test_in_an_object_store(inputs: Path, tmp_path: Path) -> None:
    here, there = str(tmp_path / "out"), "s3://news/out"
    with minio_found(tmp_path):
        for output in (here, there):
            plain_run(plain_config(inputs, output, batch={"bytes": 1}))
            assert len(forget(output, [SECRET], NOW).rows) == 4
        assert all_rows(there, delta=True) == all_rows(here) and not verify_warehouse(there).problems


def test_readers_of_delta_may_filter(inputs: Path, tmp_path: Path) -> None:
    """By any column: statistics of some must not rule out rows by the others."""
    rows = table_at(store_at(str(build(inputs, tmp_path / "out"))), TABLES["articles"]).to_pyarrow_dataset()
    assert rows.to_table(filter=ds.field("title") == "Story 2").num_rows == 1


def test_a_copy_alone(inputs: Path, tmp_path: Path) -> None:
    output = build(inputs, tmp_path / "out")
    (copy,) = [row for row in forgetting.find(str(output), ["https://copy.example/1"])]
    forget(str(output), [copy.article_id[:12]], NOW)
    rows = all_rows(output)
    assert len(rows["articles"]) == 9 and len(rows["duplicates"]) == 2 and whole(output)


def test_cut_off_at_any_step(saboteur: Saboteur, inputs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Started again, or finished by the next run: either nothing was forgotten or all of it. Every step in the soak."""
    first = build(inputs, tmp_path / "first")
    before = all_rows(first)
    output = shutil.copytree(first, tmp_path / "whole")
    saboteur.arm(-1, False)
    forget(str(output), [SECRET], NOW)
    steps, expected = saboteur.count, all_rows(output)
    assert steps > 15
    crashes = [(fatal, after) for fatal in range(1, steps + 1) for after in (False, True)]
    if not request.config.getoption("--soak"):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        crashes = random.Random(seed).sample(crashes, 6)
    for fatal, after in crashes:
        output = shutil.copytree(first, tmp_path / f"{fatal}{after}")
        saboteur.arm(fatal, after)
        with suppress(Crash):
            forget(str(output), [SECRET], NOW)
        saboteur.arm(-1, False)
        found = verify_warehouse(str(output)).problems
        assert all("it finishes batch" in one.cure for one in found), (fatal, after, found)
        build(inputs, output)
        assert all_rows(output) in (before, expected), (fatal, after)
        assert whole(output), (fatal, after)
        if all_rows(output) == before:
            forget(str(output), [SECRET], NOW)
        assert all_rows(output) == expected, (fatal, after)


def test_others_come_first(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is committed meanwhile goes too; and the lock of another process is no hindrance."""
    output = build(inputs, tmp_path / "out")
    late = iter([secret(url="https://late.example/1")])

    def slow(store: object, entry: object) -> bool:
        for row in late:
            write(inputs, "late.jsonl", [row])
            monkeypatch.setattr("pipeline.warehouse.append", append)
            build(inputs, output)
            monkeypatch.setattr("pipeline.warehouse.append", slow)
        return append(store, entry)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.warehouse.append", slow)
    assert len(forget(str(output), [SECRET], NOW).rows) == 5
    assert whole(output) and not traces(output)


def test_under_anothers_lock(inputs: Path, tmp_path: Path) -> None:
    output = build(inputs, tmp_path / "out")
    with held(store_at(str(output))):
        done: Forgotten = forget(str(output), [SECRET], NOW)
    assert not done.cleaned and whole(output)
    assert {Path(path).parent.name for path in traces(output)} == {"fingerprints"}
    fold(store_at(str(output)), read_history(store_at(str(output))))
    build(inputs, output)
    assert whole(output)


def test_beside_a_running_watch(tmp_path: Path) -> None:
    rows = list(stories(43, 300))
    process = watch(tmp_path, "--set", "watch.quiet=0", "--set", "watch.commit_every=0")
    output = str(tmp_path / "out")
    for part in range(6):
        (tmp_path / f"in/{part}.jsonl").write_text(lines(rows[part * 50 : part * 50 + 50]))
        if part == 2:
            wait_for(process, lambda: records(tmp_path) >= 50)
            asked = newsbeam("forget", "--output", output, str(rows[0]["url"]), status=2)
            assert "--yes" in asked.stderr
            said = newsbeam("forget", "--output", output, str(rows[0]["url"]), "--yes", "--json")
            gone = {row["article_id"] for row in json.loads(said.stdout)["rows"]}
            assert gone and "go with its next snapshot" in said.stderr
        time.sleep(0.5)
    os.utime(tmp_path / "in/0.jsonl")  # is read again
    wait_for(process, lambda: records(tmp_path) == 350)
    drain(process)
    newsbeam("verify", "--output", output)
    kept = all_rows(Path(output))
    assert kept == all_rows(Path(output), delta=True)
    assert not [row for name in kept for row in kept[name] if any(id in row for id in gone)]
