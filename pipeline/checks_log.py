"""Checks of the log and of what is derived from it: snapshots, counts, the ledger."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import msgspec
import pyarrow.parquet as pq

from pipeline.checks import BROKEN, RESTORE_LOG, Finding, Log, Logged, runs_of, unequal, unreadable
from pipeline.ledger import Span, ledger_key, span_of
from pipeline.log import LOG, SNAPSHOTS, Manifest, entry_name, snapshot_name
from pipeline.sorted_files import key_pair
from pipeline.terminal import visible
from pipeline.warehouse import FORMAT
from schemas.feeds import FeedState
from schemas.tables import FORMAT_VERSION
from transforms.files import Store

_OUTCOMES = ("unique", "duplicates", "known", "dead")
_TWICE = "Restore `_newsbeam` from a backup; articles are not in twice for it (`known`), but dead letters may be."
_GAP = "Touch the input, so that it has a new version, and run again: what is in is `known`, what is missing is added."


def check_format(store: Store) -> Iterator[Finding]:
    """The format version of the warehouse."""
    try:
        found = json.loads(store.read(FORMAT))["format"]
    except BROKEN as error:
        yield unreadable(FORMAT, error, f'Write `{{"format": {FORMAT_VERSION}}}` into it.')
        return
    if found != FORMAT_VERSION:
        yield Finding(
            f"{FORMAT} says format {found}; this newsbeam reads format {FORMAT_VERSION}.", "Use the matching version."
        )


def read_log(store: Store) -> tuple[Log, list[Finding]]:
    """All entries that can be read, in order, and what is wrong with the rest."""
    manifest, problems = _read_manifest(store)
    log = Log(manifest, whole=not problems)
    if problems:
        return log, problems
    for batch in (*_folded(store, manifest), *_tail(store, manifest)):
        if isinstance(batch, Finding):
            problems.append(batch)
            log.whole = False
        else:
            log.batches.append(batch)
    return log, problems


def _read_manifest(store: Store) -> tuple[Manifest, list[Finding]]:
    names = [name for name in store.names(SNAPSHOTS) if name.endswith(".json") and not name.startswith(".")]
    none = Manifest(number=0, index_rows=0)
    if not names:
        return none, []
    name = f"{SNAPSHOTS}/{names[-1]}"
    try:
        manifest = msgspec.json.decode(store.read(name), type=Manifest)
        if manifest.number != int(names[-1].removesuffix(".json")):
            raise ValueError("it names another number than its own")
    except BROKEN as error:
        return none, [unreadable(name, error, RESTORE_LOG)]
    return manifest, []


def _folded(store: Store, manifest: Manifest) -> Iterator[Logged | Finding]:
    """The entries that the snapshot holds: each number once, from 1 to its own."""
    if not manifest.number:
        return
    name, expected = snapshot_name(manifest.number, "log"), 1
    try:
        with store.open(name) as source, pq.ParquetFile(source) as file:
            for rows in file.iter_batches(batch_size=256):
                for row in rows.to_pylist():
                    batch = msgspec.json.decode(row["entry"], type=Logged)
                    if not row["key"] == batch.number == expected:
                        raise ValueError(f"entry {expected} is not where it should be")
                    expected += 1
                    yield batch
        if expected <= manifest.number:
            raise ValueError(f"its entries end at {expected - 1}")
    except BROKEN as error:
        yield unreadable(name, error, RESTORE_LOG)


def _tail(store: Store, manifest: Manifest) -> Iterator[Logged | Finding]:
    """The entries since the snapshot: numbered without a gap, each readable and under its own name."""
    expected = manifest.number + 1
    for name in store.names(LOG):
        if name.startswith("."):
            continue
        if not (name.endswith(".json") and name[:-5].isdigit()):
            yield Finding(f"{LOG}/{visible(name)} is no log entry.", "Remove it.")
        elif (number := int(name[:-5])) >= expected:
            for missing in range(expected, number):
                yield Finding(f"Log entry {missing} is missing.", f"Restore {entry_name(missing)} from a backup.")
            expected = number + 1
            yield _read_entry(store, number)


def _read_entry(store: Store, number: int) -> Logged | Finding:
    name = entry_name(number)
    try:
        batch = msgspec.json.decode(store.read(name), type=Logged)
        if batch.number != number:
            raise ValueError(f"it says that it is entry {batch.number}")
        if batch.format != FORMAT_VERSION:
            raise ValueError(f"it has format {batch.format}")
    except BROKEN as error:
        return unreadable(name, error, RESTORE_LOG)
    return batch


def check_accounting(log: Log) -> Iterator[Finding]:
    """Every batch: as many records as outcomes, as many rows as the outcomes say."""
    for batch in log.batches:
        run = batch.run
        dead = sum(count.value for count in run.dead_by_class)
        fewest = 2 * run.unique + run.duplicates  # of a near copy there are two; which are such the index's check knows
        pairs = [
            ("run", batch.number, run.batch),
            ("outcomes", run.read, sum(getattr(run, name) for name in _OUTCOMES)),
            ("rows in articles", run.unique, batch.rows("articles")),
            ("rows in duplicates", run.duplicates, batch.rows("duplicates")),
            ("rows in dead_letters", run.dead, batch.rows("dead_letters")),
            ("rows in runs", 1, batch.rows("runs")),
            ("dead letters by class", run.dead, dead),
            ("articles by topic", batch.topics, _by_topic(batch)),
            ("index rows", min(max(batch.index_rows, fewest), fewest + run.duplicates), batch.index_rows),
        ]
        if batch.number > log.manifest.number:
            skipped = sum(sum(piece.skipped.values()) for piece in batch.pieces)
            pairs.append(("records of its pieces", run.read, sum(piece.records for piece in batch.pieces)))
            pairs.append(("skipped", sum(count.value for count in run.skipped_by_reason), skipped))
        if wrong := unequal(pairs):
            yield Finding(f"The counts of batch {batch.number} do not add up: {wrong}.", _restore_entry(log, batch))


def check_feeds(store: Store, manifest: Manifest) -> Iterator[Finding]:
    """The states of feeds in the snapshot: each can be read, and stands once, under its own key."""
    if not manifest.number:
        return
    name = snapshot_name(manifest.number, "feeds")
    try:
        with store.open(name) as source:
            rows = pq.read_table(source).to_pylist()
        urls = [msgspec.json.decode(row["state"], type=FeedState).url for row in rows]
        if [key_pair(url) for url in urls] != [(row["key"], row["check"]) for row in rows]:
            raise ValueError("a feed stands under a wrong key")
        if len(set(urls)) < len(urls):
            raise ValueError("a feed stands there twice")
    except BROKEN as error:
        yield unreadable(name, error, RESTORE_LOG)


def _by_topic(batch: Logged) -> dict[str, int]:
    rows: dict[str, int] = defaultdict(int)
    for file in batch.of("articles"):
        rows[file.folder.rpartition("topic=")[2]] += file.rows
    return dict(rows)


def _restore_entry(log: Log, batch: Logged) -> str:
    folded = batch.number <= log.manifest.number
    name = snapshot_name(log.manifest.number, "log") if folded else entry_name(batch.number)
    return f"Restore {name} from a backup."


def check_taxonomies(log: Log) -> Iterator[Finding]:
    """All topics are of one taxonomy: a folder `topic=…` would else mean two things."""
    batches: dict[str, list[int]] = defaultdict(list)
    topics: dict[str, set[str]] = defaultdict(set)
    for batch in log.batches:
        batches[batch.run.taxonomy].append(batch.number)
        topics[batch.run.taxonomy].update(batch.topics)
    if len(batches) > 1:
        parts = [
            f"{visible(name)} in batches {runs_of(numbers)} (topics {', '.join(map(visible, sorted(topics[name])))})"
            for name, numbers in batches.items()
        ]
        cure = "Read the inputs anew into a new folder, or tell the rows apart by the column `taxonomy`."
        yield Finding(f"Topics of {len(batches)} taxonomies are mixed: {'; '.join(parts)}.", cure)


def check_ledger(store: Store, log: Log) -> Iterator[Finding]:
    """The spans of every input version: from its start, without overlap, and without a gap unless it changed."""
    spans: dict[tuple[int, int], list[tuple[str, str, Span]]] = defaultdict(list)
    for batch in log.tail:
        for piece in batch.pieces:
            key = key_pair(ledger_key(piece.input, piece.version))
            spans[key].append((piece.input, piece.version, span_of(piece)))
    changed = {name for batch in log.batches for name in batch.changed}
    records = 0
    try:
        for key, rows in groupby(_ledger_rows(store, log.manifest), lambda row: (row["key"], row["check"])):
            found = [
                (row["input"], row["version"], Span(*(row[name] for name in Span.__struct_fields__))) for row in rows
            ]
            records += sum(span.end - span.first for *_, span in found)
            yield from _check_spans(key, found + spans.pop(key, []), changed)
    except BROKEN as error:
        yield unreadable(snapshot_name(log.manifest.number, "ledger"), error, RESTORE_LOG)
        return
    for key, found in spans.items():
        yield from _check_spans(key, found, changed)
    read = sum(batch.run.read for batch in log.batches if batch.number <= log.manifest.number)
    if log.whole and records != read:
        name = snapshot_name(log.manifest.number, "ledger")
        yield Finding(f"{name} holds {records:,} records where {read:,} were read.", RESTORE_LOG)


def _ledger_rows(store: Store, manifest: Manifest) -> Iterator[dict[str, Any]]:
    if manifest.number:
        with store.open(snapshot_name(manifest.number, "ledger")) as source, pq.ParquetFile(source) as file:
            for rows in file.iter_batches():
                yield from rows.to_pylist()


def _check_spans(key: tuple[int, int], found: list[tuple[str, str, Span]], changed: set[str]) -> Iterator[Finding]:
    """The spans of one version of one input."""
    input, version, _ = found[0]
    name = f"the ledger's records of {visible(input)} (version {visible(version)})"
    if any(key_pair(ledger_key(*row[:2])) != key for row in found):
        yield Finding(f"{name[0].upper()}{name[1:]} stand under a wrong key.", RESTORE_LOG)
        return
    spans = sorted((span for *_, span in found), key=lambda span: (span.offset, span.end_offset, span.first))
    start = Span(0, 0, 0, 0, False)
    for before, after in pairwise([start, *spans]):
        if after.first < before.end or after.offset < before.end_offset or before.last:
            yield Finding(f"Twice in {name}: those before {before.end} and those from {after.first}.", _TWICE)
        elif (after.first, after.offset) != (before.end, before.end_offset) and input not in changed:
            yield Finding(f"A gap in {name}: nothing between {before.end} and {after.first}.", _GAP)
