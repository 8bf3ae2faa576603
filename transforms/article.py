"""From a record to a whole article: clean text, one date, one address, its identity."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from schemas.errors import WorldError
from schemas.records import Article, Letter, Piece, Problem
from transforms.dates import (
    Reading,
    date_in_dateline,
    date_in_line,
    date_in_name,
    date_in_url,
    read_date,
    surest_date,
)
from transforms.extraction.fragments import html_to_paragraphs, is_markup, without_tags
from transforms.formats.base import MAX_RAW, Failure, Format, Record
from transforms.furniture import without_furniture
from transforms.identity import article_id, content_hash, identity, letter_id
from transforms.language import detect_all, language_code
from transforms.pages import Opening, is_role, key, read_headline, read_opening, without_title
from transforms.text import count_words, one_line, paragraphs
from transforms.urls import canonical, host_name, same_site
from transforms.wire import find_wire

RULES = 1
"""Version of the rules by which records become articles; it stands in `extraction`."""
PAGES = ("text",)
"""Formats that give a whole page as text, headline and all."""
PLAIN = (*PAGES, "html", "feed")
"""Formats whose texts are plain; those of others may be markup."""
MOST_NAMES = 50
"""Authors or categories that are kept."""
_LONGEST_LABEL = 200
_NO_FORMAT = Problem("UnknownFormat", "No format reads this input.")
_BY = re.compile(r"(?:by|von|par|por)\s?:? (?=\S)", re.IGNORECASE)
_BETWEEN_NAMES = re.compile(r"\s*(?:;|\||/| and | & | und | et )\s*")
_TWO_NAMES = re.compile(r"[^\W\d_][\w.'’-]*(?: [\w.'’-]+){1,3}")


class Unreadable(Exception):
    """Raised for a record that makes no article; carries a Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.error)
        self.problem = problem


class InputChanged(WorldError):
    """Raised where a piece does not hold as many records as were counted in it."""


class Address(NamedTuple):
    """An article's address as given, and in its one form."""

    url: str | None
    canonical: str | None


class Date(NamedTuple):
    """When an article was published, and what says so."""

    reading: Reading | None
    source: str


def make_whole(record: Record, piece: Piece, now: datetime, dated_by: str | None = None) -> Article:
    """The article that a record stands for. `now` is the clock of the batch, UTC; `dated_by` the pattern of dates in
    the inputs' names.

    Raises Unreadable where there is neither a title nor a text.
    """
    return with_languages([_made(record, piece, now, dated_by)])[0]


def with_languages(articles: Sequence[Article]) -> list[Article]:
    """The articles, each with the language that its text is in; where that cannot be told, as metadata says."""
    told = detect_all([article.body if len(article.body) >= 100 else _all_text(article) for article in articles])
    return [
        replace(article, language=language) if language and language != article.language else article
        for article, language in zip(articles, told, strict=True)
    ]


def _all_text(article: Article) -> str:
    return f"{article.title}\n{article.body}"


def _made(record: Record, piece: Piece, now: datetime, dated_by: str | None) -> Article:
    """The whole article but for its language, which is as metadata says."""
    if piece.format not in PLAIN:
        record = _without_markup(record)
    opening = read_opening(without_furniture(paragraphs(record.text or "")), now)
    title, summary, body = _texts(record, opening, piece.format in PAGES)
    text = "\n\n".join(body)
    if not title and not text:
        raise Unreadable(Problem("NoText", "The record holds neither a title nor a text that is not page furniture."))
    address = _address(record)
    updated = read_date(one_line(record.updated), now, record.language) if record.updated else opening.updated
    date = _date(record, opening, body, address, updated, now, date_in_name(piece.named, dated_by, now))
    publisher = _label(record.source)
    addresses = (address.canonical, record.feed_url)
    wire = find_wire(body, _names(record.authors) or opening.authors, publisher, addresses)
    who = identity(
        canonical_url=None if record.shared_address else address.canonical,
        id=record.id,
        input=piece.input,
        position=record.position,
        publisher=record.feed_url or publisher,
    )
    content = content_hash(title, text)
    return Article(
        article_id=article_id(who, content),
        identity=who,
        url=address.url,
        canonical_url=address.canonical,
        title=title,
        summary=summary,
        body=text,
        authors=wire.authors,
        published_at=date.reading.moment if date.reading else None,
        updated_at=updated.moment if updated else None,
        date_source=date.source,
        date_precision=date.reading.precision if date.reading else None,
        language=language_code(record.language),
        source=_publisher(publisher) or host_name(address.canonical),
        feed_url=record.feed_url,
        section=_label(record.section),
        categories=_labels(record.categories),
        image_url=_address_of_image(record.image_url),
        wire=wire.agency,
        word_count=count_words(text),
        content_hash=content,
        fetched_url=record.fetched_url,
        fetched_status=record.fetched_status,
        fetched_bytes=record.fetched_bytes,
        extraction=f"{record.how or piece.format} {RULES}",
        problems=[*record.problems, *_problems(record, title, text, address, date)],
        input=piece.named,
        read_at=now,
        position=record.position,
    )


def _texts(record: Record, opening: Opening, is_page: bool) -> tuple[str, str | None, list[str]]:
    """Title, summary and body. The headline stands in the title only, however often it was repeated."""
    title = one_line(record.title or "")
    summary = one_line(record.summary or "") or None
    if is_page and not title:
        headline = read_headline(opening.body)
        return headline.title, summary or headline.summary, headline.body
    if summary and key(summary) == key(title):
        summary = None
    return title, summary, without_title(opening.body, title) if title else opening.body


def _address(record: Record) -> Address:
    """The page's own canonical address counts if it is on the same site; an id that is an address serves as one."""
    given = next((url.strip() for url in (record.url, record.canonical_url, record.id) if url and canonical(url)), None)
    named = canonical(record.canonical_url)
    if given and named and same_site(given, named):
        return Address(given, named)
    return Address(given or one_line((record.url or "")[:2_000]) or None, canonical(given))


def _without_markup(record: Record) -> Record:
    """The record with paragraphs where a field holds HTML."""
    text = html_to_paragraphs(record.text) if record.text and is_markup(record.text) else record.text
    summary = record.summary
    if summary and is_markup(summary):
        summary = html_to_paragraphs(summary)
    return replace(record, title=without_tags(record.title or "") or None, summary=summary, text=text)


def _date(
    record: Record,
    opening: Opening,
    body: Sequence[str],
    address: Address,
    updated: Reading | None,
    now: datetime,
    name: Reading | None,
) -> Date:
    """The first date that can be believed: the record's own, what the page shows, its dateline, its address, its
    input's name."""
    given = filter(None, (record.published, *record.more_dates))
    if reading := surest_date(map(one_line, given), now, record.language):
        return Date(reading, record.date_source)
    if updated and record.date_source == "feed":  # many feeds have no other date
        return Date(updated, "feed")
    shown = (_shown_date(one_line(text), now) for text in record.shown_dates)
    text = next((found[0] for found in shown if found and not found[1]), None) or opening.published
    if text := text or date_in_dateline(body[0] if body else "", now, address.url, updated):
        return Date(text, "text")
    if reading := date_in_url(address.url, now):
        return Date(reading, "url")
    return Date(name, "file") if name else Date(None, "arrival")


def _shown_date(text: str, now: datetime) -> tuple[Reading, bool] | None:
    """The date in a short text, alone or behind a place: `Torvik, 12 May 2026`."""
    return date_in_line(text, now) or date_in_line(text.partition(", ")[2], now)


def _names(authors: Iterable[str]) -> list[str]:
    """People, one by one: `By Ada Lind, Bo Ek` are two, `Lind, Ada` is one."""
    names: list[str] = []
    for author in authors:
        for part in _BETWEEN_NAMES.split(_BY.sub("", one_line(author[:5_000]), 1)):
            several = part.split(", ")
            names += several if all(map(_TWO_NAMES.fullmatch, several)) else [part]
    return list(dict.fromkeys(name for name in names if 1 < len(name) <= _LONGEST_LABEL and not is_role(name)))[
        :MOST_NAMES
    ]


def _labels(labels: list[str]) -> list[str]:
    """Categories, one by one; a single text may hold several."""
    parts = re.split(r"[,;|]", labels[0]) if len(labels) == 1 else labels
    return list(dict.fromkeys(filter(None, map(_label, parts))))[:MOST_NAMES]


def _label(text: str | None) -> str | None:
    return one_line(text or "")[:_LONGEST_LABEL] or None


def _publisher(name: str | None) -> str | None:
    """The publisher's name; where the record gives an address for it, its host."""
    return host_name(name) if name and canonical(name) else name


def _address_of_image(url: str | None) -> str | None:
    return url.strip() if url and canonical(url) else None


def _problems(record: Record, title: str, text: str, address: Address, date: Date) -> list[str]:
    """What a reader of the row should know was missing or not understood."""
    unread = record.published and date.source != record.date_source
    checks = {
        "no title": not title,
        "no body": not text,
        f"address not usable: {(record.url or '')[:100]}": record.url and not canonical(record.url),
        f"date not read: {(record.published or '')[:100]}": unread,
    }
    return [problem for problem, is_so in checks.items() if is_so]


def read_piece(
    piece: Piece,
    data: bytes,
    format: Format | None,
    mapping: dict[str, str],
    now: datetime,
    dated_by: str | None = None,
) -> list[Article]:
    """Every record of a piece as one article, in order; what cannot be read with outcome `dead` and its letter.

    Raises InputChanged if the piece holds more or fewer records than it should.
    """
    if piece.problem or format is None:
        return [
            _dead(piece, _failure(piece, at, data, piece.problem or _NO_FORMAT), now)
            for at in range(piece.first, piece.end)
        ]
    articles: list[Article] = []
    try:
        for found in format.parse(data, piece, mapping):
            articles.append(_article(found, piece, data, now, dated_by))
    except MemoryError:
        raise
    except Exception as error:  # the reader broke: what it did not give is kept as letters
        problem = _unexpected(error)
        rest = range(piece.first + len(articles), piece.end)
        articles += [_dead(piece, _failure(piece, at, data, problem), now) for at in rest]
    if len(articles) != piece.records:
        raise InputChanged(
            f"{piece.input}: {len(articles)} records where {piece.records} were counted; it changed while it was read."
        )
    return with_languages(articles)


def _article(found: Record | Failure, piece: Piece, data: bytes, now: datetime, dated_by: str | None) -> Article:
    """A record's article, whatever happens to it. The one place where errors become letters."""
    if isinstance(found, Failure):
        return _dead(piece, found, now)
    if found.known:
        return Article(outcome="known", input=piece.input, read_at=now, position=found.position)
    try:
        return _made(found, piece, now, dated_by)
    except MemoryError:
        raise
    except Exception as error:
        problem = error.problem if isinstance(error, Unreadable) else _unexpected(error)
        start = found.offset - piece.offset
        raw = data[start : start + min(found.length, MAX_RAW)]
        failure = Failure(position=found.position, offset=found.offset, length=found.length, raw=raw, problem=problem)
        return _dead(piece, failure, now)


def _unexpected(error: Exception) -> Problem:
    return Problem(type(error).__name__, one_line(str(error))[:1000] or type(error).__name__)


def _failure(piece: Piece, position: int, data: bytes, problem: Problem) -> Failure:
    """A record of which only the piece is known."""
    return Failure(position=position, offset=piece.offset, length=piece.length, raw=data[:MAX_RAW], problem=problem)


def _dead(piece: Piece, failure: Failure, now: datetime) -> Article:
    letter = Letter(
        letter_id=letter_id(piece.input, piece.version, failure.position),
        stage="read",
        error_class=failure.problem.error_class,
        error=failure.problem.error,
        offset=failure.offset,
        length=failure.length,
        raw=failure.raw,
        raw_size=failure.length,
        raw_truncated=len(failure.raw) < failure.length,
    )
    return Article(
        outcome="dead",
        letter=letter,
        extraction=f"{piece.format} {RULES}",
        input=piece.named,
        read_at=now,
        position=failure.position,
    )
