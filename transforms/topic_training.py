"""Training a model of topics, the one that ships and those of users, to the same bytes each time.

Softmax regression of bags of words in up to two views: each word alone (TF-IDF), and each word by a vector that puts
words of like meaning close together. The result collapses into tables of word by topic (`topic_model.py`).

Sums come out the same on every machine, in whatever order its libraries add: all that is added or multiplied here are
multiples of a power of two (`grid`) so small in number that a float64 holds the sums exactly.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transforms.topic_model import Array, Bags

FINE, COARSE = 20, 14
"""Bits behind the point of what is learned, and of what is given: of 34 bits behind it a sum leaves 19 before it."""


def grid(values: Array, bits: int) -> Array:
    """The values as multiples of 2**-bits."""
    return np.round(np.asarray(values, np.float64) * 2.0**bits) / 2.0**bits


class View(NamedTuple):
    """How words are seen: a weight for each, and a vector for each (None: each word is its own dimension).

    Row 0 of both is the unknown word's, all zeros.
    """

    weights: Array
    vectors: Array | None = None


class Design:
    """Texts in one view, as a sparse matrix with rows of length one at most."""

    def __init__(self, found: Bags, view: View) -> None:
        values = found.logs.astype(np.float64) * view.weights[found.words]
        norms = np.sqrt(np.add.reduceat(values**2, found.starts)).clip(1e-6)
        self.values = grid(values / np.repeat(norms, found.lengths), COARSE)
        self.words, self.starts, self.vectors = found.words, found.starts, view.vectors
        self.texts = np.repeat(np.arange(len(norms)), found.lengths)
        self._order = np.argsort(found.words, kind="stable")
        self._kinds, self._kind_starts = np.unique(found.words[self._order], return_index=True)
        self.size = len(view.weights)

    def table(self, learned: Array) -> Array:
        """Word by topic, of what was learned per dimension."""
        return learned if self.vectors is None else grid(self.vectors @ learned, FINE)

    def times(self, table: Array) -> Array:
        """Text by topic: the sums over each text's words."""
        sums: Array = np.add.reduceat(table[self.words] * self.values[:, None], self.starts, axis=0)
        return sums

    def gather(self, of_texts: Array) -> Array:
        """Dimension by topic: the transposed product."""
        parts = (of_texts[self.texts] * self.values[:, None])[self._order]
        sums = np.zeros((self.size, of_texts.shape[1]))
        sums[self._kinds] = np.add.reduceat(parts, self._kind_starts, axis=0)
        return sums if self.vectors is None else grid(self.vectors.T @ grid(sums, FINE), FINE)

    def curvature(self) -> float:
        """About the largest eigenvalue of X'X / n, by power iteration: what the step's length derives from."""
        vector = grid(np.ones((self.size if self.vectors is None else self.vectors.shape[1], 1)), FINE)
        value = 1.0
        for _ in range(15):
            after = self.gather(grid(self.times(self.table(vector)), FINE)) / len(self.starts)
            value = float(np.abs(after).max() / np.abs(vector).max())
            vector = grid(after / np.abs(after).max(), FINE)
        return value


def softmax(logits: Array) -> Array:
    """The probabilities of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


class Learned(NamedTuple):
    """A softmax: table of word by topic, and a bias for each topic."""

    table: Array
    bias: Array


def fit(design: Design, targets: Array, shares: Array, penalty: float, steps: int) -> Learned:
    """Softmax regression by Nesterov's gradient descent, always the same number of steps.

    `targets`: text by topic, each row a distribution. `shares`: how much each text counts, 1 on average.
    """
    columns = targets.shape[1]
    size = design.size if design.vectors is None else design.vectors.shape[1]
    learned, before = np.zeros((size, columns)), np.zeros((size, columns))
    bias, bias_before = np.zeros(columns), np.zeros(columns)
    rate = 1 / (0.5 * 1.2 * design.curvature() + penalty)
    for step in range(steps):
        pull = step / (step + 3)
        ahead = grid(learned + pull * (learned - before), FINE)
        bias_ahead = bias + pull * (bias - bias_before)
        wrong = softmax(design.times(design.table(ahead)) + bias_ahead) - targets
        wrong = grid(wrong * shares[:, None], FINE)
        before, bias_before = learned, bias
        learned = grid(ahead - rate * (design.gather(wrong) / len(targets) + penalty * ahead), FINE)
        bias = grid(bias_ahead - wrong.sum(axis=0) / len(targets), FINE)
    return Learned(design.table(learned), bias)


def class_shares(targets: Array, base: Array) -> Array:
    """How much each text counts, 1 on average: topics that are rare count by the root of how rare they are."""
    sizes = (targets * base[:, None]).sum(axis=0)
    weights = np.sqrt(sizes.sum() / (len(sizes) * sizes.clip(1)))
    shares = targets @ weights * base
    return grid(shares / shares.mean(), COARSE)


def idf(found: Bags, size: int) -> Array:
    """The weight of each word, by how few of the texts hold it."""
    counts = np.zeros(size)
    np.add.at(counts, found.words, 1)
    weights = np.log((len(found.starts) + 1) / (counts + 1)) + 1
    weights[0] = 0
    return weights


def calibrate(logits: Array, answers: Array) -> float:
    """The temperature under which the best scores are nearest to how often they are right.

    Mistakes are counted in tenths of the score, from .4 on: below, an article stays unclassified.
    """

    def error(temperature: float) -> float:
        scores = softmax(logits / temperature)
        best, right = scores.max(axis=1), scores.argmax(axis=1) == answers
        tenths = np.floor(best * 10).astype(int)
        gaps = [abs((best - right)[tenths == tenth].sum()) for tenth in range(4, 11)]
        return round(float(sum(gaps)), 6)

    return min((step / 20 for step in range(4, 80)), key=lambda step: (error(step), step))


def model_file(
    name: str,
    taxonomy: str,
    topics: Sequence[str],
    vocabulary: Sequence[bytes],
    weights: Array,
    learned: Learned,
    temperature: float,
) -> bytes:
    """A model as the bytes of its file: whole numbers of a byte with a scale for each word, not compressed.

    `weights` and the table have a row 0, the unknown word's, which is left out.
    """
    table = learned.table[1:] * weights[1:, None]
    scales = (np.abs(table).max(axis=1) / 127).clip(2.0**-14).astype(np.float16)
    file = io.BytesIO()
    np.savez(
        file,
        name=_bytes(name.encode()),
        taxonomy=_bytes(taxonomy.encode()),
        topics=_bytes("\n".join(topics).encode()),
        words=_bytes(b"\n".join(vocabulary)),
        table=np.round(table / scales.astype(np.float64)[:, None]).clip(-127, 127).astype(np.int8),
        scales=scales,
        weights=weights[1:].astype(np.float16),
        bias=grid(learned.bias, 10).astype(np.float32),
        temperature=np.float32(temperature),
    )
    return file.getvalue()


def _bytes(data: bytes) -> Array:
    return np.frombuffer(data, np.uint8)
