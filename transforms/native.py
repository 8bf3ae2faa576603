"""What is compiled, where a C compiler was there when newsbeam was installed: the encoder and the look-up of words.

`kernel.c` is 1.6 times as fast as numpy. It is fixed to vectors of width 96 and three maxout pieces: the shape of
spaCy's small and medium models. `words.c` is six times as fast as a dictionary.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.encoder import Encoder, Floats, Layer, Types, winograd_kernels
from transforms.pieces import Ints

BLOCK = 508
"""Tokens that go through all layers together; with those around them they stay in a core's second cache."""
WIDTH, PIECES = 96, 3
_READ_BEHIND = 32
"""Type numbers behind the last one that the kernel may read."""
_WORK = 64
"""Rows behind a block that the kernel may touch."""


def encoder_for(layers: Sequence[Layer]) -> Encoder | NativeEncoder:
    """The compiled encoder where it is there and made for layers of this shape; else the one in numpy."""
    shapes = {layer.kernel.shape for layer in layers}
    fits = len(layers) > 1 and shapes == {(3, WIDTH, PIECES * WIDTH)}
    return NativeEncoder(layers) if fits and lanes() else Encoder(layers)


@cache
def lanes() -> int:
    """Floats that the compiled kernel handles at once; 0 where there is none, or none that this processor can run."""
    library = _library()
    return library.lanes() if library else 0


@cache
def _library() -> ctypes.CDLL | None:
    found = importlib.util.find_spec("transforms._kernel")
    return ctypes.CDLL(found.origin) if found and found.origin else None


class _Layer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("panels", "bias", "gain")]


class _Types(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("vectors", "before", "centre", "after")]


class NativeEncoder:
    """As `Encoder`, with the same answers but for rounding (1.2e-5 at most where both were compared)."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._encode: Any = getattr(_library(), "encode")  # noqa: B009
        self._depth = len(layers)
        self._arrays = [(_panels(layer, lanes()), layer.bias, layer.gain) for layer in layers]  # the structs only point
        self._layers = (_Layer * len(layers))(*(_Layer(*map(_address, arrays)) for arrays in self._arrays))
        self._work: Floats = np.zeros((2 * (BLOCK + 2 * self._depth + _WORK), WIDTH), np.float32)

    def encode(self, numbers: Ints, types: Types) -> Floats:
        """Type numbers (tokens,) to vectors (tokens, width), as `Encoder.encode`."""
        padded = np.zeros(len(numbers) + 2 * self._depth + _READ_BEHIND, np.int64)
        padded[self._depth :][: len(numbers)] = numbers
        vectors: Floats = np.empty((len(numbers), WIDTH), np.float32)
        self._encode(
            ctypes.c_void_p(_address(padded[self._depth :])),
            ctypes.c_int64(len(numbers)),
            _Types(*map(_address, (types.vectors, *types.products))),
            self._layers,
            self._depth,
            BLOCK,
            ctypes.c_void_p(_address(self._work)),
            ctypes.c_void_p(_address(vectors)),
        )
        return vectors


def _address(array: npt.NDArray[Any]) -> int:
    return int(array.ctypes.data)


def _panels(layer: Layer, lanes: int) -> Floats:
    """Winograd's six matrices strip by strip: (strips, 6, width, pieces, lanes)."""
    kernels = winograd_kernels(layer.kernel).reshape(6, WIDTH, PIECES, WIDTH // lanes, lanes)
    return np.ascontiguousarray(kernels.transpose(3, 0, 1, 2, 4))


class _Table(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("letters", "hashes", "numbers")] + [("slots", ctypes.c_uint64)]


def compiled_look_up(words: Sequence[bytes], letters: bytes, most: int) -> CompiledLookUp | None:
    """What looks these words up, which get the numbers from 1; None where nothing is compiled, or an older version."""
    run = getattr(_library(), "look_up", None)
    return CompiledLookUp(run, words, letters, most) if run else None


class CompiledLookUp:
    """From texts to the numbers of the first `most` words of each, 0 for unknown ones, and to how many words each has.

    `letters` (256) gives the small letter of each byte, or a blank.
    """

    def __init__(self, run: Any, words: Sequence[bytes], letters: bytes, most: int) -> None:
        self._run, self._most = run, most
        slots = 1 << (2 * len(words)).bit_length()
        self._hashes, self._numbers = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        self._letters = np.frombuffer(letters, np.uint8)
        places = _address(self._letters), _address(self._hashes), _address(self._numbers)
        self._table = _Table(*places, slots)  # which only points
        self._looked_up(words, True)

    def __call__(self, texts: Sequence[bytes]) -> tuple[Ints, Ints]:
        return self._looked_up(texts, False)

    def _looked_up(self, texts: Sequence[bytes], enter: bool) -> tuple[Ints, Ints]:
        ends = np.fromiter(accumulate(map(len, texts)), np.int64, len(texts))
        found, counts = np.empty(len(texts) * self._most, np.int32), np.empty(len(texts), np.int64)
        places = [ctypes.c_void_p(_address(array)) for array in (ends, found, counts)]
        sizes = [ctypes.c_int64(size) for size in (len(texts), self._most)]
        self._run(b"".join(texts), places[0], sizes[0], self._table, sizes[1], enter, *places[1:])
        return found[: counts.sum()].astype(np.int64), counts
