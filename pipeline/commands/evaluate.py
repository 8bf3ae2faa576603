"""`newsbeam evaluate`: how good copies, names and topics are on somebody's own labelled data."""

import json
from datetime import UTC, datetime

import click

from pipeline.commands.shared import config_and, configured, load, print_json, warehouse_of


@click.group()
def evaluate() -> None:
    """Measure copies, names or topics on a labelled file of your own."""


@evaluate.command(name="topics")
@configured
@click.argument("file", required=False)
def evaluate_topics_command(
    config: str | None, file: str | None, output: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Precision, recall, F1 and calibration of topics, and the most frequent mistakes.

    FILE holds articles as `run` reads them, each with its `topic`: JSON Lines with title or text, say.
    """
    from pipeline.evaluate_topics import evaluate_topics, evaluation_json, evaluation_text
    from pipeline.labelled import read_labelled

    config, file = config_and("a file of articles with their topics", config, file)
    loaded = load(config, output, changes)
    filed = loaded.filing()
    articles = read_labelled(file, loaded.columns, filed.path, datetime.now(UTC))
    found = evaluate_topics(articles, filed)
    print_json(evaluation_json(found)) if as_json else click.echo("\n".join(evaluation_text(found)))


@evaluate.command(name="entities")
@configured
@click.option("--language", default="en", show_default=True, metavar="CODE", help="The language of the texts.")
@click.argument("file", required=False)
def evaluate_entities_command(
    config: str | None, file: str | None, language: str, output: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Precision, recall and F1 of names, confusion, and the most frequent mistakes.

    FILE holds texts with their names: JSON Lines ({"text": …, "entities": [[start, end, label], …]}) or CoNLL.
    """
    from pipeline.evaluate_names import evaluate_names, read_labelled, result_json, result_text

    config, file = config_and("a file of texts with their names", config, file)
    loaded = load(config, output, changes)
    result = evaluate_names(read_labelled(file), loaded.models, language, loaded.names.gazetteer)
    print_json(result_json(result)) if as_json else click.echo(result_text(result))


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
