"""What a watch tells a person: one live line on a terminal, a line every 30 s elsewhere. On standard error."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from pipeline.report import QUIET_EVERY
from pipeline.run import Summary
from pipeline.terminal import visible
from pipeline.watch import Flow

_WINDOW = 60.0
"""Seconds over which the rate is taken."""


class WatchReport:
    """Follows a watch: rate, lag, what waits, dead letters."""

    def __init__(self, summary: Summary, flow: Flow) -> None:
        self._summary, self._flow = summary, flow
        self._counts = deque([(time.monotonic(), 0)], maxlen=1000)
        self._last = 0.0
        self._told = set[str]()  # problems of lists of feeds, which are looked at again and again
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
        print(self._line(), file=sys.stderr)

    def __call__(self, what: str, value: str) -> None:
        """Hear what the watch and the workers say."""
        match what:
            case "model":
                print(f"Names by {value}.", file=sys.stderr)
            case "list" if value not in self._told:
                self._told.add(value)
                print(visible(value), file=sys.stderr)
            case "trouble":
                print(f"{visible(value)} Trying again.", file=sys.stderr)
            case "tick" | "committed":
                self._show()

    def _show(self) -> None:
        now = time.monotonic()
        self._counts.append((now, self._summary.read))
        while len(self._counts) > 2 and now - self._counts[0][0] > _WINDOW:
            self._counts.popleft()
        if self._status:
            self._status.update(self._line())
        elif now - self._last > QUIET_EVERY:
            self._last = now
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        (since, before), (now, read) = self._counts[0], self._counts[-1]
        rate = (read - before) / max(now - since, 0.001)
        flow = self._flow
        return (
            f"{read:,} articles, {rate:,.1f}/s, {self._summary.dead:,} dead letters; {flow.waiting:,} files wait, "
            f"lag {flow.lag:,.1f} s, from file to row {flow.latency:,.1f} s"
        )
