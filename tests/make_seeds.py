"""Makes the sample inputs that no editor can write: `python -m tests.make_seeds`. Same script, same bytes."""

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SEEDS = Path(__file__).resolve().parents[1] / "seeds"

QUARRY = (
    "<!doctype html><html lang='en'><head><title>Quarry at Hollin Edge to close after ninety years</title>"
    "<meta property='og:type' content='article'>"
    "<meta property='og:title' content='Quarry at Hollin Edge to close after ninety years'>"
    "<meta property='article:published_time' content='2026-02-11T08:30:00+00:00'>"
    "<meta name='author' content='Maren Tolloch'></head><body><article>"
    "<h1>Quarry at Hollin Edge to close after ninety years</h1>"
    "<p>The last slate will leave the quarry at Hollin Edge in May, its owners told the forty people who work there on "
    "Wednesday morning.</p>"
    "<p>The firm said that it could no longer compete with imported roofing, and that a new face would have cost more "
    "than the site had earned in ten years.</p>"
    "<p>The town council has asked for the sheds to be kept, since they are the oldest of their kind in the county.</p>"
    "</article></body></html>"
)
LANTERN = (
    "<!doctype html><html lang='en'><head><title>Lantern parade returns to Brackwater</title>"
    "<meta property='og:type' content='article'>"
    "<meta property='article:published_time' content='2026-02-12T17:05:00+00:00'></head><body><article>"
    "<h1>Lantern parade returns to Brackwater</h1>"
    "<p>Some two thousand lanterns were carried through Brackwater on Thursday evening, the first parade since the "
    "bridge was closed three winters ago.</p>"
    "<p>Schools had built most of them from willow and tissue paper, and the largest, a heron, needed eight people to "
    "carry it down to the quay.</p></article></body></html>"
)
MILL = (
    "<html><head><title>Mill wheel turns again at Osterby</title></head><body>"
    "<h1>Mill wheel turns again at Osterby</h1>"
    "<p>After eleven years of repairs the wheel of the old mill at Osterby was set in motion again on Sunday, in front "
    "of several hundred visitors.</p>"
    "<p>The trust that owns the mill hopes to grind flour from the spring, and to sell it in a shop beside the "
    "race.</p>"
    "</body></html>"
)
ROWS = [
    {
        "title": "Reservoir at Sallow Fen is full for the first time",
        "text": "Water reached the upper mark of the new reservoir on Monday.\n\nEngineers will watch the dam for a "
        "month.",
        "url": "https://ledger.example/sallow-fen",
        "published_at": "2026-01-19T10:00:00Z",
        "author": "Pia Lund",
    },
    {
        "title": "Harbour seals counted from the air",
        "text": "A survey by drone found 412 seals on the banks, forty more than last winter.",
        "url": "https://ledger.example/seals",
        "published_at": "2026-01-20T09:30:00Z",
        "author": None,
    },
]


def answer(page: str, kind: str = "text/html; charset=utf-8", status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n{page}".encode()


def warc_record(kind: str, address: str, block: bytes, type: str = "application/http") -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {address}\r\nWARC-Date: 2026-02-12T20:00:00Z\r\n"
    return f"{head}Content-Type: {type}\r\nContent-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def warc() -> list[bytes]:
    """A crawl of two pages, with what a crawler keeps beside them."""
    site = "https://hollin.example"
    chunked = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (LANTERN[:300], LANTERN[300:])) + "0\r\n\r\n"
    return [
        warc_record("warcinfo", "", b"software: by hand\r\n", "application/warc-fields"),
        warc_record("request", f"{site}/quarry", b"GET /quarry HTTP/1.1\r\nHost: hollin.example\r\n\r\n"),
        warc_record("response", f"{site}/quarry", answer(QUARRY)),
        warc_record("response", f"{site}/robots.txt", answer("User-agent: *\n", "text/plain")),
        warc_record("response", f"{site}/old", answer("", status="301 Moved", more="Location: /quarry\r\n")),
        warc_record("response", f"{site}/logo.png", answer("\x89PNG", "image/png")),
        warc_record("response", f"{site}/lanterns", answer(chunked, more="Transfer-Encoding: chunked\r\n")),
        warc_record("response", f"{site}/gone", answer("<html>Not here</html>", status="404 Not Found")),
    ]


def arc() -> bytes:
    first = b"1 0 By hand\nURL IP-address Archive-date Content-type Archive-length\n"
    page = answer(MILL, "text/html")
    return b"filedesc://old-crawl.arc 0.0.0.0 20080430204825 text/plain %d\n%s\n" % (
        len(first),
        first,
    ) + b"http://osterby.example/news/mill wheel.html 192.0.2.7 20080430204826 text/html %d\n%s\n" % (len(page), page)


def jsonl(rows: list[dict[str, str | None]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def tar() -> bytes:
    """A page, a packed table, a link and a folder."""
    out = io.BytesIO()
    rows = jsonl([{**row, "title": f"{row['title']}, again", "url": f"{row['url']}-2"} for row in ROWS])
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_member("backup", tarfile.DIRTYPE))
        _add(archive, "backup/mill.html", MILL.replace("Osterby", "Nether Osterby").encode())
        _add(archive, "backup/rows.jsonl.gz", gzip.compress(rows, mtime=0))
        archive.addfile(_member("backup/latest", tarfile.SYMTYPE))
        _add(archive, "backup/logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    return member


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = _member(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def zipped() -> bytes:
    """Two texts; the second is damaged."""
    out = io.BytesIO()
    texts = {
        "weir.txt": "Weir at Tolgate rebuilt\n\nThe weir at Tolgate was finished on Friday, a month early.\n",
        "../../escape.txt": "Chapel roof saved\n\nA gift of slate has saved the chapel at Orrin, its wardens said.\n",
        "broken.txt": "Nobody reads this\n\nThe checksum of this member is wrong.\n",
    }
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue().replace(b"The checksum of", b"The CHECKSUM of")


def columns() -> pa.Table:
    rows = [{**row, "title": f"{row['title']} ({n})", "url": f"{row['url']}/{n}"} for n, row in enumerate(ROWS, 1)]
    return pa.Table.from_pylist(rows)


def main() -> None:
    """Write them all."""
    parquet, arrow = io.BytesIO(), io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), parquet, row_group_size=1, compression="zstd")
    with pa.ipc.new_file(arrow, columns().schema) as writer:
        writer.write_table(columns())
    files = {
        "ledger.parquet": parquet.getvalue(),
        "ledger-numbered.arrow": arrow.getvalue(),
        "crawl.warc.gz": b"".join(gzip.compress(record, mtime=0) for record in warc()),
        "old-crawl.arc": arc(),
        "backup.tar.xz": lzma.compress(tar()),
        "parcel.zip": zipped(),
    }
    for name, data in files.items():
        (SEEDS / name).write_bytes(data)


if __name__ == "__main__":
    main()
