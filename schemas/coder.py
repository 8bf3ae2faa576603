"""The one coder that moves chunks between steps: MessagePack and zstd, 10 to 20 us an article each way."""

import apache_beam as beam
import msgspec
import pyarrow as pa
from apache_beam.coders import Coder

from schemas.records import Chunk

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Chunk)


def pack(chunk: Chunk) -> bytes:
    """A chunk as bytes. Where chunks are shuffled they go packed: a runner would unpack and pack them on its way."""
    return compressed(_encoder.encode(chunk))


def unpack(data: bytes) -> Chunk:
    """The chunk again."""
    return _decoder.decode(decompressed(data))


def compressed(data: bytes) -> bytes:
    """To a third, since a runner's own handling of bytes costs more than the compression."""
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return len(data).to_bytes(8, "big") + packed


def decompressed(data: bytes) -> pa.Buffer:
    return pa.decompress(memoryview(data)[8:], int.from_bytes(data[:8], "big"), codec="zstd")


class ChunkCoder(Coder):  # type: ignore[misc]
    """Encodes a chunk alike wherever it is encoded, so that it may also be a key."""

    def encode(self, value: Chunk) -> bytes:
        return pack(value)

    def decode(self, encoded: bytes) -> Chunk:
        return unpack(encoded)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type[Chunk]:
        return Chunk


beam.coders.registry.register_coder(Chunk, ChunkCoder)
