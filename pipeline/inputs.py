"""Which files a run reads: files, folders and globs as names below the root, in a fixed order."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence

from schemas.errors import UsageError
from transforms.files import Info, Store


def list_inputs(store: Store, patterns: Sequence[str], warehouse: str) -> list[Info]:
    """Every file that the patterns name, once, sorted by name; never those of the warehouse itself.

    Files whose name begins with a dot or an underscore are left out of folders and globs. A file outside of the root
    is named by its whole path. Raises UsageError for a pattern that matches nothing.
    """
    found: dict[str, Info] = {}
    inside = os.path.join(os.path.realpath(warehouse), "")
    for pattern in patterns:
        matched = False
        for info in _matches(store, pattern):
            matched = True
            if not os.path.realpath(store.path(info.name)).startswith(inside):
                found[info.name] = info
        if not matched:
            raise UsageError(f"{pattern}: no such file or folder below {store.root}, or nothing in it.")
    return [found[name] for name in sorted(found)]


def _matches(store: Store, pattern: str) -> Iterator[Info]:
    name = _name(store, pattern)
    path = store.path(name)
    if os.path.isdir(path):
        yield from _visible(store.walk("" if name == "." else name))
    elif (info := store.info(name)) is not None:
        yield info
    else:
        for match in sorted(glob.glob(path, recursive=True)):
            if os.path.isdir(match):
                continue
            if (info := store.info(_name(store, match))) is not None:
                yield from _visible([info])


def _name(store: Store, path: str) -> str:
    """The path as a name below the root; a path outside of it stays whole."""
    whole = os.path.normpath(os.path.join(store.root, os.path.expanduser(path)))
    below = os.path.relpath(whole, store.root)
    return whole if below.startswith("..") else below


def _visible(infos: Iterable[Info]) -> Iterator[Info]:
    return (info for info in infos if not any(part[0] in "._" for part in info.name.split("/") if part))
