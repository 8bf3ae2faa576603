"""Training the model of topics that ships, from public headlines. `make topics-model` does it and compares.

    python -m pipeline.topics_default DATA [--output FILE]

It trains, says how good the model is, and whether it has the same bytes as the one that ships (exit status 1 if not);
with --output it is written there. DATA is a folder with

- huffpost-headlines.jsonl.gz: headlines with one of 41 categories (`category`, `headline`);
- huffpost-to-topics.json: of each category the topic that it stands for, if it is one, and the topics that its
  headlines may have (`candidates`);
- iptc-mediatopic-mapping.json: IPTC's codes with name, definition and top level;
- topic-seed-headlines.txt: headlines under a line `# topic` each;
- minilm-word-vectors.npz: words with a vector and a count each.

Headlines are split by a hash of their words: eight tenths teach, one tunes, one tests (`part_of`). The model is the
sum of three: a softmax of word vectors, the likeness to what IPTC's definitions and the seeds say of a topic, and a
softmax of words. Four topics (conflict, disaster, labour, weather) have no category of their own. They are learned
from codes and seeds first; then twice the model so far shares out each headline among the candidates of its category
(EM with partial labels), and learns from that.
"""

import argparse
import gzip
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.evaluate_topics import evaluate_topics, evaluation_text
from pipeline.labelled import TEST, TUNING, Labelled, part_of
from pipeline.metrics import macro_f1
from schemas.errors import WorldError
from schemas.records import Article
from transforms.taxonomy import IPTC, taxonomy
from transforms.topic_model import DEFAULT, Array, Bags, TopicModel, bags
from transforms.topic_training import (
    COARSE,
    Design,
    Learned,
    View,
    calibrate,
    class_shares,
    fit,
    grid,
    idf,
    model_file,
    softmax,
)
from transforms.topics import LANGUAGES, THRESHOLD, Filing, TextModel

NAME = "newsbeam-iptc"
SEED_WEIGHT = 3
"""Headlines that a seed counts for."""
KEPT = 0.7
"""Part of a headline that stays with the topic of its category."""
CENTROID_WEIGHT = 2
PENALTIES = {"vectors": 1e-4, "words": 1e-5}
STEPS = {"vectors": 60, "words": 150}
_ECONOMY_BUT_SCIENCE = ("telecommunication", "information technology", "software", "computer", "computing")
"""Codes of the economy that headlines about them make science and technology."""
_STOP_WORDS = """
a about after again all also an and any are as at be because been before being both but by can could day days did do
does down during each few first for from get got had has have he her here hers him his how i if in into is it its just
last like made make many may me more most mr mrs ms much my new no nor not now of off on once one only or other our out
over own people per said same say says she should since so some such than that the their them then there these they
this those through time to too two under until up us very was way we week weeks were what when where which while who
why will with would year years you your
"""


class Headline(NamedTuple):
    """A headline, the topic that its category stands for (None: none), and those that it may have."""

    text: str
    topic: str | None
    candidates: frozenset[str]


class Data(NamedTuple):
    """What the model learns from. Codes and seeds: a text and its topic."""

    headlines: list[Headline]
    codes: list[tuple[str, str]]
    seeds: list[tuple[str, str]]
    words: list[str]
    vectors: Array
    counts: Array


def read_data(folder: Path) -> Data:
    """Raises WorldError if a file is missing."""
    try:
        vectors = np.load(folder / "minilm-word-vectors.npz", allow_pickle=False)
        return Data(
            _headlines(folder),
            _codes(folder),
            _seeds(folder),
            [str(word) for word in vectors["words"]],
            vectors["vectors"] * vectors["scale"].astype(np.float64)[:, None],
            vectors["counts"].astype(np.float64),
        )
    except OSError as error:
        raise WorldError(f"{folder} lacks what the model is trained from: {error}.") from error


def _headlines(folder: Path) -> list[Headline]:
    rows = json.loads((folder / "huffpost-to-topics.json").read_text("utf-8"))
    kinds = {row["category"]: (row["topic"], frozenset(row["candidates"])) for row in rows}
    with gzip.open(folder / "huffpost-headlines.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [Headline(row["headline"], *kinds[row["category"]]) for row in map(json.loads, lines)]


def _codes(folder: Path) -> list[tuple[str, str]]:
    """Name and definition of each code that is in use, under its top level."""
    slugs = {topic.code: slug for slug, topic in taxonomy().topics.items()}
    found = []
    for row in json.loads((folder / "iptc-mediatopic-mapping.json").read_text("utf-8")).values():
        name, definition = row["Name (en-GB)"], row["Definition (en-GB)"]
        if isinstance(row["RetiredDate"], str):
            continue
        slug = slugs[row["Level1/NewsCode"]]
        if slug == "economy" and any(word in name for word in _ECONOMY_BUT_SCIENCE):
            slug = "science"
        found.append((f"{name} {definition if isinstance(definition, str) else ''}", slug))
    return found


def _seeds(folder: Path) -> list[tuple[str, str]]:
    found, slug = [], ""
    for line in (folder / "topic-seed-headlines.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            slug = line[2:].strip()
        elif line.strip():
            found.append((line.strip(), slug))
    return found


class Lessons(NamedTuple):
    """Texts to learn from: what they are known to be, what they may be, and how much they count."""

    found: Bags
    answers: Array
    """Text by topic: 1 for the topic that is known, zeros if none is."""
    candidates: Array
    sure: Array
    """Whether the answer is final: codes and seeds."""
    weights: Array


def lessons(data: Data, topics: Sequence[str], vocabulary: dict[bytes, int]) -> Lessons:
    """The teaching part of the headlines, then the codes, then the seeds."""
    taught = [one for one in data.headlines if part_of(one.text) < TUNING]
    extra = [*data.codes, *data.seeds]
    answers = [[one.topic == topic for topic in topics] for one in taught]
    answers += [[slug == topic for topic in topics] for _, slug in extra]
    candidates = [[topic in one.candidates for topic in topics] for one in taught]
    texts = [one.text for one in taught] + [text for text, _ in extra]
    weights = np.ones(len(texts))
    weights[len(texts) - len(data.seeds) :] = SEED_WEIGHT
    return Lessons(
        bags(texts, vocabulary),
        np.array(answers, np.float64),
        np.array(candidates + [[True] * len(topics)] * len(extra), np.float64),
        np.arange(len(texts)) >= len(taught),
        weights,
    )


def learn_partial(design: Design, taught: Lessons, penalty: float, steps: int) -> tuple[Learned, Array]:
    """The softmax after two rounds of EM, and the targets that it was learned from at last."""
    known = taught.answers.sum(axis=1) > 0
    shares = class_shares(taught.answers, taught.weights) * known
    learned = fit(design, taught.answers, shares, penalty, steps)
    for _ in range(2):
        guess = softmax(design.times(learned.table) + learned.bias) * taught.candidates
        guess /= guess.sum(axis=1, keepdims=True)
        mixed = np.where(known[:, None], KEPT * taught.answers + (1 - KEPT) * guess, guess)
        targets = grid(np.where(taught.sure[:, None], taught.answers, mixed), COARSE)
        learned = fit(design, targets, class_shares(targets, taught.weights), penalty, steps)
    return learned, targets


def likeness(design: Design, vectors: Array, taught: Lessons, data: Data) -> Array:
    """Word by topic: how near each word is to what codes and seeds say of the topic, halves of equal weight."""
    end = len(taught.sure)
    kinds = (slice(end - len(data.seeds) - len(data.codes), end - len(data.seeds)), slice(end - len(data.seeds), end))
    total = np.zeros((vectors.shape[1], taught.answers.shape[1]))
    for kind in kinds:
        only = np.zeros_like(taught.answers)
        only[kind] = taught.answers[kind]
        total += _unit(design.gather(only))
    return grid(vectors @ grid(_unit(total), COARSE), COARSE)


def _unit(columns: Array) -> Array:
    unit: Array = columns / np.sqrt(sum(row**2 for row in columns)).clip(1e-9)
    return unit


class Trained(NamedTuple):
    """What was learned, before it goes into a file, and the temperature of its scores."""

    topics: list[str]
    words: list[bytes]
    weights: Array
    halves: dict[str, Learned]
    temperature: float

    def file(self, *names: str) -> bytes:
        """The model as the bytes of its file; of the halves that are named, by default of both."""
        halves = [self.halves[name] for name in names or self.halves]
        table = np.add.reduce([half.table for half in halves])
        learned = Learned(table, np.add.reduce([half.bias for half in halves]))
        name = taxonomy().name
        return model_file(NAME, name, self.topics, self.words, self.weights, learned, self.temperature)


def train(data: Data, steps: dict[str, int] = STEPS) -> Trained:
    """The model, from the teaching part; calibrated on the tuning part."""
    topics = list(taxonomy().topics)
    vocabulary = {word.encode(): number for number, word in enumerate(data.words, 1)}
    taught = lessons(data, topics, vocabulary)
    stop_words = frozenset(_STOP_WORDS.split())
    stop = np.array([True, *(word in stop_words for word in data.words)])
    vectors = grid(np.concatenate([np.zeros_like(data.vectors[:1]), data.vectors]), COARSE)
    weights = np.where(stop, 0, idf(taught.found, len(stop)))
    design = Design(taught.found, View(weights, vectors))
    by_vector, targets = learn_partial(design, taught, PENALTIES["vectors"], steps["vectors"])
    near = CENTROID_WEIGHT * likeness(design, vectors, taught, data)
    shares = class_shares(targets, taught.weights)
    by_word = fit(Design(taught.found, View(weights)), targets, shares, PENALTIES["words"], steps["words"])
    halves = {"vectors": Learned(by_vector.table + near, by_vector.bias), "words": by_word}
    tuning = [one for one in data.headlines if one.topic and part_of(one.text) == TUNING]
    answers = np.array([topics.index(str(one.topic)) for one in tuning])
    found = bags([one.text for one in tuning], vocabulary)
    tuned = Design(found, View(weights))
    logits = sum((tuned.times(half.table) + half.bias for half in halves.values()), np.zeros(len(topics)))
    return Trained(topics, list(vocabulary), weights, halves, calibrate(logits[found.telling], answers[found.telling]))


def headlines_of(data: Data, part: int) -> list[Labelled]:
    """The headlines of a part whose category stands for one topic, as articles."""
    return [_article(one.text, "", one.topic) for one in data.headlines if one.topic and part_of(one.text) == part]


def newswire(path: Path) -> list[Labelled]:
    """Reuters' articles of 1987 that have codes, all of which are economic."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [_article(row["title"], row["text"], "economy") for row in rows if row["topics"]]


def _article(title: str, body: str, topic: str) -> Labelled:
    return Labelled(Article(title=title, body=body, language="en", outcome="unique"), topic, topic)


def _compared(trained: Trained, data: Data, folder: Path) -> Iterator[str]:
    """The model and its halves, each alone, on headlines of the test part and on newswire."""
    test, wire = headlines_of(data, TEST), newswire(folder / "reuters21578.jsonl.gz")
    often = Counter(one.topic for one in test).most_common(1)[0]
    yield f"{'':24} {'macro-F1':>9} {'right':>9}   {'economy of newswire':>20}"
    share = often[1] / len(test)
    f1 = 2 * share / (1 + share) / len({one.topic for one in test})
    yield f"{f'always {often[0]}':24} {f1:>9.3f} {share:>9.3f}   {float(often[0] == 'economy'):>20.3f}"
    for name, parts in {"word vectors alone": ["vectors"], "words alone": ["words"], "the model": []}.items():
        model = TopicModel.of(trained.file(*parts))
        filed = Filing(IPTC, TextModel(model.name, model.classify), 0.0, ())
        on_test, on_wire = evaluate_topics(test, filed), evaluate_topics(wire, filed)
        right, recall = on_test.right / len(test), on_wire.right / len(wire)
        yield f"{name:24} {macro_f1(on_test.topics):>9.3f} {right:>9.3f}   {recall:>20.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--output", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    data = read_data(arguments.data)
    trained = train(data)
    file = trained.file()
    if arguments.output:
        arguments.output.write_bytes(file)
    model = TopicModel.of(file)
    filed = Filing(IPTC, TextModel(model.name, model.classify), THRESHOLD, LANGUAGES)
    print(f"{len(file):,} bytes, temperature {trained.temperature}, sha256 {hashlib.sha256(file).hexdigest()}")
    print("\nAll texts are told here, however low the score:\n")
    print("\n".join(_compared(trained, data, arguments.data)))
    print("\nThe test part, as the line files it:\n")
    print("\n".join(evaluation_text(evaluate_topics(headlines_of(data, TEST), filed))))
    if not arguments.output and file != DEFAULT.read_bytes():
        sys.exit("The bytes are not those of the model that ships.")
    print("\nThe bytes are those of the model that ships." if file == DEFAULT.read_bytes() else "\nA new model.")


if __name__ == "__main__":
    main()
