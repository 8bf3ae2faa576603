"""`newsbeam evaluate`: how good copies, names and topics are on somebody's own labelled data."""

import json

import click

from pipeline.commands.shared import configured, load, print_json, warehouse_of


@click.group()
def evaluate() -> None:
    """Measure copies, names or topics on a labelled file of your own."""


@evaluate.command()
@configured
@click.argument("file", required=False)
@click.option("--pairs", type=click.IntRange(2), default=50, help="How many pairs to draw; 50 by default.")
def dedup(
    config: str | None, file: str | None, output: str | None, changes: tuple[str, ...], as_json: bool, pairs: int
) -> None:
    """Precision, recall and the worst mistakes on FILE; without one, pairs of the warehouse to label.

    FILE is JSON Lines: pairs `{"a": {"title": …, "text": …}, "b": {…}, "same": true}`, or articles
    `{"title": …, "text": …, "cluster": …}`. Thresholds are those of the configuration: `--set dedup.jaccard=0.5`.
    """
    from pipeline.evaluate_copies import borderline, report_text
    from pipeline.evaluate_copies import evaluate as evaluated

    if file is None and config and not config.endswith((".yaml", ".yml")):
        config, file = None, config
    loaded = load(config, output, changes)
    rules = loaded.dedup.rules()
    if file:
        report = evaluated(file, rules)
        print_json(report) if as_json else click.echo(report_text(report))
        return
    drawn = borderline(warehouse_of(loaded), rules, pairs)
    for row in drawn:
        click.echo(json.dumps(row, ensure_ascii=False))
    click.echo(
        f"{len(drawn)} pairs. Save them as a file, set `same` of each to true or false, and give it to "
        "`newsbeam evaluate dedup FILE`.",
        err=True,
    )
