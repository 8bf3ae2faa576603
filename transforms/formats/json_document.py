"""JSON: one object a file, an array of objects, or an object that holds the array, as news services answer.

The elements are given one a line, their bytes as they are, and read as JSON Lines. Nothing is held: neither the
document nor an element.
"""

import re
from collections.abc import Iterator
from enum import Enum

from transforms.compression import Peekable
from transforms.formats import jsonl
from transforms.formats.base import HEAD, Format, Stream
from transforms.formats.encoding import BOMS
from transforms.formats.fields import TEXTS, folded

HOLDERS = frozenset(
    (
        *("articles", "items", "results", "docs", "documents", "stories", "entries", "hits", "records", "rows", "news"),
        *("posts", "data", "value", "response", "feed", "content", "list"),
    )
)
"""Keys, folded, whose array of objects is taken for the articles of a document."""
DEEPEST_HOLDER = 3
"""Objects around such an array at most."""
_BLOCK = 1 << 18
_BOM = BOMS[0][0]
_UTF_16 = tuple(mark for mark, _ in BOMS[1:])
_ARTICLE_KEYS = frozenset(TEXTS["title"] + TEXTS["text"]) - HOLDERS - {"name", "header"}
_ARRAY_OF_OBJECTS = re.compile(rb"\s*\[\s*\{")
_OBJECT = re.compile(rb'\s*\{\s*["}]')
_ANY = re.compile(rb"\s*[\[{]")
_LINES = re.compile(rb"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
"""Two lines that are objects: then each is an article, whatever it holds."""
_WALK = re.compile(rb'"((?:[^"\\]++|\\.)*+)(?:"(\s*+:\s*+)?|\\?\Z)|[{}\[\]]', re.DOTALL)
_TOKEN = re.compile(rb'["{}\[\]]')
_TOKEN_OR_COMMA = re.compile(rb'["{}\[\],]')
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)


def recognises(head: bytes, name: str) -> bool:
    """Whether it is JSON, and neither JSON Lines nor of an encoding that cannot be told byte by byte."""
    if head.startswith(_UTF_16) or b"\0" in head:
        return False
    head = head.removeprefix(_BOM)
    if _ARRAY_OF_OBJECTS.match(head):
        return True
    if jsonl.recognises(head, name):
        return not _LINES.match(head) and holder(head) is not None
    return bool(_OBJECT.match(head) or (name.lower().endswith(".json") and _ANY.match(head)))


def holder(head: bytes) -> tuple[int, int] | None:
    """Where in an object the array of articles begins, behind its bracket, and how many objects are around it.

    None where the object is an article itself, or no such array begins in the head.
    """
    around: list[bytes] = []
    key, found = b"", None
    for token in _WALK.finditer(head):
        sign = token[0][:1]
        if sign == b'"':
            key = token[1] if token[2] else b""
            if len(around) == 1 and _folded(key) in _ARTICLE_KEYS and head[token.end() : token.end() + 1] == b'"':
                return None
        elif sign in b"[{":
            is_full = sign == b"[" and _OBJECT.match(head, token.end())
            is_near = len(around) <= DEEPEST_HOLDER and b"[" not in around
            if is_full and is_near and found is None and _folded(key) in HOLDERS:
                found = token.end(), len(around)
            around.append(sign)
        elif len(around) > 1:
            around.pop()
        else:
            break
    return found


def _folded(key: bytes) -> str:
    return folded(key[:40].decode("latin-1"))


def lines(stream: Stream, done: int) -> Iterator[bytes]:
    """The document's elements, one a line, from the first. Raises EOFError where an array is not closed."""
    source = Peekable(stream)
    head = source.peek(HEAD)
    mark = len(_BOM) if head.startswith(_BOM) else 0
    found = holder(head[mark:]) if _OBJECT.match(head, mark) else None
    start, around = found or (0, 0)
    source.read(mark + start)
    splitter = _Splitter(_Mode.ARRAY if found else _Mode.VALUES, around)
    while block := source.read(_BLOCK):
        yield splitter.split(block)
    if splitter.mode is _Mode.ARRAY:
        raise EOFError("the JSON array is not closed")


class _Mode(Enum):
    VALUES = "values one after another"
    ARRAY = "elements between brackets"
    REST = "the rest of what holds the array, which is left out"


class _Splitter:
    """Gives a document's bytes again, with each element in a line of its own. Holds no more than a block."""

    def __init__(self, mode: _Mode, around: int) -> None:
        self.mode, self._around = mode, around
        self._depth = 0
        self._in_string = False
        self._ahead = b""
        """A backslash that ended the last block."""

    def split(self, block: bytes) -> bytes:
        """What the next block of the document gives."""
        block, self._ahead = self._ahead + block, b""
        given = bytearray()
        start, at = 0, self._through_string(block, 0) if self._in_string else 0
        while not self._in_string and (token := (_TOKEN if self._depth else _TOKEN_OR_COMMA).search(block, at)):
            at = token.end()
            if token[0][:1] == b'"':
                at = self._through_string(block, token.start() + 1)
                continue
            before = self.mode
            ended = self._ended(token[0])
            if ended is not None:
                if before is not _Mode.REST:
                    given += _one_line(block[start : at - 1] + ended) + b"\n"
                start = at
        if self.mode is not _Mode.REST:
            given += _one_line(block[start : len(block) - len(self._ahead)])
        return bytes(given)

    def _through_string(self, block: bytes, at: int) -> int:
        """Where the string ends in which this place is, or the block."""
        rest = _REST_OF_STRING.match(block, at)
        assert rest
        self._in_string = not rest[1]
        if self._in_string:
            self._ahead = block[rest.end() :]
        return rest.end()

    def _ended(self, sign: bytes) -> bytes | None:
        """What a bracket or comma adds to the element that it ends; None if it ends none."""
        if sign == b",":
            return b""
        if sign in b"{[":
            if sign == b"[" and self.mode is _Mode.VALUES and not self._depth:
                self.mode = _Mode.ARRAY
                return b""
            self._depth += 1
        elif self._depth:
            self._depth -= 1
            if not self._depth:
                self.mode = _Mode.VALUES if self.mode is _Mode.REST else self.mode
                return sign
        elif sign == b"]" and self.mode is _Mode.ARRAY:
            self._depth, self._around = self._around, 0
            self.mode = _Mode.REST if self._depth else _Mode.VALUES
            return b""
        return None


def _one_line(element: bytes) -> bytes:
    """Between the tokens of JSON a line's end is no more than a blank; within a string it is a mistake."""
    return element.replace(b"\n", b" ")


FORMAT = Format("json", recognises, jsonl.cut, jsonl.parse, lines)
