"""Vectors of tokens in their context: spaCy's `HashEmbedCNN`, on blocks of tokens of many texts at once.

Its embedding looks at one token alone, so it is computed once for each distinct token (`Types`), as are the three
products of the first convolution. The later convolutions are Winograd's F(4,3): four neighbouring outputs from six
matrix products instead of twelve (Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks"; with one
dimension and the points 0, 1, -1, 2, -2). In real numbers that is the same; in float32 vectors move by 1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from transforms.pieces import Ints, grown

if TYPE_CHECKING:
    from spacy.vocab import Vocab

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

QUADS = 256
"""Four tokens each: a block's buffers then stay in a core's cache, and the matrices are large enough for BLAS."""

EMBEDDING = {
    "extract_features", "list2ragged", "ints-getitem", "hashembed", "static_vectors", "maxout", "layernorm", "dropout",
    "ragged2list",
}  # fmt: skip
CONVOLUTION = ["expand_window", "maxout", "layernorm", "dropout"]
LEXICAL = {"ORTH", "NORM", "LOWER", "PREFIX", "SUFFIX", "SHAPE"}
"""Attributes that a token has from its spelling (and NORM, from a special case of the tokenizer)."""


def misfit(tok2vec: Any, vectors: Any) -> str | None:
    """Why these layers (a thinc model) and word vectors can't be computed with here, or None if they can."""
    nodes = [node.name for node in tok2vec.walk()]
    for listener in ("transformer", "listener"):
        if any(listener in name for name in nodes):
            return f"tok2vec is shared: a {listener}"
    if not (tok2vec.has_ref("embed") and tok2vec.has_ref("encode")):
        return "tok2vec is not an embedding and an encoder"
    return _misfit_embedding(tok2vec.get_ref("embed"), vectors) or _misfit_encoder(tok2vec.get_ref("encode"))


def _misfit_embedding(embed: Any, vectors: Any) -> str | None:
    leaves = list(_leaves(embed))
    unknown = [node.name for node in leaves if node.name not in EMBEDDING]
    if unknown or leaves[-1].name != "ragged2list":
        return f"embedding layer {(unknown or [leaves[-1].name])[0]}"
    contextual = {*_columns(embed), _key_of(vectors)} - LEXICAL
    return f"embedding of {min(contextual)}" if contextual else None


def _misfit_encoder(encode: Any) -> str | None:
    leaves = list(_leaves(encode))
    depth = len(leaves) // len(CONVOLUTION)
    if not depth or [node.name for node in leaves] != CONVOLUTION * depth:
        return "encoder is not a MaxoutWindowEncoder"
    if any(node.attrs["window_size"] != 1 for node in leaves[:: len(CONVOLUTION)]):
        return "convolution window is not 1"
    if any(node.get_dim("nP") < 2 for node in leaves[1 :: len(CONVOLUTION)]):
        return "convolution of one maxout piece"
    if encode.attrs.get("pad", 0) < depth:
        return "texts are padded by less than the depth"
    if any(node.has_param(name) is not True for node in leaves for name in node.param_names):
        return "model is not trained"
    return None


def _leaves(model: Any) -> Iterator[Any]:
    """The layers that hold no others, in the order in which they are applied."""
    for layer in model.layers:
        yield from _leaves(layer)
    if not model.layers:
        yield model


def _columns(embed: Any) -> Iterator[str]:
    """The names of the token attributes that an embedding reads."""
    for node in _leaves(embed):
        yield from map(_name_of, node.attrs.get("columns", ()))


def _key_of(vectors: Any) -> str:
    """The name of the attribute by which words find their vectors."""
    return _name_of(getattr(vectors, "attr", "ORTH"))


def _name_of(attribute: str | int) -> str:
    import spacy

    return str(spacy.attrs.NAMES[spacy.attrs.intify_attr(attribute)])


def with_numpy(embed: Any) -> Any:
    """A copy of an embedding (a thinc model) that leaves matrix products to numpy.

    thinc's own library for them (BLIS) knows few processors; on the others it is several times slower.
    """
    from thinc.api import NumpyOps

    copy = embed.copy()
    for node in copy.walk():
        node.ops = NumpyOps(use_blis=False)
    return copy


def attributes(embed: Any, vectors: Any) -> list[int]:
    """spaCy's numbers of the attributes that words need for this embedding and for the keys of these word vectors."""
    import spacy

    names = {"NORM", *_columns(embed), _key_of(vectors)} - {"ORTH"}
    return sorted(spacy.attrs.IDS[name] for name in names)


@dataclass(frozen=True)
class Layer:
    """A convolution over three tokens whose result is added to its input:

    x + gain * normalised(the largest of each `pieces` columns of (before, centre, after) @ kernel + bias).
    """

    kernel: Floats  # (3, width, pieces * width): for the token before, the token itself, the one after
    bias: Floats  # (pieces * width,); columns go piece by piece
    gain: Floats  # (width,)


def read_layers(encode: Any) -> tuple[list[Layer], npt.NDArray[np.float64]]:
    """The convolutions of a MaxoutWindowEncoder, and what their vectors lack, to be added by whoever reads them.

    That is the sum of LayerNorm's betas: a constant, so each layer's bias takes in those of the layers below.
    """
    leaves = list(_leaves(encode))
    lacking = np.zeros(encode.get_dim("nO"))
    layers = []
    for maxout, norm in zip(leaves[1 :: len(CONVOLUTION)], leaves[2 :: len(CONVOLUTION)], strict=True):
        weights, bias = maxout.get_param("W"), maxout.get_param("b")  # (width, pieces, 3 * width), (width, pieces)
        width, pieces, _ = weights.shape
        kernel = weights.transpose(2, 1, 0).reshape(3, width, pieces * width)
        bias = bias.T.reshape(-1) + np.einsum("i,kij->j", lacking, kernel)
        gain = norm.get_param("G").astype(np.float32)
        layers.append(Layer(np.ascontiguousarray(kernel, np.float32), bias.astype(np.float32), gain))
        lacking = lacking + norm.get_param("b")
    return layers, lacking


class Types:
    """The distinct tokens (spelling and norm) met so far, and all that the network computes of one of them alone.

    Number 0 is the padding between texts: a zero vector, white space to the parser.
    """

    def __init__(self, embed: Any, first: Layer, vocab: Vocab, limit: int) -> None:
        self._embed = embed
        self._vocab = vocab
        self._limit = limit
        self._first = first
        self._numbers: dict[tuple[int, int], int] = {}
        self._used = 1
        rows = limit + limit // 4  # not touched before they are used; more only if one batch needs them
        _, width, columns = first.kernel.shape
        self.vectors: Floats = np.zeros((rows, width), np.float32)
        self.products: list[Floats] = [np.zeros((rows, columns), np.float32) for _ in range(3)]  # as the kernel
        self.products[1][0] = first.bias
        self.is_space: Flags = np.zeros(rows, np.bool_)
        self.is_space[0] = True

    @property
    def full(self) -> bool:
        """Whether it is time to start afresh."""
        return self._used > self._limit

    def start_afresh(self, vocab: Vocab) -> None:
        """Forget all tokens but the padding, and keep the memory: given back each time, it would never be level."""
        self._vocab, self._used = vocab, 1
        self._numbers.clear()

    def number(self, orths: npt.NDArray[np.uint64], norms: npt.NDArray[np.uint64], spaces: Flags) -> Ints:
        """The numbers of tokens by spaCy's hashes of spelling and norm, whose strings the vocab must hold just now."""
        keys = list(zip(orths.tolist(), norms.tolist(), strict=True))
        unseen = {key: space for key, space in zip(keys, spaces.tolist(), strict=True) if key not in self._numbers}
        if unseen:
            self._learn(list(unseen), list(unseen.values()))
        return np.array([self._numbers[key] for key in keys], np.int64)

    def _learn(self, keys: Sequence[tuple[int, int]], spaces: Sequence[bool]) -> None:
        vectors = self._embedded(keys)
        start, end = self._used, self._used + len(keys)
        self.vectors, self.is_space = grown(self.vectors, end), grown(self.is_space, end)
        self.products = [grown(products, end) for products in self.products]
        self.vectors[start:end] = vectors
        self.is_space[start:end] = spaces
        for products, kernel in zip(self.products, self._first.kernel, strict=True):
            np.matmul(vectors, kernel, out=products[start:end])
        self.products[1][start:end] += self._first.bias
        self._numbers.update(zip(keys, range(start, end), strict=True))
        self._used = end

    def _embedded(self, keys: Sequence[tuple[int, int]]) -> Floats:
        """(keys, width): what spaCy's own embedding says of tokens, each alone."""
        from spacy.tokens import Doc

        strings = self._vocab.strings
        doc = Doc(self._vocab, words=[strings[orth] for orth, _ in keys])
        norms = np.array([norm for _, norm in keys], np.uint64)
        for i in np.flatnonzero(doc.to_array("NORM") != norms).tolist():
            doc[i].norm_ = strings[keys[i][1]]
        vectors: Floats = self._embed.predict([doc])[0]
        return vectors


class Encoder:
    """The convolutions, with the buffers of one block.

    Rows stand in a block by phase: row 4 * i + k of the text is [k, i] here, so that each operand of Winograd's
    transforms is contiguous.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._kernels = [winograd_kernels(layer.kernel) for layer in layers[1:]]
        self._margin = -(-len(layers) // 4)  # quads at both ends of a block whose vectors lack context
        _, width, columns = layers[0].kernel.shape
        self._average: Floats = np.full(width, 1 / width, np.float32)
        self._vectors: Floats = np.zeros((4, QUADS + 1, width), np.float32)
        self._gathered: Floats = np.empty((2, 4, QUADS, columns), np.float32)
        self._inputs: Floats = np.empty((6, QUADS, width), np.float32)
        self._scratch: Floats = np.empty((3, QUADS, width), np.float32)
        self._products: Floats = np.empty((7, QUADS, columns), np.float32)
        self._normal: Floats = np.empty((4, QUADS, width), np.float32)

    def encode(self, numbers: Ints, types: Types) -> Floats:
        """Type numbers (tokens,) to vectors (tokens, width), but for the constant that `read_layers` tells.

        Texts must be as far from each other, and from both ends, as there are layers: with 0 between them.
        """
        quads, margin = -(-len(numbers) // 4), self._margin
        padded = np.zeros(4 * (quads + 2 * margin + 1), np.int64)
        padded[4 * margin :][: len(numbers)] = numbers
        vectors: Floats = np.empty((quads, 4, len(self._average)), np.float32)
        step = QUADS - 2 * margin
        for start in range(0, quads, step):
            end = min(start + step, quads)
            block = self._block(padded[4 * start : 4 * (end + 2 * margin + 1)], types)
            vectors[start:end] = block[:, margin : margin + end - start].transpose(1, 0, 2)
        return vectors.reshape(4 * quads, -1)[: len(numbers)]

    def _block(self, numbers: Ints, types: Types) -> Floats:
        """(4 * (quads + 1),) to (4, quads + 1, width): right but for `margin` quads at both ends (and the last one)."""
        quads = len(numbers) // 4 - 1
        vectors = self._vectors[:, : quads + 1]
        np.take(types.vectors, _by_phase(numbers), 0, vectors, "clip")
        self._add(vectors, self._first_convolution(numbers, types), self._layers[0])
        for layer, kernels in zip(self._layers[1:], self._kernels, strict=True):
            self._add(vectors, self._convolution(vectors, kernels, layer.bias), layer)
        return vectors

    def _first_convolution(self, numbers: Ints, types: Types) -> Sequence[Floats]:
        """As `_convolution`, from the tables of products."""
        quads = len(numbers) // 4 - 1
        sums, more = self._gathered[:, :, :quads]
        for offset, products in enumerate(types.products):
            into = more if offset else sums
            np.take(products, _by_phase(numbers[offset:][: 4 * quads]), 0, into, "clip")
            if offset:
                sums += more
        return list(sums)

    def _convolution(self, vectors: Floats, kernels: Floats, bias: Floats) -> Sequence[Floats]:
        """Rows 1 to 4 * quads of a convolution, as four arrays (quads, columns) by phase: rows 1 + 4i, 2 + 4i, ..."""
        quads = vectors.shape[1] - 1
        inputs, products = self._inputs[:, :quads], self._products[:, :quads]
        _transform_inputs(vectors, inputs, self._scratch[:, :quads])
        np.matmul(inputs, kernels, out=products[:6])
        products[1] += bias  # which reaches each output once from there
        return _transform_outputs(products)

    def _add(self, vectors: Floats, outputs: Sequence[Floats], layer: Layer) -> None:
        """Add to the vectors of rows 1 to 4 * quads what the layer makes of its convolution's outputs."""
        quads, width = vectors.shape[1] - 1, vectors.shape[2]
        normal = self._normal[:, :quads] if quads == QUADS else np.empty((4, quads, width), np.float32)
        for largest, columns in zip(normal, outputs, strict=True):
            np.maximum(columns[:, :width], columns[:, width : 2 * width], out=largest)
            for piece in range(2 * width, columns.shape[1], width):
                np.maximum(largest, columns[:, piece : piece + width], out=largest)
        self._normalise(normal.reshape(4 * quads, width), layer.gain)
        for rows, change in zip((*vectors[1:, :quads], vectors[0, 1:]), normal, strict=True):
            rows += change

    def _normalise(self, rows: Floats, gain: Floats) -> None:
        """LayerNorm (Ba, Kiros & Hinton 2016) in place, with thinc's epsilon, and without its beta."""
        rows -= np.dot(rows, self._average)[:, None]
        variance = np.einsum("ij,ij->i", rows, rows) * self._average[0] + np.float32(1e-8)
        rows *= (1 / np.sqrt(variance))[:, None]
        rows *= gain


def _by_phase(numbers: Ints) -> Ints:
    """(4 * n,) to (4, n)."""
    return np.ascontiguousarray(numbers.reshape(-1, 4).T)


def winograd_kernels(kernel: Floats) -> Floats:
    """The six matrices of F(4,3), (6, width, columns), from the three of a convolution (Lavin & Gray's G g)."""
    before, centre, after = kernel.astype(np.float64)
    return np.stack(
        [
            before / 4,
            -(before + centre + after) / 6,
            -(before - centre + after) / 6,
            before / 24 + centre / 12 + after / 6,
            before / 24 - centre / 12 + after / 6,
            after,
        ]
    ).astype(np.float32)


def _transform_inputs(vectors: Floats, inputs: Floats, scratch: Floats) -> None:
    """What the six matrices are multiplied with (Lavin & Gray's B'd), from rows 4i to 4i + 5 for each i."""
    d0, d1, d2, d3 = vectors[:, :-1]
    d4, d5 = vectors[:2, 1:]
    even, odd, twice = scratch
    np.subtract(d4, np.multiply(d2, 4, out=even), out=even)
    np.subtract(d3, np.multiply(d1, 4, out=odd), out=odd)
    np.add(even, odd, out=inputs[1])  # d4 - 4 d2 + (d3 - 4 d1)
    np.subtract(even, odd, out=inputs[2])  # d4 - 4 d2 - (d3 - 4 d1)
    np.subtract(d4, d2, out=even)
    np.subtract(d3, d1, out=odd)
    np.multiply(odd, 2, out=twice)
    np.add(even, twice, out=inputs[3])  # d4 - d2 + 2 (d3 - d1)
    np.subtract(even, twice, out=inputs[4])  # d4 - d2 - 2 (d3 - d1)
    np.multiply(np.subtract(d0, d2, out=twice), 4, out=twice)
    np.add(twice, even, out=inputs[0])  # 4 (d0 - d2) + d4 - d2
    np.multiply(odd, 4, out=odd)
    np.subtract(np.subtract(d5, d3, out=twice), odd, out=inputs[5])  # d5 - d3 - 4 (d3 - d1)


def _transform_outputs(products: Floats) -> Sequence[Floats]:
    """The four outputs (Lavin & Gray's A'm) from the six products, which are overwritten; the seventh is scratch."""
    m0, m1, m2, m3, m4, m5, sum12 = products
    np.add(m1, m2, out=sum12)
    difference12 = np.subtract(m1, m2, out=m1)
    sum34 = np.add(m3, m4, out=m2)
    difference34 = np.subtract(m3, m4, out=m3)
    m0 += sum12
    m0 += sum34
    difference34 *= 2
    second = np.add(difference12, difference34, out=m4)
    sum34 *= 4
    sum34 += sum12
    difference34 *= 4
    m5 += difference12
    m5 += difference34
    return m0, second, sum34, m5
