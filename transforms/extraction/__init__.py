"""A news page in, the fields of a Record out; and fragments of HTML to paragraphs."""

from transforms.extraction.fragments import html_to_paragraphs
from transforms.extraction.page import NotAnArticle, extract

__all__ = ["NotAnArticle", "extract", "html_to_paragraphs"]
