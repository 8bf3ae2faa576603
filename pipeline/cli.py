"""The command `newsbeam`. Results go to standard output, what a person reads to standard error."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import click
import yaml

from pipeline import __version__
from pipeline.commands.compact import compact
from pipeline.commands.evaluate import evaluate
from pipeline.commands.feeds import feeds
from pipeline.commands.forget import forget
from pipeline.commands.shared import (
    config_and,
    config_or_option,
    configured,
    load,
    print_json,
    reading,
    warehouse_of,
    whole_path,
)
from pipeline.commands.topics import topics
from pipeline.commands.watch import watch_command
from schemas.errors import UsageError, WorldError, disk_trouble

TOO_MANY_DEAD = 3


class Command(click.Group):
    """Turns our errors into one sentence and an exit status, and never shows a bare traceback."""

    def main(self, *arguments: Any, **more: Any) -> Any:
        """Leave as a run does, however it ends: threads of DuckDB or Beam may abort where an interpreter ends."""
        try:
            return super().main(*arguments, **more)
        except SystemExit as end:
            _leave(end.code if isinstance(end.code, int) else int(end.code is not None))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(0)
        except (WorldError, OSError) as error:
            if os.environ.get("NEWSBEAM_TRACEBACK"):
                raise
            ours = error if isinstance(error, WorldError) else WorldError(disk_trouble(str(error)))
            click.echo(f"newsbeam: {ours}", err=True)
            _leave(ours.status)


def _leave(status: int) -> NoReturn:
    """End at once: threads of a pipeline that failed must not hold the process, nor Beam's clearing up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="newsbeam")
def main() -> None:
    """Reads news from files and feeds, recognises copies, finds names and topics, and keeps it all as Parquet tables.

    Exit status: 0 done; 1 the world failed (disk, engine, model); 2 wrong usage or configuration;
    3 done, but with more dead letters than max_dead_letters; 75 another process holds the warehouse.
    """


main.add_command(compact)
main.add_command(evaluate)
main.add_command(watch_command)
main.add_command(feeds)
main.add_command(forget)
main.add_command(topics)


@main.command(name="run")
@configured
@reading
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N articles.")
@click.option("--dry-run", is_flag=True, help="Say what would be read; write nothing.")
@click.option("--now", "now_text", metavar="TIME", help="The clock of the run, for runs that must come out alike.")
def run_command(
    config: str | None,
    output: str | None,
    changes: tuple[str, ...],
    as_json: bool,
    inputs: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    now_text: str | None,
    runner: str | None,
    beam_options: tuple[str, ...],
) -> None:
    """Read all that is new. Killed anywhere, the same command goes on and the tables are exact.

    CONFIG is a YAML file (`newsbeam config init` prints one); options of Beam's follow after `--`.
    """
    config, beam_options = config_or_option(config, beam_options)
    loaded = load(config, output, changes, input=tuple(map(whole_path, inputs)), runner=runner)
    now = _time(now_text) if now_text else None
    if dry_run:
        _show_prospects(loaded, now or datetime.now(UTC), as_json)
    else:
        _run(loaded, beam_options, as_json, now, limit)


def _run(config: Any, options: Sequence[str], as_json: bool, now: datetime | None, limit: int | None) -> None:
    from pipeline.report import Report, summary_text
    from pipeline.run import Stopped, Summary, run

    summary = Summary()
    try:
        with Report(summary) as report:
            run(config, options, summary, report, now, limit)
    except Stopped as stop:
        click.echo(
            f"Stopped. {summary.batches:,} batches with {summary.read:,} articles are committed; "
            "run the same command again to go on.",
            err=True,
        )
        _leave(128 + stop.number)
    if as_json:
        print_json(summary)
    click.echo(summary_text(summary, config.output), err=True)
    if summary.unreadable and len(summary.unreadable) == summary.inputs:
        raise WorldError("None of the inputs could be read.")
    if summary.feeds_asked and len(summary.feeds_failed) == summary.feeds_asked:
        raise WorldError("None of the feeds that were due could be read; `newsbeam feeds check URL` says more of one.")
    if config.max_dead_letters is not None and summary.dead > config.max_dead_letters:
        click.echo(f"newsbeam: more dead letters than max_dead_letters ({config.max_dead_letters:,}).", err=True)
        _leave(TOO_MANY_DEAD)
    _leave(0)


def _show_prospects(config: Any, now: datetime, as_json: bool) -> None:
    from pipeline.run import dry_run

    prospects = dry_run(config, now)
    if as_json:
        print_json(prospects)
        return
    for prospect in prospects:
        click.echo(f"{prospect.size:>15,}  {prospect.state:<20}  {prospect.input}")
    new = sum(not prospect.state.startswith(("done", "not before")) for prospect in prospects)
    click.echo(f"{new:,} of {len(prospects):,} inputs would be read. Nothing was written.", err=True)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--now {text}: give a time such as 2026-01-31T12:00:00Z.") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@main.command()
@configured
def status(config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """What is in the warehouse, what was done last, and who holds it."""
    from pipeline.feed_health import health
    from pipeline.status import status_of, status_text

    loaded = load(config, output, changes)
    found = status_of(warehouse_of(loaded), health(loaded, datetime.now(UTC)))
    print_json(found) if as_json else click.echo(status_text(found))


@main.command()
@configured
@click.argument("sql", required=False, metavar="SQL")
def query(config: str | None, sql: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Ask the tables in SQL (DuckDB). Only batches that are complete are seen."""
    from pipeline.query import connect, rows_as_text

    config, sql = config_and("a question in SQL", config, sql)
    with connect(warehouse_of(load(config, output, changes))) as connection:
        click.echo(rows_as_text(connection, sql, as_json))


@main.command()
@configured
@click.argument("article", required=False, metavar="ARTICLE")
def explain(
    config: str | None, article: str | None, output: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Why an article is where it is: by its id, its address or a dead letter's id."""
    from pipeline.explain import explain_article, explanation_text

    config, article = config_and("an article's id or address, or a dead letter's id", config, article)
    found = explain_article(warehouse_of(load(config, output, changes)), article)
    print_json(found) if as_json else click.echo(explanation_text(found))


@main.command()
@configured
def verify(config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Check every file of the warehouse against its log. Exit status 1, and what to do, if anything is wrong."""
    from pipeline.terminal import number_of
    from pipeline.verify import verify_warehouse

    root = warehouse_of(load(config, output, changes))
    findings = verify_warehouse(root)
    if as_json:
        print_json(findings)
    for note in findings.notes:
        click.echo(f"Note: {note}", err=True)
    for finding in findings.problems:
        click.echo(f"{finding.what} {finding.cure}", err=True)
    if findings.problems:
        raise WorldError(f"{number_of(len(findings.problems), 'thing')} to put right in {root}.")
    click.echo(f"All is well: {findings.checked}.", err=True)


@main.group()
def config() -> None:
    """Check, begin or show a configuration."""


@config.command(name="check")
@click.argument("path")
def config_check(path: str) -> None:
    """Say whether a configuration is valid."""
    from pipeline.config import load_config
    from pipeline.own_parts import check_own_parts

    check_own_parts(load_config(path, {}))
    click.echo(f"{path} is valid.", err=True)


@config.command(name="init")
def config_init() -> None:
    """Print a configuration with every key, its meaning and its default."""
    from pipeline.config import example

    click.echo(example(), nl=False)


@config.command(name="show")
@click.argument("path", required=False)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration.")
def config_show(path: str | None, changes: tuple[str, ...]) -> None:
    """Print the configuration as a run would use it."""
    loaded = load(path, None, changes)
    click.echo(yaml.safe_dump(loaded.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)


if __name__ == "__main__":
    main()
