"""Archives and compressions: every member read, broken ones lose only themselves, bombs end early."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from pipeline import cutting
from pipeline.cutting import cuttings
from pipeline.ledger import Span
from schemas.records import Piece
from tests.make_seeds import columns, jsonl
from tests.plain import plain_config, plain_run
from tests.reading import read_file
from tests.test_documents import as_parquet
from transforms import archives, compression
from transforms.compression import Peekable, plain_name, unpacked
from transforms.files import Info

ROWS = [{"title": f"Report {n}", "text": f"The harbour was closed on day {n}."} for n in range(4)]
LINES = jsonl(ROWS)


def lz4(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "lz4") as packed:
        packed.write(data)
    return bytes(out.getvalue())


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
    ".xz": lzma.compress,
    ".lz4": lz4,
}


def tar(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


NOTHING = Span(0, 0, 0, 0, False)


def pieces_of(data: bytes, name: str, folder: Path, done: Span = NOTHING) -> list[Piece]:
    (folder / name).write_bytes(data)
    with (folder / name).open("rb") as file:
        info = Info(name, len(data), "1")
        return [piece for piece, _ in cuttings(name, info, file, done, str(folder / "scratch"))]


def told(data: bytes, name: str, folder: Path) -> list[tuple[str, str]]:
    """The member and the title or error class of each record."""
    (folder / name).write_bytes(data)
    return [
        (article.input.removeprefix(name), article.letter.error_class if article.letter else article.title)
        for article in read_file(folder / name)
    ]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("parts", [1, 3])
def test_unpacked(suffix: str, parts: int) -> None:
    """Also several streams in a row."""
    data = LINES * 5_000
    packed = PACK[suffix](data) * parts
    stream, compressed = unpacked(Peekable(io.BytesIO(packed)))
    assert compressed and b"".join(iter(lambda: stream.read(50_000), b"")) == data * parts
    assert plain_name(f"a.jsonl{suffix}") == "a.jsonl"


@pytest.mark.parametrize("suffix", PACK)
def test_what_is_cut_short_or_damaged_raises(suffix: str) -> None:
    packed = PACK[suffix](bytes(range(256)) * 4_000)
    middle = len(packed) // 2
    damaged = packed[: middle - 4] + b"????????" + packed[middle + 4 :]
    for broken in (packed[:-9], packed[:middle], *([damaged] if suffix != ".zst" else [])):  # zst: without a checksum
        stream, _ = unpacked(Peekable(io.BytesIO(broken)))
        with pytest.raises(compression.UNPACK_ERRORS):
            while stream.read(50_000):
                pass


def test_xz_in_bounded_memory() -> None:
    greedy = lzma.compress(b"a" * 1000, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}])
    with pytest.raises(lzma.LZMAError, match="emory"):
        unpacked(Peekable(io.BytesIO(greedy)))[0].read(10)


MEMBERS = {
    "a/rows.jsonl": LINES,
    "a/page.txt": b"Roof leaks\n\nThe pool is wet, and so is the attendant.\n",
    "b/rows.jsonl.gz": gzip.compress(LINES),
    "b/columns.parquet": as_parquet(columns()),
    "empty.txt": b"",
    "logo.png": b"\x89PNG\r\n\x1a\n\0\0",
    "../../etc/passwd": b"title,text\nRoof,Wet\n",
    "/c:\\x\x1b[31m.csv": b"title,text\nPool,Dry\n",
    "._hidden.txt": b"Not this one.",
}
EXPECTED = [
    *[("!/a/rows.jsonl", f"Report {n}") for n in range(4)],
    ("!/a/page.txt", "Roof leaks"),
    *[("!/b/rows.jsonl.gz", f"Report {n}") for n in range(4)],
    ("!/b/columns.parquet", "Reservoir at Sallow Fen is full for the first time (1)"),
    ("!/b/columns.parquet", "Harbour seals counted from the air (2)"),
    ("!/empty.txt", "EmptyFile"),
    ("!/logo.png", "BinaryFile"),
    ("!/../../etc/passwd", "Roof"),
    ("!//c:\\x\x1b[31m.csv", "Pool"),
]


@pytest.mark.parametrize("suffix", ["", *PACK])
def test_tar(suffix: str, tmp_path: Path) -> None:
    data = PACK[suffix](tar(MEMBERS)) if suffix else tar(MEMBERS)
    assert told(data, f"a.tar{suffix}", tmp_path) == EXPECTED
    assert set(tmp_path.iterdir()) <= {tmp_path / f"a.tar{suffix}", tmp_path / "scratch"}


@pytest.mark.parametrize("name", ["a.zip", "a.zip.gz"])
def test_zip(name: str, tmp_path: Path) -> None:
    data = zipped(MEMBERS)
    assert told(gzip.compress(data) if name.endswith(".gz") else data, name, tmp_path) == EXPECTED


def test_old_and_odd_tars(tmp_path: Path) -> None:
    assert told(tar({"a.jsonl": LINES}, tarfile.USTAR_FORMAT), "a", tmp_path)[0] == ("!/a.jsonl", "Report 0")
    long = "x" * 3_000 + ".jsonl"
    assert told(tar({long: LINES}, tarfile.GNU_FORMAT), "a.tgz", tmp_path)[0][0] == f"!/{'x' * 1000}"
    assert told(tar({"\udcff.txt": b"Roof leaks\n\nToday."}), "a.tar", tmp_path) == [("!/\ufffd.txt", "Roof leaks")]


@pytest.mark.parametrize("pack", [tar, zipped])
def test_resumed_alike_anywhere(pack: Callable[[dict[str, bytes]], bytes], tmp_path: Path) -> None:
    """Behind any number of records, as --limit leaves it: the rest, no record twice, no byte between."""
    data = pack(MEMBERS)
    whole = pieces_of(data, "a", tmp_path)
    total = sum(piece.records for piece in whole)
    assert total == len(EXPECTED) and whole[-1].last and not any(piece.last for piece in whole[:-1])
    for piece in whole:
        done = Span(0, piece.end, 0, piece.offset + piece.length, False)
        rest = pieces_of(data, "a", tmp_path, done)
        assert sum(one.records for one in rest) == total - piece.end and rest[-1].last
        assert rest[0].offset == done.end_offset and rest[0].first == piece.end
    rest = pieces_of(data, "a", tmp_path, Span(0, 2, 0, sum(map(len, LINES.splitlines(True)[:2])), False))
    assert (rest[0].first, rest[0].records, rest[0].length) == (2, 2, len(LINES) // 2)


def test_a_limit_inside_an_archive(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.zip").write_bytes(zipped(MEMBERS))
    config = plain_config(tmp_path / "in", tmp_path / "out")
    counts = [plain_run(config, limit=3) for _ in range(6)]
    assert [summary.read for summary in counts] == [3, 3, 3, 3, 3, 0]
    assert sum((Counter(summary.skipped_by_reason) for summary in counts), Counter()) == {"hidden file": 1}


def test_a_broken_member_loses_only_itself(tmp_path: Path) -> None:
    broken = {
        "a.jsonl.gz": gzip.compress(LINES)[:-9],
        "b.parquet": as_parquet(columns())[:-3] + b"???",
        "c.jsonl": LINES,
    }
    rows = [f"Report {n}" for n in range(4)]
    for name, data in {"a.tar": tar(broken), "a.zip": zipped(broken)}.items():
        titles = [title for _, title in told(data, name, tmp_path)]
        assert titles == [*rows, "BrokenFile", "BrokenFile", *rows]
    data = zipped({"a.jsonl": LINES, "b.jsonl": LINES}, zipfile.ZIP_STORED).replace(b"Report 1", b"Report X", 1)
    assert [title for _, title in told(data, "a.zip", tmp_path)] == ["BrokenFile", *rows]


def test_broken_archives(tmp_path: Path) -> None:
    whole = tar({"a.jsonl": LINES, "b.jsonl": LINES})
    cases = {
        "cut.tar": (
            whole[: 1536 + len(LINES) - 9],
            [f"Report {n}" for n in (0, 1, 2, 3, 0, 1, 2)] + ["BrokenFile"] * 2,
        ),
        "header.tar": (whole[:1024] + b"?" * 512 + whole[1536:], [f"Report {n}" for n in range(4)] + ["BrokenFile"]),
        "cut.tar.gz": (gzip.compress(whole)[:-9], [f"Report {n}" for n in range(4)] * 2 + ["BrokenFile"]),
        "two.tar": (whole * 2, [f"Report {n}" for n in range(4)] * 2 + ["BrokenFile"]),
        "cut.zip": (zipped({"a.jsonl": LINES})[:-9], ["BrokenFile"]),
        "only.zip": (b"PK\x03\x04" + b"?" * 100, ["BrokenFile"]),
    }
    for name, (data, expected) in cases.items():
        assert [title for _, title in told(data, name, tmp_path)] == expected, name


def test_nested_archives_are_one_letter(tmp_path: Path) -> None:
    inner = zipped({"a.jsonl": LINES})
    data = zipped({"inner.zip": inner, "inner.tar.gz": gzip.compress(tar({"a.jsonl": LINES})), "b.jsonl": LINES})
    titles = [title for _, title in told(data, "a.zip", tmp_path)]
    assert titles == ["NestedArchive", "NestedArchive", *[f"Report {n}" for n in range(4)]]


def test_what_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"Roof leaks", "b.txt": b"Roof leaks\n\nToday."}))
    at = data.index(b"PK\x01\x02")
    secret = bytes(data[: at + 8] + b"\x01" + data[at + 9 :])
    assert told(secret, "a.zip", tmp_path) == [("!/a.txt", "EncryptedMember"), ("!/b.txt", "Roof leaks")]
    strange = bytes(data[: at + 10] + struct.pack("<H", 97) + data[at + 12 :])
    assert told(strange, "a.zip", tmp_path) == [("!/a.txt", "UnknownCompression"), ("!/b.txt", "Roof leaks")]
    office = zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"})
    assert told(office, "a.docx", tmp_path) == [("", "BinaryFile")]


def test_bombs_end_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MOST_UNPACKED", 1_000_000)
    zeros = bytes(3_000_000)
    for name, data in {
        "a.jsonl.gz": gzip.compress(LINES + zeros),
        "a.tar.gz": gzip.compress(tar({"a.jsonl": LINES + zeros, "b.jsonl": LINES})),
        "a.zip": zipped({"a.jsonl": LINES + zeros, "b.jsonl": LINES}),
    }.items():
        titles = [title for _, title in told(data, name, tmp_path)]
        assert titles[:4] == [f"Report {n}" for n in range(4)], name
        assert set(titles[4:]) == {"Bomb"} and len(titles) <= 6, (name, titles)


def test_lists_and_headers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 200_000_000
    data = header.tobuf(tarfile.GNU_FORMAT) + bytes(2_000)
    assert told(data, "a.tar", tmp_path) == [("", "BrokenFile")]
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 1_000)
    assert told(zipped({f"{n}.txt": b"x" for n in range(50)}), "a.zip", tmp_path) == [("", "BrokenFile")]


def test_links_and_folders_are_counted(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in {"a": tarfile.DIRTYPE, "b": tarfile.SYMTYPE, "c": tarfile.FIFOTYPE}.items():
            member = tarfile.TarInfo(name)
            member.type = kind
            archive.addfile(member)
    (piece,) = pieces_of(out.getvalue(), "a.tar", tmp_path)
    assert (piece.records, piece.skipped, piece.last) == (0, {"folder": 1, "link": 1, "special file": 1}, True)


def test_no_room_to_unpack_is_an_error_of_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from schemas.errors import WorldError

    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(cutting.tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(WorldError, match="No space left"):
        pieces_of(gzip.compress(as_parquet(columns())), "a.parquet.gz", tmp_path)
