"""Feeds that are added to a warehouse or removed from it: an entry of the log, like any other change."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from pipeline.config import Config
from pipeline.feed_states import feed_states
from pipeline.following import listed_in
from pipeline.log import STAGING
from pipeline.staging import batch_of, new_token
from pipeline.steps import Batch, Steps, without_articles
from pipeline.warehouse import open_warehouse
from schemas.errors import UsageError, WorldError
from schemas.feeds import FeedState

_TRIES = 20
States = dict[str, FeedState]


def add_feeds(config: Config, feeds: Sequence[dict[str, Any]]) -> int:
    """Add feeds, each the options of one as in the configuration; how many were not followed yet.

    The warehouse is made if there is none. Works beside a run.
    """
    listed = {entry.url for entry in listed_in(config)}

    def changed(states: States) -> list[FeedState]:
        return [
            replace(
                states.get(one["url"]) or FeedState(url=one["url"]),
                added=one, removed=False, gone=False, failures=0.0, due_at=None,
            )
            for one in feeds
            if one["url"] not in listed and not _is_added(states.get(one["url"]), one)
        ]  # fmt: skip

    return _change(config, changed)


def _is_added(state: FeedState | None, options: dict[str, Any]) -> bool:
    return state is not None and not state.removed and not state.gone and state.added == options


def remove_feed(config: Config, url: str) -> None:
    """Follow an added feed no longer. Raises UsageError for one that was not added."""
    if any(entry.url == url for entry in listed_in(config)):
        raise UsageError(f"{url} is named by the configuration: remove it there.")

    def changed(states: States) -> list[FeedState]:
        state = states.get(url)
        if state is None or state.added is None or state.removed:
            raise UsageError(f"{url} was not added to this warehouse; `newsbeam feeds list` shows those that were.")
        return [replace(state, removed=True)]

    _change(config, changed)


def _change(config: Config, changed: Callable[[States], list[FeedState]]) -> int:
    """Append an entry with the new states to the log; again if another writer took the number."""
    warehouse = open_warehouse(config.output)
    for _ in range(_TRIES):
        history = warehouse.refresh()
        states = changed(feed_states(warehouse.store, history))
        if not states:
            return 0
        now = time.time()
        batch = Batch(history.position + 1, new_token(), datetime.fromtimestamp(now, UTC), now, (), tuple(states))
        without_articles(batch, Steps(config, batch))
        if any(batch_of(entry.token) == batch.token for entry in warehouse.refresh().tail):
            return len(states)
        warehouse.store.remove(f"{STAGING}/{batch.token}")
    raise WorldError("Other writers take every number in the log; end them, and run this again.")
