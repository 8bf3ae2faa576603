"""What a run tells a person: progress while it works, and a summary at its end. On standard error."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from pipeline.run import Summary
from pipeline.terminal import ranked, visible

QUIET_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
MOST_SHOWN = 10
"""Feeds that failed, one by one."""


class Report:
    """Follows a run: a bar with rate and time left on a terminal, a line every 30 s elsewhere."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._started = self._last = time.monotonic()
        self._records = self._named = 0
        self._share = self._upto = 0.0  # of the input: done before this batch, and with it
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, what: str, value: str) -> None:
        """Hear what the driver and the workers say."""
        match what:
            case "batch":
                self._records, self._named = int(value), 0
            case "list":
                print(visible(value), file=sys.stderr)
            case "feeds":
                print(f"Asking {int(value):,} feeds …", file=sys.stderr)
            case "share":
                self._share, self._upto = self._upto, float(value)
            case "names":
                self._named += int(value)
            case "model":
                print(f"Names by {value}.", file=sys.stderr)
        self._show()

    def _show(self) -> None:
        done = self._summary.read + self._named
        rate = done / max(time.monotonic() - self._started, 0.001)
        text = f"{done:,} articles, {rate:,.0f}/s"
        within = self._named / self._records if self._records else 0.0
        share = self._share + within * (self._upto - self._share)
        if self._bar:
            self._bar.update(self._task, description=text, completed=share)
        elif time.monotonic() - self._last > QUIET_EVERY:
            self._last = time.monotonic()
            print(f"{text}, {share:.0%} of the input", file=sys.stderr)


def summary_text(summary: Summary, output: str) -> str:
    """The end of a run, in a few lines."""
    lines = [f"{visible(name)}: {why}; the next run tries it again." for name, why in summary.unreadable.items()]
    lines += _feed_lines(summary)
    lines += [f"{visible(name)} changed while it was read; the next run reads it anew." for name in summary.changed]
    if not summary.read and not summary.skipped_by_reason:
        where = f" in {summary.inputs:,} inputs" if summary.inputs else ""
        return "\n".join([*lines, f"Nothing new{where}. The tables are in {output}"])
    rate = summary.read / max(summary.seconds, 0.001)
    lines.append(f"Read {summary.read:,} articles in {summary.seconds:,.1f} s ({rate:,.0f} a second), as")
    counts = {
        "unique": summary.unique,
        "copies": summary.duplicates,
        "known": summary.known,
        "dead letters": summary.dead,
    }
    lines += [f"  {number:>9,} {name}{_reasons(summary, name)}" for name, number in counts.items()]
    if summary.skipped_by_reason:
        lines.append(f"Skipped, since it can be no article: {ranked(summary.skipped_by_reason)}")
    if summary.topics:
        lines.append(f"Topics: {ranked(summary.topics)}")
    if summary.requests:
        each = summary.requests / max(summary.batches, 1)
        lines.append(f"The object store was asked {summary.requests:,} times, {each:,.0f} times for each batch.")
    lines.append(f"The tables are in {output}. Look at them, for example, with")
    lines.append(
        f'  newsbeam query --output {output} "SELECT date, topic, title FROM articles ORDER BY date DESC LIMIT 10"'
    )
    return "\n".join(lines)


def _feed_lines(summary: Summary) -> list[str]:
    failed = list(summary.feeds_failed.items())
    lines = [f"{visible(url)}: {visible(why)}" for url, why in failed[:MOST_SHOWN]]
    if len(failed) > MOST_SHOWN:
        lines.append(f"and {len(failed) - MOST_SHOWN:,} feeds more; `newsbeam feeds list` shows them all")
    if summary.feeds:
        lines.append(f"{summary.feeds_asked:,} of {summary.feeds:,} feeds were asked, {len(failed):,} failed.")
    return lines


def _reasons(summary: Summary, name: str) -> str:
    if name != "dead letters" or not summary.dead_by_class:
        return ""
    return ": " + ", ".join(f"{reason} {number:,}" for reason, number in sorted(summary.dead_by_class.items()))
