"""CSV, TSV and their kin: a table as text, one article a row. Which signs it uses is told by its content."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from schemas.records import Problem
from transforms.compression import Peekable
from transforms.formats import jsonl
from transforms.formats.base import HEAD, MAX_RAW, MAX_RECORD, Format, Stream
from transforms.formats.converted import bad_line, parse
from transforms.formats.encoding import BOMS
from transforms.formats.fields import KEYS, TEXTS, folded
from transforms.formats.text import as_text, is_text

_NAMES = (".csv", ".tsv", ".tab", ".psv")
_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_ROWS = 50
_BLOCK = 1 << 18
_MOST_COLUMNS = 2_000
_NO_NAME = re.compile(r"\s*$|[+-]?[\d.,:/-]+$|\S+://|.{61}", re.DOTALL)
"""What no column is called: nothing, a number or date, an address, a sentence."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line of Excel's own."""
_UNCLOSED = "the quotation mark is never closed"


class Dialect(NamedTuple):
    """How a table is written."""

    delimiter: str
    escape: str | None
    header: list[str] | None
    """None where the first row is an article already; then its columns are called column_1, column_2 and so on."""


def recognises(head: bytes, name: str) -> bool:
    """Whether the first rows are a table: under a name that says so any, else one with columns of known names."""
    if not head.strip() or not is_text(head):
        return False
    named = name.lower().endswith(_NAMES)
    found = dialect(_sample(head))
    if found is None:
        return named
    return named or (found.header is not None and _known(found.header) >= 2)


def dialect(sample: str) -> Dialect | None:
    """How the table is written of which this is the beginning; None if it can't be told. Raises nothing."""
    best: tuple[tuple[int, float, int], Dialect] | None = None
    for delimiter in _DELIMITERS:
        for escape in (None, "\\"):
            rows = _sample_rows(sample, delimiter, escape)
            if not rows or (len(rows[0]) < 2 and not _known(rows[0])):
                continue
            header = rows[0] if _is_header(rows) else None
            even = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            rank = (_known(rows[0]), even, min(len(rows[0]), 50))
            if best is None or rank > best[0]:
                best = rank, Dialect(delimiter, escape, header and _distinct(header))
    return best and best[1]


def _sample(head: bytes) -> str:
    text = as_text(head).removeprefix("\ufeff")
    text = text[: text.rfind("\n") + 1] or text if len(head) >= HEAD else text
    text = text if "\n" in text else text.replace("\r", "\n")
    return _SEPARATOR_LINE.sub("", text, count=1) if _SEPARATOR_LINE.match(text) else text  # sub looks everywhere


def _sample_rows(sample: str, delimiter: str, escape: str | None) -> list[list[str]]:
    csv.field_size_limit(MAX_RECORD)
    if escape and escape not in sample:
        return []
    reader = csv.reader(io.StringIO(sample, newline="\n"), delimiter=delimiter, escapechar=escape)
    try:
        return [row for row in islice(reader, _SAMPLE_ROWS) if row]
    except csv.Error:
        return []


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: one at least is known, or all look like names and no two are the same."""
    first = [cell.strip() for cell in rows[0]]
    if _known(first) and not any(len(cell) > 200 for cell in first):
        return True
    return len(rows) > 1 and len(set(first)) == len(first) and not any(map(_NO_NAME.match, first))


def _known(cells: list[str]) -> int:
    """How many cells are usual names; 0 if no title or text is among them."""
    names = {folded(cell.strip()) for cell in cells[:_MOST_COLUMNS] if len(cell) <= 40}
    return len(names & KEYS) if names & {*TEXTS["title"], *TEXTS["text"]} else 0


def _distinct(header: list[str]) -> list[str]:
    """Names for all columns: those of the header, with a number where one is empty or stands there twice."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = cell.strip()
        names.append(f"{name or 'column'}_{number}" if not name or name in names else name)
    return names


def lines(stream: Stream, done: int) -> Iterator[bytes]:
    """The rows as JSON objects, one a line, in the encoding of the table; all of them, from the first.

    A row with more cells than columns is a `bad_line`, as is one whose quotation mark is never closed.
    """
    source = Peekable(stream)
    head = source.peek(HEAD)
    form = dialect(_sample(head)) or Dialect(",", None, None)
    rows = _rows(_without_separator_line(_text_lines(source, head)), form)
    columns: list[str] = []
    if form.header:
        next(rows, None)
        columns = [name.encode().decode("latin-1") for name in form.header]
    for row in rows:
        if isinstance(row, bytes):
            yield row
            continue
        columns = columns or [f"column_{number}" for number in range(1, len(row) + 1)]
        yield _line(row, columns)


def _line(row: list[str], columns: list[str]) -> bytes:
    """A row as a line. Cells that are missing at its end are left out, as are empty ones too many."""
    if any(cell.strip() for cell in row[len(columns) :]):
        sentence = f"The row has {len(row):,} cells where the header names {len(columns):,} columns."
        return bad_line(Problem("RaggedRow", sentence), list(map(_shown, row)))
    return json.dumps(dict(zip(columns, row, strict=False)), ensure_ascii=False).encode("latin-1") + b"\n"


def _shown(cell: str) -> str:
    return cell.encode("latin-1").decode("utf-8", "replace")


class _Feed:
    """Lines for csv's reader, a character for each byte, which remembers those of the row that is being read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.row: list[str] = []
        self.size = 0
        self.is_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.size > MAX_RECORD:
            raise csv.Error(_UNCLOSED)
        if (line := next(self._lines, None)) is None:
            self.is_ended = True
            raise StopIteration
        self.row.append(line)
        self.size += len(line)
        return line

    def next_row(self) -> None:
        """Forget the row."""
        self.row, self.size = [], 0

    def only_first(self) -> str:
        """The row's first line; the others will be read again."""
        first, *others = self.row
        self._lines, self.is_ended = chain(others, self._lines), False
        self.next_row()
        return first


def _rows(lines: Iterator[str], form: Dialect) -> Iterator[list[str] | bytes]:
    """The cells of each row, or a `bad_line`: a quotation mark that is never closed loses its own line only."""
    feed = _Feed(lines)
    while True:
        reader = csv.reader(feed, delimiter=form.delimiter, escapechar=form.escape)
        try:
            for row in reader:
                if feed.is_ended:  # the reader asked for more: the table ends within quotation marks
                    raise csv.Error(_UNCLOSED)
                feed.next_row()
                if row:
                    yield row
            return
        except csv.Error as error:
            what = str(error) if feed.size <= MAX_RECORD else _UNCLOSED
            yield bad_line(
                Problem("InvalidCsv", f"The row cannot be read: {what}."), _shown(feed.only_first()[:MAX_RAW])
            )


def _text_lines(source: Peekable, head: bytes) -> Iterator[str]:
    """Lines with their ends, a character for each byte. UTF-16 and UTF-32 become UTF-8, others stay as they are.

    Of a line that is longer than a record may be, the rest is left out: it is a dead letter anyway.
    """
    mark, encoding = next(((mark, name) for mark, name in BOMS if head.startswith(mark)), (b"", ""))
    source.read(len(mark))
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding[4:6] in ("16", "32") else None
    is_old_mac = b"\n" not in head
    line = bytearray()
    while data := source.read(_BLOCK):
        data = decoder.decode(data).encode() if decoder else data
        first, *others = (data.replace(b"\r", b"\n") if is_old_mac else data).split(b"\n")
        line += first
        for other in others:
            yield f"{line[: MAX_RECORD + 1].decode('latin-1')}\n"
            line = bytearray(other)
        del line[MAX_RECORD + 1 :]
    if line:
        yield line.decode("latin-1")


def _without_separator_line(lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, "")
    return lines if _SEPARATOR_LINE.match(first) else chain([first], lines)


FORMAT = Format("csv", recognises, jsonl.cut, parse, lines)
