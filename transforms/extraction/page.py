"""A news page in, the fields of a Record out."""

from typing import Any

from schemas.records import Problem
from transforms.formats.encoding import decode


class NotAnArticle(Exception):
    """Raised for a page that is no article; carries a Problem whose error_class says what it is instead."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)


def extract(markup: bytes, url: str | None = None, charset: str | None = None) -> dict[str, Any]:
    """The fields of a Record, as keyword arguments: what the page says of itself, and its text in paragraphs.

    `url` is where the page is from, if that is known; `charset` what the server said of its encoding.
    Raises NotAnArticle for a page that is something else.
    """
    from trafilatura import bare_extraction, load_html

    text, note = decode(markup)
    tree = load_html(text)
    found = bare_extraction(tree, url=url, include_comments=False, with_metadata=True) if tree is not None else None
    if found is None or not found.text:
        raise NotAnArticle("NoText", "The page holds no text that is an article.")
    fields = {
        "title": found.title,
        "summary": found.description,
        "text": "\n\n".join(found.text.split("\n")),
        "url": url,
        "canonical_url": found.url,
        "published": found.date,
        "authors": found.author.split("; ") if found.author else [],
        "source": found.sitename,
        "categories": [*(found.categories or []), *(found.tags or [])],
        "image_url": found.image,
        "language": found.language,
        "problems": [note] if note else [],
    }
    return {name: value for name, value in fields.items() if value}
