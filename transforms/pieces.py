"""Texts to tokens, as spaCy's tokenizer cuts them, remembered piece by piece.

spaCy cuts a text at white space before it looks at anything else, so what stands between two cuts has the same tokens
everywhere. Each distinct piece goes through spaCy's tokenizer once; from then on a text is a regular expression and a
look-up of its pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, pairwise, repeat, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    Tokenizer = Any  # spacy.tokenizer.Tokenizer, which is Cython without stubs

AnyType = TypeVar("AnyType", bound=np.generic)
Ints = npt.NDArray[np.int64]

cut = re.compile(r"\S+ ?|\s+").findall
"""The pieces of a text: a run of anything but white space with the one blank that it swallows, or a run of white space.

`\\s`, `str.isspace` and spaCy's own test are the same predicate of CPython."""

LONGEST = 1_000
"""Characters without white space that are still tokenized; a longer run is one token.

spaCy's tokenizer searches the whole run again for each bracket that it takes off, so its time grows with the square of
the length: 0.1 s for 1,000 of them, a day for a million."""

SEPARATOR = "\n\n"
"""Stands between words that are tokenized together and must not touch: white space, and no special case of spaCy's
English. Elsewhere a blank does, at half the cost, since it is no token."""

PIECE = np.dtype(
    [
        ("length", np.int64),  # characters
        ("first", np.int64),  # the first of its tokens in the table of tokens
        ("count", np.int64),  # of its tokens
        ("opening", np.int64),  # see _Joints
        ("closing", np.int64),  # see _Joints
    ]
)
TOKEN = np.dtype([("type", np.int64), ("start", np.int32), ("end", np.int32)])  # characters from the piece's start


class Tokens(NamedTuple):
    """The tokens of several texts in a row; each field has shape (tokens,)."""

    type: Ints  # the number of its spelling and norm
    start: Ints  # its place in its text, in characters
    end: Ints
    text: Ints  # which of the texts


def misfit(tokenizer: Any) -> str | None:
    """Why texts can't be tokenized piece by piece as this tokenizer does, or None if they can."""
    import spacy

    if type(tokenizer) is not spacy.tokenizer.Tokenizer:
        return f"tokenizer {type(tokenizer).__name__}"
    inside = [rule for rule in tokenizer.rules if rule.split() and rule.split() != [rule]]
    return f"tokenizer rule {inside[0]!r} spans white space" if inside else None


def own_tokenizer(tokenizer: Tokenizer, getters: dict[int, Callable[[str], Any]]) -> Tokenizer:
    """A copy on a vocab of its own, whose words have only the attributes that `attribute_getters` were asked for.

    A vocab never gives back the room of a word: 700 bytes for each new one, and 35 even in a `memory_zone`, whose
    deleted keys stay in the hash tables (measured, spaCy 3.8). A vocab of our own can be thrown away. Most of a word's
    cost is for attributes that a given model never reads.
    """
    import spacy

    theirs = tokenizer.vocab
    vocab = spacy.vocab.Vocab(lex_attr_getters=getters)
    vocab.vectors = _BorrowedVectors(theirs.vectors)
    rules = {
        text: [{attribute: theirs.strings.as_string(value) for attribute, value in token.items()} for token in tokens]
        for text, tokens in tokenizer.rules.items()
    }
    return _tokenizer_like(tokenizer, vocab, rules)


def _tokenizer_like(tokenizer: Tokenizer, vocab: Vocab, rules: dict[str, Any]) -> Tokenizer:
    return type(tokenizer)(
        vocab,
        rules=rules,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
        faster_heuristics=tokenizer.faster_heuristics,
        max_cache_size=0,  # a piece comes only once
    )


def attribute_getters(vocab: Any, attributes: Iterable[int]) -> dict[int, Callable[[str], Any]]:
    """How a word gets each attribute (spaCy's numbers; those that are strings), and IS_SPACE, in this vocab."""
    import spacy

    space = {spacy.attrs.IS_SPACE: vocab.lex_attr_getters[spacy.attrs.IS_SPACE]}
    return space | {attribute: _getter(vocab, attribute) for attribute in attributes}


def _getter(vocab: Any, attribute: int) -> Callable[[str], Any]:
    """What a word's attribute is: as the vocab already has it, which may have been set by hand, else as it makes it."""
    import spacy

    usual: Callable[[str], Any] = vocab.lex_attr_getters[attribute]
    name = f"{spacy.attrs.NAMES[attribute].lower()}_"
    values = ((lexeme.text, getattr(lexeme, name)) for lexeme in vocab)
    changed = {word: value for word, value in values if value != usual(word)}
    return partial(_looked_up, changed, usual) if changed else usual


def _looked_up(known: dict[str, str], usual: Callable[[str], Any], word: str) -> Any:
    return known[word] if word in known else usual(word)


class _BorrowedVectors:
    """Word vectors of another vocab, which assigning them to a vocab would otherwise tie to the new one."""

    strings: Any  # set by the vocab that borrows

    def __init__(self, vectors: Any) -> None:
        import spacy

        self.attr = getattr(vectors, "attr", spacy.attrs.ORTH)
        self._vectors = vectors

    def get_batch(self, keys: Iterable[int]) -> npt.NDArray[np.float32]:
        """(keys, width): zeros for words without a vector, as in spaCy's StaticVectors."""
        words = [self.strings[key] for key in keys]
        vectors: npt.NDArray[np.float32] = self._vectors.get_batch(words)
        if getattr(self._vectors, "mode", None) == "default":
            vectors[self._vectors.find(keys=words) < 0] = 0
        return vectors


class _Joints:
    """Which pieces must not be tokenized apart.

    spaCy looks for special cases of several tokens (":)", "he's", "a.m.") once more among the finished tokens, blind to
    the blanks between them, so one may straddle two pieces ("x:) )"). Each token that is not the first of a special
    case has a bit: a piece that begins with its text has the bit in `opening`, one that ends with the text of a token
    before it, in `closing`. Two neighbours with a common bit are learned as one piece: sometimes for nothing, as a bit
    stands for several tokens, but 1 boundary in 1,500 in all.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._opening: dict[str, int] = {}
        self._closing: dict[str, int] = {}
        plain = _tokenizer_like(tokenizer, tokenizer.vocab, {})
        for rule in tokenizer.rules:
            for left, right in pairwise(token.text for token in plain(rule)):
                bit = self._opening.setdefault(right, 1 << len(self._opening) % 63)
                self._closing[left] = self._closing.get(left, 0) | bit
        self._opening_lengths = {len(text) for text in self._opening}
        self._closing_lengths = {len(text) for text in self._closing}

    def opening(self, word: str) -> int:
        """The bits of all tokens that the word begins with."""
        found = 0
        for length in self._opening_lengths if len(word) <= LONGEST else ():
            found |= self._opening.get(word[:length], 0)
        return found

    def closing(self, word: str) -> int:
        """The bits of all tokens that may follow one that the word ends with."""
        found = 0
        for length in self._closing_lengths if len(word) <= LONGEST else ():
            found |= self._closing.get(word[-length:], 0)
        return found


class Pieces:
    """The pieces met so far with their tokens.

    `number` gives a type number for each token from its spelling, its norm (spaCy's hashes of both) and whether it is
    white space; it is called in the tokenizer's memory zone, where new words still have their strings.
    """

    def __init__(self, tokenizer: Tokenizer, number: Callable[[Any, Any, Any], Ints], limit: int) -> None:
        self._tokenizer = tokenizer
        self._number = number
        self._limit = limit
        self._joints = _Joints(tokenizer)
        self._numbers: dict[str, int] = {}
        self._characters = 0
        self._pieces = Rows(PIECE)
        self._tokens = Rows(TOKEN)

    @property
    def full(self) -> bool:
        """Whether it is time to start afresh: more pieces, tokens or characters than they should be."""
        used = max(len(self._pieces), len(self._tokens) // 2, self._characters // 32)
        return used > self._limit

    def start_afresh(self, tokenizer: Tokenizer) -> None:
        """Forget all pieces, keep the memory, and go on with a tokenizer of the same rules."""
        self._tokenizer, self._characters = tokenizer, 0
        self._numbers.clear()
        self._pieces.clear()
        self._tokens.clear()

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Exactly spaCy's tokens, but for runs of more than LONGEST characters without white space.

        Raises UnicodeEncodeError on a lone surrogate, as spaCy does.
        """
        per_text = [cut(text) for text in texts]
        strings = list(chain.from_iterable(per_text))
        text_of = np.repeat(np.arange(len(texts)), [len(pieces) for pieces in per_text])
        numbers, text_of = self._join(strings, self._look_up(strings), text_of)
        pieces = self._pieces.used[numbers]
        ends = np.cumsum(pieces["length"])
        base = np.cumsum([len(text) for text in texts]) - [len(text) for text in texts]
        place = ends - pieces["length"] - base[text_of]
        counts = pieces["count"]
        before = np.cumsum(counts) - counts
        index = np.arange(counts.sum()) + np.repeat(pieces["first"] - before, counts)
        tokens, place = self._tokens.used, np.repeat(place, counts)
        return Tokens(
            type=tokens["type"][index],
            start=tokens["start"][index] + place,
            end=tokens["end"][index] + place,
            text=np.repeat(text_of, counts),
        )

    def _look_up(self, strings: Sequence[str]) -> Ints:
        numbers = np.fromiter(map(self._numbers.get, strings, repeat(-1)), np.int64, len(strings))
        unseen = np.flatnonzero(numbers < 0)
        if len(unseen):
            self._learn([strings[i] for i in unseen.tolist()])
            numbers[unseen] = [self._numbers[strings[i]] for i in unseen.tolist()]
        return numbers

    def _join(self, strings: Sequence[str], numbers: Ints, text_of: Ints) -> tuple[Ints, Ints]:
        """The numbers again, and the text of each, where neighbours that must not be apart have become one piece."""
        table = self._pieces.used
        common = table["closing"][numbers[:-1]] & table["opening"][numbers[1:]]
        joints = np.flatnonzero((common != 0) & (text_of[1:] == text_of[:-1]))
        if not len(joints):
            return numbers, text_of
        runs = np.split(joints, np.flatnonzero(np.diff(joints) > 1) + 1)
        numbers[[run[0] for run in runs]] = self._look_up(["".join(strings[run[0] : run[-1] + 2]) for run in runs])
        keep = np.ones(len(numbers), np.bool_)
        keep[joints + 1] = False
        return numbers[keep], text_of[keep]

    def _learn(self, strings: Iterable[str]) -> None:
        """Tokenize unseen pieces, all ordinary ones in one Doc, which is cheaper than many."""
        from spacy.tokens import Doc

        vocab = self._tokenizer.vocab
        words = dict.fromkeys(piece if piece.isspace() else piece.removesuffix(" ") for piece in strings)
        together = [word for word in words if not word.isspace() and not is_overlong(word)]
        alone = [word for word in words if word.isspace() or is_overlong(word)]
        with vocab.memory_zone():
            if together:
                text, begins = self._in_a_row(together)
                self._enter(together, begins, self._tokenizer(text))
            for word in alone:
                doc = Doc(vocab, words=[word]) if is_overlong(word) else self._tokenizer(word)
                self._enter([word], np.zeros(1, np.int64), doc)

    def _in_a_row(self, words: Sequence[str]) -> tuple[str, Ints]:
        """A text in which each word has its own tokens, and where they begin in it, in characters."""
        touching = [self._joints.closing(left) & self._joints.opening(right) for left, right in pairwise(words)]
        gaps = [SEPARATOR if bits else " " for bits in touching]
        text = "".join(chain.from_iterable(zip_longest(words, gaps, fillvalue="")))
        return text, np.cumsum([0, *(len(word) + len(gap) for word, gap in zip(words, gaps, strict=False))])

    def _enter(self, words: list[str], begins: Ints, doc: Doc) -> None:
        """Add words that begin at these characters of the Doc, each as it is and with a blank behind it."""
        orth, norm, place, length, space = doc.to_array(["ORTH", "NORM", "IDX", "LENGTH", "IS_SPACE"]).T
        lengths = np.array([len(word) for word in words])
        owner = np.searchsorted(begins, place.astype(np.int64), side="right") - 1
        start = place.astype(np.int64) - begins[owner]
        mine = start < lengths[owner]  # the others are separators
        tokens = np.zeros(np.count_nonzero(mine), TOKEN)
        tokens["type"] = self._number(orth[mine], norm[mine], space[mine] != 0)
        tokens["start"] = start[mine]
        tokens["end"] = start[mine] + length[mine].astype(np.int64)
        pieces = np.zeros(len(words), PIECE)
        pieces["count"] = np.bincount(owner[mine], minlength=len(words))
        pieces["first"] = len(self._tokens) + np.cumsum(pieces["count"]) - pieces["count"]
        pieces["length"] = lengths
        self._tokens.add(tokens)
        self._add(words, pieces)

    def _add(self, words: list[str], pieces: npt.NDArray[np.void]) -> None:
        pieces["opening"] = [self._joints.opening(word) for word in words]
        self._number_all(words, pieces)
        if not words[0].isspace():
            pieces["closing"] = [self._joints.closing(word) for word in words]
            pieces["length"] += 1
            self._number_all([f"{word} " for word in words], pieces)

    def _number_all(self, strings: list[str], pieces: npt.NDArray[np.void]) -> None:
        self._numbers.update(zip(strings, range(len(self._pieces), len(self._pieces) + len(strings)), strict=True))
        self._characters += int(pieces["length"].sum())
        self._pieces.add(pieces)


def is_overlong(piece: str) -> bool:
    """Whether a piece is one token without being tokenized; pieces learned as one have a blank inside."""
    return len(piece) > LONGEST and [len(word) > LONGEST for word in piece.split()] == [True]


class Rows:
    """Records of one dtype, added at the end of an array that doubles when it is full."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._array = np.zeros(8192, dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    @property
    def used(self) -> npt.NDArray[np.void]:
        """All records so far: a view that is stale after the next `add`."""
        return self._array[: self._used]

    def clear(self) -> None:
        """Forget all records."""
        self._used = 0

    def add(self, records: npt.NDArray[np.void]) -> None:
        """Append records."""
        self._array = grown(self._array, self._used + len(records))
        self._array[self._used : self._used + len(records)] = records
        self._used += len(records)


def grown(array: npt.NDArray[AnyType], rows: int) -> npt.NDArray[AnyType]:
    """The array, or a copy with zeros behind it that holds at least so many rows, and at least twice as many."""
    if len(array) >= rows:
        return array
    larger = np.zeros((max(rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
