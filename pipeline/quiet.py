"""Which files are whole, and which are still being written."""

from collections.abc import Iterable

from transforms.files import Info

_UNFINISHED = (".tmp", ".part")
"""Endings of files that their writers will rename."""


class Quiet:
    """Tells which files are whole: unchanged for some seconds, by their own time or by our watching."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[str, float]] = {}

    def whole(self, infos: Iterable[Info], now: float, clock: float) -> list[Info]:
        """The files that may be read. `now` is the time of day, `clock` one that never goes back."""
        seen, whole = {}, []
        for info in infos:
            version, since = self._seen.get(info.name, ("", clock))
            since = since if version == info.version else clock
            seen[info.name] = (info.version, since)
            long_ago = 0 <= now - info.modified > self._seconds or clock - since >= self._seconds
            if long_ago and not info.name.endswith(_UNFINISHED):
                whole.append(info)
        self._seen = seen
        return whole
