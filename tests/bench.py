"""`make bench`: what the README claims, measured on this machine. Needs the shared test material.

    python -m tests.bench [--articles N]

One process runs everything one after the other: spaCy's usual pipeline in a plain script of two processes, the decoder
alone in as many processes as there are cores, and `newsbeam run`, all on the same articles.

Beside it, each as `python -m tests.NAME`: `bench_decoder` (spaCy and our decoder), `bench_names` (rules and keys beside
the decoder), `name_quality`, `bench_joining`, `bench_topics`, `bench_copies`, `bench_pages`, `bench_feeds`,
`extraction`.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import SHARED
from transforms.names import DEFAULT_MODELS

REUTERS = SHARED / "data/reuters21578.jsonl.gz"
MODEL = str(DEFAULT_MODELS["en"])
PLAIN_PROCESSES = 2


def texts(count: int) -> list[str]:
    """The first articles, as text."""
    with gzip.open(REUTERS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [f"{row['title']}\n\n{row['text']}" for row in rows]


def plain_script(share: Sequence[str]) -> int:
    """What people write: exact copies by a hash, spaCy's usual pipeline over titles and bodies, one Parquet file."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    import spacy

    nlp = spacy.load(MODEL)
    unique = list({hash(text): text for text in share}.values())
    titles, bodies = zip(*(text.split("\n\n", 1) for text in unique), strict=True)
    rows = [
        {"title": title, "body": body, "names": [[name.text, name.label_] for doc in docs for name in doc.ents]}
        for title, body, *docs in zip(
            titles, bodies, nlp.pipe(titles, batch_size=64), nlp.pipe(bodies, batch_size=64), strict=True
        )
    ]
    pq.write_table(pa.Table.from_pylist(rows), io.BytesIO(), compression="zstd")
    return len(rows)


def decoder_alone(share: Sequence[str]) -> tuple[int, float]:
    """Names found, and articles a second once the model is loaded."""
    from transforms.names import namer

    find = namer(MODEL).find
    started = time.monotonic()
    found = sum(len(names) for at in range(0, len(share), 256) for names in find(share[at : at + 256]))
    return found, len(share) / (time.monotonic() - started)


def memory(pid: int) -> int:
    """Bytes that a process and its descendants hold together, shared pages counted once (PSS)."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            for task in os.listdir(f"/proc/{one}/task"):
                todo += map(int, Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return total * 1024


class Watch(threading.Thread):
    """Follows the memory of a process and its descendants, for at most a tenth of the time."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0

    def run(self) -> None:
        began = time.thread_time()
        while held := memory(self.pid):
            self.peak = max(self.peak, held)
            time.sleep(max(0.25, 9 * (time.thread_time() - began)))
            began = time.thread_time()


def whole_run(count: int, watched: bool) -> Iterator[tuple[str, object]]:
    """`newsbeam run` on the articles as one compressed file, from an empty folder.

    To watch its memory takes a twentieth of its speed, so it is not watched where its speed is measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        command = [sys.executable, "-m", "pipeline.cli", "run", "--input", str(REUTERS), "--output", str(output)]
        started = time.monotonic()
        process = subprocess.Popen([*command, "--limit", str(count), "--json"], stdout=subprocess.PIPE)
        watch = Watch(process.pid)
        if watched:
            watch.start()
        summary = json.loads(process.communicate()[0])
        seconds = time.monotonic() - started
        yield "seconds", seconds
        yield "rate", summary["read"] / seconds
        yield "memory", watch.peak
        yield "summary", summary
        verify = subprocess.run([sys.executable, "-m", "pipeline.cli", "verify", "--output", str(output)])
        yield "verified", verify.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=19_043, help="of reuters21578, from its start")
    count = parser.parse_args().articles
    if not REUTERS.exists():
        sys.exit("The shared test material is absent: nothing to measure on.")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    cores = len(os.sched_getaffinity(0))
    articles = texts(count)
    print(f"{len(articles):,} articles, {sum(map(len, articles)) / 1e6:.1f} million characters, {cores} cores\n")

    run, again = (dict(whole_run(count, watched)) for watched in (False, True))
    summary = run["summary"]
    assert isinstance(summary, dict)
    outcomes = {name: summary[name] for name in ("read", "unique", "duplicates", "known", "dead")}
    whole, seconds, peak = float(str(run["rate"])), float(str(run["seconds"])), float(str(again["memory"]))
    print(f"newsbeam run            {whole:>8,.0f} articles/s   {seconds:.1f} s from a cold start to the end")
    print(f"  {outcomes}, verify {'clean' if run['verified'] and again['verified'] else 'NOT CLEAN'}")
    print(f"  memory of all processes together {peak / 1e9:.2f} GB at its peak (PSS), in a second run\n")

    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        alone = sum(rate for _, rate in pool.map(decoder_alone, [articles[at::cores] for at in range(cores)]))
    print(f"decoder alone x {cores} cores {alone:>8,.0f} articles/s   kept by the run: {whole / alone:.0%}\n")

    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PLAIN_PROCESSES) as pool:
        pool.map(plain_script, [articles[at::PLAIN_PROCESSES] for at in range(PLAIN_PROCESSES)])
    rate = len(articles) / (time.monotonic() - started)
    print(f"plain spaCy script      {rate:>8,.0f} articles/s   in {PLAIN_PROCESSES} processes")
    print(f"newsbeam run is {whole / rate:.1f} times as fast, with everything else it does")


if __name__ == "__main__":
    main()
