"""Dates of any form, to UTC. None where a text is no date that can be believed, so that the next source is asked."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from transforms.zones import PATTERN as ZONE
from transforms.zones import zone_named

if TYPE_CHECKING:
    from dateparser.date import DateDataParser


class Reading(NamedTuple):
    """A moment in UTC, and how precisely the text tells it: second, minute or day; with _no_zone if it names none."""

    moment: datetime
    precision: str


LONGEST = 80
"""Characters of a text that can be a date."""
EARLIEST = datetime(1700, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""What is further ahead of the clock is not believed: a wrong year, or the date of an event."""
LANGUAGES = "en de fr es it pt nl pl sv da nb fi cs ru uk tr el hu ro ja zh ko ar he hi id vi"
"""Whose dates dateparser reads. Each costs time for every text that is no date: 9 ms with these, 15 with all."""

_FURTHEST_ZONE = timedelta(hours=14)
_MONTHS = {
    **{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9},
    **{"oct": 10, "nov": 11, "dec": 12, "january": 1, "february": 2, "march": 3, "april": 4, "june": 6, "july": 7},
    **{"august": 8, "september": 9, "october": 10, "november": 11, "december": 12},
}
_CLOCK = re.compile(
    r"(?:(?<=\d)T|(?<![\d:.]))(\d{1,2})"
    r"(?::|\.(?=\d\d ?(?:uhr|[ap]\.?m|(?-i:[A-Z]{2,4}))\b))(\d\d)"  # 14:05, or 14.05 before Uhr, pm or a zone
    r"(?::(\d\d)(?:[.,]\d{1,9})?)?(?![\d:])"
    r"(?: ?([ap])\.?m\b\.?)?(?: ?(?:uhr|hrs|h)\b)?"
    rf"(?: ?[(\[]?({ZONE})[)\]]?(?: UTC|\[[\w/]+\])?)?",  # the last two as Go and Java write them
    re.IGNORECASE,
)
_BESIDE_CLOCK = re.compile(r"^(?:on\b|[\s,|·–-])+|(?:\b(?:at|um|à)|[\s,|·–-])+$", re.IGNORECASE)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? )?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DAY_FIRST = re.compile(rf"{_WEEKDAY}{_DAY}[ -]([a-z]{{3,9}})\.?,?[ -](\d{{4}}|\d\d)(?: [a-z]{{1,2}})*", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"{_WEEKDAY}([a-z]{{3,9}})\.? {_DAY},? (\d{{4}})", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d\d?)\2(\d\d?)")
_NUMBERS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d{1,9})?|(\d{12,13})(?:\.0)?|(\d{16})|(\d{19})")
_EPOCH_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 16: 10**6, 19: 10**9}
_AMERICAN = ("en", "en-us", "eng", "english")
_HAS_YEAR = re.compile(r"\d{4}")
_FIGURES_ONLY = re.compile(r"\d{4}[-/.]|[\W\d]*$")
_IN_NO_DATE = re.compile(r"[#*=<>@$%&!?{}]|(?<!\d)\d{3}:")


def read_date(text: str, now: datetime, language: str | None = None) -> Reading | None:
    """The moment that a text names.

    `now` is the clock (UTC) for "3 hours ago" and for what lies ahead; `language` (as `en-GB`) says whether 3/4/2026
    is in March or in April: March for American English, and where none is given. A clock time without a zone is
    taken as UTC, and the precision says so.
    """
    text = " ".join(text[: LONGEST + 40].split()).replace("МСК", "MSK")
    if not 4 < len(text) <= LONGEST:
        return None
    try:
        reading = _iso(text) or _figures(text) or day_and_clock(text, language) or _any_language(text, now)
    except (ValueError, OverflowError):
        return None
    return reading if reading and is_believable(reading.moment, now) else None


def surest_date(texts: Iterable[str], now: datetime, language: str | None = None) -> Reading | None:
    """The first text that is a date which can be believed.

    Where that names no zone, or only a day, and a later text names the same moment in its zone (within 14 hours, the
    furthest that zones lie apart) or a time of that day, that is taken.
    """
    readings = [reading for text in texts if (reading := read_date(text, now, language))]
    return next((one for one in readings[1:] if _says_more(one, readings[0])), readings[0]) if readings else None


def _says_more(one: Reading, than: Reading) -> bool:
    if one.precision not in ("second", "minute"):
        return False
    apart = one.moment - than.moment
    if than.precision == "day":
        return -_FURTHEST_ZONE <= apart < timedelta(days=1) + _FURTHEST_ZONE
    return than.precision.endswith("_no_zone") and abs(apart) <= _FURTHEST_ZONE


def is_believable(moment: datetime, now: datetime) -> bool:
    """Whether something can have been published then: since 1700, and at most a day ahead."""
    return EARLIEST <= moment <= now + AHEAD


def on_day(day: date) -> Reading:
    """A day and no more, as its midnight in UTC."""
    return Reading(datetime.combine(day, time(), UTC), "day")


def _iso(text: str) -> Reading | None:
    """ISO 8601 with a clock time, which is most of what there is."""
    if not (text[4] == "-" or text[8:9] == "T") or len(text) < 13 or "W" in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _at(moment.replace(tzinfo=None), moment.tzinfo, to_the_second=text.count(":", 11, 19) != 1)


def _at(moment: datetime, zone: tzinfo | None, to_the_second: bool) -> Reading:
    """Midnight to the second, without a zone, is how programs write a day."""
    unit = "second" if to_the_second else "minute"
    if zone:
        return Reading(moment.replace(tzinfo=zone).astimezone(UTC), unit)
    if to_the_second and moment.time() == time():
        return on_day(moment)
    return Reading(moment.replace(tzinfo=UTC), f"{unit}_no_zone")


def _figures(text: str) -> Reading | None:
    """YYYYMMDDhhmmss; or seconds since 1970, or thousandths, millionths, billionths, as the number of digits tells."""
    if len(text) == 14 and text.isdecimal():
        return _at(datetime.strptime(text, "%Y%m%d%H%M%S"), None, to_the_second=True)
    found = _EPOCH.fullmatch(text)
    if not found:
        return None
    count = next(group for group in found.groups() if group)
    return Reading(datetime.fromtimestamp(int(count) // _EPOCH_UNITS[len(count)], UTC), "second")


def day_and_clock(text: str, language: str | None = None) -> Reading | None:
    """A day in figures or English, and a clock time before, behind or inside it, if there is one.

    Raises ValueError for a day or time that does not exist, OverflowError at either end of time.
    """
    clock = _CLOCK.search(text)
    if not clock:
        day = _day(text, language)
        return on_day(day) if day else None
    around = (text[: clock.start()], text[clock.end() :])
    day = _day(" ".join(filter(None, (_BESIDE_CLOCK.sub("", part) for part in around))), language)
    if not day:
        return None
    hours, minutes, seconds, half, zone = clock.groups()
    hour = int(hours) % 12 + 12 * (half in "pP") if half else int(hours)
    moment = datetime.combine(day, time(hour, int(minutes), int(seconds or 0)))
    return _at(moment, zone_named(zone), to_the_second=bool(seconds))


def _day(text: str, language: str | None) -> date | None:
    if found := _YEAR_FIRST.fullmatch(text):
        return date(int(found[1]), int(found[3]), int(found[4])) if found[2] or len(text) == 8 else None
    if found := _DAY_FIRST.fullmatch(text):
        return _with_month(found[3], found[2], found[1])
    if found := _MONTH_FIRST.fullmatch(text):
        return _with_month(found[3], found[1], found[2])
    if found := _NUMBERS.fullmatch(text):
        first, second = int(found[1]), int(found[3])
        american = found[2] != "." and first <= 12 and (language or "en").lower().replace("_", "-") in _AMERICAN
        day, month = (second, first) if second > 12 or american else (first, second)
        return date(int(found[4]), month, day)
    return None


def _with_month(year: str, month: str, day: str) -> date | None:
    """A year of two digits is of 1970 to 2069, as in old e-mail and feeds."""
    number = _MONTHS.get(month.lower())
    century = 0 if len(year) == 4 else 2000 if int(year) < 70 else 1900
    return date(century + int(year), number, int(day)) if number else None


def _any_language(text: str, now: datetime) -> Reading | None:
    """What dateparser reads, in 1 to 10 ms: other languages, and times before now. It must name day, month and year.

    The first text that it is asked about costs half a second.
    """
    if _FIGURES_ONLY.match(text) or _IN_NO_DATE.search(text):
        return None
    found = _dateparser(now).get_date_data(text)
    if found.date_obj is None or found.period not in ("day", "time"):
        return None
    if found.period == "day":
        return on_day(found.date_obj.date())
    clock = _CLOCK.search(text)
    is_told = not _HAS_YEAR.search(text) or (clock and zone_named(clock[5]))
    return Reading(found.date_obj.astimezone(UTC), "minute" if is_told else "minute_no_zone")


@lru_cache(4)
def _dateparser(now: datetime) -> "DateDataParser":
    from dateparser.date import DateDataParser

    settings = {
        "RELATIVE_BASE": now.astimezone(UTC).replace(tzinfo=None),
        "TIMEZONE": "UTC",
        "RETURN_AS_TIMEZONE_AWARE": True,
        "RETURN_TIME_AS_PERIOD": True,
        "PREFER_DATES_FROM": "past",
        "REQUIRE_PARTS": ["day", "month", "year"],
        "PARSERS": ["relative-time", "absolute-time"],
    }
    return DateDataParser(languages=LANGUAGES.split(), settings=settings)


_IN_PATH = re.compile(
    r"/((?:17|18|19|20)\d\d)"
    r"(?:([/_-])(\d\d?)\2(\d\d?)(?!\d)"  # /2026/01/31/, /2026-01-31-
    r"|(\d\d)(\d\d)(?=/|$)"  # /20260131/
    r"|/([a-z]{3})/(\d\d?)/)"  # /2026/jan/31/
)


def date_in_url(url: str | None, now: datetime) -> Reading | None:
    """The day in an address's path: /2026/01/31/, /2026-01-31-, /2026/jan/31/ or /20260131/; year, month and day."""
    found = _IN_PATH.search((url or "").partition("?")[0].lower())
    if not found:
        return None
    year, _, month, day, month_2, day_2, month_name, day_3 = found.groups()
    try:
        named = _with_month(year, month_name, day_3) if month_name else None
        reading = on_day(named or date(int(year), int(month or month_2), int(day or day_2)))
    except (ValueError, TypeError):
        return None
    return reading if is_believable(reading.moment, now) else None


_LABEL = re.compile(
    r"(?:(?:first )?(?:published|posted|date|veröffentlicht|erschienen|publié|publicado|pubblicato)"
    r"|((?:last )?(?:updated|modified)|aktualisiert|stand|mis à jour|actualizado))"
    r"(?: on| at| am| le| el| il)?\s?:?\s",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?:[^\W\d]{2,12}\.?,? ){0,2}\d{1,2}[^\d]{1,20}\d{4}(?:\D{1,8}\d{1,2}[:.]\d\d)?[^\d]{0,12}")
"""A day, its month in letters of any language, a year, and perhaps a time."""


def date_in_line(line: str, now: datetime, bare: bool = True) -> tuple[Reading, bool] | None:
    """The moment that a line of a page names, and whether it is of the last change. The line must say nothing else.

    Unless `bare`, it must begin with a word such as "Published" or "Updated".
    """
    if len(line) > LONGEST or not _HAS_YEAR.search(line):
        return None
    label = _LABEL.match(line)
    rest = line[label.end() :] if label else line
    if not (label or (bare and _is_alone(rest))):
        return None
    reading = read_date(rest, now)
    return (reading, bool(label and label[1])) if reading else None


def _is_alone(text: str) -> bool:
    """Whether the text may be a date and no more: an English day with other words, `Record March 3, 1987`, is none."""
    return _is_day(text) or (_ALONE.fullmatch(text) is not None and not _MONTH_FIRST.search(text))


def _is_day(text: str) -> bool:
    try:
        return day_and_clock(text) is not None
    except (ValueError, OverflowError):
        return False


_DATELINE = re.compile(
    r"[^\W\d_][^\d\n]{1,60}?[,(]? ?\b([A-Za-z]{3,9})\.? (\d{1,2})(?:, (\d{4}))?\)?,? ?"
    r"(?:\([^()]{1,30}\)|/[A-Z][\w ]{1,30}/)? ?(?:--|[-–—:])"
)
_YEAR_IN_PATH = re.compile(r"/((?:19|20)\d\d)(?:/|-\d)")


def date_in_dateline(line: str, now: datetime, url: str | None, updated: Reading | None) -> Reading | None:
    """The day in the dateline of a text: `LONDON, March 3 (Agency) -`. It must open the line, in capitals.

    The year is as it stands there, else as in the address's path, else the last in which the day is not after the
    last change; without any of these a day without a year is not used.
    """
    found = _DATELINE.match(line[:150])
    if not found or not line[:3].isupper():
        return None
    month, day, year = found.groups()
    in_path = _YEAR_IN_PATH.search((url or "").partition("?")[0])
    year = year or (in_path[1] if in_path else None)
    try:
        if not year and updated:
            named = _with_month(str(updated.moment.year), month, day)
            year = str(updated.moment.year - (named is not None and named > updated.moment.date()))
        named = _with_month(year, month, day) if year else None
    except ValueError:
        return None
    return on_day(named) if named and is_believable(on_day(named).moment, now) else None


_DIRECTIVES = {"%Y": r"((?:17|18|19|20)\d\d)", "%y": r"(\d\d)", "%m": r"(0[1-9]|1[0-2])", "%d": r"([0-2]\d|3[01])"}


def date_in_name(name: str, pattern: str | None, now: datetime) -> Reading | None:
    """The day in an input's name, where a pattern such as `%Y/%m/%d` or `news-%Y%m%d` says how it stands there."""
    if not pattern:
        return None
    parts = re.split("(%[Yymd])", pattern)
    found = re.search("".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts), name[-LONGEST * 10 :])
    if not found:
        return None
    groups = dict(zip((part for part in parts if part in _DIRECTIVES), found.groups(), strict=True))
    year = int(groups["%Y"]) if "%Y" in groups else 2000 + int(groups["%y"])
    try:
        reading = on_day(date(year, int(groups["%m"]), int(groups["%d"])))
    except ValueError:
        return None
    return reading if is_believable(reading.moment, now) else None
