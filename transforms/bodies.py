"""Bodies as they come over the wire: unpacked while they come, and never more of them than asked for."""

import zlib
from collections.abc import AsyncIterator

from schemas.records import Problem

RATIO_FROM = 1 << 20
"""Unpacked bytes from which the ratio of packing counts: small bodies may well be very regular."""


class BadBody(Exception):
    """Raised for a body that is too large, a bomb, or cannot be unpacked; carries a Problem."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)


class Unpacker:
    """gzip (also several members in a row) and deflate (zlib's form and the bare one that some servers send)."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._object: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        """Whether the packed data has come to its end; also if there was none at all."""
        return self._object is None or self._object.eof

    def unpack(self, data: bytes, most: int) -> bytes:
        """The next bytes, at most so many of them. Raises zlib.error."""
        result = b""
        while data and len(result) < most:
            if self._object is None or (self._object.eof and data.startswith(b"\x1f\x8b")):
                self._object = zlib.decompressobj(self._window(data))
            elif self._object.eof:
                break  # what stands behind the end is no part of it
            result += self._object.decompress(data, most - len(result))
            data = self._object.unused_data
        return result

    def _window(self, data: bytes) -> int:
        """zlib's number for the form that the data is in."""
        if self._encoding == "gzip":
            return 16 + zlib.MAX_WBITS
        has_header = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


async def read_body(blocks: AsyncIterator[bytes], encoding: str, most: int, ratio: float) -> bytes:
    """The whole body, unpacked. Raises BadBody; whatever `blocks` raises goes through."""
    encoding = encoding.strip().lower().removeprefix("x-")
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise BadBody("UnknownEncoding", f"the body is packed as {encoding[:40]}, which was not asked for")
    unpacker = Unpacker(encoding) if encoding in ("gzip", "deflate") else None
    packed, body = 0, bytearray()
    async for block in blocks:
        packed += len(block)
        try:
            body += unpacker.unpack(block, most + 1 - len(body)) if unpacker else block
        except zlib.error as error:
            raise BadBody("BrokenPacking", f"the body cannot be unpacked: {error}") from None
        if len(body) > max(RATIO_FROM, packed * ratio):
            raise BadBody("Bomb", f"{packed:,} bytes unpack to {len(body):,} and more")
        if len(body) > most:
            raise BadBody("TooLarge", f"the body is longer than {most:,} bytes")
    if unpacker and not unpacker.whole:
        raise BadBody("BrokenPacking", "the packed body ends too early")
    return bytes(body)
