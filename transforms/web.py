"""Fetching one address: guarded, polite, bounded. Everything that goes wrong has a name."""

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from msgspec.structs import replace

from schemas.records import Problem
from transforms.addresses import Refused, check_url, guarded_socket, host_of
from transforms.bodies import BadBody, read_body
from transforms.hosts import Hosts
from transforms.limits import Limits

Resolve = Callable[[str, int], list[str]]
"""From a host's name and a port to IP addresses. Raises OSError where there are none."""
_MOVED, _MOVED_FOR_GOOD = frozenset({301, 302, 303, 307, 308}), frozenset({301, 308})
_BLOCK = 1 << 16
_LONGEST_HEADER = 32_768
"""Real feeds send more than the usual 8,190 bytes."""


class Request(NamedTuple):
    """What is asked for."""

    url: str
    most_bytes: int
    headers: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    """Headers that only the host of the address gets."""
    private: bool = False
    """Whether it may lead to addresses that are not public."""


class Response(Struct, frozen=True, kw_only=True):
    """An answer. Names of headers are in lower case; only a status of success has a whole body."""

    url: str
    """Where redirects led."""
    status: int
    headers: dict[str, str]
    body: bytes = b""
    moved_to: str | None = None
    """The address after the permanent redirects that it began with; None if there was none."""


class FetchFailed(Exception):
    """Raised where there is no answer. Carries a Problem."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)


def system_resolve(host: str, port: int) -> list[str]:
    """As the operating system does."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _Resolver(AbstractResolver):
    """Resolves in threads of its own, so that a few names that nobody answers for don't hold up all others."""

    def __init__(self, resolve: Resolve, threads: int) -> None:
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(threads, "resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Web:
    """The way to the web. An async context manager; belongs to one event loop.

    Requests that may lead to private addresses have a session of their own: no other request gets their connections.
    """

    def __init__(
        self,
        user_agent: str,
        hosts: Hosts,
        limits: Limits,
        ports: Collection[int] = (80, 443),
        resolve: Resolve = system_resolve,
    ) -> None:
        self.limits, self.hosts, self._ports = limits, hosts, ports
        self._user_agent, self._resolve = user_agent, resolve
        self._gate = asyncio.Semaphore(limits.at_once)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._public = await self._stack.enter_async_context(self._session(guarded_socket))
        self._private = await self._stack.enter_async_context(self._session(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _session(self, dial: Callable[..., socket.socket] | None) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._sent)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_Resolver(self._resolve, self.limits.at_once), socket_factory=dial, limit=0
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect, sock_read=self.limits.idle),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate"},
            auto_decompress=False,
            max_field_size=_LONGEST_HEADER,
            max_line_size=_LONGEST_HEADER,
            trace_configs=[trace],
        )

    async def _sent(self, session: object, context: object, event: aiohttp.TraceRequestHeadersSentParams) -> None:
        """The spacing counts from when a request leaves, not from when its connection was asked for."""
        self.hosts.sent(host_of(str(event.url)))

    async def get(self, request: Request) -> Response:
        """The answer, after redirects. Raises FetchFailed, and NotNow where a host must be left alone."""
        url, left, permanent, moved_to = request.url, self.limits.total, True, None
        clock = asyncio.get_running_loop().time
        for _ in range(self.limits.redirects + 1):
            self._check(url)
            async with self.hosts.turn(host_of(url)), self._gate:
                began = clock()
                answer = await self._hop(request, url, left)
                left -= clock() - began
            location = answer.headers.get("location")
            if answer.status not in _MOVED or not location:
                return replace(answer, moved_to=moved_to)
            url = urljoin(url, location)
            permanent = permanent and answer.status in _MOVED_FOR_GOOD
            moved_to = url if permanent else moved_to
        raise FetchFailed("TooManyRedirects", f"more than {self.limits.redirects} redirects, the last to {url[:200]}")

    def _check(self, url: str) -> None:
        try:
            check_url(url, self._ports)
        except Refused as error:
            raise FetchFailed("Refused", f"{url[:200]}: {error}") from None

    async def _hop(self, request: Request, url: str, left: float) -> Response:
        """One request, without following a redirect."""
        session = self._private if request.private else self._public
        headers = {**request.headers, **(request.secrets if _may_see_secrets(request.url, url) else {})}
        try:
            async with (
                asyncio.timeout(max(left, 0.0)),
                session.get(url, headers=headers, allow_redirects=False) as answer,
            ):
                return await self._read(answer, url, request.most_bytes)
        except TimeoutError:  # aiohttp's own are of this class, too
            raise FetchFailed("TooSlow", f"{host_of(url)} took too long to answer or to send the rest") from None
        except BadBody as error:
            raise FetchFailed(error.problem.error_class, error.problem.error) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _named(error, host_of(url)) from None

    async def _read(self, answer: aiohttp.ClientResponse, url: str, most: int) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        body = b""
        if 200 <= answer.status < 300:
            packing = headers.get("content-encoding", "")
            body = await read_body(answer.content.iter_chunked(_BLOCK), packing, most, self.limits.ratio)
        elif answer.status >= 400:  # to see what kind of refusal it is
            body = await answer.content.read(_BLOCK)
        return Response(url=url, status=answer.status, headers=headers, body=body)


def _may_see_secrets(own: str, url: str) -> bool:
    """Whether a redirect from a feed's own address stays at its host, and does not leave https."""
    return host_of(own) == host_of(url) and not (own.startswith("https:") and url.startswith("http:"))


def _named(error: Exception, host: str) -> FetchFailed:
    """What aiohttp raised, by our name for it."""
    cause = getattr(error, "os_error", error)
    reason = str(cause).strip() or type(cause).__name__
    if isinstance(cause, Refused):
        return FetchFailed("Refused", f"{host}: {reason}")
    match error:
        case aiohttp.ClientConnectorDNSError():
            return FetchFailed("NoHost", f"no address is known for {host}")
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return FetchFailed("TlsError", f"{host} cannot be trusted: {reason}")
        case aiohttp.InvalidURL() | ValueError():
            return FetchFailed("Refused", f"{host}: it is no address of a page")
        case aiohttp.ClientConnectorError():
            return FetchFailed("NotConnected", f"{host} cannot be reached: {reason}")
        case aiohttp.ClientResponseError():
            return FetchFailed("BadHttp", f"{host} does not speak HTTP: {error.message[:200]}")
    return FetchFailed("ConnectionLost", f"{host} ended the connection: {reason[:200]}")
