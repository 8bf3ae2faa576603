"""What commands share: how they find their configuration and warehouse, and how they print results."""

import json
import os
from collections.abc import Sequence
from typing import Any

import click
import msgspec
import yaml

from schemas.errors import UsageError


def configured(function: Any) -> Any:
    """The arguments by which every command finds its configuration and its warehouse."""
    options = (
        click.argument("config", required=False),
        click.option("--output", metavar="DIR", help="The folder of the warehouse."),
        click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def reading(function: Any) -> Any:
    """The arguments of a command that reads inputs: which, where to run, and Beam's own options after `--`."""
    options = (
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="PATH_OR_URL",
            help="Files, folders or globs to read, feeds or OPML; repeatable.",
        ),
        click.option("--runner", metavar="NAME", help="Where to run; DirectRunner is this machine."),
        click.argument("beam_options", nargs=-1, type=click.UNPROCESSED),
    )
    for option in reversed(options):
        function = option(function)
    return function


def config_or_option(config: str | None, options: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The configuration and Beam's options: without a configuration, what stands first is an option after `--`."""
    return (None, (config, *options)) if config and config.startswith("-") else (config, options)


def load(config: str | None, output: str | None, changes: Sequence[str], **more: Any) -> Any:
    """The configuration with the command's changes, its output as a whole path."""
    from pipeline.config import load_config

    values: dict[str, Any] = {}
    for change in changes:
        key, found, value = change.partition("=")
        if not found:
            raise UsageError(f"--set {change}: give a key and a value, such as batch.bytes=8MB.")
        values[key] = yaml.safe_load(value)
    if output:
        values["output"] = whole_path(output)
    return load_config(config, values | {key: value for key, value in more.items() if value})


def config_and(what: str, config: str | None, value: str | None) -> tuple[str | None, str]:
    """The configuration, which may be left out, and the argument after it."""
    if config is None:
        raise UsageError(f"What is asked? Give {what}.")
    return (None, config) if value is None else (config, value)


def whole_path(path: str) -> str:
    """A path as seen from here, whatever the configuration's root; an address as it is."""
    return path if "://" in path else os.path.abspath(path)


def warehouse_of(config: Any) -> str:
    """The warehouse of a command that reads one. Raises UsageError if there is none."""
    from pipeline.warehouse import must_exist

    if not config.output:
        raise UsageError("Which warehouse? Give --output DIR, or a configuration that names one.")
    must_exist(config.output)
    return str(config.output)


def print_json(value: Any) -> None:
    click.echo(json.dumps(msgspec.to_builtins(value, str_keys=True), ensure_ascii=False, indent=2))
