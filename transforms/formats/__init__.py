"""The formats that are read. The first that recognises an input reads it."""

from schemas.records import Problem
from transforms.formats import arc, arrow, delimited, feed, html, json_document, jsonl, parquet, text, warc
from transforms.formats.base import HEAD, Format
from transforms.formats.encoding import BOMS
from transforms.formats.polled import FORMAT as POLLED

FORMATS: tuple[Format, ...] = (
    *(warc.FORMAT, arc.FORMAT, parquet.FORMAT, arrow.FORMAT),
    *(feed.FORMAT, html.FORMAT, json_document.FORMAT, jsonl.FORMAT, delimited.FORMAT, text.FORMAT),
)
READ = (
    "Read are JSON Lines and other JSON, CSV, Parquet, Arrow, WARC, ARC, saved feeds, HTML (one page a file) and plain"
    " text (one article a file), also compressed and in tar or zip archives; docs/formats.md says more."
)


def recognise(head: bytes, name: str) -> Format | None:
    """The format of an input, by its first bytes (unpacked, at least HEAD if it has them), then by its name."""
    return next((format for format in FORMATS if format.recognises(head[:HEAD], name)), None)


def format_named(name: str) -> Format:
    """The format of that name, as the ledger and the column `extraction` have it."""
    return next(format for format in (*FORMATS, POLLED) if format.name == name)


def unrecognised(head: bytes, name: str) -> Problem:
    """Why no format reads it, as a sentence for the person whose file it is."""
    if not head.strip():
        return Problem("EmptyFile", f"The file holds no text. {READ}")
    if not text.is_text(head):
        return Problem("BinaryFile", f"The file is binary, not text. {READ}")
    if any(head.startswith(mark) for mark, _ in BOMS[1:]):
        return Problem("WrongEncoding", f"JSON must be UTF-8, not UTF-16: iconv -f UTF-16 -t UTF-8. {READ}")
    return Problem("UnknownFormat", f"The file is {_looks_like(text.as_text(head), name)}. {READ}")


def _looks_like(beginning: str, name: str) -> str:
    match beginning.lstrip("\ufeff \t\r\n")[:1]:
        case "<":
            return "XML, for which there is no reader yet"
        case "[" | "{":
            return "neither JSON nor text"
    return f"text, but its name ({name.rpartition('/')[2][-80:]}) says that it is no plain text"


__all__ = ["FORMATS", "format_named", "recognise", "unrecognised"]
