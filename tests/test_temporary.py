"""What Beam forgets to remove is removed with our folder, and with the next one where a process was killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.temporary import temporary_folder
from tests.command import PROJECT, newsbeam

KILLED = """
import os, signal, tempfile
from pipeline.temporary import temporary_folder
with temporary_folder():
    tempfile.mkdtemp()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "above").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "above"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "above"


def killed(above: Path) -> int:
    """Let a process be killed that has a folder in a folder; its status."""
    environment = {**os.environ, "TMPDIR": str(above)}
    return subprocess.run([sys.executable, "-c", KILLED], cwd=PROJECT, env=environment, check=False).returncode


def test_who_is_killed_is_tidied_up_after(above: Path) -> None:
    assert killed(above) == -signal.SIGKILL and len(list(above.glob("newsbeam-run-*/*"))) == 1
    with temporary_folder() as outer, temporary_folder() as inner:
        (inner / "a").write_text("a")
        assert list(above.iterdir()) == [outer] and inner.parent == outer
        killed(outer)
        assert inner.exists()  # it is in use
    assert list(above.iterdir()) == []


def test_nothing_is_left_of_a_run(above: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A headline\n\nAnd a text that is long enough to be one.\n")
    newsbeam("run", "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out"), "--set", "models.en=null")
    assert list(above.iterdir()) == []
