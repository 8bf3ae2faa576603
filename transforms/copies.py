"""Which article is a copy of which. Exact copies and revisions; decided once, in an order that a rerun repeats."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace
from rapidfuzz.distance import Indel

from schemas.records import Article, Copy
from transforms.identity import tokens

TRIVIAL = 0.98
"""Share of common words from which a changed text is the same text, if its numbers are the same."""
TEASER = 120
"""Words of the longest text that only points to its page; what publishers put in feeds has 20 to 60."""
SAME_HEADLINE = 0.8
"""Share of common words from which two headlines of one address are of one story."""
LONGEST_COMPARED = 5_000
"""Words of two texts that are compared one by one; beyond that they must be contained or are a revision."""


class Known(NamedTuple):
    """What was decided before about an identity or a content. Sorts by when it was decided."""

    batch: int
    rank: int
    article_id: str
    canonical: str
    place: str


class Text(NamedTuple):
    """The words of a canonical article, to compare with a later version."""

    title: str
    body: str


def by_identity(article: Article) -> str:
    """The text under which the index holds an article's identity."""
    return f"identity {article.identity}"


def by_content(article: Article) -> str:
    """The text under which the index holds an article's content."""
    return f"content {article.content_hash}"


def questions(articles: Iterable[Article]) -> list[str]:
    """The texts to look up in the index before deciding about the articles."""
    return [text for one in articles if one.outcome == "read" for text in (by_identity(one), by_content(one))]


def order(article: Article) -> tuple[datetime, datetime, str, str, int]:
    """The order in which copies are decided: the earlier article is the original; undated ones come last, by id.

    One of which only the day is known comes behind those of that day whose time is: it may be from its end.
    """
    published = article.published_at or datetime.max.replace(tzinfo=UTC)
    if article.published_at and article.date_precision == "day":
        published += timedelta(days=1, microseconds=-1)
    return published, article.updated_at or published, article.article_id, article.input, article.position


def decide(
    articles: Iterable[Article],
    history: Mapping[str, list[Known]],
    text_of: Callable[[Known], Text],
    batch: int,
) -> list[Article]:
    """The articles, in the order given, each with its outcome.

    Identity and content known: `known`. Content known: a copy by `exact`. Identity known: a copy by `url` if it is a
    lesser form of what stands there, else a revision. History beats the batch, and within it the earlier article.
    `text_of` gives the words of a canonical article of history.
    """
    seen = {text: list(rows) for text, rows in history.items()}
    texts: dict[str, Text] = {}
    decided: list[Article] = []
    for rank, article in enumerate(articles):
        if article.outcome == "read":
            article = _outcome(article, seen, lambda known: texts.get(known.canonical) or text_of(known))
            _remember(article, seen, texts, Known(batch, rank, article.article_id, article.article_id, ""))
        decided.append(article)
    return decided


def _outcome(article: Article, seen: Mapping[str, list[Known]], text_of: Callable[[Known], Text]) -> Article:
    same_identity = seen.get(by_identity(article), [])
    same_content = seen.get(by_content(article), [])
    if any(known.article_id == article.article_id for known in same_identity):
        return replace(article, outcome="known")
    if same_content:
        return _as_copy(article, same_content[0], "exact", 1.0)
    if not same_identity:
        return replace(article, outcome="unique")
    before = same_identity[-1]
    old = text_of(before)
    likeness = lesser_form(Text(article.title, article.body), old)
    if likeness is not None:
        return _as_copy(article, before, "url", likeness)
    return replace(article, outcome="unique", revises=before.article_id)


def _as_copy(article: Article, of: Known, method: str, similarity: float) -> Article:
    copy = Copy(duplicate_of=of.canonical, method=method, similarity=similarity, place=of.place)
    return replace(article, outcome="duplicate", copy=copy)


def _remember(article: Article, seen: dict[str, list[Known]], texts: dict[str, Text], row: Known) -> None:
    if article.outcome == "unique":
        seen.setdefault(by_content(article), []).append(row)
        texts[article.article_id] = Text(article.title, article.body)
    if article.outcome in ("unique", "duplicate"):
        if article.copy:
            row = row._replace(canonical=article.copy.duplicate_of, place=article.copy.place)
        seen.setdefault(by_identity(article), []).append(row)


def lesser_form(new: Text, old: Text) -> float | None:
    """How alike two versions of a page are, 0 to 1, if the new one only says less or trivially other; else None.

    Less: its words stand in the old text, in a row, and title and text are not both longer; or it is a teaser, as feeds
    have them in words of their own: the headline is the same but for a word, and of text there are at most TEASER words
    and a third of the old ones. Trivially other: at least
    TRIVIAL of the words are common, and the numbers are the same ("three dead" to "four dead" is news).
    """
    was, now = tokens(f"{old.title}\n{old.body}"), tokens(f"{new.title}\n{new.body}")
    old_body, body = tokens(old.body), tokens(new.body)
    if not now:
        return 0.0
    if _contains(old_body, body) and _contains(was, tokens(new.title)):
        return len(now) / max(len(was), len(now))
    if len(body) <= TEASER < len(old_body) and len(body) * 3 <= len(old_body) and _same_headline(new, old):
        return len(now) / len(was)
    if max(len(was), len(now)) > LONGEST_COMPARED or _numbers(was) != _numbers(now):
        return None
    likeness = Indel.normalized_similarity(was, now, score_cutoff=TRIVIAL)
    return likeness or None


def _same_headline(new: Text, old: Text) -> bool:
    return Indel.normalized_similarity(tokens(new.title), tokens(old.title)) >= SAME_HEADLINE


def _contains(words: list[str], part: list[str]) -> bool:
    """Whether `part` stands in `words` in a row."""
    return not part or f" {' '.join(part)} " in f" {' '.join(words)} "


_NUMBER = re.compile(
    r".*\d.*|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|twenty|thirty|forty"
    r"|fifty|hundred|thousand|million|billion|dozen|first|second|third|half"
)


def _numbers(words: list[str]) -> Counter[str]:
    return Counter(filter(_NUMBER.fullmatch, words))
