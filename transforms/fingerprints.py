"""Fingerprints: what is kept of a text to recognise its copies, in about 0.75 KB.

`keys` find candidates and `sketch` verifies them: both are the smallest of the hashes of all runs of words (shingles),
so those of two texts are comparable samples (Broder 1997, bottom-k). No permutations and no bands are needed: a run of
five words is rare enough to find its copies by itself.
"""

import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from transforms import identity
from transforms.number_words import is_number

VERSION = 1
"""Of the rules below and of `identity.tokens`. Fingerprints of different versions cannot be compared: raise it when a
rule changes."""
KEY_WORDS, KEYS = 5, 24
"""Words in a run that makes a key, and how many keys are kept."""
SKETCH_WORDS, SKETCH = 3, 128
"""Words in a run that the sketch samples, and how many are kept."""
NUMBERS = 64
"""Numbers that are kept, each with its place: 16 bits of the two words before it, then 16 bits of the number."""
SHORTEST = 20
"""Tokens from which a text has keys and a sketch; shorter ones are copies only if they are equal."""

Hashes = npt.NDArray[np.uint32]
_Wide = npt.NDArray[np.uint64]
_HEAD = struct.Struct("<IIBBBx")
_AT_ONCE = 100_000
_MOST_WORDS = 1 << 17
_LONGEST_WORD = 64
# Scripts that put no blanks between words: Han, Kana, Thai, Lao, Burmese, Khmer.
_SPACELESS = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_HAS_SPACELESS = re.compile(f"[{_SPACELESS}]")
_RUNS = re.compile(f"[{_SPACELESS}]+|[^{_SPACELESS}]+")
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?:\D|$))")


class Fingerprint(NamedTuple):
    """What is kept of a text. The hashes are rising and have no doubles."""

    tokens: int
    shingles: int
    """Different runs of SKETCH_WORDS tokens in the text; `sketch` holds the smallest SKETCH of their hashes."""
    keys: Hashes
    sketch: Hashes
    numbers: Hashes

    def pack(self) -> bytes:
        """As bytes: a head of 12, then the hashes, little-endian."""
        head = _HEAD.pack(self.tokens, self.shingles, len(self.keys), len(self.sketch), len(self.numbers))
        return head + b"".join(part.astype("<u4", copy=False).tobytes() for part in self[2:])


def unpack(data: bytes) -> Fingerprint:
    """The fingerprint that `pack` made these bytes of."""
    tokens, shingles, keys, sketch, numbers = _HEAD.unpack_from(data)
    hashes = np.frombuffer(data, "<u4", keys + sketch + numbers, _HEAD.size)
    return Fingerprint(tokens, shingles, hashes[:keys], hashes[keys : keys + sketch], hashes[keys + sketch :])


def fingerprints(texts: Iterable[str]) -> Iterator[Fingerprint]:
    """The fingerprint of each text, in order. Fastest with many texts at once (some 100 or more)."""
    return fingerprints_of(map(words, texts))


def fingerprints_of(texts: Iterable[list[str]]) -> Iterator[Fingerprint]:
    """The same from each text's `words`."""
    held: list[list[str]] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(held[-1])
        if size >= _AT_ONCE:
            yield from _of_words(held)
            held, size = [], 0
    yield from _of_words(held)


def words(text: str) -> list[str]:
    """The tokens that shingles are made of: `identity.tokens` without marks, and of scripts that put no blanks between
    words each pair of neighbouring characters."""
    if text.isascii():
        return identity.tokens(text)
    tokens = identity.tokens(_marks().sub("", unicodedata.normalize("NFC", text)))
    if not _HAS_SPACELESS.search(text):
        return tokens
    return list(chain.from_iterable(_split(token) if _HAS_SPACELESS.search(token) else (token,) for token in tokens))


def _split(token: str) -> Iterator[str]:
    for run in _RUNS.findall(token):
        if len(run) > 1 and _HAS_SPACELESS.match(run):
            yield from map("".join, pairwise(run))
        else:
            yield run


@cache
def _marks() -> re.Pattern[str]:
    """Marks and invisible characters: vowel signs that writers may leave out, joiners, directions."""
    codes = [code for code in range(0x300, 0x1FFFF) if unicodedata.category(chr(code)) in _MARK_KINDS]
    starts = [code for at, code in enumerate(codes) if not at or codes[at - 1] != code - 1]
    ends = [code for at, code in enumerate(codes) if at == len(codes) - 1 or codes[at + 1] != code + 1]
    return re.compile(
        "[\xad\U000e0000-\U000e01ef"
        + "".join(f"{chr(low)}-{chr(high)}" for low, high in zip(starts, ends, strict=True))
        + "]"
    )


_MARK_KINDS = frozenset({"Mn", "Mc", "Me", "Cf"})


class _WordHashes(dict[str, int]):
    """64-bit hashes of words, made when asked for. The lowest bit tells whether the word stands for a number."""

    def __missing__(self, word: str) -> int:
        plain = _plain_number(word) if word[0].isdigit() else word
        number = xxhash.xxh3_64_intdigest(plain.encode("utf-8", "surrogatepass")) & ~1 | is_number(word)
        if len(word) <= _LONGEST_WORD:
            self[word] = number
        return number


def _plain_number(word: str) -> str:
    """One form for 1,234.5 and 1.234,5, in the digits of any script."""
    if not word.isascii():
        word = "".join(str(unicodedata.digit(char, char)) for char in word)
    return _THOUSANDS.sub("", word).replace(",", ".")


_known = _WordHashes()


def _of_words(texts: Sequence[Sequence[str]]) -> Iterator[Fingerprint]:
    """Fingerprints of tokenised texts, all at once: each step is one pass over the words of all texts."""
    if len(_known) > _MOST_WORDS:
        _known.clear()
    counts = np.fromiter(map(len, texts), np.int64, len(texts))
    total = int(counts.sum())
    hashes = np.fromiter(map(_known.__getitem__, chain.from_iterable(texts)), np.uint64, total)
    owners = np.repeat(np.arange(len(texts), dtype=np.uint64), counts)
    is_long = np.repeat(counts >= SHORTEST, counts)
    keys = _smallest(*_shingles(hashes, owners, is_long, KEY_WORDS), len(texts), KEYS)
    sketches = _smallest(*_shingles(hashes, owners, is_long, SKETCH_WORDS), len(texts), SKETCH)
    numeric = (hashes & np.uint64(1)).astype(bool)
    numbers = _smallest(
        (_before(hashes, owners) | hashes >> np.uint64(48))[numeric], owners[numeric], len(texts), NUMBERS
    )
    for count, (key, _), (sketch, shingles), (number, _) in zip(counts.tolist(), keys, sketches, numbers, strict=True):
        yield Fingerprint(count, shingles, key, sketch, number)


def _before(hashes: _Wide, owners: _Wide) -> _Wide:
    """For each word, in bits 16 to 31, the two before it, of which all numbers count as one."""
    words = np.where(hashes & np.uint64(1), np.uint64(1), hashes)
    before = np.zeros_like(hashes)
    for back in (2, 1):
        within = owners[back:] == owners[:-back]
        before[back:] = before[back:] * _FACTOR + np.where(within, words[:-back], np.uint64(0))
    return before >> np.uint64(48) << np.uint64(16)


def _shingles(hashes: _Wide, owners: _Wide, is_long: npt.NDArray[np.bool_], size: int) -> tuple[_Wide, _Wide]:
    """32-bit hashes of all runs of `size` words that lie within one long text, and the texts they lie in."""
    ends = max(len(hashes) - size + 1, 0)
    rolled = np.zeros(ends, np.uint64)
    for at in range(size):
        rolled = rolled * _FACTOR + hashes[at : at + ends]
    within = is_long[:ends] & (owners[:ends] == owners[size - 1 :][:ends])
    return _mixed(rolled[within] + np.uint64(size)) >> np.uint64(32), owners[:ends][within]


_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def _mixed(values: _Wide) -> _Wide:
    """The finaliser of MurmurHash3: every bit depends on every bit."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


def _smallest(values: _Wide, owners: _Wide, texts: int, most: int) -> Iterator[tuple[Hashes, int]]:
    """For each text its `most` smallest different values, rising, and how many different ones it has."""
    both = np.sort(owners << np.uint64(32) | values)
    both = both[np.concatenate([[True], both[1:] != both[:-1]])] if len(both) else both
    bounds = np.searchsorted(both, np.arange(texts + 1, dtype=np.uint64) << np.uint64(32)).tolist()
    low = both.astype(np.uint32)
    for start, end in pairwise(bounds):
        yield low[start : min(end, start + most)], end - start
