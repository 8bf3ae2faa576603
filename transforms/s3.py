"""The object store: a folder of an S3 bucket, on AWS or on any server that speaks S3 and knows conditional puts.

Each method is one or two requests. They are repeated for up to three minutes while the server is away; only `check`
says within seconds that an address cannot be used. What is written is durable when the server says so.
"""

import configparser
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store as Client

from schemas.errors import WorldError
from transforms.files import Info, requests

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import RetryConfig

SCHEME = "s3://"
BLOCK = 8_000_000
"""Bytes that are fetched at once of a file that is read in order."""
PATIENCE = timedelta(minutes=3)
"""How long a request is repeated while the server is away."""
_FIRST = timedelta(seconds=5)
_TRIES = 100
_away: set[str] = set()
"""Stores that did not answer in all that time: whoever tidies up after that does not wait as long again."""


class S3Store:
    """A folder of a bucket, by its address: `s3://bucket/folder`."""

    def __init__(self, root: str) -> None:
        bucket, _, self._folder = root.removeprefix(SCHEME).strip("/").partition("/")
        self.root = SCHEME + "/".join(filter(None, [bucket, self._folder]))
        if not bucket:
            raise WorldError(f"{root}: an address of an object store is s3://BUCKET/FOLDER.")
        self._bucket, self._settings = bucket, tuple(sorted(settings(os.environ).items()))
        # By itself deltalake gives up after ten tries, that is, 4 s.
        self.options = {
            **dict(self._settings),
            "max_retries": str(_TRIES),
            "retry_timeout": f"{PATIENCE.total_seconds():.0f}s",
        }

    @property
    def _client(self) -> Client:
        """Patient, but for a server that was just waited for in vain."""
        return _client(self._bucket, self._settings, _FIRST if self.root in _away else PATIENCE)

    def check(self) -> None:
        client = _client(self._bucket, self._settings, _FIRST)
        with self._explained("", "list"):
            next(iter(obstore.list(client, self._key("") or None, chunk_size=1)), None)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def open(self, name: str) -> BinaryIO:
        with self._explained(name, "get"):
            first = obstore.get(self._client, self._key(name), options={"range": (0, BLOCK)})
            head, size = bytes(first.bytes()), first.meta["size"]
        if size <= len(head):
            return io.BytesIO(head)
        return cast(BinaryIO, io.BufferedReader(_Ranges(self, name, size), BLOCK))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        with self._explained(name, "get"):
            if length is None:
                return bytes(obstore.get(self._client, self._key(name), options={"range": {"offset": offset}}).bytes())
            if length == 0:
                return b""
            return bytes(obstore.get_range(self._client, self._key(name), start=offset, length=length))

    def info(self, name: str) -> Info | None:
        if not name:
            return None
        try:
            with self._explained(name, "head"):
                return self._info(obstore.head(self._client, self._key(name)))
        except FileNotFoundError:
            return None

    def walk(self, folder: str = "") -> Iterator[Info]:
        with self._explained(folder, "list"):
            pages = obstore.list(self._client, self._key(folder) or None, chunk_size=1000)
            found = sorted((self._info(meta) for page in pages for meta in page), key=lambda info: info.name)
        below = len(folder) + 1 if folder else 0
        for info in found:
            if not any(part[:1] in "._" for part in info.name[below:].split("/")):
                yield info

    def names(self, folder: str) -> list[str]:
        key = self._key(folder)
        with self._explained(folder, "list"):
            found = obstore.list_with_delimiter(self._client, key or None)
        paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def create(self, name: str, data: bytes) -> bool:
        try:
            with self._explained(name, "put"):
                obstore.put(self._client, self._key(name), data, mode="create", use_multipart=False)
        except FileExistsError:
            # An answer may be lost and the request be repeated: what stands there is then our own.
            return self.read(name) == data
        return True

    def write(self, name: str, data: bytes) -> None:
        with self._explained(name, "put"):
            obstore.put(self._client, self._key(name), data)

    def writer(self, name: str) -> BinaryIO:
        with self._explained(name, "put"):
            return cast(BinaryIO, obstore.open_writer(self._client, self._key(name)))

    def move(self, name: str, to: str) -> None:
        try:
            with self._explained(name, "copy"):
                obstore.copy(self._client, self._key(name), self._key(to))
        except FileNotFoundError:
            if self.info(to) is None:
                raise
        with self._explained(name, "delete"):
            obstore.delete(self._client, self._key(name))

    def sync(self, name: str) -> None:
        """Nothing to wait for."""

    def remove(self, name: str) -> None:
        key = self._key(name)
        with self._explained(name, "list"):
            # The server looks for keys that begin so; obstore only gives what is below the folder.
            below = [meta["path"] for page in obstore.list(self._client, key, chunk_size=1000) for meta in page]
        with self._explained(name, "delete"):
            try:
                obstore.delete(self._client, [*below, key])
            except GenericError:  # many at once are a POST, which the client never repeats; one by one it does
                for one in (*below, key):
                    obstore.delete(self._client, one)

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder and name else name or self._folder

    def _info(self, meta: "ObjectMeta") -> Info:
        name = meta["path"].removeprefix(f"{self._folder}/" if self._folder else "")
        return Info(name, meta["size"], f"{meta['size']}-{meta['e_tag']}", meta["last_modified"].timestamp() // 1)

    @contextmanager
    def _explained(self, name: str, kind: str = "") -> Iterator[None]:
        """The store's errors as ours, and the request counted."""
        if kind:
            requests[kind] += 1
        try:
            yield
            _away.discard(self.root)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(2, "No such object", self.path(name)) from error
        except (AlreadyExistsError, PreconditionError) as error:
            raise FileExistsError(17, "Object exists", self.path(name)) from error
        except BaseError as error:
            _away.add(self.root)
            raise WorldError(f"{self.root}: {_sentence(error)}") from error


class _Ranges(io.RawIOBase):
    """A large object as a file; each read is one request."""

    def __init__(self, store: S3Store, name: str, size: int) -> None:
        self._store, self._name, self._size, self._at = store, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = max(min(len(buffer), self._size - self._at), 0)
        data = self._store.read(self._name, self._at, length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@lru_cache(maxsize=16)
def _client(bucket: str, options: tuple[tuple[str, str], ...], patience: timedelta) -> Client:
    """One client for a bucket, since it keeps its connections."""
    retry: RetryConfig = {"max_retries": _TRIES, "retry_timeout": patience}
    return Client(bucket, config=cast(Any, dict(options)), retry_config=retry)


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What the usual AWS variables and files say, under the names that obstore and deltalake know.

    Variables go before `~/.aws/credentials` and `~/.aws/config`. Where neither has keys, the libraries ask for
    the role of the pod, the task or the machine.
    """
    said = _profile(environment) | {
        name.lower(): value
        for name, value in environment.items()
        if name.startswith("AWS_") and value and name not in ("AWS_PROFILE", "AWS_CONFIG_FILE")
    }
    endpoint = said.pop("aws_endpoint_url_s3", "") or said.get("aws_endpoint_url", "")
    if endpoint:
        said |= {"aws_endpoint_url": endpoint, "aws_allow_http": str(endpoint.startswith("http://")).lower()}
    said["aws_region"] = said.get("aws_region") or said.pop("aws_default_region", "") or "us-east-1"
    return {name: value for name, value in said.items() if name in _SETTINGS}


_SETTINGS = (
    *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region", "aws_endpoint_url"),
    *("aws_allow_http", "aws_web_identity_token_file", "aws_role_arn", "aws_role_session_name"),
    *("aws_container_credentials_relative_uri", "aws_container_credentials_full_uri"),
    *("aws_container_authorization_token_file", "aws_skip_signature", "aws_virtual_hosted_style_request"),
)


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    """Keys, region and endpoint of the profile in force; a file that is absent or damaged says nothing."""
    profile = environment.get("AWS_PROFILE") or "default"
    home = Path(environment.get("HOME", "/"))
    parser = configparser.RawConfigParser()
    try:
        parser.read(environment.get("AWS_CONFIG_FILE") or home / ".aws/config", "utf-8")
        parser.read(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials", "utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for section in (f"profile {profile}", profile):
        found |= dict(parser[section]) if parser.has_section(section) else {}
    names = {"region": "aws_region", "endpoint_url": "aws_endpoint_url"}
    return {names.get(name, name): value for name, value in found.items()}


_CREDENTIALS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine"


def _sentence(error: BaseError) -> str:
    """What is wrong and what to do about it, with the status but not the page that the server answered."""
    text = str(error)
    found = re.search(r"status code: (\d{3}[^:\n]*)", text)
    reason = found[1] if found else " ".join(text.partition("\n")[0].split()).removeprefix("Generic S3 error: ")[:300]
    if isinstance(error, UnauthenticatedError | PermissionDeniedError) or reason.startswith(("401", "403")):
        kind = "there are none" if "169.254." in text else f"the object store refuses them ({reason})"
        return f"credentials are needed, and {kind}: {_CREDENTIALS}."
    if reason.startswith("404"):
        return "there is no such bucket; make it, or name another."
    return (
        f"the object store cannot be used: {reason}. What was committed is safe; check AWS_ENDPOINT_URL, AWS_REGION "
        "and the network, and run the same command again."
    )
