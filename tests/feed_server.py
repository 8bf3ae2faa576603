"""A small HTTP(S) server for tests: it answers as told, well or badly, and keeps a log of who asked when."""

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self


class Hit(NamedTuple):
    """One request: when it was read (monotonic seconds), and when its answer had left."""

    at: float
    done: float
    host: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer. `raw` writes bytes of its own instead, and may take its time."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


Route = Answer | Callable[[Hit], Answer]


class Server:
    """Serves until the `with` block ends, in a thread. `routes` may be changed while it runs."""

    def __init__(self, routes: Mapping[str, Route] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Route] = dict(routes or {})
        """By path, or by host and path (`a.test/feed`); `*` for all others."""
        self.hits: list[Hit] = []
        self.port = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def asked(self, path: str) -> list[Hit]:
        return [hit for hit in self.hits if hit.path == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._answer(head.decode("latin-1"), writer):
                    break
        writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        at = time.monotonic()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        host, path = headers.get("host", "").partition(":")[0], first.split(" ")[1]
        route = self.routes.get(host + path) or self.routes.get(path) or self.routes.get("*") or Answer(status=404)
        hit = Hit(at, at, host, path, headers)
        answer = route if isinstance(route, Answer) else route(hit)
        await asyncio.sleep(answer.delay)
        self.hits.append(hit._replace(done=time.monotonic()))
        if answer.raw:
            await answer.raw(writer)
            return False
        sent = {"Content-Length": str(len(answer.body)), **answer.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"HTTP/1.1 {answer.status} Said\r\n{text}\r\n".encode("latin-1") + answer.body)
        await writer.drain()
        return True


def conditional(body: bytes, etag: str, **headers: str) -> Callable[[Hit], Answer]:
    """A well-behaved feed: 304 for whoever has it."""

    def answer(hit: Hit) -> Answer:
        told = {"ETag": etag, **headers}
        if hit.headers.get("if-none-match") == etag:
            return Answer(status=304, headers={**told, "Content-Length": "0"})
        return Answer(body, headers={"Content-Type": "application/rss+xml", **told})

    return answer


def rss(items: Iterable[str], title: str = "Harbour Daily", more: str = "") -> bytes:
    """An RSS feed of these items."""
    head = f"<title>{title}</title><link>https://harbour.example/</link>{more}"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'.encode()


def item(number: int, link: str, words: str = "", date: str = "Sat, 31 Jan 2026 08:00:00 GMT") -> str:
    """One item; its number makes it unlike all others."""
    text = words or f"The harbour council counted {number} ships on Monday, and said that number {number} was late."
    return (
        f"<item><title>Ship number {number} is late</title><link>{link}</link><guid>g{number}</guid>"
        f"<description>{text}</description><pubDate>{date}</pubDate></item>"
    )
