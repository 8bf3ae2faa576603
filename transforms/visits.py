"""One poll of one feed: asked, answered, read. What that means for its state is decided in `transforms.polling`."""

import asyncio
import base64
import os
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from msgspec.structs import replace

from schemas.feeds import Feed, FeedState
from schemas.records import Problem
from transforms.addresses import host_of
from transforms.answers import Refusal, refusal
from transforms.hosts import NotNow
from transforms.polling import address, conditions
from transforms.web import FetchFailed, Request, Response, Web

if TYPE_CHECKING:
    from transforms.feeds import Feed as Parsed

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5"
)


class NoCredentials(Exception):
    """Raised where an environment variable that the configuration names is not set; carries a Problem."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.problem = Problem("NoCredentials", error)


class Visit(NamedTuple):
    """What came of asking one feed. Just one of `refused`, `put_off` and `response` is not None."""

    feed: Feed
    state: FeedState
    refused: Refusal | None = None
    put_off: float | None = None
    """Not asked: its host wants to be left alone for so many seconds, or has had its share (0)."""
    response: Response | None = None
    body_hash: str | None = None
    """None where the server said that nothing has changed."""
    parsed: "Parsed | None" = None
    """None where the body is the same as at the last poll."""


async def visit(web: Web, feed: Feed, state: FeedState, now: datetime) -> Visit:
    """Ask one feed. Whatever goes wrong is in the result: no feed must end the polling of all others."""
    try:
        return await _visit(web, feed, state, now)
    except MemoryError:
        raise
    except Exception as error:
        return Visit(feed, state, refused=Refusal(Problem(type(error).__name__, str(error)[:500] or "unexpected")))


async def _visit(web: Web, feed: Feed, state: FeedState, now: datetime) -> Visit:
    from transforms.feeds import NotAFeed, parse_feed

    try:
        response = await web.get(request_for(web, feed, state, now))
    except NotNow as error:
        return Visit(feed, state, put_off=error.wait)
    except (FetchFailed, NoCredentials) as error:
        return Visit(feed, state, refused=Refusal(error.problem))
    if refused := refusal(response.status, response.headers, response.body, now):
        if refused.wait:
            web.hosts.quiet(host_of(response.url), refused.wait)
        return Visit(feed, state, refused=refused)
    if response.status == 304:
        return Visit(feed, state, response=response)
    body_hash = xxhash.xxh3_64_hexdigest(response.body)
    parsed = None
    if body_hash != state.body_hash:
        kind = response.headers.get("content-type")
        try:  # in a thread, so that other hosts are heard meanwhile
            parsed = await asyncio.to_thread(parse_feed, response.body, response.url, kind)
        except NotAFeed as error:
            return Visit(feed, state, refused=Refusal(error.problem))
    return Visit(feed, state, response=replace(response, body=b""), body_hash=body_hash, parsed=parsed)


def request_for(web: Web, feed: Feed, state: FeedState, now: datetime) -> Request:
    """What a feed is asked for. Raises NoCredentials."""
    headers = {"Accept": ACCEPT, **feed.headers, **conditions(state, now)}
    return Request(address(state), web.limits.feed_bytes, headers, secrets_of(feed), feed.allow_private_addresses)


def secrets_of(feed: Feed) -> dict[str, str]:
    """The headers that hold the feed's credentials, from the environment. Raises NoCredentials."""
    return {name: _secret(name, variable) for name, variable in feed.credentials.items()}


def _secret(header: str, variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise NoCredentials(f"the environment variable {variable} is not set")
    if header.lower() == "authorization" and ":" in value and " " not in value:
        return f"Basic {base64.b64encode(value.encode()).decode()}"
    return value
