"""The news agency that wrote an article: from its dateline, its authors, a credit line, or where it was published."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from transforms.urls import host_name

_DATELINE = 120
"""Characters at the start of a text in which a dateline names the agency."""
_CREDIT_PARAGRAPHS, _CREDIT = 3, 160
"""Last paragraphs, and their length, that may be a credit line."""


class Wire(NamedTuple):
    """The agency, if one is named, and the authors without it."""

    agency: str | None
    authors: list[str]


class _Agencies(NamedTuple):
    by_name: dict[str, str]
    by_host: dict[str, str]
    dateline: re.Pattern[str]
    credit: re.Pattern[str]
    author: re.Pattern[str]


def find_wire(body: Sequence[str], authors: Sequence[str], source: str | None, urls: Iterable[str | None] = ()) -> Wire:
    """The agency behind an article of these paragraphs, and its authors, who are people.

    The dateline counts most, then authors, a credit line at the end, and the publisher: its name, or the host of one
    of the `urls`, which are those of the article and its feed.
    """
    known = _agencies()
    people, named = _people(authors)
    return Wire(_in_dateline(body) or named or _in_credit(body) or _published_by(known, source, urls), people)


def _people(authors: Sequence[str]) -> tuple[list[str], str | None]:
    """The authors without agencies, and the first agency among them: `Ada Lind, Reuters`, `AP`, `Bo Ek (dpa)`."""
    people, agency = [], None
    for author in authors:
        if found := _agencies().author.fullmatch(author):
            agency = agency or _agencies().by_name[found["name"]]
            author = found["person"] or ""
        if author:
            people.append(author)
    return people, agency


def _in_dateline(body: Sequence[str]) -> str | None:
    found = _agencies().dateline.match(body[0][:_DATELINE]) if body else None
    return _agencies().by_name[found["mark"] or found["plain"] or found["han"]] if found else None


def _in_credit(body: Sequence[str]) -> str | None:
    for paragraph in reversed(body[-_CREDIT_PARAGRAPHS:]):
        if len(paragraph) <= _CREDIT and (found := _agencies().credit.fullmatch(paragraph)):
            return _agencies().by_name[found["name"] or found["rights"]]
    return None


def _published_by(known: _Agencies, source: str | None, urls: Iterable[str | None]) -> str | None:
    if source and source in known.by_name:
        return known.by_name[source]
    for host in filter(None, map(host_name, urls)):
        labels = host.split(".")
        for at in range(len(labels) - 1):
            if agency := known.by_host.get(".".join(labels[at:])):
                return agency
    return None


@cache
def _agencies() -> _Agencies:
    import yaml

    text = files("transforms").joinpath("data/agencies.yaml").read_text("utf-8")
    rows: dict[str, dict[str, Any]] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    by_name = {name: agency for agency, row in rows.items() for name in (agency, *row["names"])}
    by_host = {host: agency for agency, row in rows.items() for host in row["hosts"]}
    name = "|".join(re.escape(one) for one in sorted(by_name, key=len, reverse=True))
    han = "|".join(re.escape(one) for one in by_name if re.match("[\u4e00-\u9fff]", one))
    return _Agencies(
        by_name,
        by_host,
        dateline=re.compile(
            # PARIS, Jan. 3 (AFP) - …; MOSCOW, January 3. /TASS/. …
            rf"[^\n]{{0,80}}?[(/\[](?P<mark>{name})(?:[/ ,][^()\n]{{0,20}})?[)/\]]\s*(?:[-–—:.]|$)"
            # TOKYO, Jan 3, Kyodo - …
            rf"|[^\n.]{{0,60}}?\b(?P<plain>{name})\s*[-–—]{{1,2}}\s"
            # 新华社北京1月3日电 …
            rf"|[(（【]?(?P<han>{han})[^，。,\n]{{0,20}}[电電讯訊]"
        ),
        credit=re.compile(
            rf"\W*(?:(?:source|quelle|fuente|fonte|con información de|mit material von|with|von|par|\w+/|via)\W*)*"
            rf"(?P<name>{name})(?:\W*(?:staff|news))?\W*"
            rf"|(?:©|\(c\)|copyright)[\s\d]*(?P<rights>{name})\b.*",
            re.IGNORECASE,
        ),
        author=re.compile(
            rf"(?:(?P<person>[^,(/|]{{2,80}}?)\s*(?:,|\(|/|\||\bof\b|\bfor\b|[-–—])\s*)?(?:the )?(?P<name>{name})"
            r"(?i:(?: (?:staff|news|agency|writer|reporter|correspondent)){0,2})\)?",
        ),
    )
