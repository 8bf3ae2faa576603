"""Which feeds are followed: those that the configuration, its files and the command name, and those that were added."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from pipeline.config import Config
from pipeline.config_feeds import MOST_WITHOUT_CONTACT, FeedEntry
from pipeline.feed_states import states_in
from pipeline.terminal import hushed, visible
from pipeline.warehouse import exists
from schemas.errors import UsageError
from schemas.feeds import Feed, FeedState
from transforms import polling
from transforms.addresses import is_private_literal
from transforms.files import store_at

if TYPE_CHECKING:
    from transforms.opml import Listed

Tell = Callable[[str], None]


def names_feeds(config: Config) -> bool:
    """Whether a configuration names any feed, or its warehouse has some that were added."""
    if config.feeds.follow or config.feeds.files or any(map(is_feed_input, config.input)):
        return True
    return (
        bool(config.output)
        and exists(config.output)
        and any(_is_added(state) for state in states_in(store_at(config.output)).values())
    )


def _is_added(state: FeedState) -> bool:
    return state.added is not None and not state.removed


def is_feed_input(text: str) -> bool:
    """Whether an input is a feed's address or a list of feeds, and not a file of articles."""
    return is_address(text) or text.lower().endswith(".opml")


def files_named(config: Config) -> list[str]:
    """The inputs that are files, folders, globs, or addresses of these."""
    return [name for name in config.input if not is_feed_input(name)]


def is_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://", "feed:"))


def followed(config: Config, states: Mapping[str, FeedState], tell: Tell = lambda problem: None) -> list[Feed]:
    """Every feed once, with its options: as it is first named, sorted by address.

    `tell` hears of what is wrong in lists that can be used. Raises UsageError for a list that cannot be read, an
    address that is none, and too many feeds without a contact.
    """
    feeds = {url: resolved(config, entry) for url, entry in named(config, states, tell).items()}
    public = sum(not (feed.allow_private_addresses or is_private_literal(feed.url)) for feed in feeds.values())
    if public > MOST_WITHOUT_CONTACT and not config.feeds.contact:
        raise UsageError(
            f"{public:,} public feeds are to be polled, and no publisher could turn to you: set `feeds.contact` to a "
            "page or a mail address, in the configuration or with --set feeds.contact=…"
        )
    return [feeds[url] for url in sorted(feeds)]


def named(config: Config, states: Mapping[str, FeedState], tell: Tell = lambda problem: None) -> dict[str, FeedEntry]:
    """By address: each feed that is followed, as it is first named. Raises UsageError as `followed` does for lists."""
    added = (FeedEntry.model_validate(state.added) for state in states.values() if _is_added(state))
    entries: dict[str, FeedEntry] = {}
    for entry in chain(listed_in(config, tell), added):
        entries.setdefault(entry.url, entry)
    return entries


def resolved(config: Config, entry: FeedEntry) -> Feed:
    """A feed with all its options. Raises UsageError if its group is gone."""
    if entry.group is not None and entry.group not in config.feeds.groups:
        raise UsageError(f"{visible(entry.url)} is in the group {entry.group!r}, which feeds.groups does not have.")
    return config.feeds.feed(entry)


def listed_in(config: Config, tell: Tell = lambda problem: None) -> Iterator[FeedEntry]:
    """The feeds that the configuration names, itself, in files, or as inputs."""
    yield from config.feeds.follow
    for name in [*config.feeds.files, *filter(is_feed_input, config.input)]:
        path = str(Path(config.root) / name)
        yield from [as_entry(name, name)] if is_address(name) else listed(path, config.feeds.groups, tell)


def listed(path: str, groups: Collection[str], tell: Tell = lambda problem: None) -> list[FeedEntry]:
    """The feeds of a file: OPML, or a text with an address a line and comments (` # …`).

    A feed in a folder that is called like one of the `groups` is in that group. `tell` hears of what is wrong in a
    list that can be used. Raises UsageError where there is none.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: the list of feeds cannot be read: {error.strerror}.") from None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return list(_entries(_opml(data, path, tell), path, groups, tell))
    lines = (line.partition(" #")[0].strip() for line in data.decode("utf-8-sig", "replace").splitlines())
    return [as_entry(line, path) for line in lines if line and not line.startswith("#")]


def _entries(feeds: "Iterable[Listed]", path: str, groups: Collection[str], tell: Tell) -> Iterator[FeedEntry]:
    """Others wrote the list: an address in it that is refused is told of, and loses only itself."""
    for feed in feeds:
        group = next((name for name in reversed(feed.groups) if name in groups), None)
        try:
            yield as_entry({"url": feed.url, "group": group}, path)
        except UsageError as error:
            tell(str(error))


def _opml(data: bytes, path: str, tell: Tell) -> "Sequence[Listed]":
    from transforms.opml import NotAList, parse_opml

    try:
        found = parse_opml(data)
    except NotAList as error:
        raise UsageError(f"{path}: {error}") from None
    for problem in found.problems:
        tell(hushed(f"{path}: {problem}"))
    return found.feeds


def as_entry(options: str | dict[str, Any], where: str) -> FeedEntry:
    """A feed by its options, or by its address alone. Raises UsageError, which says where it stands."""
    try:
        return FeedEntry.model_validate(options)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(hushed(f"{visible(where)}: {visible(reason)}.")) from None


class Followed(NamedTuple):
    """A feed, and what is remembered of it."""

    feed: Feed
    state: FeedState


def due_and_others(
    feeds: Iterable[Feed], states: Mapping[str, FeedState], now: datetime
) -> tuple[list[Followed], list[Followed]]:
    """The feeds to poll now, those that waited longest first; and those not to poll."""
    known = [Followed(feed, states.get(feed.url) or FeedState(url=feed.url)) for feed in feeds]
    due = [one for one in known if polling.is_due(one.state, now)]
    others = [one for one in known if not polling.is_due(one.state, now)]
    return sorted(
        due, key=lambda one: (one.state.due_at.timestamp() if one.state.due_at else 0.0, one.feed.url)
    ), others
