"""Politeness: one request at a time to a host, with a spacing between two; many hosts at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf

JITTER = (0.1, 0.3)
"""Shares of the spacing that are added to it, at least and at most."""


class NotNow(Exception):
    """Raised where a host has had its share, or asked to be left alone for `wait` more seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


@dataclass
class Host:
    """What one host was asked, in seconds of the monotonic clock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = -inf
    quiet_until: float = -inf
    spacing: float = 0.0
    """Its own Crawl-delay, where that is longer than the usual spacing."""
    asked: int = 0


class Hosts:
    """The hosts of one process, which owns them all."""

    def __init__(self, spacing: float = 0.0, most: int = 1_000_000, longest: float = inf) -> None:
        """`spacing`: seconds between the beginnings of two requests to a host; `most`: requests to it; `longest`:
        seconds after which nobody has a turn any more."""
        self._spacing, self._most = spacing, most
        self._ends_at = time.monotonic() + longest
        self._hosts: dict[str, Host] = {}

    def renew(self) -> None:
        """Go on in another event loop: what hosts were asked stays."""
        for host in self._hosts.values():
            host.lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[Host]:
        """Hold the host for one request. Raises NotNow where it has had its share or wants to be left alone."""
        host = self[name]
        async with host.lock:
            self._check(host)
            await asyncio.sleep(host.free_at - time.monotonic())
            self._check(host)
            host.asked += 1
            self.sent(name)
            yield host

    def _check(self, host: Host) -> None:
        now = time.monotonic()
        if now < host.quiet_until:
            raise NotNow(host.quiet_until - now)
        if host.asked >= self._most or max(host.free_at, now) > self._ends_at:
            raise NotNow(0.0)

    def sent(self, name: str) -> None:
        """A request leaves now: the next may follow a spacing later. Called again when the connection is made."""
        host = self[name]
        spacing = max(self._spacing, host.spacing) * (1 + random.uniform(*JITTER))
        host.free_at = time.monotonic() + spacing

    def quiet(self, name: str, wait: float) -> None:
        """Leave a host alone for so many seconds."""
        host = self[name]
        host.quiet_until = max(host.quiet_until, time.monotonic() + wait)

    def quiet_ones(self) -> dict[str, float]:
        """The hosts that want to be left alone, and for how many more seconds."""
        now = time.monotonic()
        return {name: host.quiet_until - now for name, host in self._hosts.items() if host.quiet_until > now}

    def __getitem__(self, name: str) -> Host:
        return self._hosts.setdefault(name, Host())
