"""Arrow: the file format (also called Feather) and the stream format, read by record batches."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from transforms.formats import jsonl
from transforms.formats.base import Format, Seekable
from transforms.formats.columnar import json_lines
from transforms.formats.converted import parse

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC = b"ARROW1"
_STREAM = b"\xff\xff\xff\xff"
_ROWS = 256


def recognises(head: bytes, name: str) -> bool:
    """By its first bytes: those of a file, or of a stream's schema message, which is followed by its length."""
    return head.startswith(_MAGIC) or (head.startswith(_STREAM) and head[6:8] == b"\0\0" and len(head) > 8)


def lines(file: Seekable, done: int) -> Iterator[bytes]:
    """The rows after the first `done` ones as JSON objects, one a line.

    Raises ValueError or OSError where the file is damaged.
    """
    import pyarrow as pa

    is_file = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    if is_file:
        with pa.ipc.open_file(file) as reader:
            yield from _lines(map(reader.get_batch, range(reader.num_record_batches)), done)
    else:
        with pa.ipc.open_stream(file) as reader:
            yield from _lines(reader, done)


def _lines(batches: "Iterable[pa.RecordBatch]", done: int) -> Iterator[bytes]:
    for batch in batches:
        for at in range(done, len(batch), _ROWS):
            yield from json_lines(batch.slice(at, _ROWS))
        done = max(0, done - len(batch))


FORMAT = Format("arrow", recognises, jsonl.cut, parse, lines, seeks=True)
