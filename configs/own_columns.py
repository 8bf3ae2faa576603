"""An example of columns of one's own; configs/own_columns.yaml uses it. Two columns: how long a text takes to read, and
whether anybody is quoted in it.
"""

from collections.abc import Iterator, Sequence

from schemas.records import Article

WORDS_A_MINUTE = 230


def reading(articles: Sequence[Article]) -> Iterator[dict[str, object]]:
    """For each article its values; a value that is None is left out."""
    for article in articles:
        yield {
            "reading_minutes": round(article.word_count / WORDS_A_MINUTE, 1) if article.word_count else None,
            "has_quote": any(quote in article.body for quote in '"“„«'),
        }
