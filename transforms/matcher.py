"""Near copies: which article an article is a copy of, one after the other, in the order that decides.

Clusters are stars: an article is linked only to a kept one that it was itself compared with, never to a copy. So a
cluster keeps exactly one article, nothing drifts from copy to copy, and a key is counted once per cluster.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice, pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
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


class Overlap(NamedTuple):
    """What the articles of a batch, and what the past has to compare with them, have in common."""

    keys: Mapping[str, list[int]] = MappingProxyType({})
    """By article, those keys that others have too; of articles that have too few, nothing. All others find nothing."""
    boilerplate: Hashes = near.NO_HASHES


def overlap(articles: Iterable[Article], past: Past) -> Overlap:
    """The overlap of the articles that have fingerprints and the past."""
    made = [(one.article_id, one.source, unpack(one.fingerprint)) for one in articles if one.fingerprint]
    made += [(old.article_id, old.source, old.fingerprint) for old in past.kept]
    keys = np.concatenate([near.NO_HASHES, *(one.keys for *_, one in made)])
    values, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    counts[np.isin(values, list(past.hot))] = 0
    is_repeated = counts[places] > 1
    repeated = keys[is_repeated].tolist()
    ends = np.cumsum([0, *(len(one.keys) for *_, one in made)])
    bounds = pairwise(np.concatenate([[0], np.cumsum(is_repeated)])[ends].tolist())
    by_article = {
        id: repeated[start:end]
        for (id, *_), (start, end) in zip(made, bounds, strict=True)
        if end - start >= LEAST_KEYS
    }
    return Overlap(by_article, near.boilerplate([(source, one.sketch) for _, source, one in made]))


class _Index:
    """Articles by their keys. A key that more than HOT articles have is forgotten, so no look-up grows with them."""

    def __init__(self) -> None:
        self._articles: list[Kept] = []
        self._by_key: dict[int, list[int]] = {}
        self._hot: set[int] = set()

    def add(self, one: Kept, keys: Iterable[int]) -> None:
        for key in keys:
            if key not in self._hot:
                numbers = self._by_key.setdefault(key, [])
                numbers.append(len(self._articles))
                if len(numbers) > HOT:
                    self._hot.add(key)
                    del self._by_key[key]
        self._articles.append(one)

    def candidates(self, new: Kept, keys: Iterable[int], look_back: int) -> list[Kept]:
        """Articles that share enough keys, of another identity and not too far in time; most keys first."""
        lists = [numbers for key in keys if (numbers := self._by_key.get(key))]
        if len(lists) < LEAST_KEYS:
            return []
        shared = Counter(chain.from_iterable(lists))
        enough = [number for number, keys in shared.items() if keys >= LEAST_KEYS]
        enough.sort(key=lambda number: (-shared[number], number))
        found = (self._articles[number] for number in enough)
        return list(islice((old for old in found if _may_be_copies(new, old, look_back)), MOST_COMPARED))


def _may_be_copies(new: Kept, old: Kept, look_back: int) -> bool:
    return old.identity != new.identity and abs((old.day - new.day).days) <= look_back


class Matcher:
    """Finds what an article is a near copy of, among kept articles of the past and of its own batch.

    `text_of` gives the text of a kept article. `roundups` are articles known to hold several others; those that are
    found on the way are added.
    """

    def __init__(
        self,
        rules: Rules,
        past: Past,
        overlap: Overlap,
        text_of: Callable[[Kept], str],
        roundups: Iterable[str] = (),
    ) -> None:
        self._rules, self._overlap, self._text_of = rules, overlap, text_of
        self._texts_left = MOST_TEXTS
        self._kept, self._wholes = _Index(), _Index()
        self._parts: dict[str, list[Fingerprint]] = defaultdict(list)
        self._sides: dict[str, Side] = {}
        self._new: Kept | None = None
        self.roundups = set(roundups) | {one.article_id for one in past.kept if one.is_roundup}
        for one in past.kept:
            self._kept.add(one, overlap.keys.get(one.article_id, ()))

    def match(self, article: Article, batch: int) -> Copy | None:
        """What the article is a copy of: of all that it is verified against the likest, of equals the earliest."""
        keys = self._overlap.keys.get(article.article_id)
        if not keys:
            return None
        new = self._new_of(article, batch)
        self._note_larger_copies(new, keys)
        candidates = self._kept.candidates(new, keys, self._rules.look_back)
        judged = [(old, self._judge(article, new, old)) for old in candidates]
        found = [(old, one) for old, one in judged if one.method]
        for old, one in found:
            self._note_part(old, new, one)
        links = [(old, one) for old, one in found if not self._is_in_roundup(new, old, one)]
        best = max(links, key=lambda link: _closeness(link[1]), default=None)
        if best is None:
            return None
        if self._holds(new, best[0], best[1]):
            self._wholes.add(new, keys)
        return _copy(new, *best)

    def keep(self, article: Article, batch: int) -> None:
        """The article is kept: later ones may be copies of it."""
        if keys := self._overlap.keys.get(article.article_id):
            self._kept.add(self._new_of(article, batch), keys)

    def _new_of(self, article: Article, batch: int) -> Kept:
        if self._new is None or self._new.article_id != article.article_id:
            self._new = kept_of(article, batch, unpack(article.fingerprint))
        return self._new

    def _side(self, one: Kept) -> Side:
        side = self._sides.get(one.article_id)
        if side is None:
            side = self._sides[one.article_id] = side_of(one, self._overlap.boilerplate)
        return side

    def _judge(self, article: Article, new: Kept, old: Kept) -> Judgement:
        def texts() -> tuple[str, str] | None:
            if self._texts_left <= 0:
                return None
            self._texts_left -= old.batch != new.batch
            return whole_text(article), self._text_of(old)

        return near.judge(self._side(new), self._side(old), self._rules, texts)

    def _note_larger_copies(self, new: Kept, keys: list[int]) -> None:
        """A copy that says more than its original may be a round-up, and this its second part."""
        for whole in self._wholes.candidates(new, keys, self._rules.look_back):
            judged = near.judge(self._side(new), self._side(whole), self._rules, lambda: None)
            if judged.method:
                self._note_part(whole, new, judged)

    def _holds(self, whole: Kept, part: Kept, judged: Judgement) -> bool:
        """Whether an article has most of another and clearly more."""
        is_larger = part.fingerprint.tokens < _PART * whole.fingerprint.tokens
        return is_larger and judged.likeness.containment >= self._rules.containment

    def _is_in_roundup(self, one: Kept, other: Kept, judged: Judgement) -> bool:
        part, whole = _by_size(one, other)
        return whole.article_id in self.roundups and self._holds(whole, part, judged)

    def _note_part(self, one: Kept, other: Kept, judged: Judgement) -> None:
        """The larger of two articles holds the smaller one. If it holds another that is unrelated, it is a round-up."""
        part, whole = _by_size(one, other)
        parts = self._parts[whole.article_id]
        if not self._holds(whole, part, judged) or whole.article_id in self.roundups or len(parts) >= _MOST_PARTS:
            return
        if any(near.are_unrelated(part.fingerprint, other) for other in parts):
            self.roundups.add(whole.article_id)
        parts.append(part.fingerprint)


def _by_size(one: Kept, other: Kept) -> tuple[Kept, Kept]:
    return (one, other) if one.fingerprint.tokens < other.fingerprint.tokens else (other, one)


def pairs_to_compare(articles: Sequence[Kept], look_back: int) -> Iterator[tuple[Kept, Kept]]:
    """The pairs of which a matcher that kept them all would judge, the earlier one first."""
    keys, index = overlap((), Past(articles)).keys, _Index()
    for one in articles:
        mine = keys.get(one.article_id, [])
        yield from ((old, one) for old in index.candidates(one, mine, look_back))
        index.add(one, mine)


def side_of(one: Kept, boilerplate: Hashes = near.NO_HASHES) -> Side:
    return Side(one.fingerprint, one.title, one.source, boilerplate)


def kept_of(article: Article, batch: int, fingerprint: Fingerprint) -> Kept:
    """An article of the batch as others are compared with it."""
    return Kept(
        article_id=article.article_id,
        identity=identity_number(article),
        day=day_of(article),
        published_at=article.published_at,
        title=article.title,
        source=article.source,
        place="",
        batch=batch,
        fingerprint=fingerprint,
    )


def identity_number(article: Article) -> int:
    """xxh3-64 of the identity."""
    return xxh3_64_intdigest(article.identity.encode("utf-8", "surrogatepass"))


def day_of(article: Article) -> date:
    """The day of publication, UTC; without a date, that when it was read."""
    moment = article.published_at or article.read_at
    return moment.date() if moment else date.max


def whole_text(article: Article) -> str:
    """What a fingerprint is made of: the title and the body."""
    return f"{article.title}\n{article.body}"


def _closeness(judged: Judgement) -> tuple[bool, float]:
    """Of several originals the one with the same numbers, then the one with the most in common."""
    return judged.numbers_replaced == 0, judged.likeness.jaccard


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
        title_ratio=near.title_ratio(new.title, old.title),
        original_batch=old.batch,
        earlier=is_earlier(new.published_at, old.published_at),
        place=old.place,
    )


def is_earlier(new: datetime | None, old: datetime | None) -> bool | None:
    """Whether a copy claims to be published before what it copies; None where one has no date."""
    return new < old if new and old else None
