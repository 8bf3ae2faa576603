"""Time zones by the names that news pages use."""

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PATTERN = r"(?:GMT|UTC)? ?[+-]\d{1,2}(?::?\d\d)?|(?-i:[A-Z][a-z]+/[A-Z][A-Za-z_]+|[A-Z]{1,5}\b)"
"""What may name a zone behind a clock time: +01:00, GMT+1, Europe/Berlin, CET."""

# Names that stand for several zones (IST, or CST in China) are as in e-mail (RFC 5322), else none.
_HOURS = {
    0: ("Z", "GMT", "UT", "UTC", "WET"),
    1: ("BST", "CET", "MEZ", "WAT", "WEST"),
    2: ("CAT", "CEST", "EET", "MESZ", "SAST"),
    3: ("EAT", "EEST", "MSK"),
    5: ("PKT",),
    7: ("WIB",),
    8: ("AWST", "HKT", "SGT"),
    9: ("JST", "KST"),
    10: ("AEST",),
    11: ("AEDT",),
    12: ("NZST",),
    13: ("NZDT",),
    -3: ("BRT",),
    -4: ("AST", "EDT"),
    -5: ("CDT", "EST"),
    -6: ("CST", "MDT"),
    -7: ("MST", "PDT"),
    -8: ("PST",),
}
_ZONES = {name: timezone(timedelta(hours=hours)) for hours, names in _HOURS.items() for name in names}
_PLACES = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d\d)?$")


def zone_named(name: str | None) -> tzinfo | None:
    """The zone of that name, as PATTERN finds it; None for one that is not known. Raises ValueError beyond 24 hours."""
    if not name:
        return None
    name = _PLACES.get(name.upper(), name)
    if offset := _OFFSET.search(name):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(ahead if offset[1] == "+" else -ahead)
    if "/" not in name:
        return _ZONES.get(name.upper())
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
