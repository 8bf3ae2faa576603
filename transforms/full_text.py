"""Pages of entries: fetched once each, where robots.txt lets us."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from email.message import Message
from typing import NamedTuple

from msgspec.structs import replace

from transforms.addresses import host_of
from transforms.answers import Refusal, refusal
from transforms.formats.polled import Page
from transforms.hosts import NotNow
from transforms.polling import weight
from transforms.robots import MOST_BYTES, RobotsFile, Rules, robots_file, robots_of, rules_of
from transforms.web import FetchFailed, Request, Response, Web

_ACCEPT = {"Accept": "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"}


class NotYet(Exception):
    """Raised for a page that may well be fetched at another time; carries the Page that says why it was not now.

    `counts` is False where it was not even asked for: its host has had its share.
    """

    def __init__(self, page: Page, counts: bool) -> None:
        super().__init__(page.problem)
        self.page, self.counts = page, counts


class Kept(NamedTuple):
    """A page whose markup was laid somewhere: from where on, and how many bytes."""

    page: Page
    at: int = 0
    length: int = 0


class Pages:
    """The pages of one round of polling. Belongs to one event loop."""

    def __init__(
        self, web: Web, now: datetime, robots: dict[str, RobotsFile] | None, lay: Callable[[bytes], int]
    ) -> None:
        """`robots`: what robots.txt files said, by their address; grows here. None to ask for none, and obey none.

        `lay` puts markup where it is found later, and says where: pages of a thousand feeds are not for memory.
        """
        self._web, self._now, self._robots, self._lay = web, now, robots, lay
        self._pages: dict[tuple[str, bool], asyncio.Task[Kept]] = {}
        self._rules: dict[tuple[str, bool], asyncio.Task[Rules | None]] = {}

    async def get(self, url: str, private: bool) -> Kept:
        """The page, or why there is none; fetched once, however many entries ask for it. Raises NotYet."""
        key = url, private
        if key not in self._pages:
            self._pages[key] = asyncio.create_task(self._kept(url, private))
        return await self._pages[key]

    async def _kept(self, url: str, private: bool) -> Kept:
        page = await self._get(url, private)
        markup = page.markup or b""
        return Kept(replace(page, markup=None), self._lay(markup), len(markup))

    async def _get(self, url: str, private: bool) -> Page:
        try:
            if problem := await self._forbidden(url, private):
                return Page(url=url, problem=problem)
            answer = await self._web.get(Request(url, self._web.limits.page_bytes, _ACCEPT, private=private))
        except NotNow:
            raise NotYet(Page(url=url, problem="HostBusy: the host has had its share of requests"), False) from None
        except FetchFailed as error:
            return self._refused(Page(url=url), Refusal(error.problem))
        except (NotYet, MemoryError):
            raise
        except Exception as error:
            return Page(url=url, problem=f"{type(error).__name__}: {str(error)[:200]}")
        if refused := refusal(answer.status, answer.headers, answer.body, self._now):
            if refused.wait:
                self._web.hosts.quiet(host_of(answer.url), refused.wait)
            return self._refused(Page(url=answer.url, status=answer.status), refused)
        return _page(answer)

    async def _forbidden(self, url: str, private: bool) -> str | None:
        """Why robots.txt does not let us fetch a page; None if it does."""
        if self._robots is None:
            return None
        rules = await self._rules_of(url, private)
        if rules is None:
            raise NotYet(Page(url=url, problem="RobotsUnknown: the site's robots.txt cannot be fetched"), True)
        return None if rules.allow(url) else "RobotsForbid: the site's robots.txt forbids it"

    def _refused(self, page: Page, refused: Refusal) -> Page:
        problem = f"{refused.problem.error_class}: {refused.problem.error}"
        page = replace(page, problem=problem)
        if weight(refused.problem) < 1 and refused.problem.error_class != "Http404":
            raise NotYet(page, True)
        return page

    async def _rules_of(self, url: str, private: bool) -> Rules | None:
        """The rules of the page's site, fetched once; None if they can't be known now."""
        key = robots_of(url), private
        if key not in self._rules:
            self._rules[key] = asyncio.create_task(self._read_rules(*key))
        return await self._rules[key]

    async def _read_rules(self, url: str, private: bool) -> Rules | None:
        known = self._robots if self._robots is not None else {}
        file = known.get(url)
        if file is None or not file.is_fresh(self._now):
            try:
                answer = await self._web.get(Request(url, MOST_BYTES * 4, private=private))
            except FetchFailed:
                return None
            file = known[url] = robots_file(answer.status, answer.body, self._now)
        rules = rules_of(file)
        if rules:
            self._web.hosts[host_of(url)].spacing = rules.delay
        return rules


def _page(answer: Response) -> Page:
    """The page that came, if it is one."""
    kind = Message()
    kind["content-type"] = answer.headers.get("content-type", "")
    size = len(answer.body)
    if answer.headers.get("content-type") and "html" not in kind.get_content_type():
        problem = f"NotAPage: it is {kind.get_content_type()[:60]}"
        return Page(url=answer.url, status=answer.status, size=size, problem=problem)
    charset = kind.get_content_charset()
    return Page(url=answer.url, status=answer.status, size=size, charset=charset, markup=answer.body)
