"""One filesystem layer: everything that is read or kept goes through a store.

A store is a folder and all below it; names are relative, with `/`: a folder on a local disk, or one of an object store
(`s3.py`), where each method is a request or two (`create` a put-if-absent), and none needs a rename.
"""

import errno
import os
import shutil
import stat
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypeVar

from schemas.errors import WorldError

Kind = TypeVar("Kind")


class Info(NamedTuple):
    """A file: its name below the store, its size in bytes, a text that changes when the file does, and when it did."""

    name: str
    size: int
    version: str
    modified: float = 0.0
    """In seconds since the epoch, by the clock of where it lies."""


requests: Counter[str] = Counter()
"""This process's requests to object stores by kind, as AWS bills them, without what deltalake asks by itself."""


def asked() -> int:
    """Requests to object stores since this was last called in this process."""
    global _told
    before, _told = _told, requests.total()
    return _told - before


_told = 0


class Store(Protocol):
    """What the warehouse asks of the place it lies in. Every method that writes is durable when it returns."""

    root: str
    options: dict[str, str]
    """What a library that opens a `path` by itself must know, under object_store's names; nothing for local folders."""

    def check(self) -> None:
        """Raises WorldError within seconds if the place cannot be reached; all else waits for it for some minutes."""

    def path(self, name: str) -> str:
        """The name as other libraries want it: a whole path or address."""

    def open(self, name: str) -> BinaryIO: ...

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes: ...

    def info(self, name: str) -> Info | None:
        """None where there is no such file, or it is no ordinary one."""

    def walk(self, folder: str = "") -> Iterator[Info]:
        """Every file below a folder, but for files and folders whose name begins with a dot or an underscore."""

    def names(self, folder: str) -> list[str]:
        """What stands in a folder, sorted; empty if there is no such folder."""

    def create(self, name: str, data: bytes) -> bool:
        """Write the file only if there is none, whole or not at all; says whether it did."""

    def write(self, name: str, data: bytes) -> None:
        """Write the file, whole or not at all."""

    def writer(self, name: str) -> BinaryIO:
        """A new file to be written from its start. It is there when it is closed; not waited for."""

    def move(self, name: str, to: str) -> None:
        """Give the file another name; harmless if that was done before."""

    def sync(self, name: str) -> None:
        """Wait until a file that another library wrote is durable, and its name too."""

    def remove(self, name: str) -> None:
        """Remove a file or folder, if it is there."""

    def patiently(self, ask: Callable[[], Kind]) -> Kind:
        """What another library asks of this place; repeated while an object store is away, so it must be repeatable."""


def store_at(root: str) -> Store:
    """The store for a folder's path or address.

    Raises WorldError for an address of a kind that is not supported, or of an object store that cannot be used.
    """
    scheme, found, _ = root.partition("://")
    if found and scheme == "s3":
        from transforms.s3 import S3Store

        return S3Store(root)
    if found and scheme != "file":
        raise WorldError(
            f"{root}: addresses with {scheme}:// cannot be used; give a local folder or s3://BUCKET/FOLDER."
        )
    return LocalStore(root.removeprefix("file://"))


class Inputs:
    """Where inputs are read: names below a root, and whole paths and addresses of what lies elsewhere."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._store = store_at(root)

    def path(self, name: str) -> str:
        return name if "://" in name else self._store.path(name)

    def open(self, name: str) -> BinaryIO:
        store, name = self._place(name)
        return store.open(name)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        store, name = self._place(name)
        return store.read(name, offset, length)

    def info(self, name: str) -> Info | None:
        store, below = self._place(name)
        found = store.info(below)
        return found and found._replace(name=name)

    def _place(self, name: str) -> tuple[Store, str]:
        """The store that has a name, and the name there."""
        if "://" in name:
            folder, _, file = name.rpartition("/")
            return store_at(folder), file
        return self._store, name


class LocalStore:
    """A folder on a local disk. The disk must support hard links."""

    def __init__(self, root: str) -> None:
        self.root = str(Path(root).absolute())
        self.options: dict[str, str] = {}

    def check(self) -> None:
        """A folder is there, or can be made, or its methods say why not."""

    def path(self, name: str) -> str:
        return os.path.join(self.root, name) if name else self.root

    def open(self, name: str) -> BinaryIO:
        return open(self.path(name), "rb")

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        with self.open(name) as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def info(self, name: str) -> Info | None:
        try:
            found = os.stat(self.path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode):  # a pipe would block whoever opens it
            return None
        return Info(name, found.st_size, f"{found.st_size}-{found.st_mtime_ns}", found.st_mtime)

    def walk(self, folder: str = "") -> Iterator[Info]:
        top = self.path(folder)
        for path, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if name[0] not in "._")
            for file in sorted(name for name in files if name[0] not in "._"):
                info = self.info(os.path.normpath(os.path.join(folder, os.path.relpath(path, top), file)))
                if info:
                    yield info

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self.path(folder)))
        except FileNotFoundError:
            return []

    def create(self, name: str, data: bytes) -> bool:
        draft = self._draft(name, data)
        try:
            os.link(draft, self.path(name))
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise WorldError(
                    f"{self.root}: this disk cannot create hard links, which a warehouse needs; use another disk."
                ) from error
            raise
        finally:
            os.unlink(draft)
        self._sync_folder(name)
        return True

    def write(self, name: str, data: bytes) -> None:
        os.replace(self._draft(name, data), self.path(name))
        self._sync_folder(name)

    def writer(self, name: str) -> BinaryIO:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")

    def move(self, name: str, to: str) -> None:
        os.makedirs(os.path.dirname(self.path(to)), exist_ok=True)
        try:
            os.replace(self.path(name), self.path(to))
        except FileNotFoundError:
            if not os.path.exists(self.path(to)):
                raise
        self._sync_folder(to)

    def remove(self, name: str) -> None:
        path = self.path(name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)

    def patiently(self, ask: Callable[[], Kind]) -> Kind:
        return ask()

    def _draft(self, name: str, data: bytes) -> str:
        """A durable file beside `name` that holds the data; hidden, so that no reader of the folder takes it."""
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with open(draft, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return str(draft)

    def sync(self, name: str) -> None:
        _fsync(self.path(name))
        self._sync_folder(name)

    def _sync_folder(self, name: str) -> None:
        _fsync(os.path.dirname(self.path(name)))


def _fsync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
