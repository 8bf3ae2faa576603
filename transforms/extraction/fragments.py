"""HTML inside something else, such as a feed's entry or a field of JSON, to clean paragraphs."""

import re
from html import unescape
from typing import Any

from lxml import etree

from transforms.extraction.errors import NotAnArticle
from transforms.extraction.markup import MOST_TAGS, MOST_TEXT, parse
from transforms.extraction.prune import drop

_UNSEEN = (
    *("script", "style", "noscript", "template", "iframe", "object", "svg", "math", "form", "button", "select"),
    *("figcaption", "nav", "audio", "video", "canvas"),
)
_BLOCKS = frozenset(
    (
        *("p", "div", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"),
        *("article", "section", "aside", "header", "footer", "main", "figure", "table", "tr", "hr", "br", "address"),
    )
)
_LITTER = etree.XPath(
    './/*[re:test(@class, "caption|shar(?:e|ing)|social|newsletter|related|feedflare|addtoany|wp-block-buttons", "i")]',
    namespaces={"re": "http://exslt.org/regular-expressions"},
)
_CUT = "\ue000"
"""Of private use, so that it is in no text, and XML allows it."""
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What a reference such as `&#1;` can stand for, and lxml does not take back."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>")
_ESCAPED_TAG = re.compile(r"&lt;(?:p|br|div|a|em|strong|h\d)\b")
_MARKUP = re.compile(
    r"</(?:p|div|a|li|ul|em|strong|b|i|h\d|span|figure|blockquote|td)>|<br\s*/?>|<p(?:\s[^<>]*)?>", re.I
)


def html_to_paragraphs(html: str) -> str:
    """The text of a fragment in paragraphs, an empty line between two; without scripts, captions and share boxes.

    A fragment that is escaped twice, as some feeds have it, is read all the same. One beyond the limits of a page
    loses its tags and nothing else.
    """
    if "<" not in html and _ESCAPED_TAG.search(html):
        html = unescape(html)
    if html.count("<") > 2 * MOST_TAGS or len(html) > MOST_TEXT:
        return _joined(unescape(_TAG.sub(_CUT, html)))
    try:
        return _joined(_text_of(parse(f"<div>{html}</div>")))
    except NotAnArticle:
        return ""


def is_markup(text: str) -> bool:
    """Whether a text has tags in it: two at least, since one can be what it is about."""
    found = _MARKUP.search(text)
    return found is not None and _MARKUP.search(text, found.end()) is not None


def without_tags(text: str) -> str:
    """A title or another short field without tags, such as those for italics."""
    return _TAG.sub("", text) if "</" in text or "<br" in text else text


def _text_of(tree: Any) -> str:
    etree.strip_elements(tree, *_UNSEEN, with_tail=False)
    for tag in _LITTER(tree):
        drop(tag)
    for tag in tree.iter(etree.Element):
        if tag.tag in _BLOCKS:
            tag.text = _CUT + _NOT_XML.sub("", tag.text or "")
            tag.tail = _CUT + _NOT_XML.sub("", tag.tail or "")
        elif tag.tag in ("td", "th"):
            tag.tail = " " + _NOT_XML.sub("", tag.tail or "")
    return "".join(tree.itertext())


def _joined(text: str) -> str:
    return "\n\n".join(filter(None, (" ".join(part.split()) for part in text.split(_CUT))))
