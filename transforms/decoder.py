"""Names in texts, exactly as spaCy's greedy `ner` finds them, at several times its speed.

Why it can be: outside of an entity spaCy's parser looks at the current token alone, so all tokens of many texts are
scored in one matrix product, and the few open entities are extended in lockstep. Tokens come from remembered pieces
(`transforms.pieces`), their vectors from remembered embeddings and fast convolutions (`transforms.encoder`).

Sums in another order move scores by rounding, which can flip a decision between two that are nearly equal. A text with
such a near tie is given to spaCy itself: about one in 800.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms import encoder, pieces
from transforms.encoder import Flags, Floats, Types
from transforms.native import NativeEncoder, encoder_for
from transforms.pieces import Ints, Pieces, Tokens

if TYPE_CHECKING:
    from spacy.language import Language

TIE = 1e-4
"""Scores nearer than this are left to spaCy; rounding moved scores by 2e-5 at most (276,000 tokens)."""

MAX_TYPES = 64_000
"""Distinct tokens that are remembered, at 3.8 kB each for vectors of width 96. 10,000 news articles have 58,000."""

MAX_PIECES = 300_000
"""Pieces that are remembered, at about 200 bytes each."""

CHARACTERS = 500_000
"""As much as the texts of one batch are together, but for a longer single text."""

LONGEST_FOR_SPACY = 100_000
"""Characters of a text that spaCy itself may decide about: it holds 3.4 kB for each (measured), 3.4 GB for a
million."""

ROWS = 1_024
"""Tokens that are scored at once."""

HARMLESS = {"tok2vec", "tagger", "morphologizer", "lemmatizer", "trainable_lemmatizer", "textcat", "textcat_multilabel"}
"""Factories of components that change neither `doc.ents` nor what `ner` sees."""

SENTENCES = {"parser", "senter", "sentencizer"}
"""Factories of components that set sentence starts, which no entity may cross."""


class Span(NamedTuple):
    """An entity: its place in the text, in characters, and its label."""

    start: int
    end: int
    label: str


def misfit(nlp: Language) -> str | None:
    """Why this pipeline's `ner` can't be decoded here, in a few words, or None if it can."""
    return (
        _misfit_pipeline({name: nlp.get_pipe_meta(name).factory for name in nlp.pipe_names})
        or _misfit_parser(nlp.get_pipe("ner"))
        or pieces.misfit(nlp.tokenizer)
        or encoder.misfit(_tok2vec(nlp), nlp.vocab.vectors)
    )


def _misfit_pipeline(factories: dict[str, str]) -> str | None:
    """The same for the enabled components: factories by name, in the order in which they run."""
    if "ner" not in factories:
        return "no ner component"
    names = list(factories)
    for name, factory in factories.items():
        if factory in ("entity_ruler", "span_ruler"):
            return f"{factory.replace('_', ' ')} present"
        if factory in SENTENCES and names.index(name) < names.index("ner"):
            return f"{name} sets sentences before ner"
        if name != "ner" and factory not in HARMLESS | SENTENCES:
            return f"{name} may change entities"
    return None


def _misfit_parser(ner: Any) -> str | None:
    from spacy.pipeline import EntityRecognizer

    if type(ner) is not EntityRecognizer:
        return f"ner is of type {type(ner).__name__}"
    if ner.cfg.get("beam_width", 1) != 1:
        return f"beam width {ner.cfg['beam_width']}"
    if ner.model.name != "parser_model" or not ner.model.attrs.get("has_upper"):
        return "ner is not a TransitionBasedParser with an upper layer"
    return _misfit_weights(ner.model, ner.moves.n_moves)


def _misfit_weights(model: Any, moves: int) -> str | None:
    from thinc.api import NumpyOps

    lower, upper = model.get_ref("lower"), model.get_ref("upper")
    if not all(isinstance(layer.ops, NumpyOps) for layer in (lower, upper)):
        return "model is not on the CPU"
    if not (lower.has_param("W") and upper.has_param("W")):
        return "model is not trained"
    if (lower.get_dim("nF"), lower.get_dim("nP")) != (3, 2):
        return f"state of {lower.get_dim('nF')} tokens in {lower.get_dim('nP')} maxout pieces"
    if model.attrs["unseen_classes"] or upper.get_dim("nO") != moves:
        return "labels added after training"
    return None


def _tok2vec(nlp: Language) -> Any:
    """The layers of `ner` from Docs to vectors: an embedding and an encoder."""
    return nlp.get_pipe("ner").model.get_ref("tok2vec").layers[0]


class FastNer:
    """Finds the entities that `nlp.get_pipe("ner")(nlp.tokenizer(text)).ents` has.

    Two differences: more than 1,000 characters without white space are one token, and near ties in a text of more than
    LONGEST_FOR_SPACY characters are decided here. Raises ValueError with the reason where the pipeline doesn't fit.
    Memory is bounded: caches start afresh when full. Not for several threads at once.
    """

    def __init__(self, nlp: Language, *, max_types: int = MAX_TYPES, max_pieces: int = MAX_PIECES) -> None:
        reason = misfit(nlp)
        if reason:
            raise ValueError(reason)
        self._nlp = nlp
        self._embed = encoder.with_numpy(_tok2vec(nlp).get_ref("embed"))
        wanted = encoder.attributes(self._embed, nlp.vocab.vectors)
        self._getters = pieces.attribute_getters(nlp.vocab, wanted)
        self._layers, lacking = encoder.read_layers(_tok2vec(nlp).get_ref("encode"))
        self._encoder = encoder_for(self._layers)
        self._parser = _Parser(nlp.get_pipe("ner"), lacking)
        tokenizer = pieces.own_tokenizer(nlp.tokenizer, self._getters)
        self._types = Types(self._embed, self._layers[0], tokenizer.vocab, max_types)
        self._pieces = Pieces(tokenizer, self._types.number, max_pieces)

    def _start_afresh(self) -> None:
        tokenizer = pieces.own_tokenizer(self._nlp.tokenizer, self._getters)
        self._types.start_afresh(tokenizer.vocab)
        self._pieces.start_afresh(tokenizer)

    def ents(self, texts: Sequence[str], batch: int = 256) -> list[list[Span]]:
        """The entities of each text, in order; `batch` texts are computed together, 256 to 512 being fastest.

        Raises UnicodeEncodeError (a ValueError) where a text has a lone surrogate, as spaCy does.
        """
        return [ents for some in _batches(texts, batch) for ents in self._ents(some)]

    @property
    def compiled(self) -> bool:
        """Whether the encoder is the compiled one."""
        return isinstance(self._encoder, NativeEncoder)

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """The tokens of the texts, of which spaCy's `ner` would decide."""
        if self._types.full or self._pieces.full:
            self._start_afresh()
        return self._pieces.tokens(texts)

    def _ents(self, texts: Sequence[str]) -> list[list[Span]]:
        tokens = self.tokens(texts)
        last = tokens.text != np.append(tokens.text[1:], -1)
        found = self._parser.entities(self._vectors(tokens), last, self._types.is_space[tokens.type])
        spans = list(map(Span, tokens.start[found.first].tolist(), tokens.end[found.last].tolist(), found.label))
        bounds = np.searchsorted(tokens.text[found.first], np.arange(len(texts) + 1)).tolist()
        ents = [spans[start:end] for start, end in pairwise(bounds)]
        for number in np.unique(tokens.text[found.near]).tolist():
            ents[number] = self._near_tie(texts[number], ents[number])
        return ents

    def _vectors(self, tokens: Tokens) -> Floats:
        """(tokens, width): the tokens' vectors, each text computed as if it were alone."""
        reach = len(self._layers)
        place = np.arange(len(tokens.type)) + reach * (tokens.text + 1)
        numbers = np.zeros(place[-1:].sum() + reach + 1, np.int64)
        numbers[place] = tokens.type
        vectors: Floats = self._encoder.encode(numbers, self._types)[place]
        return vectors

    def _near_tie(self, text: str, ents: list[Span]) -> list[Span]:
        """spaCy's own entities, but for a text that would take it too much time or memory."""
        if len(text) > LONGEST_FOR_SPACY or any(map(pieces.is_overlong, pieces.cut(text))):
            return ents
        vocab = self._nlp.vocab
        with nullcontext() if vocab.in_memory_zone else vocab.memory_zone():  # zones must not be nested
            doc = self._nlp.get_pipe("ner")(self._nlp.tokenizer(text))
            return [Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The texts in order, so many at once, and no more than CHARACTERS unless one alone has more."""
    start = characters = 0
    for end, text in enumerate(texts):
        characters += len(text)
        if end - start == size or (end > start and characters > CHARACTERS):
            yield texts[start:end]
            start, characters = end, len(text)
    if start < len(texts):
        yield texts[start:]


class _Found(NamedTuple):
    """Entities by their first and last tokens, and the tokens where a decision was a near tie."""

    first: Ints
    last: Ints
    label: list[str]
    near: Ints


class _Parser:
    """The greedy decisions of spaCy's transition-based parser over BILUO moves.

    Its state is three tokens: the current one, the first of the open entity, the one before the current; outside of an
    entity the last two are constants. Each hidden unit is the larger of two sums. Scores are linear in hidden units.
    """

    def __init__(self, ner: Any, lacking: npt.NDArray[np.float64]) -> None:
        """Read the weights; `lacking` (width,) must be added to all vectors."""
        self._read_hidden(ner.model, lacking)
        weights, bias = (ner.model.get_ref("upper").get_param(name) for name in ("W", "b"))  # (moves, hidden), (moves,)
        moves = [ner.moves.get_class_name(number).partition("-")[::2] for number in range(ner.moves.n_moves)]
        self._labels = [label for action, label in moves if action == "B"]
        outside = [number for number, move in enumerate(moves) if move[0] in "BUO" and move != ("U", "")]
        self._begins = np.array([moves[number][0] == "B" for number in outside])
        self._label = np.array([self._labels.index(moves[number][1]) if moves[number][1] else -1 for number in outside])
        self._outside = np.ascontiguousarray(weights[outside].T), bias[outside]
        inside, last = (np.array([moves.index((action, label)) for label in self._labels], np.int64) for action in "IL")
        self._go_on, self._stop = (weights[inside], bias[inside]), (weights[last], bias[last])
        self._penalties = np.zeros((3, len(outside)), np.float32)  # where all may be, at the end, on white space
        self._penalties[1, self._begins] = self._penalties[2, self._label >= 0] = -np.inf

    def _read_hidden(self, model: Any, lacking: npt.NDArray[np.float64]) -> None:
        """Fold the linear layer over the vectors into the hidden layer: (3, width, 2 * hidden) and (3, 2 * hidden)."""
        linear, lower = model.get_ref("tok2vec").layers[-1], model.get_ref("lower")
        weights = lower.get_param("W").transpose(0, 2, 1, 3).astype(np.float64)  # (3, 2, hidden, between)
        weights = weights.reshape(3, -1, weights.shape[-1])
        of_token = (weights @ linear.get_param("W")).transpose(0, 2, 1)
        constant = weights @ (linear.get_param("b") + linear.get_param("W") @ lacking)
        missing = lower.get_param("pad")[0].transpose(0, 2, 1).reshape(3, -1)
        bias = lower.get_param("b").T.reshape(-1)
        self._current = _floats(of_token[0]), _floats(constant[0] + missing[1] + missing[2] + bias)
        self._open = _floats(of_token.reshape(-1, len(bias))), _floats(constant.sum(0) + bias)

    def entities(self, vectors: Floats, last: Flags, space: Flags) -> _Found:
        """Entities from the tokens' vectors (tokens, width), and which are the last of a text, and white space."""
        moves, near = self._outside_moves(vectors, np.where(space, 2, last))
        first = np.flatnonzero(self._label[moves] >= 0)
        label = self._label[moves[first]]
        end, near_too = self._ends(vectors, first, label, self._begins[moves[first]], last)
        kept = _not_overlapping(first, end)
        labels = [self._labels[number] for number in label[kept].tolist()]
        return _Found(first[kept], end[kept], labels, np.concatenate([near, near_too]))

    def _outside_moves(self, vectors: Floats, penalty: Ints) -> tuple[Ints, Ints]:
        """(tokens,): the best move at each token if no entity is open there, and the tokens of near ties."""
        best = np.empty(len(vectors), np.int64)
        lead = np.empty(len(vectors), np.float32)
        weights, bias = self._outside
        for start in range(0, len(vectors), ROWS):
            rows = slice(start, start + ROWS)
            scores = _hidden(vectors[rows], *self._current) @ weights
            scores += (self._penalties + bias)[penalty[rows]]
            best[rows] = scores.argmax(1)
            winners = np.arange(len(scores)), best[rows]
            top = scores[winners]
            scores[winners] = -np.inf
            lead[rows] = top - scores.max(1)
        return best, np.flatnonzero(lead < TIE)

    def _ends(self, vectors: Floats, first: Ints, label: Ints, begins: Flags, last: Flags) -> tuple[Ints, Ints]:
        """The last token of each entity, where those that `begins` says go on behind their first; and near ties."""
        end = first.copy()
        near = [first[:0]]
        still = np.flatnonzero(begins)
        end[still] += 1
        while len(still):
            at, kind = end[still], label[still]
            hidden = _hidden(np.hstack([vectors[at], vectors[first[still]], vectors[at - 1]]), *self._open)
            lead = _dots(hidden, self._go_on, kind) - _dots(hidden, self._stop, kind)
            near.append(at[(np.abs(lead) < TIE) & ~last[at]])
            still = still[(lead > 0) & ~last[at]]
            end[still] += 1
        return end, np.concatenate(near)


def _floats(numbers: npt.NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(numbers, np.float32)


def _hidden(state: Floats, weights: Floats, bias: Floats) -> Floats:
    """(states, hidden): the larger of two sums for each unit."""
    sums = state @ weights
    sums += bias
    half = sums.shape[1] // 2
    larger: Floats = np.maximum(sums[:, :half], sums[:, half:])
    return larger


def _dots(hidden: Floats, scorer: tuple[Floats, Floats], kind: Ints) -> Floats:
    """(states,): the score of each state by the row `kind` of a scorer's weights and bias."""
    weights, bias = scorer
    scores: Floats = np.einsum("ij,ij->i", hidden, weights[kind]) + bias[kind]
    return scores


def _not_overlapping(first: Ints, end: Ints) -> Ints:
    """The numbers of the entities that are begun in turn: none begins while another is open."""
    kept, free = [], 0
    for number, (start, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
        if start >= free:
            kept.append(number)
            free = stop + 1
    return np.array(kept, np.int64)
