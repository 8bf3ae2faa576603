"""RSS 0.9x to 2.0, RDF, Atom 0.3 and 1.0, through feedparser."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.entities import html5
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.records import Problem
from transforms.dates import read_date
from transforms.feeds.entries import settled
from transforms.feeds.links import absolute, unwrapped
from transforms.feeds.records import Entry, Feed, NotAFeed
from transforms.feeds.sax import MOST_ELEMENTS, WHOLE, Parsed, TooMany, name_in, parsed
from transforms.feeds.texts import Markup, clean, first_image, plain_title

Found = Mapping[str, Any]
"""What feedparser has of an entry, or of one of its parts."""
_FAR = datetime(9000, 1, 1, tzinfo=UTC)
_ROOT = re.compile(r"<(?:[\w.-]+:)?[\w.-]")
_ENDS = re.compile(r"</(?:[\w.-]+:)?(?:rss|rdf|feed|channel)\s*>", re.IGNORECASE)
_CUT_OFF = Problem("TruncatedEntry", "The feed ends inside of this entry.")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITY = re.compile(r"&(?:#(\d{1,20}|[xX][0-9a-fA-F]{1,20})|(\w{2,31}));")
_MARKUP_SIGNS = frozenset("&<>\"'")
_LITERAL = frozenset(("text/plain",))
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:\?|$)", re.IGNORECASE)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SKIP = re.compile(r"<skip(hours|days)\b[^<>]*>(.{0,4000}?)</skip\1", re.IGNORECASE | re.DOTALL)
_VALUE = re.compile(r"<(?:hour|day)\b[^<>]*>\s*(\w{1,12})", re.IGNORECASE)
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


def read_xml(text: str, url: str | None) -> Feed:
    """The feed that a text holds. Raises NotAFeed where nothing can be made of it."""
    text = mended(text)
    try:
        found = parsed(text)
    except TooMany as error:
        raise NotAFeed("TooManyElements", f"The feed has more than {MOST_ELEMENTS:,} elements.") from error
    except Exception as error:  # feedparser meets what its authors did not
        what = f"{type(error).__name__}: {str(error)[:200]}"
        raise NotAFeed("BrokenFeed", f"The feed cannot be parsed: {what}.") from error
    if found.broken and not found.entries and not _ENDS.search(text[-200:]):
        raise NotAFeed("TruncatedFeed", "The feed ends before its first entry does.")
    return _feed(found, text, url)


def mended(text: str) -> str:
    """The feed from its first element on, without what XML forbids, HTML's entities read.

    So there is no DOCTYPE and no declaration, and no entity beyond those of XML.
    """
    start = _ROOT.search(text)
    return _CONTROLS.sub("", _ENTITY.sub(_read_entity, text[start.start() if start else 0 :]))


def _read_entity(found: re.Match[str]) -> str:
    number, name = found.groups()
    if name:
        sign = html5.get(f"{name};", found[0])
        return found[0] if sign in _MARKUP_SIGNS else sign
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    is_character = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0xFFFF < code < 0x110000
    return found[0] if is_character else "\ufffd"


def _feed(found: Parsed, text: str, url: str | None) -> Feed:
    about = found.feed
    link = absolute(about.get("link"), url)
    base = url or link
    shared = Shared(
        kind=found.version or "rss",
        title=plain_title(about.get("title")),
        language=_text(about.get("language")),
        authors=_authors(about) if found.version.startswith("atom") else [],
    )
    entries = [_entry(one, base, shared) for one in found.entries]
    problems = [f"not well-formed XML: {found.broken[:200]}"] if found.broken else []
    if entries and found.broken and WHOLE not in found.entries[-1] and not _ENDS.search(text[-200:]):
        entries[-1] = replace(entries[-1], problem=_CUT_OFF)
        problems.append("cut off inside of its last entry")
    return Feed(
        kind=shared.kind,
        title=shared.title,
        link=link,
        language=shared.language,
        ttl=_ttl(about),
        skip_hours=_skipped(text, "hours"),
        skip_days=_skipped(text, "days"),
        entries=settled(entries),
        problems=tuple(problems),
    )


class Shared(NamedTuple):
    """What the feed says for all its entries."""

    kind: str
    title: str | None
    language: str | None
    authors: list[str]


def _text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _entry(one: Found, base: str | None, shared: Shared) -> Entry:
    source = one.get("source") or {}
    contents = _contents(one, base, shared.kind)
    description = _markup(one.get("summary"), one.get("summary_detail"), base, shared.kind)
    text = max(filter(None, map(clean, contents)), key=len, default=None)
    summary = clean(description) if description else None
    publisher = plain_title(source.get("title"))
    title = plain_title(one.get("title"), _title_is_html(one.get("title_detail"), shared.kind))
    pictures = (first_image(markup.value, markup.base) for markup in (*contents, description) if markup)
    return Entry(
        title=title.removesuffix(f" - {publisher}") or None if title else None,  # Google News puts it there
        summary=summary if text and summary != text else None,
        text=text or summary,
        id=_text(one.get("id")),
        url=unwrapped(_link(one, base)),
        published=_date(one, "published", "created"),
        updated=_date(one, "updated"),
        authors=_authors(one) or _authors(source) or shared.authors,
        language=_language(one) or _text(source.get("language")) or shared.language,
        source=publisher or shared.title,
        categories=_categories(one),
        image_url=_image(one, base) or next(filter(None, pictures), None),
    )


def _contents(one: Found, base: str | None, kind: str) -> list[Markup]:
    found = (_markup(item.get("value"), item, base, kind) for item in one.get("content") or [] if _is_text(item))
    return [markup for markup in found if markup]


def _is_text(detail: Found) -> bool:
    kind = detail.get("type") or "text/html"
    return bool(kind.startswith("text/") or kind.endswith("xml") or kind.endswith("html"))


def _markup(value: object, detail: Found | None, base: str | None, kind: str) -> Markup | None:
    if not isinstance(value, str) or not value.strip():
        return None
    own = (detail or {}).get("base")
    return Markup(value, absolute(own, base) or base, _is_html(detail, kind))


def _is_html(detail: Found | None, kind: str) -> bool:
    """Atom says what is plain text; in RSS tags are tags."""
    return not (kind.startswith("atom") and (detail or {}).get("type") in _LITERAL)


def _title_is_html(detail: Found | None, kind: str) -> bool | None:
    """feedparser takes an RSS title for HTML only where all its tags are HTML's and closed."""
    if (detail or {}).get("type") not in _LITERAL:
        return True
    return False if kind.startswith("atom") else None


def _link(one: Found, base: str | None) -> str | None:
    """FeedBurner's original; else the page that the entry is about; else a guid that is an address."""
    original = absolute(_text(one.get("feedburner_origlink")), base)
    if original:
        return original
    link, links = _text(one.get("link")), one.get("links") or []
    if not links:  # a guid that says it is an address, as they do unless told otherwise
        return absolute(link, base if (link or "").startswith("/") else None)
    pages = [_text(each.get("href")) for each in links if each.get("rel", "alternate") == "alternate"]
    if pages and link not in pages:
        link = pages[0]
    return absolute(link, base)


def _date(one: Found, *fields: str) -> str | None:
    """The first of the dates that is not the zero of a clock, as it stands there."""
    return next((date for field in fields if (date := _date_of(one, field)) and not _is_zero(date)), None)


def _date_of(one: Found, field: str) -> str | None:
    """The date as it stands there if we can read it; else as feedparser does, which knows odd forms."""
    own = dict(one)  # the entry itself gives `published` where `updated` is asked for and missing
    text, told = _text(own.get(field)), own.get(f"{field}_parsed")
    if not text or not told or read_date(text, _FAR):
        return text
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*told[:6])


def _is_zero(date: str) -> bool:
    reading = read_date(date, _FAR)
    return reading is not None and reading.moment.year <= 1970


def _authors(one: Found) -> list[str]:
    people = (person.get("name") for person in one.get("authors") or [] if isinstance(person, Mapping))
    return list(dict.fromkeys(name for person in people if isinstance(person, str) and (name := name_in(person))))


def _language(one: Found) -> str | None:
    details = [*(one.get("content") or []), one.get("summary_detail"), one.get("title_detail")]
    return _text(one.get("language")) or next(
        (code for each in details if each and (code := _text(each.get("language")))), None
    )


def _categories(one: Found) -> list[str]:
    tags = (_text(tag.get("label")) or _text(tag.get("term")) for tag in one.get("tags") or [])
    return list(dict.fromkeys(tag for tag in tags if tag))


def _image(one: Found, base: str | None) -> str | None:
    """The largest picture that is named as such."""
    media = [item for item in one.get("media_content") or [] if _is_picture(item)]
    media.sort(key=_width, reverse=True)
    enclosures = [link for link in one.get("links") or [] if link.get("rel") == "enclosure" and _is_picture(link)]
    image = one.get("image")
    named = [*media, *enclosures, *(one.get("media_thumbnail") or []), *([image] if isinstance(image, Mapping) else [])]
    return next(filter(None, (absolute(_text(item.get("url") or item.get("href")), base) for item in named)), None)


def _is_picture(item: Found) -> bool:
    kind = item.get("medium") or (item.get("type") or "").partition("/")[0]
    return kind == "image" or (not kind and bool(_PICTURE.search(str(item.get("url") or item.get("href") or ""))))


def _width(item: Found) -> int:
    width = str(item.get("width") or "")
    return int(width) if width.isdecimal() and len(width) < 6 else 0


def _ttl(about: Found) -> float:
    """RSS's ttl, in minutes; else the syndication module's period divided by its frequency."""
    minutes = _text(about.get("ttl")) or ""
    if minutes.isdecimal() and len(minutes) < 8:
        return float(minutes) * 60
    period = _PERIODS.get((_text(about.get("sy_updateperiod")) or "").lower(), 0)
    often = _text(about.get("sy_updatefrequency")) or ""
    return period / (int(often) if often.isdecimal() and 0 < len(often) < 5 and int(often) else 1)


def _skipped(text: str, what: str) -> tuple[int, ...]:
    """RSS's skipHours or skipDays, which feedparser does not give. 24 is how RSS 0.91 writes midnight."""
    for found in _SKIP.finditer(text[:100_000]):
        if found[1].lower() == what:
            values = _VALUE.findall(found[2])
            numbers = {int(one) % 24 for one in values if one.isdecimal() and int(one) <= 24}
            days = {_DAYS.index(one[:3].lower()) for one in values if one[:3].lower() in _DAYS}
            return tuple(sorted(numbers if what == "hours" else days))
    return ()
