"""A news page in, the fields of a Record out; and fragments of HTML to paragraphs."""

from transforms.extraction.errors import NotAnArticle
from transforms.extraction.fragments import html_to_paragraphs
from transforms.extraction.page import extract

__all__ = ["NotAnArticle", "extract", "html_to_paragraphs"]
