"""What stands above the text on a page: headline, standfirst, date and byline, told apart from the paragraphs below."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from transforms.dates import Reading, date_in_line

OPENING = 6
"""Paragraphs in which a headline is repeated and a date or byline stands; measured on news pages, further down costs
more text than it removes."""
LONGEST_TITLE = 250
LONGEST_STANDFIRST = 350
SHORTEST_STANDFIRST = 4
"""Words; what is shorter is a label or a crosshead."""

_NO_KEY = re.compile(r"[\W_]+")
_NAME = (
    r"[^\W\d_a-zß-öø-ÿ][\w.'’-]*(?: (?:de|da|van|von|den|der|al|bin|le|la)){0,2}(?: [^\W\d_a-zß-öø-ÿ][\w.'’-]*){1,3}"
)
_AND = r"(?:, | and | & | und | et | y )"
_BYLINE = re.compile(
    rf"(?:By|BY|Words by|Von|Par|Por)\s?:? ({_NAME}(?:{_AND}{_NAME}){{0,4}})(?:(?:, | in )[^.!?]{{1,60}})?"
)
_ROLE = re.compile(
    r"\b(?:correspondents?|editors?|reporters?|journalist|writer|columnist|staff|bureau|redakteur(?:in)?|korrespondent(?:in)?)\b",
    re.IGNORECASE,
)
_LONGEST_LINE = 120
_HINT = re.compile(r"\d{4}|^(?:By|BY|Words by|Von|Par|Por)\b")
_BAR = re.compile(r" [|·•] ")
_STOP = re.compile(r"""(?<!\.\.)[.。]["'”’»)\]]*$""")
_SENTENCE_END = re.compile(r"""[.!?。！？:]["'”’»)\]]*$""")


class Opening(NamedTuple):
    """What the lines above the text say, and the paragraphs without them."""

    authors: list[str]
    published: Reading | None
    updated: Reading | None
    body: list[str]


class Headline(NamedTuple):
    """A page's headline and standfirst, and the paragraphs below."""

    title: str
    summary: str | None
    body: list[str]


def key(text: str) -> str:
    """The letters and digits of a text: equal for a headline and its repetition."""
    return _NO_KEY.sub("", text.casefold())


def without_title(paragraphs: Sequence[str], title: str) -> list[str]:
    """The paragraphs without those of the opening that only repeat the headline."""
    wanted = key(title)
    opening = [line for line in paragraphs[:OPENING] if not _repeats(line, wanted)]
    return [*opening, *paragraphs[OPENING:]]


def _repeats(line: str, wanted: str) -> bool:
    """Whether a line has that key; without making the key of a line that is too long or too short for it."""
    return 0 < len(wanted) <= len(line) <= 2 * len(wanted) + 20 and key(line) == wanted


def read_opening(paragraphs: Sequence[str], now: datetime) -> Opening:
    """Takes dates and bylines out of the opening.

    A date without a word such as "Published" counts only above the first sentence: below, it may head a section.
    """
    authors: list[str] = []
    dates: dict[bool, Reading] = {}
    kept: list[str] = []
    for line in paragraphs[:OPENING]:
        found = _read_line(line, now, kept) if len(line) <= _LONGEST_LINE and _HINT.search(line) else []
        if not found:
            kept.append(line)
        for item in found:
            if isinstance(item, list):
                authors += item
            else:
                dates.setdefault(item[1], item[0])
    return Opening(authors, dates.get(False), dates.get(True), [*kept, *paragraphs[OPENING:]])


def _read_line(line: str, now: datetime, above: Sequence[str]) -> list[list[str] | tuple[Reading, bool]]:
    """The dates and bylines that make up a line, between bars; none if there is anything else in it."""
    bare = not any(map(_STOP.search, above))
    found = [date_in_line(part, now, bare) or byline(part) for part in _BAR.split(line)]
    return [item for item in found if item] if all(found) else []


def byline(line: str) -> list[str]:
    """The names in a line such as `By Ada Lind and Bo Ek, Science Correspondent`; none if it is no byline."""
    found = _BYLINE.fullmatch(line[:_LONGEST_LINE])
    return [name for name in re.split(_AND, found[1]) if not is_role(name)] if found else []


def is_role(name: str) -> bool:
    """Whether it is what somebody does, and not who: `Health Correspondent`."""
    return _ROLE.search(name) is not None


def read_headline(paragraphs: Sequence[str]) -> Headline:
    """Headline and standfirst of a page that was saved as plain text.

    The headline is the first paragraph, if it stands again in the opening or is short and ends without a full stop.
    The standfirst is the one short paragraph between the headline and its repetition; else the one after the
    headline, if it is short, has at least four words and no sentence end, and a sentence follows.
    """
    if not paragraphs or len(paragraphs[0]) > LONGEST_TITLE:
        return Headline("", None, list(paragraphs))
    title, below = paragraphs[0], paragraphs[1:]
    again = next((at for at, line in enumerate(below[:OPENING]) if _repeats(line, key(title))), None)
    if again is None and _STOP.search(title):
        return Headline("", None, list(paragraphs))
    body = without_title(below, title)
    if again == 1 and len(below[0]) <= LONGEST_STANDFIRST:
        return Headline(title, below[0], body[1:])
    if _opens_with_standfirst(body):
        return Headline(title, body[0], body[1:])
    return Headline(title, None, body)


def _opens_with_standfirst(body: Sequence[str]) -> bool:
    return (
        len(body) > 1
        and len(body[0]) <= LONGEST_STANDFIRST
        and len(body[0].split()) >= SHORTEST_STANDFIRST
        and not _SENTENCE_END.search(body[0])
        and _SENTENCE_END.search(body[1]) is not None
    )
