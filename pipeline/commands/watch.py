"""`newsbeam watch`: read for ever what is new."""

from typing import Any

import click

from pipeline.commands.shared import config_or_option, configured, load, print_json, reading, whole_path


@click.command(name="watch")
@configured
@reading
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

    config, beam_options = config_or_option(config, beam_options)
    loaded: Any = load(config, output, changes, input=tuple(map(whole_path, inputs)), runner=runner)
    summary, flow = Summary(), Flow()
    with WatchReport(summary, flow) as report:
        watch(loaded, beam_options, summary, flow, report)
    if as_json:
        print_json(summary)
    click.echo(summary_text(summary, loaded.output), err=True)
