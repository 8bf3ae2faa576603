"""Texts for a person: what comes from outside is made harmless, numbers are made readable."""

import re
from collections.abc import Mapping

_USER = re.compile(r"(?<=://)[^/@\s]*@")


def visible(text: str, keep: str = "") -> str:
    """The text with whatever is no visible character as an escape, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escaped(char) for char in text)


def hushed(text: str) -> str:
    """The text without the names and passwords of addresses in it."""
    return _USER.sub("…@", text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def number_of(number: int, name: str, plural: str = "s") -> str:
    """`1 row`, `2 rows`; `plural` is what the name ends with then."""
    return f"{number:,} {name}{plural if number != 1 else ''}"


def size_text(size: float) -> str:
    """Bytes in the largest unit that leaves a whole number before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def ranked(counts: Mapping[str, int]) -> str:
    """`image 1,200, redirect 40`: the highest first."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{visible(name)} {number:,}" for name, number in order)
