"""`topics train`: a model of the user's own topics, from labelled articles, and from examples and keywords.

Each word is seen in two ways (see `topic_training.py`): alone, and by the 17 numbers that the model that ships has for
it, which says something of words that the user's articles lack. Both have the same weights, so they add up to one
table. What the second view gains: `python -m tests.bench_topics` shows it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from pipeline.evaluate_topics import Evaluation, evaluate_topics
from pipeline.labelled import PARTS, TEST, TUNING, Labelled, part_of
from schemas.errors import UsageError
from transforms.taxonomy import Taxonomy
from transforms.topic_model import DEFAULT, MOST_CHARACTERS, Array, TopicModel, bags, load_model, words
from transforms.topic_training import COARSE, Design, Learned, View, calibrate, class_shares, fit, grid, idf, model_file
from transforms.topics import Filing, TextModel

FEWEST_TUNING = 50
"""Articles of the tuning part from which the scores are calibrated."""
MOST_WORDS = 30_000
OWN_WEIGHT = 3
"""Articles that an example, or a topic's keywords, count for."""
PENALTIES = {"vectors": 1e-4, "words": 1e-5}
STEPS = 100
SECOND_VIEW = (1.0, 0.5, 0.0)
"""How much the second view may count; the first where there is too little to tune on."""


class Lesson(NamedTuple):
    """A text, its topic, and how much it counts."""

    text: str
    topic: str
    weight: float = 1.0


class Own(NamedTuple):
    """A trained model as the bytes of its file, how many lessons taught and tuned it, and how it did on the rest."""

    file: bytes
    taught: int
    tuned: int
    evaluation: Evaluation


def train_own(labelled: Iterable[Labelled], filed: Filing, name: str) -> Own:
    """A model of the taxonomy that is filed by: eight tenths of the articles teach it, one tunes it, one tests it.

    Raises UsageError if a topic has nothing to be learned from.
    """
    topics = filed.taxonomy
    parts: list[list[Labelled]] = [[] for _ in range(PARTS)]
    for one in labelled:
        if one.topic is not None and one.article.outcome == "unique":
            parts[part_of(f"{one.article.title}\n{one.article.body}")].append(_shortened(one))
    taught = [*(_lesson(one) for part in parts[:TUNING] for one in part), *written(topics)]
    if missing := sorted(topics.topics.keys() - {lesson.topic for lesson in taught}):
        raise UsageError(
            f"Nothing tells what {', '.join(missing)} means: give labelled articles, or examples or keywords in the "
            "taxonomy's file."
        )
    tuning = [_lesson(one) for one in parts[TUNING]]
    file = learn(taught, tuning, topics, name)
    model = TopicModel.of(file)
    tested = evaluate_topics(parts[TEST], filed._replace(model=TextModel(model.name, model.classify)))
    return Own(file, len(taught), len(tuning), tested)


def _shortened(one: Labelled) -> Labelled:
    """As much as the model reads, and without an address, which would tell for it."""
    body = one.article.body[:MOST_CHARACTERS]
    return Labelled(replace(one.article, body=body, url=None, canonical_url=None), one.label, one.topic)


def _lesson(one: Labelled) -> Lesson:
    return Lesson(f"{one.article.title}\n\n{one.article.body}", str(one.topic))


def written(topics: Taxonomy) -> list[Lesson]:
    """What the taxonomy's file itself says of its topics."""
    lessons = []
    for slug, topic in topics.topics.items():
        lessons += [Lesson(example, slug, OWN_WEIGHT) for example in topic.examples]
        if topic.keywords:
            lessons.append(Lesson(" ".join([topic.name, *topic.keywords]), slug, OWN_WEIGHT))
    return lessons


def learn(
    taught: Sequence[Lesson], tuning: Sequence[Lesson], topics: Taxonomy, name: str, vectors: bool = True
) -> bytes:
    """The model as the bytes of its file.

    If there is enough to tune on, that decides how much the second view counts, and calibrates the scores.
    """
    slugs = list(topics.topics)
    vocabulary = _vocabulary(taught)
    numbers = {word: number for number, word in enumerate(vocabulary, 1)}
    found = bags([lesson.text for lesson in taught], numbers)
    targets = np.array([[lesson.topic == slug for slug in slugs] for lesson in taught], np.float64)
    shares = class_shares(targets, np.array([lesson.weight for lesson in taught]))
    weights = idf(found, len(numbers) + 1)
    views = [fit(Design(found, View(weights)), targets, shares, PENALTIES["words"], STEPS)]
    if vectors:
        design = Design(found, View(weights, shipped_vectors(vocabulary)))
        views.append(fit(design, targets, shares, PENALTIES["vectors"], STEPS))
    choices = [_sum(views, share) for share in SECOND_VIEW] if vectors else views
    learned, temperature = choices[0], 1.0
    if len(tuning) >= FEWEST_TUNING:
        tuned = bags([lesson.text for lesson in tuning], numbers)
        answers = np.array([slugs.index(lesson.topic) for lesson in tuning])
        logits = [Design(tuned, View(weights)).times(choice.table) + choice.bias for choice in choices]
        right = [int((some.argmax(axis=1) == answers).sum()) for some in logits]
        best = right.index(max(right))
        learned = choices[best]
        temperature = calibrate(logits[best][tuned.telling], answers[tuned.telling])
    return model_file(name, topics.name, slugs, vocabulary, weights, learned, temperature)


def _sum(views: Sequence[Learned], share: float) -> Learned:
    first, second = views
    return Learned(first.table + share * second.table, first.bias + share * second.bias)


def _vocabulary(taught: Sequence[Lesson]) -> list[bytes]:
    """The words of several lessons, those of what the user wrote, and all words of the model that ships; in order."""
    counts: Counter[bytes] = Counter()
    for lesson in taught:
        counts.update(dict.fromkeys(words(lesson.text), 2 if lesson.weight > 1 else 1))
    several = sorted((word for word, count in counts.items() if count > 1), key=lambda word: (-counts[word], word))
    return sorted({*several[:MOST_WORDS], *load_model(str(DEFAULT)).vocabulary})


def shipped_vectors(vocabulary: Sequence[bytes]) -> Array:
    """A vector for each word, of length one or zero: its row in the model that ships; row 0 for the unknown word."""
    model = load_model(str(DEFAULT))
    rows = model.table[[0, *(model.vocabulary.get(word, 0) for word in vocabulary)], :-1].astype(np.float64)
    return grid(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9), COARSE)
