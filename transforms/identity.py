"""Who an article is: its identity, the hash of its words, and the id made of both."""

import re
import unicodedata
from functools import lru_cache

from xxhash import xxh3_128_hexdigest

VERSION = 1
"""Of the rules below. It goes into every hash: raise it when a rule changes, or old and new ids will be confused."""

_SHORT = 8_000
"""Characters of the longest text whose tokens are remembered."""
_FOLDED = str.maketrans({**dict.fromkeys("‘’‚‛`´ʼ′＇", "'"), **dict.fromkeys("‐‑‒–—―−", "-")})
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.,]\d+)*")
_ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*|[0-9]+(?:[.,][0-9]+)*")


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, in order: NFKC, quotes and dashes folded, without case or punctuation."""
    return _tokens_of_short(text) if len(text) <= _SHORT else _tokens(text)


def _tokens(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_TOKEN.findall(text.lower().replace("`", "'"))
    return _TOKEN.findall(unicodedata.normalize("NFKC", text.translate(_FOLDED)).translate(_FOLDED).casefold())


_tokens_of_short = lru_cache(512)(_tokens)
"""Remembers the titles and bodies of a chunk, which are asked for twice: for the hash, and for the fingerprint."""


def content_hash(title: str, body: str) -> str:
    """The same 32 hex digits for the same words, whether the headline stands apart or opens the text."""
    return _digest("content", *tokens(title), *tokens(body))


def identity(
    *, canonical_url: str | None, id: str | None, input: str, position: int, publisher: str | None = None
) -> str:
    """What makes it this article: its canonical URL, else its id, else where it stands.

    `publisher` is the feed, or the source as the record names it: ids are unique only to one publisher. A URL that
    is only a site's front page says nothing.
    """
    if canonical_url and canonical_url.split("/", 3)[3:] not in ([], [""]):
        return canonical_url
    if id:
        return f"id:{publisher}#{id}" if publisher else f"id:{id}"
    return f"input:{input}#{position}"


def article_id(identity: str, content_hash: str) -> str:
    """32 hex digits for this content under this identity."""
    return _digest("article", identity, content_hash)


def letter_id(input: str, version: str, position: int) -> str:
    """32 hex digits for a record of one version of an input."""
    return _digest("letter", input, version, str(position))


def _digest(kind: str, *parts: str) -> str:
    """Hash of parts that hold no separator; file names may hold surrogates, for bytes that are not UTF-8."""
    return xxh3_128_hexdigest("\x1f".join((kind, str(VERSION), *parts)).encode("utf-8", "surrogatepass"))
