"""Dates of any form, to UTC. None where a text is no date that can be believed, so that the next source is asked."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
"""What is further ahead of the clock is not believed: a wrong year, or a date of an event."""
LANGUAGES = "en de fr es it pt nl pl sv da nb fi cs ru uk tr el hu ro ja zh ko ar he hi id vi".split()
"""Whose dates are read. Each costs time for every text that is no date (9 ms with these, 15 with all)."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august|sep sept september"
        "|oct october|nov november|dec december".split("|"),
        start=1,
    )
    for name in names.split()
}
# Hours from UTC. Names that stand for several zones (IST, CST of China) are as in e-mail, or none.
_OFFSETS = {"z": 0, "gmt": 0, "ut": 0, "utc": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2}
_OFFSETS |= {"eet": 2, "eest": 3, "msk": 3, "sast": 2, "cat": 2, "wat": 1, "eat": 3, "pkt": 5, "wib": 7, "sgt": 8}
_OFFSETS |= {"hkt": 8, "jst": 9, "kst": 9, "awst": 8, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "brt": -3}
_OFFSETS |= {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "ast": -4}
_PLACES = {"et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles"}

_ZONE = r"(?:GMT|UTC)? ?[+-]\d{1,2}(?::?\d\d)?|(?-i:[A-Z][a-z]+/[A-Z][A-Za-z_]+|[A-Z]{1,5}\b)"
_CLOCK = re.compile(
    r"(?:(?<=\d)T|(?<![\d:.]))(\d{1,2})(?::|\.(?=\d\d ?(?:uhr|[ap]\.?m|(?-i:[A-Z]{2,4}))\b))(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?(?![\d:])"
    r"(?: ?([ap])\.?m\b\.?)?(?: ?(?:uhr|hrs|h)\b)?"
    rf"(?: ?[(\[]?({_ZONE})[)\]]?(?: UTC|\[[\w/]+\])?)?",
    re.IGNORECASE,
)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? )?"
_DAY_FIRST = re.compile(rf"{_WEEKDAY}{_DAY}[ -]([a-z]{{3,9}})\.?,?[ -](\d{{4}})(?: [a-z]{{1,2}})*", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"{_WEEKDAY}([a-z]{{3,9}})\.? {_DAY},? (\d{{4}})", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d\d?)\2(\d\d?)")
_NUMBERS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_BESIDE_CLOCK = re.compile(r"^(?:on\b|[\s,|·–-])+|(?:\b(?:at|um|à)|[\s,|·–-])+$", re.IGNORECASE)
_YEAR = re.compile(r"\d{4}")
_FIGURES_ONLY = re.compile(r"\d{4}[-/.]|[\W\d]*$")
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d{1,9})?|(\d{12,13})(?:\.0)?|(\d{16})|(\d{19})")

_IN_PATH = re.compile(r"/((?:17|18|19|20)\d\d)(?:([/_-])(\d\d?)\2(\d\d?)(?!\d)|()(\d\d)(\d\d)(?=/|$)|/([a-z]{3})/(\d\d?)/)")
_LABEL = re.compile(
    r"(?:(?:first )?(?:published|posted|date|veröffentlicht|erschienen|publié|publicado|pubblicato)|"
    r"((?:last )?(?:updated|modified)|aktualisiert|stand|mis à jour|actualizado))(?: on| at| am| le| el| il)?\s?:?\s",
    re.IGNORECASE,
)
_DATE_SHAPE = re.compile(r"(?:[^\W\d]{2,12}\.?,? ){0,2}\d{1,2}[^\d]{1,20}\d{4}(?:\D{1,8}\d{1,2}[:.]\d\d)?[^\d]{0,12}")


def read_date(text: str, now: datetime, language: str | None = None) -> Reading | None:
    """The moment that a text names.

    `now` is the clock (UTC) for "3 hours ago" and for what lies ahead; `language` (as `en-GB`) says whether 3/4/2026
    is in March or in April: March for American English and where none is given. A clock time without a zone is
    taken as UTC, and the precision says so.
    """
    text = " ".join(text[: LONGEST + 40].split())
    if not 4 < len(text) <= LONGEST:
        return None
    try:
        reading = _iso(text) or _figures(text) or _day_and_clock(text, language) or _any_language(text, now)
    except (ValueError, OverflowError):
        return None
    return reading if reading and is_believable(reading.moment, now) else None


def is_believable(moment: datetime, now: datetime) -> bool:
    """Whether something can have been published then: since 1700, and at most a day ahead."""
    return EARLIEST <= moment <= now + AHEAD


def _iso(text: str) -> Reading | None:
    """ISO 8601 with a clock time, which is most of what there is."""
    if not (text[4] == "-" or text[8:9] == "T") or len(text) < 13 or "W" in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _reading(moment.replace(tzinfo=None), moment.tzinfo, text.count(":", 11, 19) != 1)


def _reading(moment: datetime, zone: tzinfo | None, to_the_second: bool) -> Reading:
    """Midnight to the second, without a zone, is how programs write a day."""
    unit = "second" if to_the_second else "minute"
    if zone:
        return Reading(moment.replace(tzinfo=zone).astimezone(UTC), unit)
    if to_the_second and moment.time() == datetime.min.time():
        return Reading(moment.replace(tzinfo=UTC), "day")
    return Reading(moment.replace(tzinfo=UTC), f"{unit}_no_zone")


def _figures(text: str) -> Reading | None:
    """Seconds since 1970, or thousandths, millionths, billionths of one, as the number of digits tells; YYYYMMDDhhmmss."""
    if len(text) == 14 and text.isdecimal():
        return _reading(datetime.strptime(text, "%Y%m%d%H%M%S"), None, True)
    found = _EPOCH.fullmatch(text)
    if not found:
        return None
    count = next(group for group in found.groups() if group)
    seconds = int(count) // 10 ** {9: 0, 10: 0, 12: 3, 13: 3, 16: 6, 19: 9}[len(count)]
    return Reading(datetime.fromtimestamp(seconds, UTC), "second")


def _day_and_clock(text: str, language: str | None) -> Reading | None:
    """A day in figures or English, and a clock time before, behind or inside it, if there is one."""
    clock = _CLOCK.search(text)
    if not clock:
        day = _day(text, language)
        return Reading(day.replace(tzinfo=UTC), "day") if day else None
    around = (text[: clock.start()], text[clock.end() :])
    day = _day(" ".join(filter(None, (_BESIDE_CLOCK.sub("", part) for part in around))), language)
    if not day:
        return None
    hours, minutes, seconds, half, zone = clock.groups()
    hour = int(hours) % 12 + 12 * (half in "pP") if half else int(hours)
    return _reading(day.replace(hour=hour, minute=int(minutes), second=int(seconds or 0)), _zone(zone, day), bool(seconds))


def _day(text: str, language: str | None) -> datetime | None:
    if found := _YEAR_FIRST.fullmatch(text):
        return datetime(int(found[1]), int(found[3]), int(found[4])) if found[2] or len(text) == 8 else None
    if found := _DAY_FIRST.fullmatch(text):
        return _named(found[3], found[2], found[1])
    if found := _MONTH_FIRST.fullmatch(text):
        return _named(found[3], found[1], found[2])
    if found := _NUMBERS.fullmatch(text):
        first, second = int(found[1]), int(found[3])
        month_first = second > 12 or (found[2] != "." and first <= 12 and language in (None, "en", "en-US", "en_US"))
        day, month = (second, first) if month_first else (first, second)
        return datetime(int(found[4]), month, day)
    return None


def _named(year: str, month: str, day: str) -> datetime | None:
    number = _MONTHS.get(month.lower())
    return datetime(int(year), number, int(day)) if number else None


def _zone(name: str | None, day: datetime) -> tzinfo | None:
    """The zone of that name; None for one that is not known."""
    if not name:
        return None
    if name.lower() in _OFFSETS:
        return timezone(timedelta(hours=_OFFSETS[name.lower()]))
    if offset := re.search(r"([+-])(\d{1,2}):?(\d\d)?$", name):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(ahead if offset[1] == "+" else -ahead)
    try:
        return ZoneInfo(_PLACES.get(name.lower(), name)) if name.lower() in _PLACES or "/" in name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _any_language(text: str, now: datetime) -> Reading | None:
    """What dateparser reads, in 1 to 10 ms: other languages, and times before now. It must name day, month and year."""
    if _FIGURES_ONLY.match(text):
        return None
    found = _dateparser(now).get_date_data(text)
    if found.date_obj is None or found.period not in ("day", "time"):
        return None
    if found.period == "day":
        return Reading(datetime.combine(found.date_obj.date(), datetime.min.time(), UTC), "day")
    clock = _CLOCK.search(text)
    is_told = not _YEAR.search(text) or (clock and _zone(clock[5], found.date_obj))
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
    return DateDataParser(languages=LANGUAGES, settings=settings)


def date_in_url(url: str | None, now: datetime) -> Reading | None:
    """The day in an address's path: /2026/01/31/, /2026-01-31-, /2026/jan/31/ or /20260131/; year, month and day."""
    found = _IN_PATH.search((url or "").partition("?")[0].lower())
    if not found:
        return None
    year, month, day = found[1], found[3] or found[6], found[4] or found[7]
    try:
        moment = _named(year, found[8], found[9]) if found[8] else datetime(int(year), int(month), int(day))
    except ValueError:
        return None
    reading = Reading(moment.replace(tzinfo=UTC), "day") if moment else None
    return reading if reading and is_believable(reading.moment, now) else None


def date_in_line(line: str, now: datetime, bare: bool = True) -> tuple[Reading, bool] | None:
    """The moment that a line of a page names, and whether it is of the last change. The line must say nothing else.

    Unless `bare`, it must begin with a word such as "Published" or "Updated".
    """
    if len(line) > LONGEST or not _YEAR.search(line):
        return None
    label = _LABEL.match(line)
    rest = line[label.end() :] if label else line
    if not (label or (bare and (_DATE_SHAPE.fullmatch(rest) or _is_day(rest)))):
        return None
    reading = read_date(rest, now)
    return (reading, bool(label and label[1])) if reading else None


def _is_day(text: str) -> bool:
    try:
        return _day_and_clock(text, None) is not None
    except (ValueError, OverflowError):
        return False
