"""Topics: what the publisher says comes first (section, categories, address), then what the text model says."""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.errors import UsageError, WorldError
from schemas.records import Article, Score
from transforms.taxonomy import IPTC, UNCLASSIFIED, Taxonomy, one_topic, taxonomy
from transforms.urls import path_segments

Classify = Callable[[Sequence[str]], Sequence[Mapping[str, float]]]
"""From texts (title, empty line, body) to each one's scores by slug, 0 to 1. No scores: the text cannot be told."""
BEST = 3
"""Scores that are kept."""
THRESHOLD = 0.4
LANGUAGES = ("en",)
_NOTHING: dict[str, Any] = {
    "topic": UNCLASSIFIED,
    **dict.fromkeys(("topic_code", "topic_source", "topic_score", "topic_model")),
    "topics": [],
}
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_function(model: str) -> bool:
    """Whether a model is named as `module:function`, and not as a file."""
    return _FUNCTION.fullmatch(model) is not None


class TextModel(NamedTuple):
    """What tells topics from texts: its name, with its version, and the function."""

    name: str
    classify: Classify


class Filing(NamedTuple):
    """How articles are filed."""

    path: str
    """The taxonomy's file."""
    model: TextModel
    threshold: float
    """A score below it leaves an article unclassified."""
    languages: tuple[str, ...]
    """The languages that the model reads; none named: all."""

    @property
    def taxonomy(self) -> Taxonomy:
        return taxonomy(self.path)

    def reads(self, article: Article) -> bool:
        """Whether the model can be asked; where the language is unknown, it has to see for itself."""
        return article.language is None or not self.languages or article.language in self.languages


@cache
def filing(
    path: str = IPTC, model: str = "", threshold: float = THRESHOLD, languages: tuple[str, ...] = LANGUAGES
) -> Filing:
    """How to file by a taxonomy (IPTC's by default) and a model: a file, or `module:function`; the default for IPTC's.

    Raises UsageError or WorldError, which name the cure, if they cannot be loaded or do not fit each other.
    """
    topics = taxonomy(path)
    if path != IPTC and not model:
        raise UsageError(f"topics.taxonomy is {path}: give topics.model too; `newsbeam topics train` makes one.")
    return Filing(path, _text_model(model, topics), threshold, languages)


def _text_model(model: str, topics: Taxonomy) -> TextModel:
    if is_function(model):
        return TextModel(model, _function(model))
    from transforms.topic_model import DEFAULT, load_model

    loaded = load_model(model or str(DEFAULT))
    if loaded.taxonomy != topics.name:
        raise UsageError(
            f"The model {model} tells topics of {loaded.taxonomy!r}, not of {topics.name!r}: train it anew "
            "(`newsbeam topics train`), or name its own topics.taxonomy."
        )
    return TextModel(loaded.name, loaded.classify)


def _function(name: str) -> Classify:
    module, _, function = name.partition(":")
    try:
        found: Classify = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise WorldError(f"topics.model {name}: {error}; is the module installed, or in PYTHONPATH?") from error
    return found


def find_topics(articles: Sequence[Article], filed: Filing) -> list[Article]:
    """The articles, the unique ones with their topics.

    The topic is the one that the section names; else the categories; else the address's path; each counts only if
    what it names is exactly one topic. Else it is the text model's best, if that reaches the threshold.
    Where anything fails on an article it is unclassified, and says so in `problems`.
    """
    result = [_named(one, filed) if one.outcome == "unique" else one for one in articles]
    open_places = [
        place
        for place, one in enumerate(result)
        if one.outcome == "unique" and one.topic == UNCLASSIFIED and filed.reads(one)
    ]
    for place, scores in zip(open_places, _scores([result[place] for place in open_places], filed), strict=True):
        result[place] = _scored(result[place], scores, filed)
    return result


def _named(article: Article, filed: Filing) -> Article:
    """The article with the topic that its publisher names; without one it is unclassified."""
    plain = replace(article, taxonomy=filed.taxonomy.name, **_NOTHING)
    try:
        source, slug = publishers_topic(article, filed.path)
    except Exception as error:
        return _failed(plain, error)
    if slug is None:
        return plain
    code = filed.taxonomy.topics[slug].code
    scores = [Score(slug, 1.0)]
    return replace(plain, topic=slug, topic_code=code, topic_source=source, topic_score=1.0, topics=scores)


def publishers_topic(article: Article, path: str) -> tuple[str | None, str | None]:
    """What names the topic, and its slug; Nones if nothing names exactly one."""
    url = article.canonical_url or article.url
    named = {
        "section": [article.section] if article.section else [],
        "category": article.categories,
        "url": path_segments(url)[:-1] if url else [],
    }
    for source, labels in named.items():
        if labels and (slug := one_topic(labels, path)):
            return source, slug
    return None, None


def _scores(articles: Sequence[Article], filed: Filing) -> list[Mapping[str, float] | Exception]:
    """The model's scores of each article; if it fails on all, of one after the other."""
    if not articles:
        return []
    try:
        found = filed.model.classify([f"{article.title}\n\n{article.body}" for article in articles])
        return [_checked(scores, filed) for scores in _as_many(found, articles)]
    except MemoryError:
        raise
    except Exception as error:
        if len(articles) == 1:
            return [error]
        return [scores for article in articles for scores in _scores([article], filed)]


def _as_many(found: Sequence[Any], articles: Sequence[Article]) -> Sequence[Any]:
    if len(found) != len(articles):
        raise ValueError(f"{len(found)} results for {len(articles)} texts")
    return found


def _checked(scores: Mapping[str, float], filed: Filing) -> Mapping[str, float]:
    for slug, score in scores.items():
        if slug not in filed.taxonomy.topics:
            raise ValueError(f"{slug!r} is no topic of {filed.taxonomy.name}")
        if not 0 <= score <= 1:
            raise ValueError(f"the score {score} of {slug} is not between 0 and 1")
    return scores


def _scored(article: Article, scores: Mapping[str, float] | Exception, filed: Filing) -> Article:
    """The article with the best scores; the first is its topic if it reaches the threshold. Equal ones by name."""
    if isinstance(scores, Exception):
        return _failed(article, scores)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:BEST]
    topics = [Score(slug, round(float(score), 4)) for slug, score in best]
    if not best or best[0][1] < filed.threshold:
        return replace(article, topics=topics)
    slug = topics[0].topic
    return replace(
        article,
        topic=slug,
        topic_code=filed.taxonomy.topics[slug].code,
        topic_source="text",
        topic_score=topics[0].score,
        topic_model=filed.model.name,
        topics=topics,
    )


def _failed(article: Article, error: Exception) -> Article:
    reason = " ".join(str(error).split())[:200]
    return replace(article, problems=[*article.problems, f"no topic: {type(error).__name__}: {reason}"])
