"""One folder for all that a command and Beam put aside while they work. Beam forgets to remove much of its own."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = "newsbeam-run-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in which `tempfile`, and so Beam, makes what it makes; it is removed with all of that.

    A process that is killed leaves its folder, and the next one removes it: the lock on it tells that nobody uses it.
    """
    above = tempfile.gettempdir()
    _tidy(Path(above))
    made = Path(tempfile.mkdtemp(prefix=f".{_NAME}"))
    lock = os.open(made, os.O_RDONLY)
    with suppress(OSError):  # a file system without locks: then nobody takes one for free, either
        fcntl.flock(lock, fcntl.LOCK_EX)
    folder = made.rename(made.with_name(made.name[1:]))  # only now another could take it for one that was left
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = above
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _tidy(above: Path) -> None:
    for left in above.glob(f"{_NAME}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(lock)
