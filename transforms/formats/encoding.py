"""Bytes to text: what a byte order mark says, else UTF-8, else the detector's guess, which is never silent."""

import codecs
import re

import cchardet
from w3lib.encoding import html_body_declared_encoding, resolve_encoding

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 65_536
"""Bytes that the detector sees, from a little before the first that is not UTF-8."""
_WESTERN = re.compile(
    "(?:[\x00-\x7f\xa0-\xae\xb0-\xb2\xb4-\xb8\xba-\xbf€‚„…‰‹‘’“”•–—™›]|[À-ÏÑ-Üß-ïñ-üŒœ]{1,2}(?![À-ÿ]))*"
)
"""Text in windows-1252: not the signs that are common letters in Central Europe's sets, nor three accented letters in
a row, as other scripts have."""
_DECLARED_WITHIN = 4_096
"""Bytes in which a page may say what its encoding is; browsers look at 1,024."""
_NOT_ASCII = bytes(range(128, 256))


def decode(data: bytes) -> tuple[str, str | None]:
    """The text, and a note where bytes were guessed or replaced.

    Raises UnicodeDecodeError where no encoding fits.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _with_replacements(data[len(mark) :], encoding)
    try:
        return data.decode(), None
    except UnicodeDecodeError as error:
        return _mostly_utf8(data) or _guessed(data, error.start)


def _with_replacements(data: bytes, encoding: str) -> tuple[str, str | None]:
    text = data.decode(encoding, "replace")
    bad = text.count("\ufffd")
    return text, f"not {encoding}, replaced: {bad} characters" if bad else None


def _mostly_utf8(data: bytes) -> tuple[str, str | None] | None:
    """UTF-8 with a few damaged characters: more good ones than bad ones. In other encodings hardly any are good."""
    text, note = _with_replacements(data, "utf-8")
    bad = text.count("\ufffd")
    good = len(text) - bad - len(data.translate(None, _NOT_ASCII))
    return (text, note) if good > bad else None


def _guessed(data: bytes, start: int) -> tuple[str, str]:
    """Short Western texts mislead the detector (it took French for windows-1250 and IBM852): they are told first."""
    sample = data[max(0, start - 1000) :][:SAMPLE]
    guess = "windows-1252"
    if not _WESTERN.fullmatch(sample.decode(guess, "replace")):
        guess = (cchardet.detect(sample)["encoding"] or guess).lower()
    try:
        return data.decode(guess), f"decoded as {guess}"
    except LookupError:
        return data.decode("windows-1252"), "decoded as windows-1252"


def decode_page(data: bytes, charset: str | None = None) -> tuple[str, str | None]:
    """As `decode`, for a web page: `charset` is what the server said of it, and it may say so itself.

    The order: byte order mark; UTF-8, where the bytes are that (such bytes are of no other encoding, whatever a label
    says); the server's word; the page's own; the detector. A label that does not fit the bytes is passed over, with a
    note. Raises UnicodeDecodeError where no encoding fits.
    """
    if any(data.startswith(mark) for mark, _ in BOMS) or not data:
        return decode(data)
    labels = [label for label in (_known(charset), html_body_declared_encoding(data[:_DECLARED_WITHIN])) if label]
    seven_bits = next((label for label in labels if label.startswith(("iso2022", "iso-2022", "hz"))), None)
    if not seven_bits and _is_utf8(data):
        is_mislabelled = labels and labels[0] != "utf-8" and not data.isascii()
        return data.decode(), f"decoded as utf-8, not {labels[0]}" if is_mislabelled else None
    for label in labels:
        try:
            return data.decode(label), None
        except (UnicodeDecodeError, LookupError):
            continue
    try:
        text, note = decode(data)
    except UnicodeDecodeError:
        text, note = _with_replacements(data, labels[0] if labels else "utf-8")
        if text.count("\ufffd") * 20 > len(text):
            raise
    return text, f"{note}, not {labels[0]}" if note and labels else note


def _known(charset: str | None) -> str | None:
    return resolve_encoding(charset.strip()[:40]) if charset and charset.strip().isascii() else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
