"""The user's own list of names, as patterns of spaCy's EntityRuler, one JSON object a line:

    {"label": "ORG", "pattern": "Calder Shipping", "id": "Q90000001"}
    {"label": "ORG", "pattern": [{"LOWER": "calder"}, {"LOWER": "shipping"}], "id": "Q90000001"}

What it finds wins over the model and all rules. Strings, and patterns of nothing but LOWER or nothing but TEXT (ORTH),
are looked up in a tree of words, whose cost does not grow with the list; any other pattern runs in spaCy's Matcher, on
its tokenizer. Of hits that overlap the longest counts, then the first, as with the EntityRuler.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas.errors import UsageError

MAX_BYTES = 100_000_000
"""Of a gazetteer; it is held in memory by every worker."""

_WORD = re.compile(r"\w+|[^\w\s]|\n")
_END = ""
"""The key in the tree of words under which a pattern ends; no word is empty."""
_BY_TEXT = ("TEXT", "ORTH")
_NOT_RUN = ("POS", "TAG", "DEP", "LEMMA", "MORPH", "ENT_TYPE", "ENT_IOB", "ENT_ID", "ENT_KB_ID", "SENT_START")

Tree = dict[str, Any]
Matcher = Callable[[str], list[tuple[int, int, int]]]
"""From a text to numbers of patterns with start and end, in characters."""


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""

    label: str
    pattern: str | list[dict[str, Any]]
    id: str | None = None


class Hit(NamedTuple):
    """What the gazetteer finds in a text: its place in characters, and what it says of it."""

    start: int
    end: int
    label: str
    id: str | None
    name: str | None
    """The first string that stands under the same id; None without one."""


class Gazetteer(NamedTuple):
    """A list that was read: trees of words as they stand and in lower case, and spaCy's Matcher for the rest."""

    patterns: Sequence[Pattern]
    names: Mapping[str, str]
    exact: Tree
    lower: Tree
    matcher: Matcher | None

    def find(self, text: str) -> list[Hit]:
        """The hits in a text, in order, none overlapping another, none across a line break."""
        found = [*self._in_trees(text), *(self.matcher(text) if self.matcher else ())]
        if len(found) > 1:
            found.sort(key=lambda hit: (hit[1] - hit[2], hit[1], hit[0]))
        taken: set[int] = set()
        hits = []
        for number, start, end in found:
            if taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                pattern = self.patterns[number]
                hits.append(Hit(start, end, pattern.label, pattern.id, self.names.get(pattern.id or "")))
        return sorted(hits)

    def _in_trees(self, text: str) -> Iterator[tuple[int, int, int]]:
        for tree, form in ((self.exact, text), (self.lower, text.lower() if self.lower else "")):
            if not tree or len(form) != len(text) or tree.keys().isdisjoint(words := _WORD.findall(form)):
                continue
            spans = [found.span() for found in _WORD.finditer(form)]
            for at, word in enumerate(words):
                if word in tree and (longest := _longest(tree, words, at)):
                    number, after = longest
                    yield number, spans[at][0], spans[after - 1][1]


def _longest(tree: Tree, words: Sequence[str], at: int) -> tuple[int, int] | None:
    """The longest pattern that begins with a word: its number, and the word after it."""
    found = None
    while at < len(words) and (tree := tree.get(words[at], {})):
        at += 1
        if _END in tree:
            found = tree[_END], at
    return found


@cache
def load_gazetteer(path: str, language: str = "en") -> Gazetteer:
    """Read a list. Raises UsageError, which names the line, if there is none or one is no pattern."""
    patterns = list(_patterns(path))
    names: dict[str, str] = {}
    exact, lower, others = Tree(), Tree(), []
    for number, pattern in enumerate(patterns):
        if pattern.id and isinstance(pattern.pattern, str):
            names.setdefault(pattern.id, pattern.pattern)
        if (words := _plain_words(pattern)) is None:
            others.append(number)
        else:
            _plant(exact if words[0] else lower, words[1], number)
    return Gazetteer(patterns, names, exact, lower, _matcher(path, patterns, others, language) if others else None)


def _patterns(path: str) -> Iterator[Pattern]:
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: a gazetteer has at most {MAX_BYTES:,} bytes.")
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: the gazetteer cannot be read: {error.strerror}.") from None
    decoder = msgspec.json.Decoder(Pattern)
    for number, line in enumerate(lines, 1):
        try:
            pattern = decoder.decode(line) if line.strip() else None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {number}: no pattern of spaCy's EntityRuler: {error}.") from None
        if pattern:
            yield _checked(pattern, f"{path}, line {number}")


def _checked(pattern: Pattern, where: str) -> Pattern:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", pattern.label):
        raise UsageError(f"{where}: a label is capitals, such as ORG, not {pattern.label!r}.")
    if not (pattern.pattern.strip() if isinstance(pattern.pattern, str) else pattern.pattern):
        raise UsageError(f"{where}: the pattern is empty.")
    for token in pattern.pattern if isinstance(pattern.pattern, list) else ():
        if unknown := [name for name in token if name.upper() in _NOT_RUN]:
            raise UsageError(f"{where}: {unknown[0]} needs a component that is not run; use LOWER, TEXT, SHAPE, REGEX.")
    return pattern


def _plain_words(pattern: Pattern) -> tuple[bool, list[str]] | None:
    """The words of a pattern that can be looked up, and whether as they stand; None for one that needs spaCy."""
    if isinstance(pattern.pattern, str):
        return True, _WORD.findall(pattern.pattern)
    words: dict[bool, list[str]] = {True: [], False: []}
    for token in pattern.pattern:
        name, value = next(iter(token.items()), ("", None))
        if len(token) != 1 or not isinstance(value, str) or name.upper() not in (*_BY_TEXT, "LOWER"):
            return None
        words[name.upper() in _BY_TEXT] += _WORD.findall(value)
    if words[True] and words[False]:
        return None
    return bool(words[True]), words[True] or words[False]


def _plant(tree: Tree, words: Sequence[str], number: int) -> None:
    for word in words:
        tree = tree.setdefault(word, {})
    tree.setdefault(_END, number)


def _matcher(path: str, patterns: Sequence[Pattern], numbers: Sequence[int], language: str) -> Matcher:
    import spacy

    nlp = spacy.blank(language)
    nlp.max_length = 100_000_000
    matcher = spacy.matcher.Matcher(nlp.vocab, validate=True)
    by_key = {}
    for number in numbers:
        try:
            matcher.add(str(number), [patterns[number].pattern])
        except ValueError as error:
            raise UsageError(f"{path}: {patterns[number].pattern}: {' '.join(str(error).split())}.") from None
        by_key[nlp.vocab.strings[str(number)]] = number

    def find(text: str) -> list[tuple[int, int, int]]:
        doc = nlp.make_doc(text)
        return [
            (by_key[key], doc[start].idx, doc[start:end].end_char) for key, start, end in matcher(doc) if end > start
        ]

    return find
