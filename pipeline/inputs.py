"""Which files a run reads: files, folders and globs as names below the root, in a fixed order."""

import glob
import os
import re
from collections.abc import Iterator, Sequence

from schemas.errors import UsageError
from transforms.files import Info, LocalStore, store_at


def list_inputs(root: str, patterns: Sequence[str], warehouse: str, must_match: bool = True) -> list[Info]:
    """Every file that the patterns name, once, sorted by name; never those of the warehouse itself.

    Files whose name begins with a dot or an underscore are left out of folders and globs. A file outside of the root
    is named by its whole path or address. Raises UsageError for a pattern that matches nothing, unless that may change.
    """
    found: dict[str, Info] = {}
    inside = os.path.join(_real(warehouse), "")
    for pattern in patterns:
        matched = False
        for info in _matches(root, pattern):
            matched = True
            if not _real(_whole(root, info.name)).startswith(inside):
                found[info.name] = info
        if must_match and not matched:
            raise UsageError(f"{pattern}: no such file or folder below {root}, or nothing in it.")
    return [found[name] for name in sorted(found)]


def _matches(root: str, pattern: str) -> Iterator[Info]:
    whole = _whole(root, pattern)
    if "://" in whole:
        return _remote_matches(root, whole)
    return _local_matches(LocalStore(root), pattern)


def _whole(root: str, path: str) -> str:
    """A path below the root as a whole path or address."""
    if "://" in path:
        return path
    return f"{root.rstrip('/')}/{path}" if "://" in root else os.path.join(root, path)


def _real(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def _local_matches(store: LocalStore, pattern: str) -> Iterator[Info]:
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


def _name(store: LocalStore, path: str) -> str:
    """The path as a name below the root; a path outside of it stays whole."""
    whole = os.path.normpath(os.path.join(store.root, os.path.expanduser(path)))
    below = os.path.relpath(whole, store.root)
    return whole if below.split(os.sep)[0] == ".." else below


def _remote_matches(root: str, address: str) -> Iterator[Info]:
    """One object by its address, or else all below it, or all that match it: from one listing."""
    bucket = "/".join(address.split("/")[:3])
    key = re.sub(r"/(\./)+", "/", address[len(bucket) + 1 :]).removesuffix("/.").strip("/")
    store, before = store_at(bucket), f"{root.rstrip('/')}/"
    folder = re.split(r"[*?\[]", key)[0].rpartition("/")[0] if glob.has_magic(key) else key
    store.check()
    info = store.info(key)
    found = [info] if info else store.walk(folder if folder != "." else "")
    matches = re.compile(_glob(key) if glob.has_magic(key) and not info else ".*", re.S).fullmatch
    for one in found:
        if matches(one.name):
            yield one._replace(name=f"{bucket}/{one.name}".removeprefix(before))


def _glob(pattern: str) -> str:
    """A glob as a regular expression: `*` and `?` stay in a folder, `**/` is any number of them."""
    parts = re.findall(r"\*\*/|\*+|\?|\[!?[^]]+\]|.", pattern, re.S)
    special = {"**/": "(?:.*/)?", "**": ".*", "?": "[^/]"}

    def translated(part: str) -> str:
        if part[0] == "[" and len(part) > 1:
            return part.replace("[!", "[^").replace("\\", "\\\\")
        return special.get(part) or ("[^/]*" if part[0] == "*" else re.escape(part))

    return "".join(map(translated, parts))
