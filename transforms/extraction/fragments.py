"""HTML inside something else, such as a feed's entry or a field of JSON, to clean paragraphs."""

import re
from html import unescape

_UNSEEN = re.compile(
    r"<(script|style|noscript|iframe|svg|figcaption)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.I | re.S
)
_BREAK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|h[1-6]|blockquote|section|article|tr|table|figure|pre|hr|dd|dt)\b[^<>]*>", re.I
)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.I)


def html_to_paragraphs(html: str, base_url: str | None = None) -> str:
    """The text of a fragment in paragraphs, an empty line between two; without scripts and captions."""
    text = unescape(_TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub(" ", html))))
    return "\n\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
