"""`evaluate dedup`: how well copies are recognised on somebody's own labelled articles, and what to label."""

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations, groupby, islice
from math import comb
from typing import Any, NamedTuple

from msgspec import Struct

from pipeline.fingerprint_lookup import kept_articles
from pipeline.log import read_history
from pipeline.query import connect, explained, plain
from pipeline.terminal import visible
from schemas.errors import UsageError
from schemas.records import Article
from transforms import copies, near
from transforms.copies import Text
from transforms.files import store_at
from transforms.fingerprints import unpack
from transforms.identity import content_hash
from transforms.matcher import Kept, kept_of, pairs_to_compare, side_of, whole_text
from transforms.near import Judgement, Rules

THRESHOLDS = {
    "jaccard": (0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    "containment": (0.5, 0.6, 0.7, 0.8, 0.9),
    "edit_ratio": (0.65, 0.7, 0.75, 0.8, 0.9),
    "same_words": (0.8, 0.85, 0.9, 0.95, 1.0),
    "same_figures": (0.5, 0.6, 0.75, 0.9, 1.0),
}
WORST = 10
MOST_PAIRS = 200_000
"""Pairs of articles of the same cluster that are judged."""
_SAMPLED = 20_000
"""Newest kept articles among which near-misses are looked for."""
_NEAR_MISS = 0.15


class Pair(NamedTuple):
    """Two articles, and whether somebody says that they are copies."""

    one: Article
    other: Article
    same: bool


class Quality(Struct, frozen=True):
    """Precision, recall and F1 of pairs, with one setting at this threshold and the others as configured."""

    setting: str
    threshold: float
    precision: float
    recall: float
    f1: float


class Mistake(Struct, frozen=True, kw_only=True):
    """A pair that was judged otherwise than its label."""

    titles: tuple[str, str]
    sources: tuple[str | None, str | None]
    judged: str
    """The method that took them for copies, or why they were not."""
    jaccard: float
    containment: float
    numbers_shared: int
    numbers_replaced: int


class Report(Struct, frozen=True, kw_only=True):
    """How well copies are recognised. `ari` (adjusted Rand index) needs labelled clusters."""

    pairs: int
    copies: int
    unlabelled: int
    quality: Quality
    ari: float | None
    by_threshold: list[Quality]
    wrongly_joined: list[Mistake]
    missed: list[Mistake]


def evaluate(path: str, rules: Rules) -> Report:
    """Judge the labelled pairs or clusters of a file. Raises UsageError, which names the line, if it cannot be read."""
    rows = list(_rows(path))
    if not rows:
        raise UsageError(f"{path} holds no line; each is a labelled pair, or an article with its cluster.")
    has_clusters = "cluster" in rows[0][1]
    labelled = [_clustered(path, *row) for row in rows] if has_clusters else []
    pairs = _pairs_of_clusters(labelled, rules) if has_clusters else _pairs(path, rows)
    if not any(pair.same for pair in pairs):
        raise UsageError(f"{path} has no pair that is labelled as the same story, so nothing can be measured.")
    judged = [(pair, _judge(pair, rules)) for pair in pairs]
    mistakes = [(pair, one) for pair, one in judged if bool(one.method) != pair.same]
    mistakes.sort(key=lambda found: -found[1].similarity)
    return Report(
        pairs=len(pairs),
        copies=sum(pair.same for pair in pairs),
        unlabelled=0 if has_clusters else len(rows) - len(pairs),
        quality=_quality(judged, "jaccard", rules.jaccard),
        ari=_ari(labelled, rules) if has_clusters else None,
        by_threshold=[_at(pairs, rules, name, value) for name, values in THRESHOLDS.items() for value in values],
        wrongly_joined=[_mistake(*found) for found in mistakes if found[1].method][:WORST],
        missed=[_mistake(*found) for found in reversed(mistakes) if not found[1].method][:WORST],
    )


# Reading labels


def _rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("it is no object")
                    yield number, row
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON Lines: {visible(str(error))}.") from None


def _pairs(path: str, rows: Iterable[tuple[int, dict[str, Any]]]) -> list[Pair]:
    """Labelled pairs; those whose label is null are left out."""
    pairs = []
    for line, row in rows:
        if "same" not in row or not isinstance(row["same"], bool | None):
            raise UsageError(f'{path}, line {line}: a pair is {{"a": …, "b": …, "same": true}}, or false, or null.')
        if row["same"] is not None:
            one, other = (_article(path, line, name, row.get(name)) for name in ("a", "b"))
            one, other = copies.with_fingerprints([one, other])
            pairs.append(Pair(one, other, row["same"]))
    return pairs


def _clustered(path: str, line: int, row: dict[str, Any]) -> tuple[Article, str]:
    if "cluster" not in row:
        raise UsageError(f"{path}, line {line}: it has no `cluster`, as the first line has.")
    (article,) = copies.with_fingerprints([_article(path, line, str(line), row)])
    return article, str(row["cluster"])


def _article(path: str, line: int, name: str, row: Any) -> Article:
    text = (row.get("text") or row.get("body")) if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise UsageError(f"{path}, line {line}: an article is an object with a `text`, and perhaps a `title`.")
    title, source = str(row.get("title") or ""), row.get("source")
    return Article(
        article_id=f"{line:031x}{'b' if name == 'b' else 'a'}",
        identity=f"{line} {name}",
        title=title,
        body=text,
        source=str(source) if source else None,
        published_at=_moment(path, line, row.get("published_at")),
        content_hash=content_hash(title, text),
        position=line,
    )


def _moment(path: str, line: int, text: Any) -> datetime:
    """Articles without a date are of one day, so that the look-back does not part them."""
    try:
        moment = datetime.fromisoformat(text) if text else datetime(2000, 1, 1)
    except (TypeError, ValueError):
        raise UsageError(f"{path}, line {line}: published_at is a time such as 2026-01-31T12:00:00Z.") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _pairs_of_clusters(labelled: Sequence[tuple[Article, str]], rules: Rules) -> list[Pair]:
    """All pairs within clusters, and those of different ones that would be compared; no others can be joined."""
    clusters: dict[str, list[Article]] = defaultdict(list)
    cluster_of = {article.article_id: cluster for article, cluster in labelled}
    for article, cluster in labelled:
        clusters[cluster].append(article)
    pairs = (Pair(*two, True) for one in clusters.values() for two in combinations(one, 2))
    within = list(islice(pairs, MOST_PAIRS))
    articles = {article.article_id: article for article, _ in labelled}
    kept = [kept_of(article, 0, unpack(article.fingerprint)) for article in articles.values()]
    between = [
        Pair(articles[one.article_id], articles[other.article_id], False)
        for one, other in pairs_to_compare(kept, rules.look_back)
        if cluster_of[one.article_id] != cluster_of[other.article_id]
    ]
    return within + between


# Judging


def _judge(pair: Pair, rules: Rules) -> Judgement:
    one, other = (side_of(kept_of(article, 0, unpack(article.fingerprint))) for article in pair[:2])
    judged = near.judge(one, other, rules, lambda: (whole_text(pair.one), whole_text(pair.other)))
    days = abs((_day(pair.one) - _day(pair.other)).days)
    if pair.one.content_hash == pair.other.content_hash and rules.mode != "off":
        return judged._replace(method="exact", similarity=1.0)
    if rules.mode != "near" or days > rules.look_back:
        return judged._replace(method="", reason=f"they are {days} days apart" if days else f"mode {rules.mode}")
    return judged


def _day(article: Article) -> datetime:
    assert article.published_at
    return article.published_at.replace(hour=0, minute=0, second=0, microsecond=0)


def _quality(judged: Iterable[tuple[Pair, Judgement]], setting: str, threshold: float) -> Quality:
    counts = Counter((bool(one.method), pair.same) for pair, one in judged)
    right, wrong, missed = counts[True, True], counts[True, False], counts[False, True]
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return Quality(setting, threshold, precision, recall, 2 * precision * recall / max(precision + recall, 1e-9))


def _at(pairs: Iterable[Pair], rules: Rules, setting: str, threshold: float) -> Quality:
    other = dataclasses.replace(rules, **{setting: threshold})  # type: ignore[arg-type]
    return _quality(((pair, _judge(pair, other)) for pair in pairs), setting, threshold)


def _mistake(pair: Pair, judged: Judgement) -> Mistake:
    return Mistake(
        titles=(pair.one.title or pair.one.body[:80], pair.other.title or pair.other.body[:80]),
        sources=(pair.one.source, pair.other.source),
        judged=judged.method or judged.reason,
        jaccard=judged.likeness.jaccard,
        containment=judged.likeness.containment,
        numbers_shared=judged.numbers_shared,
        numbers_replaced=judged.numbers_replaced,
    )


def _ari(labelled: Sequence[tuple[Article, str]], rules: Rules) -> float:
    """Adjusted Rand index of the clusters that a run would make (Hubert and Arabie 1985)."""
    articles = sorted((article for article, _ in labelled), key=copies.order)
    texts = {one.article_id: Text(one.title, one.body) for one in articles}
    decided = copies.decide(articles, {}, lambda known: texts[known.canonical], 1, rules)
    ours = {one.article_id: one.copy.duplicate_of if one.copy else one.article_id for one in decided}
    both = Counter((cluster, ours[article.article_id]) for article, cluster in labelled)
    theirs = Counter(cluster for _, cluster in labelled)
    together, left, right = (_pairs_in(one) for one in (both, theirs, Counter(ours.values())))
    expected = left * right / max(comb(len(labelled), 2), 1)
    most = (left + right) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _pairs_in(counts: Mapping[Any, int]) -> int:
    return sum(comb(count, 2) for count in counts.values())


# What to label

_COPIES = """
SELECT duplicates.jaccard, duplicates.method AS judged, {a} AS a, {b} AS b
FROM duplicates JOIN articles ON duplicate_of = articles.article_id
WHERE duplicates.jaccard IS NOT NULL ORDER BY abs(duplicates.jaccard - $threshold), duplicates.article_id LIMIT $most
"""
_TEXTS = "SELECT article_id, {a} AS a FROM articles WHERE article_id IN (SELECT unnest($ids))"


def _struct(table: str) -> str:
    fields = ("article_id", "source", "published_at", "title")
    return "{" + ", ".join(f"{name}: {table}.{name}" for name in fields) + f", text: {table}.body" + "}"


def borderline(root: str, rules: Rules, count: int) -> list[dict[str, Any]]:
    """Pairs of a warehouse to label: copies that were hardly taken for such, and kept articles that hardly were not.

    Each is a line of a file for `evaluate`, as soon as its `same` is true or false.
    """
    misses = _near_misses(root, rules)[: count - count // 2]
    ids = [one.article_id for _, *pair in misses for one in pair]
    with connect(root) as connection, explained():
        sql = _COPIES.format(a=_struct("duplicates"), b=_struct("articles"))
        found = connection.execute(sql, {"threshold": rules.jaccard, "most": count - len(misses)}).fetchall()
        texts = dict(connection.execute(_TEXTS.format(a=_struct("articles")), {"ids": ids}).fetchall()) if ids else {}
    rows = [(judged, jaccard, a, b) for jaccard, judged, a, b in found]
    rows += [
        (one.reason, one.likeness.jaccard, texts[a.article_id], texts[b.article_id])
        for one, a, b in misses
        if a.article_id in texts and b.article_id in texts
    ]
    return [
        {"same": None, "judged": judged, "jaccard": round(jaccard, 3), "a": plain(a), "b": plain(b)}
        for judged, jaccard, a, b in rows
    ]


def _near_misses(root: str, rules: Rules) -> list[tuple[Judgement, Kept, Kept]]:
    """Pairs of the newest kept articles that were compared and not joined, those with the most in common first."""
    store = store_at(root)
    kept = kept_articles(store, read_history(store), _SAMPLED)
    found = []
    for old, new in pairs_to_compare(kept, rules.look_back):
        judged = near.judge(side_of(new), side_of(old), rules, lambda: None)
        if not judged.method and judged.likeness.jaccard >= _NEAR_MISS:
            found.append((judged, new, old))
    return sorted(found, key=lambda one: (-one[0].likeness.jaccard, one[1].article_id, one[2].article_id))


def report_text(report: Report) -> str:
    """The report for a person."""
    return "\n".join(_report_lines(report))


def _report_lines(report: Report) -> Iterator[str]:
    unlabelled = f", {report.unlabelled:,} without a label" if report.unlabelled else ""
    yield f"{report.pairs:,} pairs, of which {report.copies:,} are copies{unlabelled}"
    ari = "" if report.ari is None else f"   ARI {report.ari:.3f}"
    yield f"{_quality_text(report.quality)}{ari}"
    for setting, rows in groupby(report.by_threshold, key=lambda one: one.setting):
        yield ""
        yield f"dedup.{setting}, the others as configured"
        yield from (f"  {one.threshold:<8}{_quality_text(one)}" for one in rows)
    groups = {
        "Joined, but labelled as different": report.wrongly_joined,
        "Missed, but labelled as the same": report.missed,
    }
    for name, mistakes in groups.items():
        if mistakes:
            yield ""
            yield f"{name}, the worst first"
            for mistake in mistakes:
                yield from _mistake_lines(mistake)


def _quality_text(one: Quality) -> str:
    return f"precision {one.precision:.3f}   recall {one.recall:.3f}   F1 {one.f1:.3f}"


def _mistake_lines(one: Mistake) -> Iterator[str]:
    numbers = f"numbers {one.numbers_shared} shared, {one.numbers_replaced} replaced"
    yield f"  jaccard {one.jaccard:.2f}, containment {one.containment:.2f}, {numbers}: {one.judged}"
    for title, source in zip(one.titles, one.sources, strict=True):
        yield f"    {visible(source or 'unknown')}: {visible(title)}"
