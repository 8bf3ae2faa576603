"""Polling: what due feeds bring, laid where workers read it, as pieces of inputs named by the feeds' addresses.

Three rounds, each for a whole group of feeds at once: ask the feeds; look up their entries in the index; fetch the
pages of those that are new, where full text is asked for. One process does it all, and so owns every host.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec
import xxhash
from msgspec.structs import replace

from pipeline import __version__
from pipeline.config_feeds import Feeds
from pipeline.feed_states import Change
from pipeline.following import Followed
from pipeline.index import look_up
from pipeline.ledger import Ledger, Span
from pipeline.log import History
from pipeline.spool import Spool, spool
from schemas.feeds import FeedState
from schemas.records import Piece
from transforms import polling
from transforms.addresses import host_of
from transforms.copies import by_identity
from transforms.entries import Entry, entries_of, is_known
from transforms.files import Info, Store
from transforms.formats.polled import FORMAT, Line, line_of
from transforms.full_text import Kept, NotYet, Pages
from transforms.hosts import Hosts
from transforms.polling import Success, Told
from transforms.robots import RobotsFile
from transforms.visits import Visit, visit
from transforms.web import Resolve, Web, system_resolve

GROUP = 1_000
"""Feeds that are polled at once: their entries are in memory together."""
_HEARS_EVERY = 0.2
"""Seconds between two looks whether a poll is to be given up."""
LONGEST_VALIDATOR = 1_000
"""Characters of an ETag or date that is remembered."""
PIECE_RECORDS = 256
PIECE_BYTES = 1_000_000
ROBOTS = "_newsbeam/robots.json"
Result = TypeVar("Result")


class Polled(NamedTuple):
    """What a group of feeds brought."""

    pieces: list[Piece]
    """What is new, feed by feed."""
    changes: dict[str, Change]
    """By address: the state to commit with the feed's pieces, or at once if it has none."""
    failed: dict[str, str]
    """By address: why a feed could not be read."""
    asked: int
    """Feeds that were asked; the others were put off."""


class Brought(NamedTuple):
    """A feed that was read, with its entries, and which of them are in already."""

    visit: Visit
    entries: list[Entry]
    known: list[bool]


Found = dict[int, Kept | None]
"""By the place of an entry in its feed: its page; None if the entry has to wait for it."""
Markup = Callable[[int, int], bytes]
"""Reads what pages were laid by: from where, and how many bytes."""


class Poller:
    """Polls feeds for one run. Keeps how often and when each host was asked."""

    def __init__(self, feeds: Feeds, resolve: Resolve | None = None) -> None:
        """`resolve` in place of the system's way from names to addresses."""
        self._feeds, self._resolve = feeds, resolve or system_resolve
        self._user_agent = f"newsbeam/{__version__}" + (f" (+{feeds.contact})" if feeds.contact else "")
        self._hosts = Hosts(feeds.host_spacing, feeds.requests_per_host, feeds.longest_tick)

    def poll(
        self,
        due: Sequence[Followed],
        store: Store,
        history: History,
        folder: str,
        now: datetime,
        ended: threading.Event | None = None,
    ) -> Polled:
        """Poll the feeds. What they bring is laid into `folder` of `store`, the warehouse's, as `history` is.

        Raises Abandoned if the event is set meanwhile.
        """
        return apart(self._poll(due, store, history, folder, now), ended)

    def put_off(self, others: Iterable[Followed], now: datetime) -> dict[str, Change]:
        """Feeds that are not due, at hosts that asked to be left alone: the next run must not ask them either."""
        quiet = self._hosts.quiet_ones()
        waits = ((state, quiet.get(host_of(polling.address(state)))) for _, state in others)
        return {state.url: Change(state, polling.put_off(state, wait, now)) for state, wait in waits if wait}

    def web(self) -> Web:
        """The way to the web, for the running event loop."""
        self._hosts.renew()
        return Web(self._user_agent, self._hosts, self._feeds.limits, self._feeds.ports, self._resolve)

    async def _poll(
        self, due: Sequence[Followed], store: Store, history: History, folder: str, now: datetime
    ) -> Polled:
        async with self.web() as web:
            visits = await asyncio.gather(*(visit(web, feed, state, now) for feed, state in due))
            brought = _entries(visits, self._feeds.limits.entries, store, history, now)
            robots = read_robots(store)
            with spool(store, f"{folder}/pages") as markup:
                pages = Pages(web, now, None if self._feeds.ignore_robots_because else robots, markup.add)
                found = await asyncio.gather(*(_pages(one, pages) for one in brought))
            write_robots(store, robots, now)
        changes = {one.feed.url: Change(one.state, state) for one in visits if (state := _without_entries(one, now))}
        with spool(store, f"{folder}/entries") as lines:
            pieces = [
                piece
                for one, its in zip(brought, found, strict=True)
                for piece in _laid(one, its, partial(store.read, f"{folder}/pages"), lines)
            ]
        for one, its in zip(brought, found, strict=True):
            changes[one.visit.feed.url] = _with_entries(one, its, now)
        failed = {one.feed.url: one.refused.problem.error for one in visits if one.refused}
        return Polled(not_done(pieces, store, history), changes, failed, sum(one.put_off is None for one in visits))


def read_robots(store: Store) -> dict[str, RobotsFile]:
    """Each site's robots.txt as it was fetched last. A cache: what cannot be read is fetched again."""
    try:
        return msgspec.json.decode(store.read(ROBOTS), type=dict[str, RobotsFile])
    except (OSError, msgspec.DecodeError):
        return {}


def write_robots(store: Store, robots: Mapping[str, RobotsFile], now: datetime) -> None:
    """Keep what is fresh."""
    fresh = {url: one for url, one in robots.items() if one.is_fresh(now)}
    if fresh:
        store.write(ROBOTS, msgspec.json.encode(fresh))


def _entries(visits: Iterable[Visit], most: int, store: Store, history: History, now: datetime) -> list[Brought]:
    """The entries of the feeds that were read, looked up together."""
    read = [(one, entries_of(one.parsed, one.feed, most, now)) for one in visits if one.parsed]
    articles = [entry.article for _, entries in read for entry in entries if entry.article]
    rows = look_up(store, history, map(by_identity, articles))

    def known(entry: Entry, state: FeedState) -> bool:
        committed = {row.article_id for row in rows.get(by_identity(entry.article), ())} if entry.article else set()
        return is_known(entry, state.entries, committed)

    return [Brought(one, entries, [known(entry, one.state) for entry in entries]) for one, entries in read]


async def _pages(brought: Brought, pages: Pages) -> Found:
    """The pages of a feed's new entries, if their whole text is asked for."""
    feed, state = brought.visit.feed, brought.visit.state
    if not feed.full_text:
        return {}

    async def one(place: int, url: str) -> tuple[int, Kept | None]:
        try:
            return place, await pages.get(url, feed.allow_private_addresses)
        except NotYet as wait:
            has_waited = wait.counts and state.waited >= polling.PATIENCE
            return place, Kept(wait.page) if has_waited else None

    new = [(place, entry.page) for place, entry in enumerate(brought.entries) if not brought.known[place]]
    return dict(await asyncio.gather(*(one(place, url) for place, url in new if url)))


def _laid(brought: Brought, found: Found, markup: Markup, lines: Spool) -> Iterator[Piece]:
    """Lay a feed's entries into the spool, a line each; the pieces that they are. None if nothing is new."""
    taken = _taken(brought, found)
    if all(brought.known[place] for place in taken):
        return
    digest, sizes, at = xxhash.xxh3_128(), [], None
    for place in taken:
        line = _line(brought, place, found.get(place), markup)
        digest.update(line)
        sizes.append(len(line))
        start = lines.add(line)
        at = start if at is None else at
    yield from pieces_of(brought.visit.feed.url, digest.hexdigest(), sizes, lines.path, at or 0)


def _taken(brought: Brought, found: Found) -> list[int]:
    """The places of the entries that need not wait for their pages."""
    return [place for place in range(len(brought.entries)) if found.get(place, place) is not None]


def _line(brought: Brought, place: int, kept: Kept | None, markup: Markup) -> bytes:
    if brought.known[place]:
        return line_of(Line(known=True))
    page = kept and replace(kept.page, markup=markup(kept.at, kept.length) if kept.length else None)
    entry = brought.entries[place]
    return line_of(Line(fields=entry.fields, page=page, problem=entry.problem))


def pieces_of(url: str, version: str, sizes: Sequence[int], path: str, at: int) -> Iterator[Piece]:
    """The pieces of a feed whose lines have these sizes in bytes, and stand in a file from `at` on."""
    first = offset = 0
    while first < len(sizes):
        end, length = first + 1, sizes[first]
        while end < len(sizes) and end - first < PIECE_RECORDS and length + sizes[end] <= PIECE_BYTES:
            length += sizes[end]
            end += 1
        yield Piece(
            input=url, version=version, format=FORMAT.name, first=first, records=end - first, offset=offset,
            length=length, last=end == len(sizes), path=path, at=at + offset,
        )  # fmt: skip
        first, offset = end, offset + length


def not_done(pieces: Sequence[Piece], store: Store, history: History) -> list[Piece]:
    """What is not in yet of the pieces: a run that was cut off may have committed the first records of a feed."""
    inputs = {(piece.input, piece.version): Info(piece.input, 0, piece.version) for piece in pieces}
    ledger = Ledger(store, history, inputs.values())
    done = {key: ledger.done(info) for key, info in inputs.items()}
    return [rest for piece in pieces if (rest := _after(piece, done[piece.input, piece.version]))]


def _after(piece: Piece, done: Span) -> Piece | None:
    """The rest of a piece, after what is in of its input."""
    if piece.end <= done.end:
        return None
    skip = max(done.end_offset - piece.offset, 0)
    first = max(piece.first, done.end)
    return replace(
        piece, first=first, records=piece.end - first, offset=piece.offset + skip, length=piece.length - skip,
        at=piece.at + skip,
    )  # fmt: skip


def _without_entries(one: Visit, now: datetime) -> FeedState | None:
    """The new state of a feed that was not read; None if it is as before."""
    feed, state = one.feed, one.state
    if one.put_off is not None:
        return polling.put_off(state, one.put_off, now) if one.put_off else None
    if one.refused is None:
        return polling.succeeded(state, _success(one, now), feed.interval, now)
    problem, wait = one.refused
    if problem.error_class == "Gone":
        return polling.ended(state, problem, now)
    return polling.failed(state, problem, feed.interval, now, wait)


def _with_entries(brought: Brought, found: Found, now: datetime) -> Change:
    """What a feed that was read changes. A body that was cut off is asked for again."""
    visit, entries, taken = brought.visit, brought.entries, _taken(brought, found)
    ids = [entries[place].id if visit.feed.full_text or entries[place].article is None else "" for place in taken]
    told = Told(*(getattr(visit.parsed, name) for name in Told._fields))
    success = _success(visit, now)._replace(
        news=sum(not brought.known[place] for place in taken),
        waiting=len(taken) < len(entries),
        told=told,
        entries=tuple(filter(None, ids)),
    )
    if any(entry.problem and entry.problem.error_class == "TruncatedEntry" for entry in entries):
        success = success._replace(body_hash=None)
    return Change(visit.state, polling.succeeded(visit.state, success, visit.feed.interval, now), tuple(ids))


def _success(one: Visit, now: datetime) -> Success:
    headers = one.response.headers if one.response else {}
    return Success(
        fresh=polling.fresh_for(headers, now),
        moved_to=one.response.moved_to if one.response else None,
        body_hash=one.body_hash,
        etag=_validator(headers, "etag"),
        last_modified=_validator(headers, "last-modified"),
    )


def _validator(headers: Mapping[str, str], name: str) -> str | None:
    """A header to send back; None for one that is too long to remember."""
    value = headers.get(name)
    return value if value and len(value) <= LONGEST_VALIDATOR else None


class Abandoned(Exception):
    """Work that was asked to end before it was done."""


def apart(work: Coroutine[Any, Any, Result], ended: threading.Event | None = None) -> Result:
    """Do asynchronous work in a thread: a signal then reaches the main thread, which stops the work and goes on.

    Raises Abandoned if the event is set meanwhile.
    """
    done: Future[Result] = Future()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)

    def run() -> None:
        try:
            done.set_result(loop.run_until_complete(task))
        except BaseException as error:
            done.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while not done.done():
            if ended and ended.is_set():
                raise Abandoned
            wait([done], _HEARS_EVERY if ended else None)
        return done.result()
    except BaseException:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
            thread.join(5)
        raise
