"""Sizes and times as people write them, for the configuration."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_SIZES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_TIMES = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def bytes_of(value: object) -> object:
    """32000000, "32 MB" or "1.5GB" as a number of bytes."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)b?\s*", value, re.I) if isinstance(value, str) else None
    return int(float(match[1]) * _SIZES[match[2].lower()]) if match else value


def seconds_of(value: object) -> object:
    """90, "90 s", "15 min", "2 h" or "1 d" as a number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|)\s*", value, re.I) if isinstance(value, str) else None
    return float(match[1]) * _TIMES[match[2].lower()] if match else value


Bytes = Annotated[int, BeforeValidator(bytes_of)]
Seconds = Annotated[float, BeforeValidator(seconds_of)]
