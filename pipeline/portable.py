"""Other engines: Prism, Flink, and whatever else runs Beam pipelines. Their options are Beam's own, passed through.

A batch is one job. The workers need what this process has: newsbeam, its models, the warehouse and the inputs under the
same names. A first small job asks them, since an engine whose workers cannot start waits for them without a word.
"""

import logging
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.config import Config
from pipeline.engine import Listener, explained
from pipeline.steps import Batch, Steps
from pipeline.versions import versions
from pipeline.warehouse import exists
from schemas.errors import UsageError, WorldError

if TYPE_CHECKING:
    import apache_beam as beam

ANSWER_WITHIN = 60.0
"""Seconds in which a worker must have answered. A Flink cluster that has room needs 5 to 15."""
_TOOLS = Path(__file__).parents[1] / ".tools/bin"


class PortableEngine:
    """Sends batches to another engine, one job each. A context manager."""

    def __init__(self, config: Config, options: Sequence[str], listener: Listener) -> None:
        self.config, self._listener = config, listener
        self.options = engine_options(config.runner, options)
        logging.getLogger().addHandler(logging.NullHandler())  # else Beam prints its every move

    def __enter__(self) -> Self:
        self._run(lambda pipeline: ask_worker(pipeline, self.config), ANSWER_WITHIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept between jobs."""

    def __call__(self, batch: Batch, steps: Steps) -> None:
        """Send a batch down the line, to its end. Raises WorldError if the job fails."""
        import apache_beam as beam

        from pipeline.line import line

        self._run(lambda pipeline: line(pipeline | "ticks" >> beam.Create([batch]), steps))
        self._listener("committed", str(batch.number))

    def _run(self, build: Callable[["beam.Pipeline"], Any], seconds: float | None = None) -> None:
        """Run one pipeline. A signal or the time's end cancels it."""
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        pipeline = beam.Pipeline(options=PipelineOptions(self.options))
        build(pipeline)
        error: list[BaseException] = []
        try:
            job = pipeline.run()
        except Exception as problem:
            raise WorldError(explained(problem)) from problem

        def wait() -> None:
            try:
                state = job.wait_until_finish()
                if state not in (None, "DONE"):
                    raise WorldError(f"The engine ended the job as {state}; its own log says why.")
            except BaseException as problem:
                error.append(problem)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        deadline = time.monotonic() + seconds if seconds else None
        try:
            while thread.is_alive():
                thread.join(0.1)
                if deadline and time.monotonic() > deadline:
                    raise WorldError(NO_ANSWER)
        except BaseException:
            cancelling = threading.Thread(target=job.cancel, daemon=True)
            cancelling.start()
            cancelling.join(5)
            raise
        if error:
            raise WorldError(explained(error[0])) from error[0]


NO_ANSWER = (
    f"No worker of the engine answered within {ANSWER_WITHIN:.0f} s. Start workers where newsbeam is installed, with "
    "its environment first on PATH (docs/cluster.md); check --environment_config, and that the engine has free slots."
)


def ask_worker(pipeline: "beam.Pipeline", config: Config) -> None:
    """A job that fails, and says why, where a worker lacks something."""
    import apache_beam as beam

    pipeline | "ask" >> beam.Create([None]) | "a worker" >> beam.Map(lambda _: check_worker(config, versions()))


def check_worker(config: Config, expected: Sequence[str]) -> None:
    """Raises WorldError where this process lacks what the driver has: a version, a model, the warehouse."""
    from transforms.names import namer

    if other := sorted(set(versions()) - set(expected)):
        raise WorldError(f"A worker has {', '.join(other)}, and this process has not: install the same everywhere.")
    for model in {model for model in config.models.values() if model}:
        namer(model)
    if not exists(config.output):
        raise WorldError(f"A worker does not find the warehouse {config.output}: use a shared folder or s3://.")


def engine_options(runner: str, options: Sequence[str]) -> list[str]:
    """Beam's options for an engine, with what it needs to be found.

    Raises WorldError where there is no Prism, or no job server answers.
    """
    result = [f"--runner={runner}", *options]
    if runner == "PrismRunner":
        if not _value(options, "prism_location"):
            result.append(f"--prism_location={_prism()}")
        if not _value(options, "environment_type"):
            result.append("--environment_type=LOOPBACK")
    elif endpoint := _value(options, "job_endpoint"):
        _check_endpoint(endpoint)
    elif runner == "PortableRunner":
        raise UsageError("PortableRunner needs the address of a job server: -- --job_endpoint=HOST:PORT.")
    return result


def _value(options: Sequence[str], name: str) -> str:
    """The value of one of Beam's options; empty if it is not given."""
    found = re.search(rf"--{name}[= ](\S+)", " ".join(options))
    return found[1] if found else ""


def _prism() -> str:
    for found in (shutil.which("prism"), _TOOLS / "prism"):
        if found and Path(found).is_file():
            return str(found)
    raise WorldError(
        "There is no `prism` on PATH. `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0` makes one; "
        "or give -- --prism_location=PATH."
    )


def _check_endpoint(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise WorldError(f"No job server answers at {endpoint} ({error}): start Beam's job server there.") from error
