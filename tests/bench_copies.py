"""How well and how fast copies are recognised, beside datasketch and datatrove on the same texts in the same run.

    python -m tests.bench_copies [--quality] [--speed] [--history 1000000]

Without an option all three. Needs the shared test material but for the history; the others' figures need
`pip install -e '.[bench]'` (pip 24 or later), and are left out without it. Quality is told of the half that was not
used for tuning.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.fingerprint_files import SCHEMA, FingerprintFile, keys_name, write_parts
from pipeline.fingerprint_lookup import look_up_near
from pipeline.log import History, Manifest
from schemas.records import Article
from tests.reuters import KINDS, Labels, Pair, items, labels, pairs_of, perturbed
from transforms import copies
from transforms.files import store_at
from transforms.fingerprints import KEYS, SKETCH, VERSION, Fingerprint, fingerprints, words
from transforms.identity import content_hash
from transforms.near import Rules

START = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 20260131
ORIGINALS = 300
DEFAULT = Rules()
STRICT = Rules(jaccard=0.8, containment=0.95, edit_ratio=0.97, same_words=1.0, same_figures=1.0)
Clusters = Callable[[Sequence[str]], list[list[int]]]


# The methods: each gives clusters of the numbers of the texts.


def newsbeam(texts: Sequence[str], rules: Rules = DEFAULT) -> list[list[int]]:
    """The line's own decision, all texts of one day. The first line of a text is its title, perhaps empty."""
    return clusters_of([_article(number, *text.split("\n", 1)) for number, text in enumerate(texts)], rules)


def clusters_of(articles: Sequence[Article], rules: Rules = DEFAULT) -> list[list[int]]:
    """Fingerprints and decisions."""
    bodies = {one.article_id: copies.Text(one.title, one.body) for one in articles}
    decided = copies.decide(
        sorted(copies.with_fingerprints(articles), key=copies.order), {}, lambda one: bodies[one.canonical], 1, rules
    )
    found: dict[str, list[int]] = defaultdict(list)
    for one in decided:
        found[one.copy.duplicate_of if one.copy else one.article_id].append(one.position)
    return list(found.values())


def _article(number: int, title: str, body: str) -> Article:
    return Article(
        article_id=f"{number:032x}",
        identity=str(number),
        title=title,
        body=body,
        published_at=START,
        content_hash=content_hash(title, body),
        position=number,
    )


def datasketch_lsh(texts: Sequence[str], checked: bool = False, threshold: float = 0.7) -> list[list[int]]:
    """MinHash LSH of runs of five words, 128 permutations; `checked`: only pairs whose estimate is the threshold."""
    from datasketch import MinHash, MinHashLSH

    lsh, made, found = MinHashLSH(threshold=threshold, num_perm=128), [], []
    for number, text in enumerate(texts):
        tokens = words(text)
        sketch = MinHash(num_perm=128)
        sketch.update_batch([" ".join(tokens[at : at + 5]).encode() for at in range(max(len(tokens) - 4, 1))])
        found += [
            [other, number] for other in lsh.query(sketch) if not checked or made[other].jaccard(sketch) >= threshold
        ]
        lsh.insert(number, sketch)
        made.append(sketch)
    return found


def datatrove_minhash(texts: Sequence[str]) -> list[list[int]]:
    """Its three steps with its defaults: five-word runs, 14 buckets of 8."""
    import struct

    from datatrove.pipeline.dedup.minhash import MinhashDedupCluster

    with tempfile.TemporaryDirectory() as folder:
        datatrove_candidates(texts, folder)
        MinhashDedupCluster(f"{folder}/dups", f"{folder}/out", save_cluster_id=True).run()
        numbers = Path(folder, "out/000000.clusters").read_bytes()
        found: dict[int, list[int]] = defaultdict(list)
        for number, cluster in struct.iter_unpack("<II", numbers):
            found[cluster].append(number)
    return list(found.values())


def datatrove_candidates(texts: Sequence[str], folder: str) -> None:
    """Its signature and bucket steps. Its tokenizer works without its sentence model, which is not on the index."""
    import nltk
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import MinhashDedupBuckets, MinhashDedupSignature
    from datatrove.utils.hashes import xxhash as its_hashes
    from loguru import logger

    its_hashes.xxhash64 = lambda data: xxhash.xxh64_intdigest(data.encode())  # xxhash 4 no longer takes texts
    logger.remove()
    nltk.word_tokenize = partial(nltk.tokenize.word_tokenize, preserve_line=True)
    documents = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
    MinhashDedupSignature(f"{folder}/sig").run(documents)
    for bucket in range(14):
        MinhashDedupBuckets(f"{folder}/sig", f"{folder}/dups").run(None, bucket, 14)


METHODS: dict[str, Clusters] = {
    "newsbeam": newsbeam,
    "newsbeam, strict": partial(newsbeam, rules=STRICT),
    "datasketch LSH .7": datasketch_lsh,
    "datasketch LSH .7, checked": partial(datasketch_lsh, checked=True),
    "datasketch LSH .3, checked": partial(datasketch_lsh, checked=True, threshold=0.3),
    "datatrove 14 x 8": datatrove_minhash,
}


def available(name: str) -> bool:
    from importlib.util import find_spec

    return name.startswith("newsbeam") or find_spec(name.split()[0]) is not None


# Quality


def precision_and_recall(found: set[Pair], truth: Labels) -> tuple[float, float]:
    right = len(found & truth.positive)
    return right / max(right + len(found & truth.negative), 1), right / len(truth.positive)


def look_alikes(method: Clusters) -> dict[str, tuple[float, float]]:
    """By half, precision and recall over labelled pairs of all items, which come without titles: labels were made from
    those."""
    found = pairs_of(method([f"\n{item.text}" for item in items()]))
    return {half: precision_and_recall(found, truth) for half, truth in labels().items()}


def perturbed_copies(method: Clusters, half: str, seed: int = SEED) -> dict[str, tuple[float, float]]:
    """Precision and recall by kind, and of `all`. The items resemble no other: any pair of two originals is wrong."""
    made, kinds = perturbed(half, seed, ORIGINALS)
    return judged(pairs_of(method([f"{item.title}\n{item.text}" for item in made])), kinds)


def judged(found: set[Pair], kinds: Sequence[tuple[str, int]]) -> dict[str, tuple[float, float]]:
    right, wrong, hit = Counter[str](), Counter[str](), Counter[str]()
    for one, other in found:
        (kind, original), (second, its) = kinds[one], kinds[other]
        for name in {kind, second, "all"} - {""}:
            (right if original == its else wrong)[name] += 1
        if original == its and not kind:
            hit.update((second, "all"))
    count = {name: ORIGINALS for name in KINDS} | {"all": ORIGINALS * len(KINDS)}
    return {name: (right[name] / max(right[name] + wrong[name], 1), hit[name] / count[name]) for name in count}


def _told(figures: tuple[float, float]) -> str:
    precision, recall = figures
    return f"{precision:.3f} / {recall:.3f}   F1 {2 * precision * recall / max(precision + recall, 1e-9):.3f}"


def tell_quality() -> None:
    print(f"Quality on the half not used for tuning (seed {SEED}), precision / recall, F1 of pairs\n")
    truth = labels()["test"]
    print(f"  look-alikes of reuters21578: {len(truth.positive)} copies, {len(truth.negative)} that only look alike")
    for name, method in METHODS.items():
        if available(name):
            found = look_alikes(method)
            print(f"    {name:<28}{_told(found['test'])}   (the other half {_told(found['tuning'])})", flush=True)
    print(f"  perturbed copies, {ORIGINALS} of each kind")
    for name, method in METHODS.items():
        if available(name):
            for kind, figures in perturbed_copies(method, "test").items():
                print(f"    {name:<28}{_told(figures)}  {kind}", flush=True)
    print()


# Speed


def texts_of(tokens: int, count: int) -> list[str]:
    """Newswire, cut into texts of so many words."""
    stream = [word for item in items() for word in item.text.split(" ")]
    wanted = [" ".join(stream[at : at + tokens]) for at in range(0, len(stream) - tokens, tokens)]
    return wanted[:count]


def seconds_of(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def tell_speed(rounds: int = 3) -> None:
    texts = texts_of(380, 2_000)  # by blanks; some 375 tokens
    tokens = sum(len(words(text)) for text in texts) / len(texts)
    articles = [_article(number, "", text) for number, text in enumerate(texts)]
    ours, whole, theirs = [], [], []
    for _ in range(rounds):
        ours.append(seconds_of(lambda: [one.pack() for one in fingerprints(texts)]))
        whole.append(seconds_of(lambda: clusters_of(articles)))
        if available("datatrove"):
            with tempfile.TemporaryDirectory() as folder:
                theirs.append(seconds_of(partial(datatrove_candidates, texts, folder)))
    print(f"Speed on {len(texts):,} texts of {tokens:.0f} tokens, articles per second of one core (best of {rounds})\n")
    print(f"  fingerprints                           {len(texts) / min(ours):>8,.0f}")
    print(f"  fingerprints and decisions             {len(texts) / min(whole):>8,.0f}")
    if theirs:
        print(f"  datatrove, signatures and buckets      {len(texts) / min(theirs):>8,.0f}")
        ratio = min(other / mine for mine, other in zip(whole, theirs, strict=True))
        print(f"  newsbeam, with decisions, is at least {ratio:.1f} times as fast in each round")
    print()


# History


def made_up_history(root: str, rows: int, days: int = 30) -> History:
    """Fingerprints of so many unrelated articles of 375 tokens, of the last days, evenly, as a snapshot has them."""
    chance = np.random.default_rng(SEED)
    tables = (
        _made_up(chance, min(65_536, rows - at), at, date(2026, 1, 30) - timedelta(days - 1 - days * at // rows))
        for at in range(0, rows, 65_536)
    )
    parts = write_parts(store_at(root), tables, f"{1:012}", VERSION)
    return History(Manifest(number=1, index_rows=0, fingerprints=parts), [])


def _made_up(chance: np.random.Generator, rows: int, first: int, day: date) -> pa.Table:
    keys, sketch = _smallest_of(chance, rows, KEYS, 371), _smallest_of(chance, rows, SKETCH, 373)
    numbers = np.sort(chance.integers(0, 2**32, (rows, 12), dtype=np.uint32), axis=1)
    ids = np.arange(first, first + rows, dtype=">u8")
    packed = [Fingerprint(375, 373, keys[at], sketch[at], numbers[at]).pack() for at in range(rows)]
    return pa.table(
        {
            "day": pa.array([day] * rows),
            "article_id": pa.array([id.tobytes().rjust(16, b"\0") for id in ids], pa.binary(16)),
            "identity": pa.array(ids.astype(np.uint64) + np.uint64(1 << 40)),
            "published_at": pa.array([None] * rows, pa.timestamp("us", tz="UTC")),
            "title": [f"A made-up headline with the number {id}" for id in ids.tolist()],
            "source": [f"paper{id % 500}.example" for id in ids.tolist()],
            "place": ["date=2026-01-01/topic=unclassified"] * rows,
            "batch": pa.array([1] * rows, pa.int64()),
            "is_roundup": [False] * rows,
            "keys": pa.array([one.tobytes() for one in keys], pa.binary(4 * KEYS)),
            "sketch": pa.array([one[:12] + one[12 + 4 * KEYS :] for one in packed], pa.binary()),
        },
        SCHEMA,
    )


def _smallest_of(chance: np.random.Generator, rows: int, most: int, among: int) -> np.ndarray:
    """The smallest of so many random numbers of 32 bits, rising: their gaps are exponential."""
    return np.cumsum(chance.exponential(2**32 / among, (rows, most)), axis=1).clip(0, 2**32 - 2).astype(np.uint32)


def new_articles(root: str, history: History, count: int) -> list[Article]:
    """Half of them unrelated to all, half near copies of articles all over the history, a third of the hashes new."""
    chance = np.random.default_rng(SEED + 1)
    fresh = _made_up(chance, count, 1 << 30, date(2026, 1, 30)).to_pylist()
    for at in range(0, count, 2):
        part = history.manifest.fingerprints[at // 2 % len(history.manifest.fingerprints)]
        rows = FingerprintFile(store_at(root), part.name).rows(["keys", "sketch"])
        old = rows.slice(int(chance.integers(len(rows))), 1).to_pylist()[0]
        for name, start, size in (("keys", 0, KEYS), ("sketch", 12, SKETCH)):
            theirs, ours = (np.frombuffer(row[name], "<u4", size, start) for row in (old, fresh[at]))
            mixed = np.sort(np.where(chance.random(size) < 0.67, theirs, ours))
            fresh[at][name] = fresh[at][name][:start] + mixed.tobytes() + fresh[at][name][start + 4 * size :]
        fresh[at]["sketch"] = fresh[at]["sketch"][: 12 + 4 * SKETCH] + old["sketch"][12 + 4 * SKETCH :]
    return [
        Article(
            article_id=row["article_id"].hex(),
            identity=f"new {number}",
            title=row["title"],
            source="new.example",
            published_at=datetime(2026, 1, 30, tzinfo=UTC),
            content_hash=str(number),
            fingerprint=row["sketch"][:12] + row["keys"] + row["sketch"][12:],
        )
        for number, row in enumerate(fresh)
    ]


def match(root: str, history: History, articles: Sequence[Article]) -> Iterator[str]:
    """Matching alone, in a process of its own: its seconds, the memory that it needed, and what it found."""
    before = peak_memory()
    for warmth in ("first", "again"):
        started, cpu = time.perf_counter(), time.process_time()
        past = look_up_near(store_at(root), history, articles, 30)
        decided = copies.decide(articles, {}, lambda one: copies.Text("", ""), 2, Rules(), past)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        yield f"{warmth}: {wall:.2f} s ({cpu:.2f} s of CPU, {cpu / len(articles) * 1e3:.2f} ms an article)"
    found = sum(one.outcome == "duplicate" for one in decided)
    yield f"{found} copies found; {peak_memory() / 1e9:.2f} GB at the peak, {before / 1e9:.2f} GB before"


def peak_memory() -> int:
    """Bytes that this process held at most (its resident set; getrusage would tell of its parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _tell_match(root: str, history: History, articles: Sequence[Article]) -> None:
    for line in match(root, history, articles):
        print(f"    {line}", flush=True)


def tell_history(most: int) -> None:
    print("History: 1,000 new articles, half of them copies, against a history of so many\n")
    for rows, days in sorted({(most // 10, 30), (most // 3, 30), (most, 30), (most // 3, 100), (most, 300)}):
        with tempfile.TemporaryDirectory() as root:
            history = made_up_history(root, rows, days)
            names = [name for part in history.manifest.fingerprints for name in (part.name, keys_name(part.name))]
            size = sum(os.path.getsize(Path(root, name)) for name in names)
            print(f"  {rows:,} of {days} days, of which 30 are looked back ({size / 1e6:,.0f} MB)", flush=True)
            work = root, history, new_articles(root, history, 1_000)
            process = multiprocessing.get_context("spawn").Process(target=_tell_match, args=work)
            process.start()
            process.join()
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quality", action="store_true", help="precision and recall only")
    parser.add_argument("--speed", action="store_true", help="articles per second only")
    parser.add_argument("--history", type=int, metavar="ROWS", help="matching against a history of so many rows only")
    chosen = parser.parse_args()
    everything = not (chosen.quality or chosen.speed or chosen.history)
    if chosen.quality or everything:
        tell_quality()
    if chosen.speed or everything:
        tell_speed()
    if chosen.history or everything:
        tell_history(chosen.history or 1_000_000)


if __name__ == "__main__":
    sys.exit(main())
