"""Which files a run reads: files, folders and globs as names below the root, in a fixed order."""

import glob
import os
from collections.abc import Iterator, Sequence

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
    if os.path.isdir(store.path(name)):
        yield from store.walk(name)
    elif (info := store.info(name)) is not None:
        yield info
    else:
        for match in glob.glob(store.path(name), recursive=True):
            info = store.info(_name(store, match))
            if info and not os.path.isdir(match) and os.path.basename(match)[0] not in "._":
                yield info


def _name(store: Store, path: str) -> str:
    """The path as a name below the root; a path outside of it stays whole."""
    whole = os.path.normpath(os.path.join(store.root, os.path.expanduser(path)))
    below = os.path.relpath(whole, store.root)
    return whole if below.split(os.sep)[0] == ".." else below
