"""Cleaning: one form for characters, lines and paragraphs. What is stored is clean; offsets of names refer to it."""

import html
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

WIDEST_WRAP = 100
"""Characters of the longest line of a text that can be hard-wrapped; typewriters, terminals and wires stay below."""
LONGEST_WORD = 24
"""Characters of a word that may have been too long for the rest of its line; without it scripts without blanks
look wrapped."""

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Marks of direction matter where a script runs from right to left; elsewhere they only hide and reorder.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069]")
# Joiners spell words in Arabic and Indic scripts and build emoji: after those they stay, elsewhere they are litter.
_JOINER = re.compile("(?<![\u0600-\u109f\u1780-\u18af\u2190-\u2bff\ufb50-\ufefc\ufe0f\U00011000-\U0001ffff])[\u200c\u200d]")
# Tags spell the flags of England, Scotland and Wales; elsewhere they are text that nobody sees.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007f]+)|[\U000e0000-\U000e007f]")
_HAS_RARE = re.compile("[\u061c\u200c-\u200f\u202a-\u202c\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
_BLANKS = "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_NOTHING = "\xad\u034f\u180e\u200b\u202d\u202e\u2060\u2061\u2062\u2063\u2064\ufeff\ufff9\ufffa\ufffb\ufffc\ufffe\uffff"
_CHARACTERS: dict[int, str] = (
    {ord(char): " " for char in _BLANKS}
    | {ord(char): "" for char in _NOTHING}
    # A C1 control is windows-1252 read as latin-1, as HTML's standard has it too.
    | {code: bytes([code]).decode("windows-1252", "ignore") for code in range(0x80, 0xA0)}
)
_RUN = re.compile(" {2,}")
_BREAK = re.compile(r"\n[ \n]*\n")
_SENTENCE_END = re.compile(r"""[.!?:;。！？…]["'”’»)\]]*$""")
_MIDDLE = re.compile(r" *(?:[^\W\d_A-Z](?<=[^A-ZÀ-ÖØ-Þ])|\d[\d,./]*(?<!\.)[- ][a-z])")
_SPLIT_WORD = re.compile(r"\w-$")


def normalise(text: str) -> str:
    """One form for each character: NFC, `\\n` for line ends, no invisible characters, entities read, plain blanks."""
    if "&" in text:
        text = _ENTITY.sub(_read_entity, text)
    text = _CONTROLS.sub("", _LINE_END.sub("\n", text))
    if not text.isascii():
        text = _normalise_rare(text)
    return text.replace("\t", " ")


def _read_entity(found: re.Match[str]) -> str:
    """Once only, and whole: `&ampamp;`, `AT&T;` or `&unknown;` stay."""
    entity = found.group()
    return html.unescape(entity) if entity[1] == "#" or entity[1:] in html.entities.html5 else entity


def _normalise_rare(text: str) -> str:
    if _HAS_RARE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
        text = _TAGS.sub(lambda found: found.group(1) or "", _JOINER.sub("", text))
        if not _RIGHT_TO_LEFT.search(text):
            text = _DIRECTION.sub("", text)
    return unicodedata.normalize("NFC", text.translate(_CHARACTERS))


def one_line(text: str) -> str:
    """A field that is one line: a title, a name."""
    return " ".join(normalise(text).split())


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each on one line. None is empty.

    A line is a paragraph, unless the text is hard-wrapped (`is_wrapped`): then lines are joined up to the next
    empty or indented line.
    """
    blocks = [block.split("\n") for block in _BREAK.split(normalise(text).strip("\n"))]
    if any(len(lines) > 1 for lines in blocks):
        width = max(len(line.strip()) for lines in blocks for line in lines)
        margin = min(_indent(line) for lines in blocks for line in lines if line.strip())
        if is_wrapped(blocks, width, margin):
            blocks = [part for lines in blocks for part in _unwrapped(lines, width, margin)]
    lines = (_RUN.sub(" ", line).strip() for block in blocks for line in block)
    return [line for line in lines if line]


def is_wrapped(blocks: Sequence[Sequence[str]], width: int, margin: int) -> bool:
    """Whether line ends are where the line was full, and not where a paragraph ends.

    It is so if no line is longer than WIDEST_WRAP and, of the breaks between a line and one that is not indented,
    - most come after an indented line or in mid-sentence, before a lower-case letter or because the next word
      would not have fitted, and
    - at least a quarter are of the kinds that a list of short lines has not: after an indented line, or before a
      lower-case letter.
    """
    if width > WIDEST_WRAP:
        return False
    breaks = [pair for lines in blocks for pair in pairwise(lines) if _indent(pair[1]) <= margin]
    sure = sum(_goes_on(before, after) or _indent(before) > margin + 1 for before, after in breaks)
    likely = sum(
        _goes_on(before, after) or _indent(before) > margin + 1 or (_is_full(before, after, width) and not _ends(before))
        for before, after in breaks
    )
    return likely * 2 > len(breaks) and sure * 4 >= len(breaks)


def _unwrapped(lines: Sequence[str], width: int, margin: int) -> list[list[str]]:
    """The paragraphs of a block of wrapped lines, each as a list of one line."""
    joined = [lines[0].strip()]
    for before, after in pairwise(lines):
        if _indent(after) > margin or (_ends(before) and not _is_full(before, after, width)):
            joined.append(after.strip())
        else:
            joined[-1] += ("" if _SPLIT_WORD.search(joined[-1]) else " ") + after.strip()
    return [joined]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _goes_on(before: str, after: str) -> bool:
    """Whether a sentence goes on after the break, without doubt: with a small letter, or with a number of something."""
    return _MIDDLE.match(after) is not None and not _ends(before)


def _ends(line: str) -> bool:
    """Whether a sentence ends with the line."""
    return _SENTENCE_END.search(line.rstrip()[-8:]) is not None


def _is_full(before: str, after: str, width: int) -> bool:
    """Whether the next word would not have fitted into the line."""
    word = len(after.strip().partition(" ")[0])
    return len(before.strip()) + 1 + min(word, LONGEST_WORD) > width
