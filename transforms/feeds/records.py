"""What a feed says, in the form that all kinds of feeds share."""

from msgspec import Struct

from schemas.records import Problem


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry. Its fields are those of `transforms.formats.base.Record`; texts are clean, addresses absolute."""

    title: str | None = None
    summary: str | None = None
    text: str | None = None
    """The whole text if the entry has one, else its summary; in paragraphs, an empty line between two."""
    id: str | None = None
    """The guid, if it is this entry's alone; else, where there is no address either, a hash of the words."""
    url: str | None = None
    shared_address: bool = False
    """Whether other entries, with other words, have the same address: then it says nothing of who the entry is."""
    published: str | None = None
    updated: str | None = None
    authors: list[str] = []
    language: str | None = None
    source: str | None = None
    categories: list[str] = []
    image_url: str | None = None
    problems: list[str] = []
    problem: Problem | None = None
    """Why it can be no article: neither a title nor a text, or it is cut off."""


class Feed(Struct, frozen=True, kw_only=True):
    """A feed: what it says of itself, and its entries in its own order."""

    kind: str
    """As feedparser names it (`rss20`, `atom10`, `rss10`, …), or `json1`."""
    title: str | None = None
    link: str | None = None
    """The page that it is the feed of."""
    language: str | None = None
    ttl: float = 0.0
    """Seconds that it asks readers to wait between two polls."""
    skip_hours: tuple[int, ...] = ()
    """Hours of the day, UTC, 0 to 23, in which it is not to be polled; `skip_days` likewise, 0 for Monday."""
    skip_days: tuple[int, ...] = ()
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    """What was wrong with it, without costing it its entries."""


class NotAFeed(Exception):
    """Raised for a body that is something else, or nothing; carries a Problem whose error_class says what."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)
