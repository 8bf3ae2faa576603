"""The line without Beam: the same steps called one after the other. What the engine does must come out the same."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.config import Config
from pipeline.lock import held
from pipeline.run import Session, Summary, new_inputs
from pipeline.steps import Batch, Steps
from transforms.files import store_at

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def plain_line(batch: Batch, steps: Steps) -> None:
    """Send a batch through all steps in this process."""
    read = [steps.read(chunk) for chunk in steps.plan(batch)]
    decided = steps.recognise_copies(read)
    done = [steps.add_columns(steps.find_topics(steps.find_names(chunk))) for chunk in decided]
    for _ in steps.commit(steps.write(done)):
        pass


def plain_run(config: Config, limit: int | None = None) -> Summary:
    """`run` without the engine."""
    summary = Summary()
    with held(store_at(config.output)):
        session = Session(config, new_inputs(config), summary, now=NOW)
        while batch := session.plan(None if limit is None else limit - summary.read):
            session.send(batch, plain_line)
    return summary


def plain_config(root: Path, output: Path | str, *inputs: str, **more: object) -> Config:
    """A configuration without models, for tests of what is around the names."""
    values = {"input": inputs or (".",), "root": str(root), "output": str(output), "models": {"en": None}, **more}
    return Config.model_validate(values)
