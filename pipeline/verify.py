"""`verify`: every file of a warehouse against its log, every row against the others. It reads, and writes nothing.

It shares no code with what writes, but for the forms of the log's entries and the rules of ids: a mistake in the commit
would else hide itself.
"""

from collections.abc import Iterator

from msgspec import Struct

from pipeline.checks import Finding, Log
from pipeline.checks_copies import check_copies, check_letters, check_relations
from pipeline.checks_files import (
    check_delta,
    check_end,
    check_folders,
    check_runs,
    check_unfinished,
    notes_on_leftovers,
    published_upto,
)
from pipeline.checks_fingerprints import check_fingerprints
from pipeline.checks_ids import Kept
from pipeline.checks_index import check_index
from pipeline.checks_log import (
    check_accounting,
    check_feeds,
    check_format,
    check_ledger,
    check_taxonomies,
    read_log,
)
from pipeline.checks_rows import Reader, check_articles
from pipeline.lock import holder_of, is_alive
from pipeline.log import LOG, SNAPSHOTS
from pipeline.terminal import number_of
from transforms.files import Store, store_at

_TRIES = 3


class Findings(Struct, frozen=True):
    """What was checked, what is wrong, and what is harmless but may be asked about."""

    checked: str
    problems: list[Finding]
    notes: list[str]


def verify_warehouse(root: str) -> Findings:
    """Check a warehouse. Whatever is broken becomes a finding.

    If something is wrong and the log grew meanwhile, it is checked again: what looked wrong may have been on its way.
    """
    store = store_at(root)
    for _ in range(_TRIES):
        before = _position(store)
        findings = _verify(store)
        if not findings.problems or _position(store) == before:
            break
    return findings


def _position(store: Store) -> list[list[str]]:
    return [store.names(LOG), store.names(SNAPSHOTS)]


def _verify(store: Store) -> Findings:
    log, unread = read_log(store)
    log.done = published_upto(store, log)
    reader, kept = Reader(store, log.complete), Kept(forgotten=log.forgotten)
    reader.sound = not log.replacing
    problems = [*check_format(store), *unread, *check_end(store, log)]
    problems += [*check_accounting(log), *check_ledger(store, log), *check_taxonomies(log)]
    problems += check_feeds(store, log.manifest)
    notes = [at_work] if log.unfinished and (at_work := _at_work(store)) else []
    if not notes:
        problems += check_unfinished(store, log)
    problems += [*check_folders(store, log), *check_delta(store, log), *check_runs(store, log)]
    problems += _check_rows(reader, kept, log)
    known = reader.sound and log.whole
    problems += check_index(store, log, kept if known else None)
    problems += check_fingerprints(store, log, kept if known else None)
    if not known:
        notes.append("What files say of each other was not checked, since some are missing or cannot be read.")
    return Findings(_checked(log, kept), problems, [*notes, *notes_on_leftovers(store, log)])


def _at_work(store: Store) -> str:
    """Who is about to finish the last batch, if someone is."""
    holder = holder_of(store)
    if holder and is_alive(holder):
        return f"Process {holder['pid']} on {holder['host']} is at work; what it is just committing was not checked."
    return ""


def _check_rows(reader: Reader, kept: Kept, log: Log) -> Iterator[Finding]:
    found = [*check_articles(reader, kept), *check_copies(reader, kept), *check_letters(reader, kept)]
    yield from reader.findings
    yield from found
    if reader.sound and log.whole:
        yield from check_relations(kept)


def _checked(log: Log, kept: Kept) -> str:
    files = sum(len(batch.files) for batch in log.complete)
    parts = [
        number_of(len(log.complete), "batch", "es"),
        number_of(len(kept.articles), "article"),
        "1 copy" if len(kept.copies) == 1 else f"{len(kept.copies):,} copies",
        number_of(len(kept.letters), "dead letter"),
        number_of(files, "file"),
    ]
    return f"{', '.join(parts[:-1])} in {parts[-1]}"
