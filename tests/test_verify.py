"""`verify`: a clean warehouse has no finding, and every damage has its own."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pipeline import log
from pipeline.checks_log import read_log
from pipeline.lock import held
from pipeline.log import STAGING
from pipeline.verify import Findings, verify_warehouse
from pipeline.warehouse import open_warehouse
from tests.damage import (
    ARTICLE,
    COPIES,
    COPY,
    FINGERPRINTS,
    INDEX,
    LETTER,
    NAMES,
    REVISION,
    RUN,
    Damage,
    as_article,
    both,
    copied,
    delta,
    edit_json,
    entities,
    entry,
    file_of,
    index,
    other_canonical,
    remove,
    repeat_first,
    rows,
    scribble,
    truncate,
    values,
    write,
)
from tests.plain import plain_config, plain_run
from tests.warehouses import BATCHES, FIRST, add, article, snapshot_of, staged
from transforms.files import LocalStore, store_at
from transforms.identity import article_id, content_hash

GONE = "0" * 31 + "1"


def copy_of(warehouse: Path, to: Path) -> Path:
    return Path(shutil.copytree(warehouse, to / "damaged"))


OTHER = content_hash("The year in numbers", "It had 366 days.")
SAME_LETTER = BATCHES[0][4].letter
assert SAME_LETTER

DAMAGES: dict[str, tuple[Damage, list[str]]] = {
    # the log and what is derived from it
    "other format": (write("_newsbeam/format.json", b'{"format": 99}'), ["says format 99"]),
    "no format": (write("_newsbeam/format.json", b"{"), ["format.json cannot be read"]),
    "an entry is missing": (remove(log.entry_name(2)), ["Log entry 2 is missing"]),
    "the first entry is missing": (remove(log.entry_name(1)), ["Log entry 1 is missing"]),
    "the last entry is missing": (remove(log.entry_name(3)), ["The log ends at 2, but the tables have batch 3"]),
    "an entry is broken": (write(log.entry_name(2), b'{"number": 2'), ["000000000002.json cannot be read"]),
    "an entry lacks a field": (entry(2, lambda one: one.pop("files")), ["000000000002.json cannot be read"]),
    "an entry has another number": (entry(2, lambda one: one.update(number=7)), ["it says that it is entry 7"]),
    "an entry has another format": (entry(2, lambda one: one.update(format=9)), ["it has format 9"]),
    "something else among the entries": (write("_newsbeam/log/notes.txt", b""), ["notes.txt is no log entry"]),
    "outcomes": (
        entry(1, lambda one: one["run"].update(known=5)),
        ["outcomes 10 instead of 5", "differs from the log"],
    ),
    "pieces": (entry(1, lambda one: one["pieces"][0].update(records=4)), ["records of its pieces 4 instead of 5"]),
    "topics": (entry(1, lambda one: one["topics"].update(sport=2)), ["articles by topic"]),
    "index rows": (entry(1, lambda one: one.update(index_rows=3)), ["index rows 3 instead of 7", "7 rows where"]),
    "pieces overlap": (
        entry(2, lambda one: one["pieces"][0].update(input="in/1.jsonl", first=2, offset=200)),
        ["Twice in the ledger's records of in/1.jsonl"],
    ),
    "a piece is lacking": (
        entry(2, lambda one: one["pieces"][0].update(first=2, offset=200)),
        ["A gap in the ledger's records of in/2.jsonl"],
    ),
    # files
    "a file is missing": (remove(ARTICLE), [f"{ARTICLE} is missing: 1 row."]),
    "a file is cut short": (truncate(ARTICLE), ["has 1,000 bytes", "cannot be read"]),
    "a file is scribbled on": (scribble(COPY), [f"{COPY} cannot be read"]),
    "a file of no batch": (copied(ARTICLE, "articles/date=2026-01-30/x.parquet"), ["1 file of no batch"]),
    "a file in another folder": (copied(COPY, "entities/x.parquet"), ["1 file of no batch"]),
    "a column is lacking": (rows(COPY, lambda table: table.drop_columns(["wire"])), ["other columns than duplicates"]),
    "columns in another order": (
        rows(COPY, lambda table: table.select(table.column_names[::-1])),
        ["another order, or other types"],
    ),
    "more rows than the log says": (
        both(rows(COPY, repeat_first), entry(1, lambda one: file_of(one, COPY).update(rows=1))),
        ["2 rows where the log says 1", "other rows, sizes"],
    ),
    # fingerprints
    "fingerprints are missing": (remove(FINGERPRINTS), [f"{FINGERPRINTS} is missing."]),
    "fingerprints are scribbled on": (truncate(FINGERPRINTS), [f"{FINGERPRINTS} cannot be read"]),
    "fingerprints twice": (rows(FINGERPRINTS, repeat_first), ["rows where the log says"]),
    "fingerprints of no article": (
        values(FINGERPRINTS, article_id=b"\0" * 16),
        ["The fingerprints of 1 row fit no article"],
    ),
    "fingerprints in another place": (
        values(FINGERPRINTS, place="date=2026-01-30/topic=health"),
        ["The fingerprints of 1 row fit no article"],
    ),
    # Delta and runs
    "Delta lacks a commit": (
        remove("articles/_delta_log/00000000000000000003.json"),
        ["articles/_delta_log lacks 2 files", "stands at batch 2 instead of 3"],
    ),
    "Delta is not there": (lambda root: shutil.rmtree(root / "entities/_delta_log"), ["_delta_log cannot be read"]),
    "Delta is broken": (
        write("duplicates/_delta_log/00000000000000000001.json", b"{"),
        ["duplicates/_delta_log cannot be read"],
    ),
    "Delta has another size": (
        delta("articles", 1, lambda lines: lines[1]["add"].update(size=5)),
        ["articles/_delta_log has other rows, sizes or partitions"],
    ),
    "Delta has another partition": (
        delta("articles", 1, lambda lines: lines[1]["add"]["partitionValues"].update(topic="sport")),
        ["articles/_delta_log has other rows, sizes or partitions"],
    ),
    "Delta has another file": (
        delta(
            "articles", 3, lambda lines: lines.append({"add": lines[1]["add"] | {"path": "date=2026-01-30/x.parquet"}})
        ),
        ["articles/_delta_log has 1 file of no batch"],
    ),
    "a run is told otherwise": (values(RUN, read=9), ["read 9 instead of 5"]),
    "a run stands twice": (copied(RUN, "runs/date=2026-01-31/x.parquet"), ["1 file of no batch", "batches twice: 1"]),
    "a run of no batch": (
        both(
            copied(RUN, "runs/date=2026-01-31/x.parquet"),
            index(lambda t: t.set_column(0, "batch", [[77]]), "runs/date=2026-01-31/x.parquet"),
        ),
        ["1 file of no batch", "never committed: 000000000077"],
    ),
    "a run under another number": (
        values(RUN, batch=77),
        ["`runs` lacks batches: 1", "never committed: 000000000077"],
    ),
    "runs are broken": (truncate(RUN), ["has 1,000 bytes", "cannot be read"]),
    # rows
    "other words": (values(ARTICLE, title="Another"), ["content_hash is not that of title and body", "a name's text"]),
    "another identity": (
        values(ARTICLE, identity="x"),
        ["article_id is not that of identity", "The index does not say"],
    ),
    "no id": (values(ARTICLE, article_id="x"), ["cannot be read: non-hexadecimal"]),
    "no title": (values(ARTICLE, title=None), ["no value in title"]),
    "another day": (
        values(ARTICLE, published_at=BATCHES[2][1].published_at),
        ["published_at does not fit", "entities/date=2026-01-30/topic=politics does not have the names"],
    ),
    "another batch": (
        values(ARTICLE, batch=2),
        ["batch is not that of the file", "does not have the names", "The index does not say"],
    ),
    "no topic": (values(ARTICLE, topic_source=None), ["topic_source does not fit"]),
    "no words": (values(ARTICLE, word_count=0), ["word_count cannot be right"]),
    "too many words": (values(ARTICLE, word_count=9_999), ["word_count cannot be right"]),
    "a name elsewhere": (entities(text="Bda"), ["a name's text is not what stands at its place"]),
    "a name of another column": (entities(field="summary"), ["a name's text", "does not have the names"]),
    "a name of another kind": (entities(label="ORG"), ["does not have the names that the articles hold"]),
    "a name is lacking": (
        rows(NAMES, lambda table: table.slice(1)),
        ["does not have the names that the articles hold"],
    ),
    "a name stands twice": (rows(NAMES, repeat_first), ["does not have the names that the articles hold"]),
    "mentions": (values(NAMES, mentions=9), ["does not have the names that the articles hold"]),
    "an article revises nothing": (values(REVISION, revises=GONE), ["revises an article that is not there"]),
    "an article stands twice": (
        rows(ARTICLE, repeat_first),
        ["counts of batch 1 do not add up", "does not have the names", "stands twice in articles", "The index"],
    ),
    "a copy of nothing": (values(COPY, duplicate_of=GONE), ["copy of an article that is not there", "The index"]),
    "a copy of a copy": (
        values(COPY, duplicate_of=article_id("https://copy.example/1", OTHER)),
        ["copy is a copy of a copy", "The index"],
    ),
    "a copy that is kept": (
        values(COPY, **as_article(FIRST)),
        ["stands in articles and in duplicates", "is a copy of a copy", "revises an article that is not", "The index"],
    ),
    "a copy that stands twice": (
        values(COPIES, **as_article(BATCHES[0][2])),
        ["stands twice in duplicates", "The index"],
    ),
    "similarity": (values(COPY, similarity=7.0), ["similarity cannot be right"]),
    "letters with one id": (
        values("dead_letters/date=2026-01-31/000000000002.parquet", letter_id=SAME_LETTER.letter_id),
        ["letter_id stands twice"],
    ),
    "a letter of another class": (values(LETTER, error_class="Other"), ["Batch 1 has dead letters {'Other': 1}"]),
    "a letter cut short": (values(LETTER, raw=b"x"), ["raw, raw_size and raw_truncated do not fit"]),
    # the index
    "the index is missing": (remove(INDEX), [f"{INDEX} is missing"]),
    "the index is broken": (truncate(INDEX), [f"{INDEX} cannot be read"]),
    "the index lacks a row": (index(lambda table: table.slice(1)), ["has 6 rows where the log says 7"]),
    "the index is not sorted": (index(lambda table: table.take(list(range(7))[::-1])), ["is not sorted by key"]),
    "the index says otherwise": (index(other_canonical), ["The index does not say of 1 article what the tables say"]),
}

SNAPSHOT = "_newsbeam/snapshots/000000000002"
PART = "_newsbeam/fingerprints/000000000002-v1-00000"


def other_keys(root: Path) -> None:
    """The same but for one bit of a key."""
    path = root / f"{PART}.keys.arrow"
    table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()
    keys = table["key"].to_numpy().copy()
    keys[0] ^= 1
    table = table.set_column(0, table.schema.field("key"), pa.array(keys))
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


FOLDED: dict[str, tuple[Damage, list[str]]] = {
    "the manifest is broken": (write(f"{SNAPSHOT}.json", b"{"), ["000000000002.json cannot be read"]),
    "the manifest names another": (
        lambda root: edit_json(root, f"{SNAPSHOT}.json", lambda value: value.update(number=1)),
        ["it names another number"],
    ),
    "the log is missing": (remove(f"{SNAPSHOT}-log.parquet"), ["000000000002-log.parquet is missing"]),
    "the log lacks an entry": (index(lambda t: t.slice(1), f"{SNAPSHOT}-log.parquet"), ["entry 1 is not where"]),
    "the log ends early": (index(lambda t: t.slice(0, 1), f"{SNAPSHOT}-log.parquet"), ["its entries end at 1"]),
    "the ledger is missing": (remove(f"{SNAPSHOT}-ledger.parquet"), ["000000000002-ledger.parquet is missing"]),
    "the ledger lacks an input": (
        index(lambda t: t.slice(1), f"{SNAPSHOT}-ledger.parquet"),
        ["000000000002-ledger.parquet holds"],
    ),
    "the ledger has another key": (
        index(lambda t: t.set_column(0, "key", pa.array([1, 2], pa.uint64())), f"{SNAPSHOT}-ledger.parquet"),
        ["stand under a wrong key", "stand under a wrong key"],
    ),
    "the feeds are missing": (remove(f"{SNAPSHOT}-feeds.parquet"), ["000000000002-feeds.parquet is missing"]),
    "fingerprints are missing": (remove(f"{PART}.arrow"), ["000000000002-v1-00000.arrow is missing"]),
    "fingerprints are cut short": (truncate(f"{PART}.arrow"), ["000000000002-v1-00000.arrow cannot be read"]),
    "their keys are missing": (remove(f"{PART}.keys.arrow"), ["000000000002-v1-00000.keys.arrow is missing"]),
    "their keys are others": (other_keys, ["000000000002-v1-00000.keys.arrow has other keys than"]),
    "the index is missing": (remove(f"{SNAPSHOT}-index.parquet"), ["000000000002-index.parquet is missing"]),
    "the index says otherwise": (index(other_canonical, f"{SNAPSHOT}-index.parquet"), ["The index does not say"]),
}


def contains(fragment: str, text: str) -> bool:
    return fragment in text


def expect(findings: Findings, fragments: list[str]) -> None:
    told = [finding.what for finding in findings.problems]
    assert len(told) == len(fragments), told
    assert any(all(map(contains, fragments, order)) for order in permutations(told)), told
    assert all(one.cure.endswith(".") and one.what.endswith(".") for one in findings.problems)


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_found(name: str, sample: Path, tmp_path: Path) -> None:
    damage, fragments = DAMAGES[name]
    root = copy_of(sample, tmp_path)
    damage(root)
    expect(verify_warehouse(str(root)), fragments)


@pytest.mark.parametrize("name", FOLDED)
def test_every_damage_of_a_snapshot_is_found(name: str, folded: Path, tmp_path: Path) -> None:
    damage, fragments = FOLDED[name]
    root = copy_of(folded, tmp_path)
    damage(root)
    expect(verify_warehouse(str(root)), fragments)


def test_a_clean_warehouse_has_no_finding_and_stays_as_it_is(sample: Path, folded: Path) -> None:
    for root in (sample, folded):
        before = snapshot_of(root)
        findings = verify_warehouse(str(root))
        assert findings.problems == [] and findings.notes == []
        assert findings.checked == "3 batches, 7 articles, 3 copies, 2 dead letters in 18 files"
        assert snapshot_of(root) == before


def test_an_empty_warehouse_is_clean(tmp_path: Path) -> None:
    open_warehouse(str(tmp_path))
    assert verify_warehouse(str(tmp_path)).problems == []


@pytest.fixture
def unfinished(sample: Path, tmp_path: Path) -> Iterator[Path]:
    """A warehouse whose fourth batch is committed, and nothing more of it was done."""
    root = copy_of(sample, tmp_path)
    warehouse = open_warehouse(str(root))
    batch = staged(warehouse, [article("https://late.example/1", "Late", "It came late.", "2026-02-01T05:00")])
    assert log.append(warehouse.store, batch)
    yield root


def test_an_unfinished_batch_is_a_problem_that_the_next_run_solves(unfinished: Path) -> None:
    findings = verify_warehouse(str(unfinished))
    expect(findings, ["Batch 4 is committed but not yet in the tables"])
    assert findings.problems[0].cure == "Run `newsbeam run …` again: it finishes batch 4."
    open_warehouse(str(unfinished))
    assert verify_warehouse(str(unfinished)).problems == []


def test_a_batch_that_a_live_process_is_committing_is_no_problem(unfinished: Path) -> None:
    with held(store_at(str(unfinished))):
        findings = verify_warehouse(str(unfinished))
    assert findings.problems == []
    assert "is at work" in findings.notes[0]


def test_an_unfinished_batch_that_lost_a_file_cannot_be_finished(unfinished: Path) -> None:
    next((unfinished / STAGING).rglob("articles/**/*.parquet")).unlink()
    expect(verify_warehouse(str(unfinished)), ["Batch 4 is committed but cannot be finished"])


def test_a_batch_cut_off_at_its_last_step_is_unfinished(sample: Path, tmp_path: Path) -> None:
    root = copy_of(sample, tmp_path)
    (root / "runs/_delta_log/00000000000000000003.json").unlink()
    expect(verify_warehouse(str(root)), ["Batch 3 is committed but not yet in the tables"])
    open_warehouse(str(root))
    assert verify_warehouse(str(root)).problems == []


def test_what_dead_processes_left_is_harmless(sample: Path, tmp_path: Path) -> None:
    root = copy_of(sample, tmp_path)
    warehouse = open_warehouse(str(root))
    batch = staged(warehouse, [article("https://lost.example/1", "Lost", "It was never committed.")])
    host, _, rest = batch.token.rpartition("_")[0].rpartition("_")
    dead = f"{host}_{2**22 + int(rest)}_0"
    os.rename(root / STAGING / batch.token, root / STAGING / dead)
    (root / "_newsbeam/log/.000000000004.json.draft").write_text("{")
    findings = verify_warehouse(str(root))
    assert findings.problems == []
    assert [note.split(":")[0] for note in findings.notes] == [
        "1 unfinished batch of processes that are gone",
        "1 hidden file in _newsbeam, of writes that were cut off; they may be removed.",
    ]


def test_a_gap_in_an_input_that_changed_is_none(sample: Path, tmp_path: Path) -> None:
    root = copy_of(sample, tmp_path)
    edit_json(root, log.entry_name(2), lambda one: one["pieces"][0].update(first=2, offset=200))
    edit_json(root, log.entry_name(2), lambda one: one.update(changed=["in/2.jsonl"]))
    assert verify_warehouse(str(root)).problems == []


def test_batches_that_come_while_it_reads_are_no_findings(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy_of(sample, tmp_path)

    def then_one_more(store: Any) -> Any:
        found = read_log(store)
        add(root, [article(f"https://new.example/{found[0].position}", "New", f"Number {found[0].position}.")])
        return found

    monkeypatch.setattr("pipeline.verify.read_log", then_one_more)
    assert verify_warehouse(str(root)).problems == []


def test_delta_logs_can_be_made_anew_as_the_cure_says(sample: Path, tmp_path: Path) -> None:
    root = copy_of(sample, tmp_path)
    (root / "articles/_delta_log/00000000000000000003.json").unlink()
    findings = verify_warehouse(str(root))
    assert "Remove the folder `_delta_log` of every table" in findings.problems[0].cure
    for path in root.glob("*/_delta_log"):
        shutil.rmtree(path)
    open_warehouse(str(root))
    assert verify_warehouse(str(root)).problems == []


class Cut(BaseException):
    """The process is gone."""


def cut_off_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process before it changes the disk for the step-th time."""
    left = [step]

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
            return method(*args, **named)

        return call

    for owner, name in [(LocalStore, name) for name in ("create", "write", "move", "remove")]:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    monkeypatch.setattr(DeltaTable, "create_write_transaction", watched(DeltaTable.create_write_transaction))


def test_a_commit_and_a_fold_cut_off_anywhere_leave_nothing_but_an_unfinished_batch(
    folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.warehouse.fold_due", lambda history: True)
    step, done = 0, False
    while not done:
        root = Path(shutil.copytree(folded, tmp_path / str(step)))
        warehouse = open_warehouse(str(root))
        batch = staged(warehouse, [article("https://late.example/1", "Late", "It came late.", "2026-02-01T05:00")])
        with monkeypatch.context() as patch:
            cut_off_at(step, patch)
            try:
                done = warehouse.commit(batch)
            except Cut:
                step += 1
        told = [finding.what for finding in verify_warehouse(str(root)).problems]
        assert told in ([], ["Batch 4 is committed but not yet in the tables: whoever wrote it was cut off."])
        open_warehouse(str(root))
        assert verify_warehouse(str(root)).problems == []
    assert step > 10


def test_ids_that_end_in_zeros(tmp_path: Path) -> None:
    """numpy drops zeros at the end of bytes; one id in 256 has one."""
    body = "Nine barges were moved before the flood, the harbour master said."
    content = content_hash("Barges", body)
    urls = (f"https://daily.example/{number}" for number in count())
    url = next(url for url in urls if article_id(url, content).endswith("00"))
    rows = [{"url": url, "date": "2026-01-01"}, {"url": "https://other.example/1", "date": "2026-01-02"}]
    lines = [json.dumps({"title": "Barges", "text": body, **row}) + "\n" for row in rows]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    assert plain_run(plain_config(tmp_path, tmp_path / "out", "a.jsonl")).duplicates == 1
    assert not verify_warehouse(str(tmp_path / "out")).problems
