"""Which article is a copy of which. Decided once, in an order that a rerun repeats."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace
from rapidfuzz.distance import Indel

from schemas.records import Article, Copy
from transforms.fingerprints import fingerprints, fingerprints_of, words
from transforms.identity import tokens
from transforms.matcher import NOTHING, Kept, Matcher, Overlap, Past, is_earlier, overlap
from transforms.near import Rules, are_unrelated

TRIVIAL = 0.98
"""Share of common words from which a changed text is the same text, if its numbers are the same."""
TEASER = 120
"""Words of the longest text that only points to its page; what publishers put in feeds has 20 to 60."""
SAME_HEADLINE = 0.8
"""Share of common words from which two headlines of one address are of one story."""
LONGEST_COMPARED = 5_000
"""Words of two texts that are compared one by one; beyond that they must be contained or are a revision."""

EXACT = Rules(mode="exact")


class Known(NamedTuple):
    """What was decided before about an identity or a content. Sorts by when it was decided."""

    batch: int
    rank: int
    article_id: str
    canonical: str
    original: int
    """The batch that brought the canonical article."""
    place: str
    published_at: datetime | None = None
    forgotten: bool = False
    """Whether its row was removed for good: its words are not there any more, and must not come back."""


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


def known_by(article: Article) -> list[str]:
    """The texts under which a decided article is known to those that come later.

    A kept article and a near copy by identity and by content; other copies by identity alone, since their words are
    the kept one's, or a mere part of it that says too little.
    """
    if article.outcome == "unique" or (article.copy and article.copy.is_near):
        return [by_identity(article), by_content(article)]
    return [by_identity(article)] if article.outcome == "duplicate" else []


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
    articles: Sequence[Article],
    history: Mapping[str, list[Known]],
    text_of: Callable[[Known], Text],
    batch: int,
    rules: Rules = EXACT,
    past: Past = NOTHING,
) -> list[Article]:
    """The articles, in the order given, each with its outcome.

    Identity and content known: `known`; so is what has the identity or the content of a forgotten article. Content
    known, of a kept article or of a near copy: a copy by `exact`. Identity known: a copy by `url` if it is a lesser
    form of what stands there, else a revision. Of the others, and of pages that now carry another story, those that are
    near copies of a kept article. History beats the batch, and within it the earlier article.
    `text_of` gives the words of a canonical article of history; `past` what history has that may be nearly the same.
    """
    common = overlap(articles, past) if rules.mode == "near" else Overlap()
    roundups: frozenset[str] = frozenset()
    for _ in range(_MOST_ROUNDS):  # a round-up may be known for one only after its first part was decided
        decision = _Decision(history, text_of, batch, rules, past, common, roundups)
        decided = [decision.of(rank, article) for rank, article in enumerate(articles)]
        if decision.roundups == roundups:
            break
        roundups = decision.roundups
    return [_finished(article, roundups) for article in decided]


_MOST_ROUNDS = 3


def with_fingerprints(articles: Sequence[Article]) -> list[Article]:
    """The articles that were read, each with the fingerprint of its title and body."""
    made = fingerprints_of(
        words(article.title) + words(article.body) if article.outcome == "read" else [] for article in articles
    )
    return [
        replace(article, fingerprint=one.pack()) if article.outcome == "read" else article
        for article, one in zip(articles, made, strict=True)
    ]


class _Decision:
    """One pass over a batch: what it has decided so far is known to the articles that follow."""

    def __init__(
        self,
        history: Mapping[str, list[Known]],
        text_of: Callable[[Known], Text],
        batch: int,
        rules: Rules,
        past: Past,
        common: Overlap,
        roundups: frozenset[str],
    ) -> None:
        self._seen = {text: list(rows) for text, rows in history.items()}
        self._texts: dict[str, Text] = {}
        self._text_of, self._batch, self._rules = text_of, batch, rules
        self._matcher = Matcher(rules, past, common, self._text_of_kept, roundups)
        self._given = self._matcher.roundups - roundups

    @property
    def roundups(self) -> frozenset[str]:
        """Round-ups found so far, and those given."""
        return frozenset(self._matcher.roundups - self._given)

    def of(self, rank: int, article: Article) -> Article:
        """The article with its outcome."""
        if article.outcome != "read":
            return article
        article = self._outcome(article)
        self._remember(article, rank)
        return article

    def _outcome(self, article: Article) -> Article:
        same_identity = self._seen.get(by_identity(article), [])
        same_content = self._seen.get(by_content(article), []) if self._rules.mode != "off" else []
        if any(known.article_id == article.article_id for known in same_identity):
            return replace(article, outcome="known")
        forgotten = [known for known in same_identity if known.forgotten and known.article_id == known.canonical]
        if forgotten or any(known.forgotten for known in same_content):
            return replace(article, outcome="known")
        same_identity = [known for known in same_identity if not known.forgotten]
        pages = {known.canonical for known in same_identity}
        if of := _of_same_content(same_content, pages):
            return _as_copy(article, of, "exact", 1.0)
        if not same_identity:
            return self._near_or_unique(article)
        before = same_identity[-1]
        new, old = Text(article.title, article.body), self._text(before)
        if self._rules.mode != "off" and (likeness := lesser_form(new, old)) is not None:
            return _as_copy(article, before, "url", likeness)
        if before.article_id == before.canonical and _is_same_story(new, old):
            return replace(article, outcome="unique", revises=before.article_id)
        return self._near_or_unique(article, before.article_id)

    def _near_or_unique(self, article: Article, revises: str | None = None) -> Article:
        if self._is_comparable(article) and (copy := self._matcher.match(article, self._batch)):
            return replace(article, outcome="duplicate", copy=copy)
        return replace(article, outcome="unique", revises=revises)

    def _is_comparable(self, article: Article) -> bool:
        return self._rules.mode == "near" and bool(article.fingerprint)

    def _text(self, known: Known) -> Text:
        return self._texts.get(known.canonical) or self._text_of(known)

    def _text_of_kept(self, kept: Kept) -> str:
        text = self._text(Known(kept.batch, 0, kept.article_id, kept.article_id, kept.batch, kept.place))
        return f"{text.title}\n{text.body}"

    def _remember(self, article: Article, rank: int) -> None:
        row = Known(self._batch, rank, article.article_id, article.article_id, self._batch, "", article.published_at)
        if copy := article.copy:
            row = row._replace(canonical=copy.duplicate_of, original=copy.original_batch, place=copy.place)
        for text in known_by(article):
            self._seen.setdefault(text, []).append(row)
        if article.outcome == "unique":
            self._texts[article.article_id] = Text(article.title, article.body)
            if self._is_comparable(article):
                self._matcher.keep(article, self._batch)


def _finished(article: Article, roundups: frozenset[str]) -> Article:
    """Only a kept article needs its fingerprint any more."""
    if article.outcome == "unique":
        return replace(article, is_roundup=True) if article.article_id in roundups else article
    return replace(article, fingerprint=b"")


def _of_same_content(found: Sequence[Known], pages: Collection[str]) -> Known | None:
    """Of what had the same words the article that was kept, else a near copy: not one of a version of this page, for
    those are never near copies of each other."""
    kept = (known for known in found if known.article_id == known.canonical)
    return next(kept, None) or next((known for known in found if known.canonical not in pages), None)


def _as_copy(article: Article, of: Known, method: str, similarity: float) -> Article:
    copy = Copy(
        duplicate_of=of.canonical,
        method=method,
        similarity=similarity,
        original_batch=of.original,
        earlier=is_earlier(article.published_at, of.published_at) if of.article_id == of.canonical else None,
        place=of.place,
    )
    return replace(article, outcome="duplicate", copy=copy)


def _is_same_story(new: Text, old: Text) -> bool:
    """Whether a new version of a page still has something of the old one: such a page keeps its history.

    So does one of which either version is too short to compare.
    """
    one, other = fingerprints(f"{text.title}\n{text.body}" for text in (new, old))
    return not (len(one.sketch) and len(other.sketch)) or not are_unrelated(one, other)


def lesser_form(new: Text, old: Text) -> float | None:
    """How alike two versions of a page are, 0 to 1, if the new one only says less or trivially other; else None.

    Less: its words stand in the old text, in a row, and title and text are not both longer; or it is a teaser, as feeds
    have them in words of their own: the headline is the same but for a word, and of text there are at most TEASER words
    and a third of the old ones. Trivially other: at least TRIVIAL of the words are common, and the numbers are the same
    ("three dead" to "four dead" is news).
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
