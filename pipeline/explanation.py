"""What `explain` says: why an article is where it is, as a record and as text for a person."""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from pipeline.comparison import Part, side_by_side
from pipeline.terminal import number_of, size_text, visible

_MOST_COPIES = 20
_COLUMN = 48


class Brief(Struct, frozen=True, kw_only=True):
    """What tells one article from another."""

    article_id: str
    outcome: str
    title: str
    source: str | None
    published_at: datetime | None
    identity: str
    url: str | None
    input: str
    batch: int


class Evidence(Struct, frozen=True, kw_only=True):
    """What a copy was recognised by; what the method did not look at is null."""

    jaccard: float | None
    containment: float | None
    samples: int | None
    numbers_shared: int | None
    numbers_replaced: int | None
    title_ratio: float | None
    original_batch: int
    earlier: bool | None


class Original(Struct, frozen=True):
    """What a copy is a copy of, how that was seen, and how alike they are, 0 to 1. No article: it is lost."""

    article_id: str
    method: str
    similarity: float
    article: Brief | None
    evidence: Evidence
    texts: list[Part] = []
    """Both texts, the copy's first: what is common and what differs."""


class Details(Struct, frozen=True, kw_only=True):
    """What was found in a unique article: its place, its topic, and its names by label, each with its mentions."""

    date: str
    date_source: str
    topic: str
    topic_source: str | None
    topic_score: float | None
    language: str | None
    word_count: int
    countries: list[str]
    names: dict[str, dict[str, int]]
    entity_model: str | None
    extraction: str
    problems: list[str]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What could not be handled, where it stands in its input (bytes, unpacked), and its first bytes, escaped."""

    letter_id: str
    stage: str
    error_class: str
    error: str
    offset: int
    length: int
    raw_size: int
    raw_truncated: bool
    raw_start: str


class Made(Struct, frozen=True, kw_only=True):
    """The batch that brought a row: when it was committed, and what made it."""

    batch: int
    committed_at: datetime
    models: list[str]
    versions: list[str]
    taxonomy: str
    config_hash: str


class Explanation(Struct, frozen=True, kw_only=True):
    """One article or dead letter, and why it is there. `records`: the numbers of those it was read with, if known."""

    outcome: str
    why: str
    article: Brief | None = None
    original: Original | None = None
    versions: list[Brief] = []
    copies: list[Brief] = []
    details: Details | None = None
    letter: DeadLetter | None = None
    input: str
    records: tuple[int, int] | None
    made: Made | None


class Answer(Struct, frozen=True):
    """All that goes by the name that was asked for: one, or several where an address brought several identities."""

    asked: str
    found: list[Explanation]


def explanation_text(answer: Answer) -> str:
    """The answer for a person. Nothing from outside reaches the terminal but visible characters."""
    parts = ["\n".join(visible(line) for line in _lines(one)) for one in answer.found]
    return "\n\n".join(parts)


def _lines(one: Explanation) -> Iterator[str]:
    yield one.why
    if one.article and one.original:
        yield from _side_by_side(one.article, one.original)
    elif one.article:
        yield from _fact_lines(one.article)
    if one.details:
        yield from _detail_lines(one.details)
    if one.letter:
        yield from _letter_lines(one.letter)
    yield from _group("history", one.versions if len(one.versions) > 1 else [], one.article)
    yield from _group("copies", one.copies, one.article)
    yield from _origin_lines(one)


def _line(name: str, value: object) -> str:
    return f"  {name:<12}{value}"


def _facts(article: Brief) -> dict[str, str]:
    return {
        "id": article.article_id,
        "title": article.title,
        "source": article.source or "unknown",
        "published": _moment(article.published_at),
        "address": article.url or "none",
        "identity": article.identity,
    }


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else "no date"


def _fact_lines(article: Brief) -> Iterator[str]:
    yield from (_line(name, value) for name, value in _facts(article).items())


def _side_by_side(copy: Brief, original: Original) -> Iterator[str]:
    yield _line("likeness", f"{original.similarity:.3f} by {original.method}")
    yield from _evidence_lines(original.evidence)
    if original.article is None:
        yield from _fact_lines(copy)
        yield _line("original", f"{original.article_id} is missing: run `newsbeam verify`.")
        return
    yield _line("", _two("this copy", "the article that was kept"))
    theirs = _facts(original.article)
    yield from (_line(name, _two(ours, theirs[name])) for name, ours in _facts(copy).items())
    yield _line("texts", "= in both, ≠ differs")
    yield from side_by_side(original.texts)


def _evidence_lines(found: Evidence) -> Iterator[str]:
    if found.jaccard is not None and found.containment is not None:
        samples = number_of(found.samples or 0, "sample")
        shares = f"jaccard {found.jaccard:.2f}, containment {found.containment:.2f} ({samples} of the shorter text)"
        yield _line("in common", shares)
        yield _line("numbers", f"{found.numbers_shared} shared, {found.numbers_replaced} replaced")
        yield _line("titles", f"{found.title_ratio:.2f} alike")
    if found.earlier:
        yield _line("note", "published before the article that was kept, which came in first")


def _two(left: str, right: str) -> str:
    clipped = [visible(text if len(text) < _COLUMN else f"{text[: _COLUMN - 2]}…") for text in (left, right)]
    return f"{clipped[0]:<{_COLUMN}} {clipped[1]}".rstrip()


def _detail_lines(details: Details) -> Iterator[str]:
    score = "" if details.topic_score is None else f", {details.topic_score:.2f}"
    topic = f"{details.topic} (by {details.topic_source}{score})" if details.topic_source else details.topic
    yield _line("stands in", f"articles/date={details.date}/topic={details.topic}; dated by {details.date_source}")
    yield _line("topic", topic)
    yield _line("text", f"{number_of(details.word_count, 'word')}, language {details.language or 'unknown'}")
    for label, names in details.names.items():
        found = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in names.items())
        yield _line(label.lower(), found)
    if not details.names:
        yield _line("names", "none")
    if details.countries:
        yield _line("countries", ", ".join(details.countries))
    for problem in details.problems:
        yield _line("problem", problem)
    yield _line("extraction", details.extraction)
    yield _line("model", details.entity_model or "none")


def _letter_lines(letter: DeadLetter) -> Iterator[str]:
    yield _line("id", letter.letter_id)
    yield _line("error", f"{letter.error_class}: {letter.error}")
    yield _line("place", f"bytes {letter.offset:,} to {letter.offset + letter.length:,} of the unpacked input")
    kept = " (its start is kept)" if letter.raw_truncated else ""
    yield _line("size", f"{size_text(letter.raw_size)}{kept}; it begins")
    for start in range(0, len(letter.raw_start), 100):
        yield f"    {letter.raw_start[start : start + 100]}"


def _group(name: str, articles: list[Brief], this: Brief | None) -> Iterator[str]:
    for number, one in enumerate(articles[:_MOST_COPIES]):
        mark = ", this one" if this and one.article_id == this.article_id else ""
        text = f"{one.article_id}  {_moment(one.published_at):<19}  {one.source or 'unknown'}: {one.title}"
        yield _line("" if number else name, f"{text} ({one.outcome}, batch {one.batch}{mark})")
    if (more := len(articles) - _MOST_COPIES) > 0:
        yield _line("", f"and {more:,} more; --json has them all")


def _origin_lines(one: Explanation) -> Iterator[str]:
    records = f", with its records {one.records[0]:,} to {one.records[1]:,}" if one.records else ""
    yield _line("input", f"{one.input}{records}")
    if one.made:
        yield _line("batch", f"{one.made.batch:,}, committed {_moment(one.made.committed_at)} UTC")
        yield _line("made by", ", ".join(one.made.versions))
