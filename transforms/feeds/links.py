"""Addresses in feeds: made absolute, and unwrapped where the target stands in the address itself."""

import base64
import binascii
import re
from urllib.parse import parse_qsl, urljoin, urlsplit

from transforms.urls import LONGEST, canonical

_REDIRECTORS = re.compile(
    r"(?:^|[/._-])(?:redir(?:ect)?|url|click|clk|out|outbound|goto|go|leave|exit|track(?:ing)?|apiclick|l|link|r|away|jump)"
    r"(?:\.(?:php|aspx?|html?))?/?$",
    re.IGNORECASE,
)
_TARGET_NAMES = "url u q target dest destination redirect redirect_url redirect_uri to link z"
_TARGETS = _TARGET_NAMES.split()
"""Parameters in which redirectors name where they lead, the surest first."""
_GOOGLE_NEWS = re.compile(r"/(?:rss/)?articles/([\w=-]{20,2000})")
_ADDRESS_IN_BYTES = re.compile(rb"https?://[\x21-\x7e]+")


def absolute(url: str | None, base: str | None) -> str | None:
    """The address of a web page that a relative one stands for; None if it is none."""
    url = (url or "").strip()
    if not url or len(url) > LONGEST:
        return None
    try:
        whole = urljoin(base or "", url)
    except ValueError:
        return None
    return whole if canonical(whole) else None


def unwrapped(url: str | None) -> str | None:
    """The page that a redirecting address leads to, if its own address says so; else the address itself."""
    for _ in range(3):
        target = _target(url) if url else None
        if not target:
            break
        url = target
    return url


def _target(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if (parts.hostname or "").endswith("news.google.com") and (found := _GOOGLE_NEWS.search(parts.path)):
        return _in_google_news(found[1])
    if "http" not in parts.query or not _REDIRECTORS.search(parts.path or "/"):
        return None
    values = {key.lower(): value.strip() for key, value in parse_qsl(parts.query[:LONGEST])}
    return next((values[key] for key in _TARGETS if canonical(values.get(key))), None)


def _in_google_news(token: str) -> str | None:
    """Older article tokens are a Protocol Buffers message in base64 that holds the address as it is."""
    try:
        message = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    found = _ADDRESS_IN_BYTES.search(message)
    if not found:
        return None
    length = message[found.start() - 1] if found.start() else 0
    address = found[0][:length] if 10 < length < 128 else found[0]
    return address.decode() if canonical(address.decode()) else None
