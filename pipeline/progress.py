"""How a worker tells the driver what it has done: short lines through a pipe that it inherits. Silent elsewhere."""

import os
from contextlib import suppress

from transforms.files import asked

_pipe: int | None = None


def connect(pipe: int | None) -> None:
    """Tell through this file descriptor from now on; children that are forked do so too."""
    global _pipe
    _pipe = pipe


def tell(what: str, value: object) -> None:
    """One short line, written at once, so that lines of several processes don't mix (4,096 bytes are)."""
    if _pipe is not None:
        with suppress(OSError):
            os.write(_pipe, f"{what} {' '.join(str(value).split())[:1000]}\n".encode())


def tell_requests() -> None:
    """Tell how often object stores were asked since this was last told. The driver counts its own."""
    if _pipe is not None and (count := asked()):
        tell("requests", count)
