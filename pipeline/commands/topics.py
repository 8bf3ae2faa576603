"""`newsbeam topics`: models of topics of one's own."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.commands.shared import config_and, configured, load, print_json
from schemas.errors import UsageError


@click.group()
def topics() -> None:
    """Train a model of topics of your own."""


@topics.command()
@configured
@click.argument("file", required=False)
def train(config: str | None, file: str | None, output: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Learn the topics of `topics.taxonomy` from FILE, write `topics.model`, and say how good it is.

    FILE holds articles as `run` reads them, each with its `topic`. Eight tenths teach, one tunes the scores, and what
    is printed is measured on the last, which the model never saw.
    """
    from pipeline.evaluate_topics import evaluation_json, evaluation_text
    from pipeline.labelled import read_labelled
    from pipeline.topics_own import train_own
    from transforms.files import store_at
    from transforms.topics import Filing, TextModel, is_function

    config, file = config_and("a configuration, and a file of articles with their topics", config, file)
    loaded = load(config, output, changes)
    path = loaded.model_path()
    if not path or is_function(path):
        raise UsageError("Where to put the model? Give `topics.model`, a file, in the configuration.")
    articles = read_labelled(file, loaded.columns, loaded.taxonomy_path(), datetime.now(UTC))
    nothing = TextModel("", lambda texts: [])
    filed = Filing(loaded.taxonomy_path(), nothing, loaded.topics.threshold, loaded.topics.languages)
    own = train_own(articles, filed, Path(path).stem)
    folder, _, name = path.rpartition("/")
    store_at(folder or "/").write(name, own.file)
    if as_json:
        print_json({"model": path, "taught": own.taught, "tuned": own.tuned, "test": evaluation_json(own.evaluation)})
        return
    click.echo("\n".join(evaluation_text(own.evaluation)))
    click.echo(f"{path} is written, from {own.taught:,} lessons; its scores are tuned on {own.tuned:,}.", err=True)
