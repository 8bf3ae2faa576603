"""Topics beside names: microseconds an article on one core, on the same articles. Needs the shared test material.

    python -m tests.bench_topics [--articles N]

Names (the default model's decoder) and topics (the whole step: the publisher's labels, which Reuters lacks, then the
text model) take turns on the same new articles, 256 at a time, so that others on the machine disturb both alike; time
is the process's CPU time. Then articles of at least 200 words alone; and what a model of one's own topics gains from
the one that ships: the 41 categories of HuffPost, learned from some headlines, measured on headlines which neither saw.
"""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import argparse
import gzip
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from statistics import median

from pipeline.labelled import TUNING, part_of
from pipeline.metrics import macro_f1, measures
from pipeline.topics_own import Lesson, learn
from schemas.records import Article
from tests.conftest import SHARED
from transforms.names import DEFAULT_MODELS, namer
from transforms.taxonomy import Taxonomy, Topic
from transforms.topic_model import TopicModel
from transforms.topics import filing, find_topics

CHUNK = 256
SIZES = (300, 2_000, 20_000)


def articles(fewest_words: int = 0) -> Iterator[Article]:
    """Reuters' articles."""
    with gzip.open(SHARED / "data/reuters21578.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if len(row["text"].split()) >= fewest_words:
                yield Article(title=row["title"], body=row["text"], language="en", outcome="unique")


def seconds(work: Callable[[], object]) -> float:
    """Of CPU time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def beside_names(some: Sequence[Article]) -> None:
    """Print what both cost."""
    find, filed = namer(str(DEFAULT_MODELS["en"])).find, filing()
    find([one.body for one in some[:CHUNK]])
    find_topics(some[:CHUNK], filed)
    names, topics = [], []
    for at in range(CHUNK, len(some), CHUNK):
        chunk = some[at : at + CHUNK]
        texts = [text for one in chunk for text in (one.title, one.body)]
        names.append(seconds(lambda texts=texts: [find(texts[at : at + 256]) for at in range(0, len(texts), 256)]))
        topics.append(seconds(lambda chunk=chunk: find_topics(chunk, filed)))
    count = len(some) - CHUNK
    ratios = sorted(topic / name for topic, name in zip(topics, names, strict=True))
    print(f"{count:,} Reuters articles, in chunks of {CHUNK}, one core")
    print(f"names   {sum(names) / count * 1e6:>8,.1f} us an article   ({DEFAULT_MODELS['en']})")
    print(f"topics  {sum(topics) / count * 1e6:>8,.1f} us an article   {sum(topics) / sum(names):.1%} of the names")
    print(f"ratio of the chunks: {ratios[0]:.1%} to {ratios[-1]:.1%}, median {median(ratios):.1%}")
    long = list(islice(articles(200), CHUNK * 8))
    spent = [seconds(lambda at=at: find_topics(long[at : at + CHUNK], filed)) for at in range(0, len(long), CHUNK)]
    print(f"articles of 200 words or more: {len(long) / sum(spent):,.0f} a second\n")


def own_topics() -> None:
    """Print macro-F1 of own topics by the number of headlines, with and without the model that ships."""
    with gzip.open(SHARED / "data/huffpost-headlines.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [Lesson(row["headline"], f"c{row['category']}") for row in map(json.loads, lines)]
    random.Random(1).shuffle(rows)
    unseen = [row for row in rows if part_of(row.text) >= TUNING]
    test, tuning = unseen[:3_000], unseen[3_000:]
    taught = [row for row in rows if part_of(row.text) < TUNING]
    slugs = sorted({row.topic for row in rows})
    taxonomy = Taxonomy("categories", {slug: Topic() for slug in slugs}, {})
    print(f"own topics: {len(slugs)} categories, macro-F1 on {len(test):,} headlines that no model saw")
    print(f"{'headlines':>9} {'words alone':>12} {'with the model that ships':>26}")
    for size in SIZES:
        found = []
        for with_vectors in (False, True):
            model = TopicModel.of(learn(taught[:size], tuning[: size // 8], taxonomy, "own", with_vectors))
            told = [max(row, key=row.__getitem__, default=None) for row in model.classify([one.text for one in test])]
            found.append(macro_f1(measures(zip((one.topic for one in test), told, strict=True))))
        print(f"{size:>9,} {found[0]:>12.3f} {found[1]:>26.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=3_000)
    beside_names(list(articles())[: parser.parse_args().articles])
    own_topics()


if __name__ == "__main__":
    main()
