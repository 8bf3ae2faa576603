"""`newsbeam watch`: read for ever what is new."""

from typing import Any

import click

from pipeline.commands.shared import configured, load, print_json, whole_path


@click.command(name="watch")
@configured
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="PATH_OR_URL",
    help="Files, folders or globs to read, feeds or OPML; repeatable.",
)
@click.option("--runner", metavar="NAME", help="Where to run; DirectRunner is this machine.")
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED)
def watch_command(
    config: str | None,
    output: str | None,
    changes: tuple[str, ...],
    as_json: bool,
    inputs: tuple[str, ...],
    runner: str | None,
    beam_options: tuple[str, ...],
) -> None:
    """Read all that is new, now and as it comes. SIGTERM or Ctrl-C: the batch at hand is committed, and it ends.

    CONFIG is a YAML file (`newsbeam config init` prints one); options of Beam's follow after `--`.
    """
    from pipeline.report import summary_text
    from pipeline.run import Summary
    from pipeline.watch import Flow, watch
    from pipeline.watch_report import WatchReport

    if config and config.startswith("-"):  # no configuration, so what stands first is an option after `--`
        beam_options, config = (config, *beam_options), None
    loaded: Any = load(config, output, changes, input=tuple(map(whole_path, inputs)), runner=runner)
    summary, flow = Summary(), Flow()
    with WatchReport(summary, flow) as report:
        watch(loaded, beam_options, summary, flow, report)
    if as_json:
        print_json(summary)
    click.echo(summary_text(summary, loaded.output), err=True)
