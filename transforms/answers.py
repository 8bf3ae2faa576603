"""What a server's refusal means, by its status, its headers and the beginning of its page."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.records import Problem
from transforms.polling import retry_after

UNSTATED_WAIT = 300.0
"""Seconds for which a host that sends 429 is left alone if it names no time."""
_CHALLENGE = (b"cf-chl", b"challenge-platform", b"captcha", b"just a moment...", b"ddos-guard", b"_incapsula_")
_SAYS = {
    401: "the server asks for a login; give `credentials`",
    402: "the server asks for payment",
    403: "the server refuses access",
    404: "there is no such page",
    407: "a proxy asks for a login",
    429: "the host was asked too often",
    451: "the page is withheld for legal reasons",
}


class Refusal(NamedTuple):
    """Why there is no page, and for how many seconds the host wants to be left alone."""

    problem: Problem
    wait: float = 0.0


def refusal(status: int, headers: Mapping[str, str], head: bytes, now: datetime) -> Refusal | None:
    """The meaning of an answer that is no success; None for one that is, and for 304."""
    if 200 <= status < 300 or status == 304:
        return None
    wait = retry_after(headers, now)
    if status == 429 or (status == 503 and wait):
        wait = wait or UNSTATED_WAIT
        return Refusal(Problem("HostAsksToWait", f"HTTP {status}: the host asks to wait {wait:,.0f} s"), wait)
    if is_challenge(headers, head):
        return Refusal(Problem("Challenge", f"HTTP {status}: the server wants to see a person, with a browser"))
    if status == 410:
        return Refusal(Problem("Gone", "HTTP 410: the server says that it is gone for good"))
    if status in (401, 407):
        return Refusal(Problem("LoginNeeded", f"HTTP {status}: {_SAYS[status]}"))
    meaning = _SAYS.get(status) or ("the server failed" if status >= 500 else "there is no page")
    return Refusal(Problem(f"Http{status}", f"HTTP {status}: {meaning}"))


def is_challenge(headers: Mapping[str, str], head: bytes) -> bool:
    """Whether a page asks its reader to prove that it is a person."""
    beginning = head[:65_536].lower()
    return headers.get("cf-mitigated") == "challenge" or any(sign in beginning for sign in _CHALLENGE)
