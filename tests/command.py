"""Calling the command as a user does, in a process of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE = 570.0
"""Seconds that one command may take on a busy machine; a test may take a little more (pyproject.toml)."""


def start(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    """Start `newsbeam` with its own process group, so that all of it can be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        **options,  # type: ignore[call-overload]
    )


def newsbeam(*arguments: str, status: int | None = 0, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run `newsbeam` to its end; it must end with the status, and never with a traceback."""
    process = start(*arguments, **options)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    assert status is None or process.returncode == status, (process.returncode, out, err)
    assert "Traceback (most recent call last)" not in err, err
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def kill(process: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
    """Send a signal to the whole process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.communicate()
