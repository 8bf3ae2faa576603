"""Which language a text is in."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

LANGUAGES = (
    "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv mk ms nl no pl pt ro ru sk sl sq sr sv sw"
    " ta te th tl tr uk ur vi zh"
)
"""The languages that are told apart. With all 140 of the model, 6 % of Reuters' texts became Pidgin and the like."""
SAMPLE = 250
"""Characters that are looked at: nearly as good as 1,000 (.9985 of 4,000 Reuters texts are English; .9993), in half
the time."""
SHORTEST = 20
"""Letters below which nothing is guessed."""
SUREST = 0.4
"""Probability from which a guess is taken. Of 19,043 Reuters items, tables and all, .95 are, 2 of these wrongly."""
FEW = 8
"""Texts up to which they are gone through one by one."""
_NAMES = {
    name: code
    for code, names in (
        ("en", ("eng", "english")),
        ("de", ("deu", "ger", "german", "deutsch")),
        ("fr", ("fra", "fre", "french", "français")),
        ("es", ("spa", "spanish", "español")),
        ("it", ("ita", "italian", "italiano")),
        ("pt", ("por", "portuguese", "português")),
        ("nl", ("nld", "dut", "dutch")),
        ("ru", ("rus", "russian")),
        ("ar", ("ara", "arabic")),
        ("zh", ("zho", "chi", "chinese")),
        ("ja", ("jpn", "japanese")),
        ("ko", ("kor", "korean")),
        ("pl", ("pol", "polish")),
        ("sv", ("swe", "swedish")),
        ("tr", ("tur", "turkish")),
        ("uk", ("ukr", "ukrainian")),
        ("no", ("nor", "norwegian", "nb", "nn")),
        ("da", ("dan", "danish")),
        ("fi", ("fin", "finnish")),
        ("hi", ("hin", "hindi")),
    )
    for name in names
}
"""Codes by what metadata calls common languages; the two written forms of Norwegian are one."""


class _Model(NamedTuple):
    """py3langid's model: an automaton that finds features in bytes, and how much each feature speaks for a language."""

    moves: "np.ndarray[Any, Any]"  # where a byte leads: at a state's row + byte, the next state
    rows: "np.ndarray[Any, Any]"  # where the row of a state begins
    features: "np.ndarray[Any, Any]"  # the feature that is complete in a state; -1 for none
    weights: "np.ndarray[Any, Any]"  # feature by language
    priors: "np.ndarray[Any, Any]"
    languages: list[str]


@cache
def _model() -> _Model:
    import numpy as np  # not above: transforms/__init__.py sets its threads first
    from py3langid.langid import MODEL_DIR, MODEL_FILE
    from py3langid.modelio import load_model

    weights, priors, languages, moves, rows, features = load_model(MODEL_DIR / MODEL_FILE)
    kept = [at for at, language in enumerate(languages) if language in LANGUAGES.split()]
    return _Model(
        np.asarray(moves),
        np.asarray(rows).astype(np.int64) * 256,
        np.asarray(features, np.int32),
        np.ascontiguousarray(weights[:, kept], np.float32),
        priors[kept],
        [languages[at] for at in kept],
    )


def detect(text: str) -> str | None:
    """ISO 639-1 code of the language of a text; None where it is too short or too odd to tell."""
    return detect_all([text])[0]


def detect_all(texts: Sequence[str]) -> list[str | None]:
    """As `detect`, for many texts at once: 40 us each, where one by one it is 180 us between other work, as the
    39 MB of the model fall out of the processor's cache."""
    samples = [_sample(text) for text in texts]
    told = [sample for sample in samples if sample]
    languages = iter(map(_language, told, _walk(told) if len(told) > FEW else map(_walk_one, told)))
    return [next(languages) if sample else None for sample in samples]


def _sample(text: str) -> bytes:
    """The bytes to look at; none if there are too few letters."""
    sample = text[:SAMPLE]
    if sum(map(str.isalpha, sample)) < SHORTEST:
        return b""
    return (sample.lower() if sample.isupper() else sample).encode("utf-8", "replace")


def _walk(samples: Sequence[bytes]) -> "Iterator[np.ndarray[Any, Any]]":
    """The features in each sample, one byte of all samples at a time."""
    import numpy as np

    model = _model()
    longest = max(map(len, samples))
    letters = np.frombuffer(b"".join(sample.ljust(longest, b"\0") for sample in samples), np.uint8)
    found = np.empty((longest, len(samples)), np.int32)
    state = np.zeros(len(samples), np.int64)
    for at, column in enumerate(letters.reshape(len(samples), longest).T):
        state = model.moves[model.rows[state] + column]
        found[at] = model.features[state]
    for sample, features in zip(samples, found.T, strict=True):
        yield features[: len(sample)]


def _walk_one(sample: bytes) -> "np.ndarray[Any, Any]":
    """The features in a sample."""
    import numpy as np

    moves, rows, features, *_ = _model()
    state, found = 0, []
    for letter in sample:
        state = moves[rows[state] + letter]
        found.append(features[state])
    return np.array(found, np.int32)


def _language(sample: bytes, features: "np.ndarray[Any, Any]") -> str | None:
    """The likeliest language. As in py3langid: log counts, softened by the root of the length, so that the
    probabilities mean the same for texts of any length."""
    import numpy as np

    model = _model()
    seen, counts = np.unique(features[features >= 0], return_counts=True)
    scores = (np.log1p(counts, dtype=np.float32) @ model.weights[seen] + model.priors) / math.sqrt(len(sample))
    best = int(scores.argmax())
    probability = 1 / float(np.exp(scores - scores[best]).sum())
    return model.languages[best] if len(seen) and probability >= SUREST else None


def language_code(name: str | None) -> str | None:
    """ISO 639-1 code of a language as metadata names it: `en`, `en-GB`, `eng` or `English`; None if it is unknown."""
    first = (name or "").strip().lower().replace("_", "-").partition("-")[0]
    return _NAMES.get(first, first if len(first) == 2 and first.isascii() and first.isalpha() else None)
