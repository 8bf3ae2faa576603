"""`newsbeam feeds`: which feeds are followed, how they are, and what a feed has to say."""

from datetime import UTC, datetime
from typing import Any

import click

from pipeline.commands.shared import config_and, configured, load, print_json, warehouse_of
from pipeline.terminal import visible
from schemas.errors import UsageError, WorldError


@click.group()
def feeds() -> None:
    """The feeds that are followed: list, check, add, remove, import, export."""


@feeds.command(name="list")
@configured
def list_feeds(config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Every feed that is followed, and how it is."""
    from pipeline.feed_health import health, health_text

    found = health(load(config, output, changes), datetime.now(UTC))
    print_json(found) if as_json else click.echo(health_text(found))


@feeds.command()
@configured
@click.argument("url", required=False, metavar="URL")
def check(config: str | None, url: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Fetch a feed once, and say all there is to see. Exit status 1 if it is no feed."""
    from pipeline.feed_check import check_feed, checked_text

    config, url = config_and("a feed's address", config, url)
    loaded = load(config, output, changes)
    seen = check_feed(loaded, _feed(loaded, url), datetime.now(UTC))
    print_json(seen) if as_json else click.echo(checked_text(seen))
    if seen.outcome != "feed":
        raise WorldError(f"{url} is no feed that can be read.")


@feeds.command()
@configured
@click.argument("url", required=False, metavar="URL")
@click.option("--full-text", is_flag=True, help="Fetch the page of each new entry.")
@click.option("--interval", metavar="TIME", help='The least time between two polls, such as "2 h".')
@click.option("--section", metavar="NAME", help="The section of entries that name none.")
@click.option("--group", metavar="NAME", help="A group of the configuration, whose options it has.")
def add(
    config: str | None,
    url: str | None,
    output: str | None,
    changes: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Follow a feed, or the likeliest that a page names. `run` finds it in the warehouse."""
    from pipeline.feed_changes import add_feeds
    from pipeline.feed_check import feed_at
    from pipeline.following import as_entry, resolved

    config, url = config_and("the address of a feed or a page", config, url)
    loaded = _writable(load(config, output, changes))
    found = feed_at(loaded, _feed(loaded, url), datetime.now(UTC))
    said = {name: value for name, value in options.items() if value}
    entry = as_entry({"url": found.url, **said}, found.url)
    resolved(loaded, entry)
    is_new = add_feeds(loaded, [entry.model_dump(exclude_defaults=True)])
    print_json(found) if as_json else click.echo(found.url)
    for other in found.others:
        click.echo(f"The page names another, too: {visible(other)}", err=True)
    click.echo("It is followed now." if is_new else "It was followed already.", err=True)


@feeds.command()
@configured
@click.argument("url", required=False, metavar="URL")
def remove(config: str | None, url: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Follow an added feed no longer. Its articles stay."""
    from pipeline.feed_changes import remove_feed

    config, url = config_and("a feed's address", config, url)
    loaded = load(config, output, changes)
    warehouse_of(loaded)
    remove_feed(loaded, url)


@feeds.command(name="import")
@configured
@click.argument("path", required=False, metavar="FILE")
def import_feeds(
    config: str | None, path: str | None, output: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Follow the feeds of a list: OPML, or a text with an address a line. Folders that are called like groups of the
    configuration are these groups."""
    from pipeline.feed_changes import add_feeds
    from pipeline.following import listed

    config, path = config_and("a file with a list of feeds", config, path)
    loaded = _writable(load(config, output, changes))
    entries = listed(path, loaded.feeds.groups, lambda problem: click.echo(visible(problem), err=True))
    added = add_feeds(loaded, [entry.model_dump(exclude_defaults=True) for entry in entries])
    click.echo(f"{added:,} of {len(entries):,} feeds are new in {loaded.output}.", err=True)


@feeds.command()
@configured
def export(config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Print every feed that is followed as OPML 2.0, groups as folders."""
    from pipeline.feed_health import as_opml, health

    data = as_opml(health(load(config, output, changes), datetime.now(UTC)))
    click.echo(data, nl=False)


def _feed(config: Any, url: str) -> Any:
    """A feed as it would be polled: with the options of its group, and those that the configuration has for it."""
    from pipeline.following import as_entry, listed_in, resolved

    entry = as_entry(url, url)
    return resolved(config, next((one for one in listed_in(config) if one.url == entry.url), entry))


def _writable(config: Any) -> Any:
    if not config.output:
        raise UsageError("Where is it to be remembered? Give --output DIR, or a configuration that names one.")
    return config
