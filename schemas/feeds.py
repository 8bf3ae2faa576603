"""A feed: what is asked of it, and what is remembered of it between two polls."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.records import Problem


class Feed(Struct, frozen=True, kw_only=True):
    """One feed with all its options, as `docs/configuration.md` tells them."""

    url: str
    interval: float
    full_text: bool
    allow_private_addresses: bool
    section: str | None = None
    language: str | None = None
    headers: dict[str, str] = {}
    credentials: dict[str, str] = {}
    """Header: the environment variable that holds its value."""


class FeedState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feed, as its last poll left it. It stands in the log entry of the batch that the poll was part of; the newest
    entry that names the feed counts."""

    url: str
    """The address as it was configured or added: the feed's name for good."""
    polls: int = 0
    polled_at: datetime | None = None
    due_at: datetime | None = None
    """When it may be polled again; None for at once."""
    succeeded_at: datetime | None = None
    news_at: datetime | None = None
    """When it last brought an entry that was not known."""
    full_at: datetime | None = None
    """When its body was last sent whole."""
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    entries: tuple[str, ...] = ()
    """Entries of the last body that the index cannot know: dead ones, and those whose page was fetched; see
    `transforms.entries`."""
    title: str | None = None
    ttl: float = 0.0
    """Seconds that the feed itself asks to wait; `skip_hours` (UTC) and `skip_days` (0 for Monday) likewise."""
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    moved_to: str | None = None
    """Where permanent redirects led at the last success."""
    moved_polls: int = 0
    """How many successes in a row agreed on that."""
    pace: float = 1.0
    """The interval is stretched by this: it grows with each poll that brings nothing."""
    failures: float = 0.0
    """Weighted failures since the last success."""
    failure: Problem | None = None
    """Why the last poll failed; None if it did not."""
    gone: bool = False
    """Whether the server said that the feed has ended (410)."""
    waited: int = 0
    """Polls in a row that left out entries, because their pages could not be fetched yet."""
    added: dict[str, Any] | None = None
    """The settings of a feed that `newsbeam feeds add` added; None for one that the configuration names."""
    removed: bool = False
    """Whether `newsbeam feeds remove` removed it."""
