"""The user's own columns: plain functions, named in the configuration, from articles to values.

A function takes articles and returns a mapping of values for each, in the same order. Values land in the one column
`extra`, a map from name to text, so that a warehouse need not be begun anew for a column: where it lacks, it is null.
"""

import difflib
import importlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from schemas.errors import UsageError
from schemas.records import Article

Kind = Literal["text", "integer", "number", "boolean"]
Function = Callable[[Sequence[Article]], Iterable[Mapping[str, Any]]]

MAX_CHARACTERS = 100_000
"""Of one value."""

_TYPES: dict[Kind, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


class OwnColumns(NamedTuple):
    """A function as the configuration names it (`module:function`), and the columns that it fills, with their kinds."""

    function: str
    columns: tuple[tuple[str, Kind], ...]


@cache
def load_function(name: str, root: str) -> Function:
    """The function `module:function`, from what is installed or below the configuration's root.

    Raises UsageError, which says what is wrong, if there is none.
    """
    module_name, _, attribute = name.partition(":")
    if root not in sys.path:
        sys.path.append(root)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module does when it is imported
        raise UsageError(
            f"transforms: the module of {name!r} cannot be imported: {type(error).__name__}: {error}. It must be "
            f"installed, or lie below {root}."
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        near = difflib.get_close_matches(attribute, dir(module), 1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        raise UsageError(f"transforms: {module_name} has no function {attribute!r}{hint}.")
    return function  # type: ignore[no-any-return]


def add_columns(articles: Sequence[Article], own: Sequence[OwnColumns], root: str) -> list[Article]:
    """The articles, the unique ones with their own columns; where a function fails on one, its `problems` say so."""
    result = list(articles)
    for one in own:
        places = [number for number, article in enumerate(result) if article.outcome == "unique"]
        filled = _filled([result[number] for number in places], one, load_function(one.function, root))
        for number, article in zip(places, filled, strict=True):
            result[number] = article
    return result


def _filled(articles: Sequence[Article], own: OwnColumns, function: Function) -> list[Article]:
    """All at once; if that fails, one after the other, so that an article loses only its own values."""
    if not articles:
        return []
    try:
        values = [_texts(row, dict(own.columns)) for row in function(articles)]
        if len(values) != len(articles):
            raise ValueError(f"{len(values)} results for {len(articles)} articles")
    except MemoryError:
        raise
    except Exception as error:  # whatever the user's function does
        if len(articles) > 1:
            return [_filled([article], own, function)[0] for article in articles]
        problem = f"no {', '.join(name for name, _ in own.columns)}: {type(error).__name__}: {error}"[:1_000]
        return [replace(articles[0], problems=[*articles[0].problems, problem])]
    return [replace(article, extra={**article.extra, **row}) for article, row in zip(articles, values, strict=True)]


def _texts(row: Mapping[str, Any], columns: Mapping[str, Kind]) -> dict[str, str]:
    """The values as texts, sorted by name, without nulls. Raises ValueError for one that was not declared so."""
    if unknown := sorted(row.keys() - columns.keys()):
        raise ValueError(f"{unknown[0]!r} is not declared")
    return {name: _text(name, row[name], columns[name]) for name in sorted(row) if row[name] is not None}


def _text(name: str, value: Any, kind: Kind) -> str:
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise ValueError(f"{name} is {type(value).__name__}, not {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is not a finite number")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{name} has more than {MAX_CHARACTERS:,} characters")
    return text.encode("utf-8").decode()  # raises for a lone surrogate, which Parquet could not hold
