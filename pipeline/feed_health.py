"""How the feeds are: which are due, which fail, which are dead. From the log and the configuration; writes nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from pipeline.config import Config
from pipeline.feed_states import states_in
from pipeline.following import followed, listed_in, named
from pipeline.terminal import number_of, visible
from pipeline.warehouse import exists
from schemas.feeds import FeedState
from transforms import polling
from transforms.files import store_at

How = Literal["new", "well", "failing", "dead", "ended"]


class Health(Struct, frozen=True, kw_only=True):
    """One feed."""

    url: str
    title: str | None
    how: How
    due: bool
    due_at: datetime | None
    polls: int
    failures: float
    failure: str | None
    succeeded_at: datetime | None
    news_at: datetime | None
    address: str
    """Where it is asked: its own address, or where it has moved for good."""
    added: bool
    """Whether `newsbeam feeds add` added it."""
    group: str | None = None


def health(config: Config, now: datetime) -> list[Health]:
    """Every feed that is followed; without a configuration that names any, all that were ever polled, or added.

    Raises UsageError for lists that cannot be read.
    """
    states = states_in(store_at(config.output)) if config.output and exists(config.output) else {}
    urls = {feed.url for feed in followed(config, states)}
    if not any(listed_in(config)):
        urls |= {url for url, state in states.items() if not state.removed}
    groups = {url: entry.group for url, entry in named(config, states).items()}
    return [health_of(states.get(url) or FeedState(url=url), groups.get(url), now) for url in sorted(urls)]


def health_of(state: FeedState, group: str | None, now: datetime) -> Health:
    return Health(
        url=state.url,
        title=state.title,
        how=how(state),
        due=polling.is_due(state, now),
        due_at=state.due_at,
        polls=state.polls,
        failures=state.failures,
        failure=f"{state.failure.error_class}: {state.failure.error}" if state.failure else None,
        succeeded_at=state.succeeded_at,
        news_at=state.news_at,
        address=polling.address(state),
        added=state.added is not None and not state.removed,
        group=group,
    )


def how(state: FeedState) -> How:
    if state.gone:
        return "ended"
    if polling.is_dead(state):
        return "dead"
    if state.failure:
        return "failing"
    return "well" if state.polls else "new"


def health_text(feeds: Sequence[Health]) -> str:
    """The same for a person: a line for each feed, and one more for each that fails."""
    lines = []
    for one in feeds:
        when = "due now" if one.due else f"{one.due_at:%Y-%m-%d %H:%M}" if one.due_at else "never again"
        lines.append(f"{one.how:<8} {when:<17} {visible(one.title or '-')[:40]:<40}  {visible(one.url)}")
        if one.failure:
            lines.append(f"{'':<26} {visible(one.failure)} (failures: {one.failures:g})")
    return "\n".join([*lines, counted(feeds)])


def as_opml(feeds: Sequence[Health]) -> bytes:
    """The feeds as OPML 2.0, groups as folders."""
    from transforms.opml import Listed, write_opml

    groups = [(one.group,) if one.group else () for one in feeds]
    listed = (Listed(url=one.url, title=one.title, groups=group) for one, group in zip(feeds, groups, strict=True))
    return write_opml(listed, "Feeds of newsbeam")


def counted(feeds: Sequence[Health]) -> str:
    """`3 feeds: 2 well, 1 dead; 1 due`."""
    counts = Counter(one.how for one in feeds)
    parts = [f"{counts[name]:,} {name}" for name in ("new", "well", "failing", "dead", "ended") if counts[name]]
    due = sum(one.due for one in feeds)
    return f"{number_of(len(feeds), 'feed')}{': ' if parts else ''}{', '.join(parts)}; {due:,} due"
