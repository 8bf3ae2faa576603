"""The object store: a folder of an S3 bucket, on AWS or on any server that speaks S3 and knows conditional puts.

Each method is one or two requests. They are repeated for up to three minutes while the server is away; only `check`
says within seconds that an address cannot be used. What is written is durable when the server says so.
"""

import configparser
import io
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store as Client

from schemas.errors import WorldError
from transforms.files import Info, requests

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import RetryConfig

SCHEME = "s3://"
BLOCK = 8_000_000
"""Bytes that are fetched at once of a file that is read in order."""
PATIENCE = timedelta(minutes=3)
"""How long a request is repeated while the server is away."""
_FIRST = timedelta(seconds=5)
_TRIES = 100
_PAUSE = 0.5
"""Seconds before a request is repeated that the client gave up."""
_AT_ONCE = 1000
"""Objects that a server deletes in one request."""
Kind = TypeVar("Kind")
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

    def check(self) -> None:
        self._ask(
            "list",
            "",
            lambda client: next(iter(obstore.list(client, self._key("") or None, chunk_size=1)), None),
            _FIRST,
        )

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def open(self, name: str) -> BinaryIO:
        def head(client: Client) -> tuple[bytes, int]:
            first = obstore.get(client, self._key(name), options={"range": (0, BLOCK)})
            return bytes(first.bytes()), first.meta["size"]

        data, size = self._ask("get", name, head)
        if size <= len(data):
            return io.BytesIO(data)
        return cast(BinaryIO, io.BufferedReader(_Ranges(self, name, size), BLOCK))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        key = self._key(name)
        if length == 0:
            return b""
        if length is None:
            tail: GetOptions = {"range": {"offset": offset}}
            return self._ask("get", name, lambda client: bytes(obstore.get(client, key, options=tail).bytes()))
        return self._ask("get", name, lambda client: bytes(obstore.get_range(client, key, start=offset, length=length)))

    def info(self, name: str) -> Info | None:
        if not name:
            return None
        try:
            return self._info(self._ask("head", name, lambda client: obstore.head(client, self._key(name))))
        except FileNotFoundError:
            return None

    def walk(self, folder: str = "") -> Iterator[Info]:
        found = sorted(map(self._info, self._below(folder, self._key(folder) or None)), key=lambda info: info.name)
        below = len(folder) + 1 if folder else 0
        for info in found:
            if not any(part[:1] in "._" for part in info.name[below:].split("/")):
                yield info

    def _below(self, name: str, prefix: str | None) -> "list[ObjectMeta]":
        def listed(client: Client) -> "list[ObjectMeta]":
            return [meta for page in obstore.list(client, prefix, chunk_size=1000) for meta in page]

        return self._ask("list", name, listed)

    def names(self, folder: str) -> list[str]:
        key = self._key(folder)
        found = self._ask("list", folder, lambda client: obstore.list_with_delimiter(client, key or None))
        paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def create(self, name: str, data: bytes) -> bool:
        def put(client: Client) -> object:
            return obstore.put(client, self._key(name), data, mode="create", use_multipart=False)

        for _ in range(_TRIES):
            try:
                self._ask("put", name, put)
            except FileExistsError:
                # An answer may be lost and the request be repeated: what stands there is then our own.
                # If nothing does, it was just removed, or two writers were refused at once.
                with suppress(FileNotFoundError):
                    return self.read(name) == data
            else:
                return True
        return False

    def write(self, name: str, data: bytes) -> None:
        self._ask("put", name, lambda client: obstore.put(client, self._key(name), data))

    def writer(self, name: str) -> BinaryIO:
        return _Upload(self, name)

    def move(self, name: str, to: str) -> None:
        try:
            self._ask("copy", name, lambda client: obstore.copy(client, self._key(name), self._key(to)))
        except FileNotFoundError:
            if self.info(to) is None:
                raise
        self._ask("delete", name, lambda client: obstore.delete(client, self._key(name)))

    def sync(self, name: str) -> None:
        """Nothing to wait for."""

    def remove(self, name: str) -> None:
        key = self._key(name)
        # The server looks for keys that begin so; obstore only gives what is below the folder.
        keys = [*(meta["path"] for meta in self._below(name, key)), key]
        for first in range(0, len(keys), _AT_ONCE):
            self._ask("delete", name, partial(obstore.delete, paths=keys[first : first + _AT_ONCE]))

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder and name else name or self._folder

    def _info(self, meta: "ObjectMeta") -> Info:
        name = meta["path"].removeprefix(f"{self._folder}/" if self._folder else "")
        return Info(name, meta["size"], f"{meta['size']}-{meta['e_tag']}", meta["last_modified"].timestamp() // 1)

    def patiently(self, ask: Callable[[], Kind], patience: timedelta | None = None) -> Kind:
        patience = patience or self._patience
        deadline = time.monotonic() + patience.total_seconds()
        while True:
            try:
                answer = ask()
            except Exception as error:
                if not passes(str(error)):
                    raise
                if time.monotonic() > deadline:
                    _away.add(self.root)
                    raise
                time.sleep(_PAUSE)
            else:
                _away.discard(self.root)
                return answer

    @property
    def _patience(self) -> timedelta:
        return _FIRST if self.root in _away else PATIENCE

    def _ask(self, kind: str, name: str, request: Callable[[Client], Kind], patience: timedelta | None = None) -> Kind:
        """The answer to a request, which is counted, and repeated while the server is away; its errors as ours.

        The client by itself repeats neither what was cut off in the midst of its answer nor what it takes for unsafe
        to repeat. All that is asked here is safe: to write, copy or delete the same again, and to compare (`create`).
        """
        client = _client(self._bucket, self._settings, patience or self._patience)

        def ask() -> Kind:
            requests[kind] += 1
            return request(client)

        try:
            return self.patiently(ask, patience)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(2, "No such object", self.path(name)) from error
        except (AlreadyExistsError, PreconditionError) as error:
            raise FileExistsError(17, "Object exists", self.path(name)) from error
        except BaseError as error:
            raise WorldError(f"{self.root}: {_sentence(error)}") from error


def passes(error: str) -> bool:
    """Whether what a store's client says is trouble of the network or the server, rather than of what was asked."""
    return bool(re.search(r"HTTP error|status code: 5\d\d|error sending request|response body", error))


class _Upload(io.BytesIO):
    """A new object, sent when it is closed: what is sent in parts meanwhile could not be repeated."""

    def __init__(self, store: S3Store, name: str) -> None:
        super().__init__()
        self._store, self._name = store, name

    def close(self) -> None:
        if not self.closed:
            self._store.write(self._name, self.getvalue())
        super().close()


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
