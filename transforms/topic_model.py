"""The text model: from texts to the scores of topics, by looking words up in tables.

A text is a bag of known words. Each has a weight and a number for every topic; a topic's score is the softmax of

    sum (1 + ln n) T[word, topic] / sqrt(sum ((1 + ln n) weight[word])^2)  +  bias

where n is how often the word stands in the text. Any linear classifier of normalised bags of words collapses into
that, and of weighted means of word vectors too; so classifying costs a look-up and a sum. See `topic_training.py`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
import xxhash

from schemas.errors import WorldError
from transforms.native import compiled_look_up

Array = np.ndarray[Any, Any]
DEFAULT = Path(__file__).parent / "data" / "topic_model.npz"
MOST_WORDS = 200
"""Words of a text that are looked at: news says first what it is about."""
MOST_CHARACTERS = 1_800
"""Characters that are cut off for that; 200 English words have 1,200."""
BEST = 3
"""Topics that are told of a text."""
FEWEST = 3
"""Known words, each once, below which a text tells nothing. Those with 3 or 4 are told as well as longer."""
SMALLEST_SHARE = 0.4
"""Part of the words that must be known. English news has .85, its tables of figures .45; Dutch or Portuguese .35."""
_NO_LETTERS = re.compile(rb"\xc2[\x80-\xbf]|\xe2[\x80-\xbf].|\xe3\x80.|\xef[\xbc\xbd\xb8\xbf].|\xf0...", re.DOTALL)
"""In UTF-8 the blocks of punctuation, symbols and emoji; other bytes above 127 are letters here."""
_LETTERS = bytes(byte if byte > 127 else ord(chr(byte).lower()) if chr(byte).isalpha() else 32 for byte in range(256))
_LOGS = np.concatenate([[0], 1 + np.log(np.arange(1, MOST_WORDS + 2))]).astype(np.float32)


def words(text: str) -> list[bytes]:
    """The first words of a text: runs of letters, in lower case, as UTF-8. Its costs are bounded, whatever its size."""
    return _words(_opening(text))


def _opening(text: str) -> bytes:
    """Where a text's first words are, as UTF-8, with blanks for most of what is no letter."""
    text = text[:MOST_CHARACTERS]
    return text.encode() if text.isascii() else _NO_LETTERS.sub(b" ", text.lower().encode("utf-8", "replace"))


def _words(opening: bytes) -> list[bytes]:
    return opening.translate(_LETTERS).split(None, MOST_WORDS)[:MOST_WORDS]


LookUp = Callable[[Sequence[bytes]], tuple[Array, Array]]
"""From texts' openings to the numbers of their words, text by text, 0 for an unknown word; and to each one's count."""


def _look_up(vocabulary: dict[bytes, int], openings: Sequence[bytes]) -> tuple[Array, Array]:
    counted: list[int] = []

    def each() -> Iterator[list[bytes]]:
        for opening in openings:
            found = _words(opening)
            counted.append(len(found))
            yield found  # looked up and forgotten before the next is made: half the time, as it stays in the cache

    known = np.fromiter(map(vocabulary.get, chain.from_iterable(each()), repeat(0)), np.int64)
    return known, np.array(counted, np.int64)


class Bags(NamedTuple):
    """Texts as bags of words. Each text's words stand together; the first of them is the unknown word, number 0."""

    words: Array
    """Number of each word, rising within a text."""
    logs: Array
    """1 + ln of how often it stands in the text."""
    starts: Array
    """Where each text begins."""
    telling: Array
    """Whether enough words of each text are known."""

    @property
    def lengths(self) -> Array:
        return np.diff(self.starts, append=len(self.words))


def bags(texts: Sequence[str], vocabulary: dict[bytes, int], look_up: LookUp | None = None) -> Bags:
    """The bags of some texts. Numbers of known words begin with 1. `look_up` does it faster, if it is given."""
    size, numbers = len(vocabulary) + 1, np.arange(len(texts), dtype=np.int64)
    openings = list(map(_opening, texts))
    known, lengths = look_up(openings) if look_up else _look_up(vocabulary, openings)
    keys = np.concatenate([numbers, np.repeat(numbers, lengths)]) * size
    keys[len(texts) :] += known
    keys = np.sort(keys.astype(np.int32) if len(texts) * size < 2**31 else keys)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(first, append=len(keys))
    keys = keys[first]
    starts = np.searchsorted(keys, numbers * size)
    kinds, unknown = np.diff(starts, append=len(keys)) - 1, counts[starts] - 1
    telling = (kinds >= FEWEST) & (lengths - unknown >= SMALLEST_SHARE * lengths)
    return Bags(keys % size, _LOGS[counts], starts, telling)


class TopicModel(NamedTuple):
    """A model as it is used. Its file holds small integers; see `topic_training.save`."""

    name: str
    """With its version: the first digits of the file's hash."""
    taxonomy: str
    topics: tuple[str, ...]
    vocabulary: dict[bytes, int]
    look_up: LookUp | None
    """The compiled one, where it is there."""
    table: Array
    """Word by topic, and last the square of the word's weight; row 0, the unknown word's, is zeros."""
    bias: Array
    temperature: float

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Raises WorldError if there is no such file, or if it is no model."""
        try:
            return cls.of(Path(path).read_bytes())
        except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
            raise WorldError(
                f"{path} is no model of topics ({error}); `newsbeam topics train` makes one, and `topics.model` in the "
                "configuration names it."
            ) from error

    @classmethod
    def of(cls, data: bytes) -> Self:
        """From the bytes of a file."""
        with np.load(BytesIO(data), allow_pickle=False) as file:
            parts = {name: file[name] for name in file.files}
        names = parts["words"].tobytes().split(b"\n")
        table = parts["table"].astype(np.float32) * parts["scales"].astype(np.float32)[:, None]
        squares = parts["weights"].astype(np.float32) ** 2
        table = np.column_stack([table, squares])
        return cls(
            f"{parts['name'].tobytes().decode()} {xxhash.xxh3_64_hexdigest(data)[:8]}",
            parts["taxonomy"].tobytes().decode(),
            tuple(parts["topics"].tobytes().decode().split("\n")),
            {word: number for number, word in enumerate(names, 1)},
            compiled_look_up(names, _LETTERS, MOST_WORDS),
            np.concatenate([np.zeros_like(table[:1]), table]),
            parts["bias"],
            float(parts["temperature"]),
        )

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Of each text the best topics with their scores; none if too few of its words are known."""
        found = bags(texts, self.vocabulary, self.look_up)
        scores, rows = self.scores(found), np.arange(len(texts))
        best: list[dict[str, float]] = [{} for _ in texts]
        for _ in range(min(BEST, len(self.topics))):
            topics = scores.argmax(axis=1)
            for told, topic, score in zip(best, topics.tolist(), scores[rows, topics].tolist(), strict=True):
                told[self.topics[topic]] = score
            scores[rows, topics] = -1
        return [told if telling else {} for told, telling in zip(best, found.telling.tolist(), strict=True)]

    def scores(self, found: Bags) -> Array:
        """Text by topic; each row adds up to 1."""
        logits = self.logits(found) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores: Array = powers / powers.sum(axis=1, keepdims=True)
        return scores

    def logits(self, found: Bags) -> Array:
        """The scores before temperature and softmax."""
        rows = self.table[found.words]
        rows *= found.logs[:, None]
        rows[:, -1] *= found.logs
        sums = np.add.reduceat(rows, found.starts, axis=0)
        logits: Array = sums[:, :-1] / np.sqrt(sums[:, -1:]).clip(1e-6) + self.bias
        return logits


@cache
def load_model(path: str) -> TopicModel:
    """A model, once for each process."""
    return TopicModel.load(path)
