"""Other engines: Prism, Flink, and whatever else runs Beam pipelines. Their options are Beam's own, passed through.

A batch is one job. The workers need what this process has: newsbeam, its models, the warehouse and the inputs under the
same names. A first small job asks them, since an engine whose workers cannot start waits for them without a word.
"""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.config import Config
from pipeline.engine import Listener, explained
from pipeline.own_parts import check_own_parts
from pipeline.prism import Prism, prism_binary, serves
from pipeline.steps import Batch, Steps
from pipeline.temporary import temporary_folder
from pipeline.versions import versions
from pipeline.warehouse import exists
from schemas.errors import UsageError, WorldError

if TYPE_CHECKING:
    import apache_beam as beam

_FLINK = ("FlinkRunner", "PortableRunner")
_STREAMING = (
    "--checkpointing_interval=5000",
    # else what a checkpoint finds half done waits in a buffer until more comes the same way, and that may be never
    "--finish_bundle_before_checkpointing",
    # until it is known that a TaskManager is lost; then the driver starts another job, and one without a driver ends
    "--number_of_execution_retries=4",
    "--execution_retry_delay=6000",
)
"""Flink's options for a stream, unless others are given."""


class PortableEngine:
    """Sends batches to another engine, one job each. A context manager."""

    def __init__(self, config: Config, options: Sequence[str], listener: Listener) -> None:
        self.config, self._listener = config, listener
        self.options = engine_options(config.runner, options)
        logging.getLogger().addHandler(logging.NullHandler())  # else Beam prints its every move
        threading.excepthook = lambda _: None  # Beam's threads would say at length that their job has ended

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(temporary_folder())
            if self.config.runner == "PrismRunner":
                prism = stack.enter_context(Prism(prism_binary(_value(self.options, "prism_location"))))
                self.options += ["--runner=PortableRunner", f"--job_endpoint={prism.endpoint}"]
            self._ask_worker()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, batch: Batch, steps: Steps) -> None:
        """Send a batch down the line, to its end. Raises WorldError if the job fails."""
        import apache_beam as beam

        from pipeline.line import line

        self._run(lambda pipeline: line(pipeline | "ticks" >> beam.Create([batch]), steps))
        self._listener("committed", str(batch.number))

    def stream(self, job: str) -> "Job":
        """Start the line without an end, for a driver of that name."""
        from pipeline.line import stream
        from pipeline.stream import StreamSteps

        def build(pipeline: "beam.Pipeline") -> None:
            ticks = _ticks(self.config.runner, self.config.watch.interval)
            stream(pipeline | "ticks" >> ticks, StreamSteps(self.config, job))

        given, ours = " ".join(self.options), _STREAMING if self.config.runner in _FLINK else ()
        more = [option for option in ours if option.partition("=")[0] not in given]
        return Job([*self.options, "--streaming", *more], build)

    def _ask_worker(self) -> None:
        """A first small job. Raises WorldError where no worker answers in time, or one lacks something."""
        from pipeline.line import asked

        try:
            self._run(lambda pipeline: asked(pipeline, self.config, versions()), self.config.worker_timeout)
        except WorldError as error:
            for sign, sentence in _WORKER_TROUBLE.items():
                if found := re.search(sign, str(error.__cause__)):
                    raise WorldError(sentence.format(*found.groups())) from error
            raise

    def _run(self, build: Callable[["beam.Pipeline"], Any], seconds: float | None = None) -> None:
        """Run one pipeline to its end. A signal or the time's end cancels it."""
        with Job(self.options, build) as job:
            deadline = time.monotonic() + seconds if seconds else None
            while job.runs(0.1):
                if deadline and time.monotonic() > deadline:
                    raise WorldError(_NO_ANSWER.format(seconds))


def _ticks(runner: str, seconds: float) -> "beam.PTransform":
    """A source of ticks, on Flink of its own kind: one without state, a tick from each part of the job.

    Beam's PeriodicImpulse leaves there a bit of state at each tick that is never freed (apache/beam#27648).
    """
    if runner in _FLINK:
        from apache_beam.io.flink.flink_streaming_impulse_source import FlinkStreamingImpulseSource

        return FlinkStreamingImpulseSource().set_interval_ms(max(1, round(seconds * 1000)))
    from apache_beam.transforms.periodicsequence import PeriodicImpulse
    from apache_beam.utils.timestamp import Timestamp

    return PeriodicImpulse(start_timestamp=Timestamp.now(), fire_interval=seconds)


class Job:
    """A pipeline that runs. A context manager, which cancels what still runs at its end."""

    def __init__(self, options: Sequence[str], build: Callable[["beam.Pipeline"], Any]) -> None:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        pipeline = beam.Pipeline(options=PipelineOptions(options))
        build(pipeline)
        self._error: list[BaseException] = []
        try:
            self._result = pipeline.run()
        except Exception as problem:
            raise WorldError(explained(problem)) from problem
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            cancelling = threading.Thread(target=self._result.cancel, daemon=True)
            cancelling.start()
            cancelling.join(10)

    def runs(self, seconds: float) -> bool:
        """Whether it still runs after some seconds. Raises WorldError if it failed."""
        self._thread.join(seconds)
        if self._error:
            error = self._error[0]
            gone = type(error).__name__ in ("_MultiThreadedRendezvous", "_InactiveRpcError")
            reason = "The engine went away. What was committed is safe; run the same command again."
            raise WorldError(reason if gone else explained(error)) from error
        return self._thread.is_alive()

    def _wait(self) -> None:
        try:
            state = self._result.wait_until_finish()
            if state not in (None, "DONE"):
                raise WorldError(f"The engine ended the job as {state}; its own log says why.")
        except BaseException as problem:
            self._error.append(problem)


_NO_ANSWER = (
    "No worker of the engine answered within {:.0f} s. Start workers where newsbeam is installed, with "
    "its environment first on PATH (docs/cluster.md); check --environment_config, and that the engine has free slots."
)


_INSTALL = "install there what is installed here."
_WORKER_TROUBLE = {
    r"No module named '([\w.]+)'": f"A worker lacks the package {{}}: {_INSTALL}",
    r"finishConnect.*(refused)": "No pool of workers answers at the address in --environment_config: start one there.",
    r"Process died with exit code (\d+)": "A worker ended at its start, with status {}: run the command of "
    "--environment_config by hand, where the engine runs, and see why.",
    r"IOException: error=\d+, ([\w ]+)": "The engine cannot start the command of --environment_config ({}): "
    "newsbeam must be installed in that place, where the engine runs.",
}
"""What an engine says of workers that cannot work, and how we say it."""


def check_worker(config: Config, expected: Sequence[str]) -> None:
    """Raises WorldError where this process lacks what the driver has: a version, a model, a file, the warehouse."""
    from transforms.names import namer

    if other := sorted(set(versions()) - set(expected)):
        raise WorldError(f"A worker has {', '.join(other)}, and this process has not: {_INSTALL}")
    try:
        for model in {model for model in config.models.values() if model}:
            namer(model)
        check_own_parts(config)
        config.filing()
    except (UsageError, WorldError) as error:
        raise WorldError(f"On a worker: {error}") from error
    if not exists(config.output):
        raise WorldError(f"A worker does not find the warehouse {config.output}: use a shared folder or s3://.")


def engine_options(runner: str, options: Sequence[str]) -> list[str]:
    """Beam's options for an engine, with what it needs to be found.

    Raises WorldError where there is no Prism, or no job server answers.
    """
    result = [f"--runner={runner}", "--experiments=disable_logging_submission_environment", *options]
    if runner == "PrismRunner":
        prism_binary(_value(options, "prism_location"))
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


def _check_endpoint(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise WorldError(f"No job server answers at {endpoint} ({error}): start Beam's job server there.") from error
    if not serves(endpoint):
        raise WorldError(f"What answers at {endpoint} is no job server of Beam's: check --job_endpoint.")
