"""Web archives: pages become articles, the rest is counted, and what is broken loses only itself."""

import gzip
import io
import tarfile
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import brotli
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import summary_text
from pipeline.run import Summary
from pipeline.status import status_of, status_text
from pipeline.verify import verify_warehouse
from tests.make_seeds import MILL, QUARRY, answer, arc, warc, warc_record
from tests.plain import plain_config, plain_run
from tests.test_formats import Dripping
from transforms.formats import arc as arc_format
from transforms.formats import http, web_archive
from transforms.formats import warc as warc_format
from transforms.formats.base import MAX_RECORD, Cut
from transforms.formats.http import body_of, read_answer, why_no_page, without_chunks

PAGE = warc_record("response", "https://a.example/1", answer(QUARRY))
SKIPPED = {"warcinfo": 1, "request": 1, "robots.txt": 1, "redirect": 1, "image": 1, "error status": 1}


def cuts_of(data: bytes, module: Any = warc_format) -> list[Cut]:
    return list(module.FORMAT.cut(io.BytesIO(data), 256))


def read(data: bytes, name: str, folder: Path) -> Summary:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_bytes(data)
    return plain_run(plain_config(folder / "in", folder / "out"))


def test_pages_are_articles_and_the_rest_is_counted(tmp_path: Path) -> None:
    summary = read(b"".join(map(gzip.compress, warc())), "crawl.warc.gz", tmp_path)
    assert (summary.read, summary.unique, summary.skipped_by_reason) == (2, 2, SKIPPED)


def test_what_is_skipped_is_told_everywhere(tmp_path: Path) -> None:
    summary = read(b"".join(warc()), "crawl.warc", tmp_path)
    output = str(tmp_path / "out")
    words = "error status 1, image 1, redirect 1, request 1, robots.txt 1, warcinfo 1"
    assert f"Skipped, since it can be no article: {words}" in summary_text(summary, output)
    status = status_of(output)
    assert status.skipped_by_reason == SKIPPED and words in status_text(status)
    (path,) = map(str, (tmp_path / "out/runs").rglob("*.parquet"))
    (row,) = pq.ParquetFile(path).read(["skipped_by_reason"]).to_pylist()
    assert {count["name"]: count["value"] for count in row["skipped_by_reason"]} == SKIPPED
    assert not verify_warehouse(output).problems


def test_cuts_follow_from_the_content(tmp_path: Path) -> None:
    data = b"".join(warc() * 30)
    cuts = list(warc_format.FORMAT.cut(io.BytesIO(data), 7))
    assert all(before.offset + before.length == after.offset for before, after in pairwise(cuts))
    assert sum(cut.length for cut in cuts) == len(data) and max(cut.records for cut in cuts) == 7
    assert sum((Counter(cut.skipped) for cut in cuts), Counter()) == {name: 30 * n for name, n in SKIPPED.items()}
    for number, cut in enumerate(cuts):
        rest = list(warc_format.FORMAT.cut(io.BytesIO(data[cut.offset :]), 7))
        assert [one.records for one in rest] == [one.records for one in cuts[number:]]


@given(
    st.lists(st.sampled_from([*warc(), b"\r\n", b"junk\n", PAGE[:200], b"WARC/1.0\r\n\r\n"]), max_size=12), st.data()
)
def test_every_byte_is_in_one_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    sizes = data.draw(st.lists(st.integers(1, 5_000), min_size=1, max_size=4))
    cuts = cuts_of(whole)
    assert cuts == list(warc_format.FORMAT.cut(Dripping(whole, sizes), 256))
    assert sum(cut.length for cut in cuts) == len(whole)
    assert [cut.offset for cut in cuts] == [sum(one.length for one in cuts[:n]) for n in range(len(cuts))]


def problems(cuts: list[Cut]) -> list[str]:
    """The records of each cut, or the problem."""
    return [cut.problem.error_class if cut.problem else str(cut.records) for cut in cuts if cut.records]


BROKEN: list[tuple[bytes, list[str]]] = [
    (PAGE + PAGE[:-200], ["1", "ClippedRecord"]),
    (PAGE + PAGE[:100], ["1", "NoRecord"]),
    (PAGE + b"\0" * 5_000 + PAGE, ["1", "NoRecord", "1"]),
    (PAGE + PAGE.replace(b"Content-Length: ", b"Content-Length: x") + PAGE, ["1", "NoRecord", "1"]),
    (PAGE + PAGE.replace(b"Content-Length: ", b"Content-Length: 9") + PAGE, ["1", "ClippedRecord"]),
    (PAGE.replace(b"Content-Length: 9", b"Content-Length: 7") + PAGE, ["1", "NoRecord", "1"]),
    (PAGE.rstrip() + PAGE, ["2"]),
    (PAGE.replace(b"\r\n", b"\n") + PAGE, ["1", "NoRecord"]),  # its length leads into the next one's header
]


@pytest.mark.parametrize(("data", "expected"), BROKEN)
def test_what_is_broken_loses_only_itself(data: bytes, expected: list[str]) -> None:
    assert problems(cuts_of(data)) == expected


def test_records_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    film = warc_record("response", "https://a.example/f", answer("x" * 3_000_000, "video/mp4"))
    assert [(cut.records, cut.skipped) for cut in cuts_of(PAGE + film + PAGE)] == [(1, {}), (0, {"film": 1}), (1, {})]
    with monkeypatch.context() as patch:
        patch.setattr(web_archive, "MAX_RECORD", 1_000_000)
        assert problems(cuts_of(PAGE + film.replace(b"video/mp4", b"text/html") + PAGE)) == ["1", "RecordTooLong", "1"]
        assert [cut.records for cut in cuts_of(film)] == [0]


def test_a_page_that_unpacks_to_too_much(tmp_path: Path) -> None:
    bomb = gzip.compress(b"<html><body>" + b"<p>word " * 4_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
    summary = read(warc_record("response", "https://a.example/b", head + bomb) + PAGE, "a.warc", tmp_path)
    assert (summary.unique, summary.dead_by_class) == (1, {"RecordTooLong": 1})


def test_arc(tmp_path: Path) -> None:
    data = arc()
    assert read(data, "a.arc", tmp_path).skipped_by_reason == {"filedesc": 1}
    assert problems(cuts_of(data + data[-300:] + data, arc_format)) == ["1", "NoRecord", "1"]
    assert problems(cuts_of(data[:-50], arc_format)) == ["ClippedRecord"]


CODED = {
    "gzip": gzip.compress(MILL.encode()),
    "x-gzip": gzip.compress(MILL.encode()),
    "deflate": zlib.compress(MILL.encode()),
    "br": brotli.compress(MILL.encode()),
    "": MILL.encode(),
    "identity": MILL.encode(),
    "unheard-of": MILL.encode(),
}


@pytest.mark.parametrize("coding", CODED)
def test_bodies(coding: str) -> None:
    block = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n".encode() + CODED[coding]
    found = read_answer(block)
    assert found and body_of(found, block) == (MILL.encode(), None)
    unpacked = block.replace(CODED[coding], MILL.encode())
    assert body_of(found, unpacked)[0] == MILL.encode()  # announced, but not so: archives often keep it
    if coding in ("gzip", "deflate", "br"):
        body, note = body_of(found, block[:-40])
        assert MILL.encode().startswith(body) and note == "the page's compression ends early"


def test_raw_deflate() -> None:
    packer = zlib.compressobj(wbits=-15)
    block = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + packer.compress(MILL.encode()) + packer.flush()
    found = read_answer(block)
    assert found and body_of(found, block) == (MILL.encode(), None)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_chunks(parts: list[bytes]) -> None:
    chunked = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
    assert without_chunks(chunked + b"0\r\n\r\n") == b"".join(parts)
    assert without_chunks(chunked) == b"".join(parts)


@given(st.binary(max_size=200))
def test_any_answer(block: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        if found := read_answer(start + block):
            assert len(body_of(found, start + block)[0]) <= MAX_RECORD


WHY: list[tuple[int, str, str, bytes, str | None]] = [
    (200, "text/html", "https://a.example/", b"<p>", None),
    (200, "application/xhtml+xml", "https://a.example/", b"<p>", None),
    (200, "", "https://a.example/", b" <!DOCTYPE html><p>", None),
    (200, "", "https://a.example/", b"GIF89a", "other media type"),
    (200, "text/html", "https://a.example/robots.txt", b"User-agent", "robots.txt"),
    (302, "text/html", "https://a.example/", b"<p>", "redirect"),
    (503, "text/html", "https://a.example/", b"<p>", "error status"),
    (204, "text/html", "https://a.example/", b"", "error status"),
    (200, "text/html", "https://a.example/", b"", "empty"),
    (200, "image/webp", "https://a.example/", b"x", "image"),
    (200, "text/css", "https://a.example/", b"x", "style sheet"),
    (200, "application/atom+xml", "https://a.example/", b"x", "feed or XML"),
    (200, "application/zip", "https://a.example/", b"x", "other media type"),
]


@pytest.mark.parametrize(("status", "kind", "address", "body", "expected"), WHY)
def test_why_no_page(status: int, kind: str, address: str, body: bytes, expected: str | None) -> None:
    assert why_no_page(status, kind, address, body) == expected


def test_headers_are_bounded() -> None:
    block = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000
    found = read_answer(block[: http.MOST_HEAD])
    assert found and found.header == {"a": "b"}
    assert problems(cuts_of(b"WARC/1.0\r\n" + b"a: b\r\n" * 100_000 + PAGE)) == ["NoRecord", "1"]


@pytest.fixture(scope="module")
def samples(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real archives, some of them clipped, corrupt or odd."""
    folder = tmp_path_factory.mktemp("warc")
    with tarfile.open(shared / "data/warc-samples.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_real_archives_are_accounted_for(samples: Path, tmp_path: Path) -> None:
    """All of them through the line: every record is an article, a letter, or counted as skipped."""
    archives = [path for path in samples.rglob("*") if {".arc", ".warc"} & set(path.suffixes)]
    assert len(archives) == 32
    config = plain_config(samples, tmp_path / "out", *map(str, archives))
    summary = plain_run(config)
    assert summary.read == summary.unique + summary.duplicates + summary.known + summary.dead
    assert set(summary.dead_by_class) >= {"BrokenFile", "ClippedRecord", "NoRecord"}
    assert summary.unique + summary.duplicates + summary.known >= 40
    assert sum(summary.skipped_by_reason.values()) > 500
    assert plain_run(config).batches == 0


COUNTED = (
    "warcfile.warc",
    "warcfile.warc.gz",
    "clueweb-quirk.warc.gz",
    "IAH-urls-wget.warc.gz",
    "post-blackout.warc.gz",
)


@pytest.mark.parametrize("name", COUNTED)
def test_as_many_records_as_another_reader_finds(name: str, samples: Path) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    (path,) = samples.rglob(name)
    with path.open("rb") as file:
        kinds = [record.record_type for record in ArchiveIterator(file, parse_http=False)]
    data = path.read_bytes()
    found = list(
        web_archive.records(io.BytesIO(gzip.decompress(data) if path.suffix == ".gz" else data), warc_format.WARC)
    )
    assert sum(one.skipped != "" for one in found) == len(kinds)
    assert sum(one.skipped == "request" for one in found) == kinds.count(WarcRecordType.request)
    assert not any(one.problem for one in found)
