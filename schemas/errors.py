"""The two kinds of failure that end a command. Anything else that goes wrong with an article is data."""


class WorldError(Exception):
    """The world failed: disk, engine, model. The message says what happened and how to put it right. Exit status 1."""

    status = 1


class UsageError(WorldError):
    """The command or its configuration is wrong. Exit status 2."""

    status = 2


class Busy(WorldError):
    """Another process holds the warehouse. Exit status 75."""

    status = 75


def disk_trouble(error: str) -> str:
    """What to say when the disk refused something: the system's own words, and what to do."""
    return f"{error}. What was committed is safe; mend that (make room, allow writing) and run the same command again."
