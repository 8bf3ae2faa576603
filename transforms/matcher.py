"""Near copies: which article an article is a copy of, one after the other, in the order that decides.

Clusters are stars: an article is linked only to a kept one that it was itself compared with, never to a copy. So a
cluster keeps exactly one article, nothing drifts from copy to copy, and a key is counted once per cluster.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import chain
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from schemas.records import Article, Copy
from transforms import near
from transforms.fingerprints import Fingerprint, Hashes, unpack
from transforms.near import Judgement, Rules, Side

HOT = 100
"""Kept articles from which a key that all of them have finds nothing any more."""
LEAST_KEYS = 2
"""Keys that two articles must share to be compared."""
MOST_COMPARED = 50
"""Candidates that an article is compared with, those with the most common keys first."""
MOST_TEXTS = 500
"""Texts of earlier batches that are read in one batch, to compare letter by letter."""
_PART = 0.75
_MOST_PARTS = 30


class Kept(NamedTuple):
    """A kept article that others may be copies of."""

    article_id: str
    identity: int
    """xxh3-64 of the identity: an article is never a near copy of another version of its own page."""
    day: date
    published_at: datetime | None
    title: str
    source: str | None
    place: str
    batch: int
    fingerprint: Fingerprint
    is_roundup: bool = False


class Past(NamedTuple):
    """What earlier batches have to say: kept articles that share keys with new ones, and keys that are hot."""

    kept: Sequence[Kept] = ()
    hot: frozenset[int] = frozenset()


NOTHING = Past()


class Matcher:
    """Finds what an article is a near copy of, among kept articles of the past and of its own batch.

    `text_of` gives the text of a kept article. `roundups` are articles known to hold several others; those that are
    found on the way are added.
    """

    def __init__(
        self,
        rules: Rules,
        past: Past,
        boilerplate: Hashes,
        text_of: Callable[[Kept], str],
        roundups: Iterable[str] = (),
    ) -> None:
        self._rules, self._boilerplate, self._text_of = rules, boilerplate, text_of
        self._texts_left = MOST_TEXTS
        self._kept: list[Kept] = []
        self._is_copy: list[bool] = []
        self._by_key: dict[int, list[int]] = defaultdict(list)
        self._hot = set(past.hot)
        self._parts: dict[str, list[Fingerprint]] = defaultdict(list)
        self.roundups = set(roundups) | {one.article_id for one in past.kept if one.is_roundup}
        for one in past.kept:
            self._add(one)

    def match(self, article: Article, batch: int) -> Copy | None:
        """What the article is a copy of: of all that it is verified against the likest, of equals the earliest."""
        new = kept_of(article, batch)
        judged = [(number, self._judge(article, new, number)) for number in self._candidates(new)]
        found = [(self._kept[number], one, number) for number, one in judged if one.method]
        self._look_for_roundups(new, found)
        links = [
            (old, one)
            for old, one, number in found
            if not self._is_copy[number] and not (one.method == "containment" and self._holds_others(new, old))
        ]
        best = max(links, key=lambda link: link[1].likeness.jaccard, default=None)
        if best is None:
            return None
        if new.fingerprint.tokens * _PART > best[0].fingerprint.tokens:
            self._parts[new.article_id].append(best[0].fingerprint)
            self._add(new, is_copy=True)
        return _copy(new, *best)

    def keep(self, article: Article, batch: int) -> None:
        """The article is kept: later ones may be copies of it."""
        self._add(kept_of(article, batch))

    def _add(self, one: Kept, is_copy: bool = False) -> None:
        number = len(self._kept)
        self._kept.append(one)
        self._is_copy.append(is_copy)
        for key in one.fingerprint.keys.tolist():
            if key not in self._hot:
                self._by_key[key].append(number)
                if len(self._by_key[key]) > HOT:
                    self._hot.add(key)
                    del self._by_key[key]

    def _candidates(self, new: Kept) -> list[int]:
        """Kept articles that share enough keys, of another identity and not too far in time; most keys first."""
        lists = (self._by_key[key] for key in new.fingerprint.keys.tolist() if key in self._by_key)
        shared = Counter(chain.from_iterable(lists))
        enough = [number for number, keys in shared.items() if keys >= LEAST_KEYS and self._may_be(new, number)]
        return sorted(enough, key=lambda number: (-shared[number], number))[:MOST_COMPARED]

    def _may_be(self, new: Kept, number: int) -> bool:
        old = self._kept[number]
        return old.identity != new.identity and abs((old.day - new.day).days) <= self._rules.look_back

    def _judge(self, article: Article, new: Kept, number: int) -> Judgement:
        old = self._kept[number]

        def ratio() -> float:
            if self._texts_left <= 0 or self._is_copy[number]:
                return 0.0
            self._texts_left -= old.batch != new.batch
            return near.edit_ratio(whole_text(article), self._text_of(old))

        return near.judge(_side(new), _side(old), self._rules, ratio, self._boilerplate)

    def _holds_others(self, one: Kept, other: Kept) -> bool:
        """Whether the larger of two articles is a round-up."""
        larger = max(one, other, key=lambda side: side.fingerprint.tokens)
        return larger.article_id in self.roundups

    def _look_for_roundups(self, new: Kept, found: Sequence[tuple[Kept, Judgement, int]]) -> None:
        """A text that holds two unrelated articles is a round-up."""
        for old, judgement, _ in found:
            if judgement.method == "containment":
                part, whole = sorted((old, new), key=lambda side: side.fingerprint.tokens)
                if part.fingerprint.tokens < _PART * whole.fingerprint.tokens:
                    self._note_part(whole.article_id, part.fingerprint)

    def _note_part(self, whole: str, part: Fingerprint) -> None:
        parts = self._parts[whole]
        if whole not in self.roundups and len(parts) < _MOST_PARTS:
            if any(near.are_unrelated(part, other) for other in parts):
                self.roundups.add(whole)
            parts.append(part)


def kept_of(article: Article, batch: int) -> Kept:
    """An article of the batch as others are compared with it. Without a date it counts from when it was read."""
    moment = article.published_at or article.read_at
    return Kept(
        article_id=article.article_id,
        identity=xxh3_64_intdigest(article.identity.encode("utf-8", "surrogatepass")),
        day=moment.date() if moment else date.max,
        published_at=article.published_at,
        title=article.title,
        source=article.source,
        place="",
        batch=batch,
        fingerprint=unpack(article.fingerprint),
    )


def whole_text(article: Article) -> str:
    """What a fingerprint is made of: the title and the body."""
    return f"{article.title}\n{article.body}"


def boilerplate(articles: Iterable[Article], past: Past) -> Hashes:
    """What sources repeat, counted over a batch and what the past has to compare with it."""
    new = ((article.source, unpack(article.fingerprint).sketch) for article in articles if article.fingerprint)
    return near.boilerplate(chain(new, ((old.source, old.fingerprint.sketch) for old in past.kept)))


def _side(one: Kept) -> Side:
    return Side(one.fingerprint, one.title, one.source)


def _copy(new: Kept, old: Kept, judged: Judgement) -> Copy:
    return Copy(
        duplicate_of=old.article_id,
        method=judged.method,
        similarity=judged.similarity,
        jaccard=judged.likeness.jaccard,
        containment=judged.likeness.containment,
        samples=judged.likeness.samples,
        numbers_shared=judged.numbers_shared,
        numbers_replaced=judged.numbers_replaced,
        title_ratio=judged.title_ratio,
        original_batch=old.batch,
        earlier=is_earlier(new.published_at, old.published_at),
        place=old.place,
    )


def is_earlier(new: datetime | None, old: datetime | None) -> bool | None:
    """Whether a copy claims to be published before what it copies; None where one has no date."""
    return new < old if new and old else None
