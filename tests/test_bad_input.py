"""Bad input loses only itself, and says so: each kind is caused here."""

import bz2
import gzip
import json
import lzma
import os
import random
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import zstandard

from pipeline.run import Summary
from tests.command import newsbeam
from tests.make_seeds import columns, warc
from tests.plain import plain_config, plain_run
from tests.test_archives import tar, zipped
from tests.test_documents import as_arrow, as_parquet
from transforms.files import LocalStore

WORDS = "The harbour at Calder was closed on Monday after a crane fell into the water, the council said."


def line(number: int, **more: object) -> bytes:
    return json.dumps({"title": f"Report {number}", "text": f"{WORDS} Number {number}.", **more}).encode() + b"\n"


LINES = b"".join(map(line, range(600)))
NOISE = random.Random(1).randbytes(50_000)
DENSE = b"".join(line(number, noise=random.Random(number).randbytes(500).hex()) for number in range(2_000))

CASES: list[tuple[str, bytes, int, dict[str, int]]] = [
    ("empty.jsonl", b"", 0, {"EmptyFile": 1}),
    ("empty.txt", b"", 0, {"EmptyFile": 1}),
    ("blank.txt", b"\n \n", 0, {"EmptyFile": 1}),
    ("junk.jsonl", NOISE, 0, {"BinaryFile": 1}),
    ("junk.txt", NOISE, 0, {"BinaryFile": 1}),
    ("junk.gz", gzip.compress(NOISE), 0, {"BinaryFile": 1}),
    ("page.html", b"<html><body><p></p></body></html>", 0, {"NoText": 1}),
    ("badline.jsonl", line(1) + b'{"title": \n' + line(2), 2, {"InvalidJson": 1}),
    ("array.jsonl", line(1) + b"[1, 2]\n" + line(2), 2, {"NotAnObject": 1}),
    ("deep.jsonl", line(1) + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n" + line(2), 2, {"TooDeep": 1}),
    ("nothing.jsonl", line(1) + b'{"title": "", "text": null}\n', 1, {"NoText": 1}),
    ("latin.jsonl", line(1) + '{"title": "Café", "text": "Un café à Paris était fermé."}\n'.encode("latin-1"), 2, {}),
    ("surrogate.jsonl", b'{"title": "A \\ud800 b", "text": "Words and words."}\n', 1, {}),
    ("nan.jsonl", b'{"title": "A title", "text": "Words and words.", "score": NaN}\n' + line(3), 2, {}),
    ("cut.jsonl.gz", gzip.compress(LINES)[:-2000], -1, {"BrokenFile": 1}),
    ("cut.jsonl.bz2", bz2.compress(DENSE)[:-2000], -1, {"BrokenFile": 1}),
    ("cut.jsonl.zst", zstandard.compress(DENSE)[:-2000], -1, {"BrokenFile": 1}),
    ("damaged.jsonl.gz", gzip.compress(LINES)[:9000] + b"????" + gzip.compress(LINES)[9004:], -1, {"BrokenFile": 1}),
    ("onlyhead.jsonl.gz", gzip.compress(LINES)[:8], 0, {"BrokenFile": 1}),
    ("cut.jsonl.xz", lzma.compress(DENSE)[:-2000], -1, {"BrokenFile": 1}),
    ("cut.json", b"[" + line(1) + b"," + line(2) + b',{"title": "Rep', 2, {"BrokenFile": 1}),
    ("deep.json", b"[" + line(1) + b"," + b"[" * 100_000 + b"]" * 100_000 + b"," + line(2) + b"]", 2, {"TooDeep": 1}),
    (
        "ragged.csv",
        b'title,text\nOne,"Wet,\nand cold"\nTwo,Dry,too,many\nThree,"Open\n',
        1,
        {"RaggedRow": 1, "InvalidCsv": 1},
    ),
    ("footer.parquet", as_parquet(columns())[:-12] + b"????????PAR1", 0, {"BrokenFile": 1}),
    ("foreign.parquet", as_parquet(pa.table({"kopf": ["Dach", "Bad"]})), 0, {"NoText": 2}),
    ("cut.arrow", as_arrow(columns())[:-40], 0, {"BrokenFile": 1}),
    ("cut.warc", warc()[2] + warc()[2][:-100], 1, {"ClippedRecord": 1}),
    ("cut.tar", tar({"good.jsonl": line(1)})[:600], 0, {"BrokenFile": 2}),
    ("nested.zip", zipped({"a.zip": zipped({"a.jsonl": line(1)})}), 0, {"NestedArchive": 1}),
]


def articles(output: Path) -> list[dict[str, Any]]:
    files = sorted(map(str, output.glob("articles/date=*/topic=*/*.parquet")))
    return ds.dataset(files).to_table().to_pylist() if files else []


@pytest.mark.parametrize(("name", "data", "kept", "dead"), CASES, ids=[case[0] for case in CASES])
def test_only_itself_is_lost(name: str, data: bytes, kept: int, dead: dict[str, int], tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / name).write_bytes(data)
    (root / "good.jsonl").write_bytes(line(9_999))
    summary = plain_run(plain_config(root, tmp_path / "out"))
    assert summary.dead_by_class == dead
    assert summary.read == summary.unique + summary.duplicates + summary.known + summary.dead
    others = [article for article in articles(tmp_path / "out") if article["input"] == name]
    if kept >= 0:
        assert len(others) == kept
    else:  # all whole lines before the break
        assert 0 < summary.read - 1 - summary.dead <= 2_000
    assert plain_run(plain_config(root, tmp_path / "out")).batches == 0


def test_lines_before_a_break_are_all_kept(tmp_path: Path) -> None:
    whole = gzip.compress(LINES, mtime=0)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    plain_run(plain_config(tmp_path / "in", tmp_path / "out"))
    unpacked = b""
    try:
        with gzip.open(tmp_path / "in/cut.jsonl.gz") as file:
            while data := file.read1(1000):
                unpacked += data
    except EOFError:
        pass
    assert len(articles(tmp_path / "out")) == unpacked.count(b"\n") > 100


def test_a_line_of_200_mb(tmp_path: Path) -> None:
    """It becomes a letter, in bounded memory, plain and compressed."""
    (tmp_path / "in").mkdir()
    with (tmp_path / "in/a.jsonl").open("wb") as plain, gzip.open(tmp_path / "in/b.jsonl.gz", "wb", 1) as packed:
        for file in (plain, packed):
            file.write(line(1) + b'{"title": "Long", "text": "')
            for _ in range(200):
                file.write(b"word " * 200_000)
            file.write(b'"}\n' + line(2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    summary = plain_run(plain_config(tmp_path / "in", tmp_path / "out"))
    assert (summary.unique, summary.duplicates, summary.dead_by_class) == (2, 2, {"RecordTooLong": 2})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000  # KB
    letters = ds.dataset(sorted(map(str, (tmp_path / "out").glob("dead_letters/*/*.parquet")))).to_table().to_pylist()
    assert [(row["raw_truncated"], len(row["raw"]), row["raw_size"] > 200_000_000) for row in letters] == [
        (True, 1_000_000, True)
    ] * 2


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.jsonl").write_bytes(LINES)
    config = plain_config(root, tmp_path / "out", batch={"bytes": 1})
    original: Callable[..., bytes] = LocalStore.read
    seen = []

    def read(self: LocalStore, name: str, *more: Any) -> bytes:
        data = original(self, name, *more)
        if name.endswith("a.jsonl"):
            seen.append(name)
            if len(seen) == 2:
                with (root / "a.jsonl").open("ab") as file:
                    file.write(line(600))
        return data

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "read", read)
        first = plain_run(config)
    assert first.changed == ["a.jsonl"] and first.unique == 256
    second = plain_run(config)
    assert (second.read, second.known, second.unique) == (601, 256, 345)


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a", "b"):
        (root / f"{name}.jsonl").write_bytes(line(ord(name)))
    original = LocalStore.open

    def refuse(self: LocalStore, name: str) -> Any:
        if name == "a.jsonl":
            raise PermissionError(13, "Permission denied")
        return original(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "open", refuse)
        summary = plain_run(plain_config(root, tmp_path / "out"))
    assert summary.unreadable == {"a.jsonl": "Permission denied"} and summary.unique == 1
    assert plain_run(plain_config(root, tmp_path / "out")) == Summary(
        batches=1, read=1, unique=1, topics={"unclassified": 1}
    )


def test_no_gap_is_left_by_an_input_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its later chunks in the batch are left out too, even those read before: a ledger with a gap reads twice."""
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.jsonl").write_bytes(LINES)
    (root / "b.jsonl").write_bytes(line(1000))
    config = plain_config(root, tmp_path / "out")
    original: Callable[..., Any] = LocalStore.info
    asked = []

    def info(self: LocalStore, name: str) -> Any:
        found = original(self, name)
        asked.append(name)
        is_second_chunk = name == "a.jsonl" and asked.count(name) > 5
        return found._replace(version="other") if is_second_chunk and asked.count(name) == 7 else found

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "info", info)
        summary = plain_run(config)
    assert summary.changed == ["a.jsonl"] and summary.unique == 1
    assert plain_run(config).unique == 600


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.jsonl")).write_bytes(line(1))
    (tmp_path / "in/b.jsonl").write_bytes(line(2))
    summary = plain_run(plain_config(tmp_path / "in", tmp_path / "out"))
    assert summary.unique == 1 and "rename it" in summary.unreadable["'\\udcff.jsonl'"]


def test_a_pipe_in_the_folder_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in/pipe.jsonl")
    (tmp_path / "in/a.jsonl").write_bytes(line(1))
    assert plain_run(plain_config(tmp_path / "in", tmp_path / "out")).unique == 1


def test_what_a_user_gets_wrong(tmp_path: Path) -> None:
    """One sentence that names the cure, and the right exit status."""
    good = tmp_path / "good.jsonl"
    good.write_bytes(line(1))
    typo = tmp_path / "typo.yaml"
    typo.write_text("input: good.jsonl\noutpt: out\n")
    twice = tmp_path / "twice.yaml"
    twice.write_text("input: a\ninput: b\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text("input: [a\n")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    (strangers / "thesis.doc").write_text("mine")
    model = ("--set", "models={en: no_such_model_here}")
    out = ("--output", str(tmp_path / "out"))
    cases = [
        (("run",), 2, "There is nothing to read: give --input"),
        (("run", "--input", str(good)), 2, "There is nowhere to write: give --output"),
        (("run", "--input", str(tmp_path / "absent*"), *out), 2, "no such file or folder"),
        (("run", str(tmp_path / "absent.yaml")), 2, "the configuration cannot be read"),
        (("run", str(typo)), 2, "line 2: there is no key 'outpt'; did you mean 'output'."),
        (("run", str(twice)), 2, "line 2: the key 'input' stands there twice"),
        (("run", str(broken)), 2, "is not valid YAML"),
        (("run", "--input", str(good), *out, "--set", "batch.bytes=many"), 2, "batch.bytes"),
        (("run", "--input", str(good), *out, "--runner", "Spark"), 2, "known are DirectRunner"),
        (
            ("run", "--input", str(good), *out, "--", "--direct_running_mode=multi_threading"),
            2,
            "silently loses elements",
        ),
        (("run", "--input", str(good), *out, "--now", "yesterday"), 2, "give a time such as"),
        (("run", "--input", str(good), *out, *model), 1, "pip install no_such_model_here"),
        (("run", "--input", str(good), "--output", f"{good}/out"), 1, "Not a directory"),
        (("run", "--input", str(good), "--output", "/proc/newsbeam"), 1, "/proc/newsbeam"),
        (("run", "--input", str(good), "--output", str(strangers)), 1, "holds other things (thesis.doc"),
        (("run", "--input", str(good), "--output", "gs://bucket/x"), 1, "gs:// cannot be used"),
        (("status", "--output", str(strangers)), 2, "is not a warehouse"),
        (("query", "SELECT 1"), 2, "Which warehouse?"),
    ]
    for arguments, status, sentence in cases:
        result = newsbeam(*arguments, status=status)
        assert sentence in result.stderr, (arguments, result.stderr)
        assert result.stdout == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    """What was committed stays, the rest is said in a sentence, and with room the same command goes on."""
    rows = (line(number, text=f"{WORDS} {random.Random(number).randbytes(2000).hex()}") for number in range(900))
    (tmp_path / "a.jsonl").write_bytes(b"".join(rows))
    settings = ("--set", "models.en=null", "--set", "batch.bytes=600kB")
    arguments = ("run", "--input", str(tmp_path / "a.jsonl"), "--output", str(small_disk / "out"), *settings)
    failed = newsbeam(*arguments, status=1)
    assert "No space left on device" in failed.stderr and "What was committed is safe" in failed.stderr
    kept = len(articles(small_disk / "out"))
    assert 0 <= kept < 900
    subprocess.run(["mount", "-o", "remount,size=40m", small_disk], check=True)
    newsbeam(*arguments)
    assert len(articles(small_disk / "out")) == 900
