"""The in-process engine: Beam's FnApiRunner by class, one worker process per core, kept from batch to batch.

`DirectRunner` by name would first try to download and start Prism; and its running mode `multi_threading` loses
elements without a word (measured: three runs of three), so it is refused.
"""

import logging
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipeline.config import Config
from pipeline.steps import Batch, Steps
from pipeline.temporary import temporary_folder
from schemas.errors import UsageError, WorldError, disk_trouble

if TYPE_CHECKING:
    import apache_beam as beam

Listener = Callable[[str, str], None]
"""Is told what workers do: a word such as `names`, and a value."""
Line = Callable[[Batch, Steps], None]
"""Sends a batch down the line, to its end."""


def cores(config: Config) -> int:
    """Worker processes to use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return config.workers or usable or 1


def check_options(options: Sequence[str]) -> None:
    """Raises UsageError for Beam options that this engine cannot be trusted with."""
    given = " ".join(options)
    if "multi_threading" in given:
        raise UsageError(
            "direct_running_mode=multi_threading silently loses elements (three runs of three): leave it out; "
            "newsbeam uses one worker process per core."
        )
    if "direct_running_mode" in given or "direct_num_workers" in given:
        raise UsageError(
            "newsbeam runs one worker process per core; set `workers` in the configuration for another number."
        )


class Engine:
    """Worker processes with everything loaded, and the runner that sends batches to them. A context manager."""

    def __init__(self, config: Config, options: Sequence[str], listener: Listener) -> None:
        check_options(options)
        self.config, self.options, self._listener = config, options, listener
        self._ready, self._failed = threading.Event(), threading.Event()
        self._reason = ""
        logging.getLogger().addHandler(logging.NullHandler())  # else Beam prints its workers' every move
        threading.excepthook = lambda _: None  # Beam's threads would say at length that they lost their workers

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(temporary_folder())
        receive, send = os.pipe()
        models = sorted({model for model in self.config.models.values() if model})
        arguments = [self._socket, str(send), str(cores(self.config)), *models]
        command = [sys.executable, "-m", "pipeline.worker", *arguments]
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log.open("wb"), pass_fds=[send]
        )
        os.close(send)
        self._ears = threading.Thread(target=self._listen, args=(receive,), daemon=True)
        self._ears.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._stack.close()

    def end(self) -> None:
        """End the server and all workers, and wait until they are gone: then none of them can still commit."""
        if self._server.stdin:
            self._server.stdin.close()
        self._ears.join(10)  # the pipe ends with the last process that could write to it
        self._server.kill()
        self._server.wait()

    @property
    def _socket(self) -> str:
        return str(self._folder / "socket")

    @property
    def _log(self) -> Path:
        return self._folder / "workers.log"

    def __call__(self, batch: Batch, steps: Steps) -> None:
        """Send a batch down the line, to its end.

        Raises WorldError if it fails, if a worker dies, or if the server cannot be started; then no worker is left.
        """
        pipeline = self._line(batch, steps)
        error: list[BaseException] = []

        def work() -> None:
            try:
                pipeline.run().wait_until_finish()
            except BaseException as problem:
                error.append(problem)

        thread = threading.Thread(target=work, daemon=True)
        try:
            while not self._ready.wait(0.1):
                self._check()
            thread.start()
            while thread.is_alive():
                thread.join(0.1)
                self._check()
            if error:
                raise WorldError(explained(error[0])) from error[0]
        except BaseException:
            self.end()
            raise

    def _line(self, batch: Batch, steps: Steps) -> "beam.Pipeline":
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner
        from apache_beam.transforms.environments import SubprocessSDKEnvironment

        from pipeline.line import line

        client = Path(__file__).with_name("worker_client.py")
        command = shlex.join([sys.executable, "-S", "-E", str(client), self._socket])
        runner = FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))
        options = [f"--direct_num_workers={cores(self.config)}", *self.options]
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        line(pipeline | "ticks" >> beam.Create([batch]), steps)
        return pipeline

    def _check(self) -> None:
        if self._server.poll() is not None and not self._failed.is_set():
            self._failed.set()
            self._reason = self._reason or explained(RuntimeError(self._log.read_text()[-2000:]))
        if self._failed.is_set():
            raise WorldError(self._reason)

    def _listen(self, pipe: int) -> None:
        with open(pipe, encoding="utf-8") as lines:
            for line in lines:
                what, _, value = line.rstrip("\n").partition(" ")
                match what:
                    case "ready":
                        self._ready.set()
                    case "error":
                        self._reason = value
                        self._failed.set()
                    case "died":
                        memory = (
                            " Was there not enough memory? Then lower batch.bytes or workers." if value == "-9" else ""
                        )
                        self._reason = (
                            f"A worker process ended by itself ({value}).{memory} "
                            "What was committed is safe; run the same command again to go on."
                        )
                        self._failed.set()
                    case _:
                        self._listener(what, value)


def engine_for(config: Config, options: Sequence[str], listener: Listener) -> AbstractContextManager["Line"]:
    """What sends batches down the line on the engine that the configuration names.

    Raises UsageError and WorldError for an engine that cannot be used so.
    """
    if config.runner == "DirectRunner":
        return Engine(config, options, listener)
    from pipeline.portable import PortableEngine

    return PortableEngine(config, options, listener)


def explained(error: BaseException) -> str:
    """What went wrong in a pipeline, as a sentence: Beam gives a traceback as text."""
    text = str(error)
    if own := re.findall(r"WorldError: (.*?)(?: \[while running|\n|\Z)", text):
        return str(own[-1]).strip()
    if disk := re.findall(r"^\w*Error: (\[Errno \d+\] [^\n]*?)(?: \[while running|$)", text, re.M):
        return disk_trouble(disk[-1])
    lines = [line for line in text.splitlines() if re.match(r"\w[\w.]*(Error|Exception|Interrupt)\b", line)]
    reason = (lines or text.splitlines() or [type(error).__name__])[-1]
    return f"The line failed: {reason[:1000]}. What was committed is safe. (NEWSBEAM_TRACEBACK=1 shows it all.)"
