"""Articles a second on one core: spaCy with nothing but `ner`, and the fast decoder. Needs the shared test material.

    python -m tests.bench_decoder [--rounds N]

Texts of about 375 tokens are made of Reuters items joined. Both decoders take turns on the same new texts, so that
others on the machine disturb both alike; time is the process's CPU time. The best round is nearest to the truth.
"""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import Any

import spacy

from tests.conftest import SHARED
from transforms.decoder import FastNer
from transforms.names import DEFAULT_MODELS

MODEL = str(DEFAULT_MODELS["en"])
TOKENS = 375
WARM, BATCH = 1_280, 64


def items() -> Iterator[str]:
    """Title and text of all Reuters items."""
    with gzip.open(SHARED / "data/reuters21578.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield f"{row['title']}\n\n{row['text']}\n"


def joined(fast: FastNer) -> Iterator[str]:
    """Items joined until they have about TOKENS tokens."""
    text, count = "", 0
    for item in items():
        more = len(fast.tokens([item]).type)
        if text and abs(count - TOKENS) < abs(count + more - TOKENS):
            yield text
            text, count = "", 0
        text, count = text + item, count + more


def rate(find: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Texts a second of CPU time."""
    started = time.process_time()
    find(texts)
    return len(texts) / (time.process_time() - started)


def main() -> None:
    """Print texts a second of both, in the median round and in the best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    nlp = spacy.load(MODEL, exclude=["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"])
    texts = list(islice(joined(FastNer(nlp)), WARM + rounds * BATCH))
    fast = FastNer(nlp)
    fast.ents(texts[:WARM])
    finders: dict[str, Callable[[Sequence[str]], Any]] = {
        "spaCy, only ner": lambda some: list(nlp.pipe(some, batch_size=BATCH)),
        "decoder, new texts": fast.ents,
        "decoder, again": fast.ents,
    }
    rates: dict[str, list[float]] = {name: [] for name in finders}
    for start in range(WARM, len(texts), BATCH):
        for name, find in finders.items():
            rates[name].append(rate(find, texts[start : start + BATCH]))
    print(f"{len(texts)} texts of {len(fast.tokens(texts[-500:]).type) / len(texts[-500:]):.0f} tokens, one core")
    for name, found in rates.items():
        print(f"{name:20} {median(found):6.1f} texts/s, best {max(found):6.1f}")


if __name__ == "__main__":
    main()
