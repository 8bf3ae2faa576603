"""The section `feeds` of the configuration: what is polled, how often, and how."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.feeds import Feed
from schemas.units import Seconds
from transforms.addresses import Refused, check_url, feed_address
from transforms.limits import Limits

MOST_WITHOUT_CONTACT = 5
"""Public feeds that are polled without anyone to turn to."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedOptions(_Section):
    """What may be said of one feed, or of a group of them. What is left out is as the group or all feeds have it."""

    interval: Seconds | None = Field(None, ge=0, description="The least time between two polls.")
    full_text: bool | None = Field(None, description="Whether to fetch the page of each new entry.")
    section: str | None = Field(None, description="The section of entries that name none, such as a topic's name.")
    language: str | None = Field(None, description="The language, where the feed does not name it.")
    headers: Mapping[str, str] = Field({}, description="Headers to send.")
    credentials: Mapping[str, str] = Field(
        {}, description="Header: the environment variable that holds its value (for Authorization also user:password)."
    )
    allow_private_addresses: bool | None = Field(None, description="Whether it may be in a private network.")


class FeedEntry(FeedOptions):
    """One feed. A text is short for its address alone."""

    url: str = Field(description="The feed's address.")
    group: str | None = Field(None, description="The group whose options it has.")

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        try:
            check_url(address := feed_address(value))
        except Refused as error:
            raise ValueError(f"{value[:200]}: {error}") from None
        return address


class Feeds(_Section):
    contact: str = Field(
        "", description="Whom a publisher can turn to, a page or mail address; sent with every request."
    )
    follow: tuple[FeedEntry, ...] = Field(
        (), description="The feeds, each an address, or an object with `url` and options of its own."
    )
    files: tuple[str, ...] = Field((), description="Files with more feeds: OPML, or a text with an address a line.")
    groups: Mapping[str, FeedOptions] = Field({}, description="Name of a group: options that its feeds share.")
    interval: Seconds = Field(1_800.0, ge=0, description="The least time between two polls of a feed.")
    full_text: bool = Field(False, description="Whether to fetch the page of each new entry, for its whole text.")
    host_spacing: Seconds = Field(1.0, ge=0, description="Time between the beginnings of two requests to one host.")
    requests_per_host: int = Field(100, gt=0, description="Requests to one host in a run; what is left stays due.")
    longest_tick: Seconds = Field(600.0, gt=0, description="Time in which to poll; what is left stays due.")
    ports: tuple[int, ...] = Field((80, 443), description="Ports that may be asked.")
    allow_private_addresses: bool = Field(
        False,
        description="Whether feeds may be in private networks, or on this machine. Better allowed for single feeds.",
    )
    ignore_robots_because: str = Field(
        "", description="A reason to fetch pages against robots.txt, such as the publisher's consent; empty to obey it."
    )
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _known_groups(self) -> "Feeds":
        for entry in self.follow:
            if entry.group is not None and entry.group not in self.groups:
                raise ValueError(f"{entry.url}: there is no group {entry.group!r} in feeds.groups")
        return self

    def feed(self, entry: FeedEntry) -> Feed:
        """A feed with all its options: its own, else its group's, else those of all feeds."""
        levels: list[Any] = [entry, *([self.groups[entry.group]] if entry.group else ()), self]
        options = {
            name: next((value for one in levels if (value := getattr(one, name, None)) is not None), None)
            for name in _SINGLE
        }
        merged = {name: {**getattr(levels[-2], name), **getattr(entry, name)} for name in _MERGED}
        return msgspec.convert({"url": entry.url, **options, **merged}, Feed)


_SINGLE = ("interval", "full_text", "section", "language", "allow_private_addresses")
_MERGED = ("headers", "credentials")
