"""`newsbeam forget`: articles removed for good."""

import sys

import click

from pipeline.commands.shared import configured, load, print_json, warehouse_of
from schemas.errors import UsageError

_MOST_SHOWN = 20


@click.command()
@configured
@click.argument("names", nargs=-1, metavar="ID_OR_URL...")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(
    config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool, names: tuple[str, ...], yes: bool
) -> None:
    """Remove articles for good, each with all its versions and copies, and keep them from coming in again."""
    from pipeline.forget import find
    from pipeline.forget import forget as remove
    from pipeline.terminal import number_of, visible

    if config and not config.endswith((".yaml", ".yml")):
        names, config = (config, *names), None
    if not names:
        raise UsageError("What is to be forgotten? Give the id or the address of an article.")
    root = warehouse_of(load(config, output, changes))
    rows = find(root, names)
    for row in rows[:_MOST_SHOWN]:
        title = visible(f"{row.source or 'unknown'}: {row.title}")
        click.echo(f"  {row.article_id}  {row.outcome:<9}  {title}", err=True)
    if (more := len(rows) - _MOST_SHOWN) > 0:
        click.echo(f"  and {more:,} more", err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("They are removed for good: say so with --yes.")
        click.confirm(f"Remove {number_of(len(rows), 'row')} for good?", abort=True, err=True)
    done = remove(root, names)
    if as_json:
        print_json(done)
    what = f"{number_of(len(done.rows), 'row')} from {number_of(done.files, 'file')}"
    click.echo(f"Batch {done.batch:,} removed {what}.", err=True)
    if not done.cleaned:
        note = "Another process holds the warehouse: the fingerprints, with headlines, go with its next snapshot."
        click.echo(note, err=True)
