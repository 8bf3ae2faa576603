"""Bytes of a page to a tree, within limits: what would cost too much is refused before it does.

trafilatura has no limit of time, so tags are counted: it takes 40 to 60 us for each, whatever they are, and longer
where ten thousands stand in one paragraph. Measured by `python -m tests.bench_pages --hostile`.
"""

import re
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from transforms.extraction.errors import NotAnArticle
from transforms.formats.encoding import decode_page
from transforms.text import without_mojibake

MOST_TAGS = 20_000
"""Elements of a page, without those that hold no text: 1 s for trafilatura. News pages have 700, the longest live
pages 10,000."""
MOST_ATTRIBUTES = 1_000
"""Attributes of one tag: libxml2 puts each behind the last, so 40,000 take 2 s."""
MOST_TEXT = 4_000_000
"""Characters of markup without scripts and the like. 1,000 pages of a novel have 2 million."""
MOST_NESTED = 40_000_000
"""Characters of text times the levels that they lie in: each level is gone through again. News pages have 2 million."""
SMALL = 150_000
"""Characters up to which a page can be parsed before it is counted: its attributes cost half a second at worst."""
DEEPEST = 250
"""Levels. libxml2 itself leaves out what is deeper than 256."""
_CONTROLS = bytes({*range(32)} - {9, 10, 13})
_ODD_DOCTYPE = re.compile(r"\s*<\s*!\s*doctype[^>]*/[^<>]*>", re.IGNORECASE)
_TEXTLESS = ("script", "style", "svg", "template", "select", "link", "meta", "path", "source", "option", "iframe")
_DATA = re.compile(r"""data:[\w/+.-]{1,60};[^"')\s>]{500,}""")
_UNSEEN = ("style", "svg", "template", "select", "datalist", "iframe", "object", "canvas", "map", "math")


def read_markup(markup: bytes, charset: str | None) -> tuple[list[Any], list[str]]:
    """The page's elements (of lxml), the root first, and notes on what was guessed.

    As long as the list is held, lxml need not make an object for each anew whenever the tree is walked. Raises
    NotAnArticle beyond a limit.
    """
    try:
        text, note = decode_page(markup, charset)
    except UnicodeDecodeError as error:
        raise NotAnArticle("WrongEncoding", f"The page is in no encoding that fits ({error}).") from error
    text = without_mojibake(text)  # before trafilatura drops the control characters that may be half of it
    if ";base64," in text:
        text = _DATA.sub("data:", text)
    if len(text) > SMALL:
        _Counter(text).check()
    tree = parse(text)
    etree.strip_elements(tree, *_UNSEEN, with_tail=False)
    elements = list(tree.iter(etree.Element))
    if len(elements) > MOST_TAGS:
        raise _too_many_tags()
    return elements, [note] if note else []


def parse(text: str) -> Any:
    """The tree of a page or a part of one. Raises NotAnArticle where there is nothing in it."""
    parser = lxml_html.HTMLParser(
        collect_ids=False, default_doctype=False, encoding="utf-8", remove_comments=True, remove_pis=True
    )
    doctype = _ODD_DOCTYPE.match(text)
    data = text[doctype.end() if doctype else 0 :].encode("utf-8", "replace").translate(None, _CONTROLS)
    try:
        return lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, ValueError) as error:
        raise NotAnArticle("NoText", "The page is empty.") from error


def is_too_deep(tree: Any) -> bool:
    """Whether elements are nested so deeply that the parser may have left out the text."""
    depth = deepest = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(depth, deepest)
    return deepest >= DEEPEST


def _too_many_tags() -> NotAnArticle:
    return NotAnArticle("TooManyTags", f"The page has more than {MOST_TAGS:,} tags; it is no article, or a broken one.")


class _Counter:
    """Counts a page with the parser's own tokens, but without a tree: 3 us for each tag."""

    def __init__(self, text: str) -> None:
        self.tags = self.unseen = self.depth = self.nested = 0
        self.skipping = False
        self.text = text

    def check(self) -> None:
        """Raises NotAnArticle beyond a limit."""
        parser = etree.HTMLParser(target=self, encoding="utf-8", remove_comments=True, remove_pis=True)
        data = self.text.encode("utf-8", "replace")
        for at in range(0, len(data), 1 << 16):
            parser.feed(data[at : at + (1 << 16)])
        parser.close()
        if self.nested > MOST_NESTED:
            raise NotAnArticle("TooDeep", "The page's text lies in too many levels of tags.")
        if len(data) - self.unseen > MOST_TEXT:
            raise NotAnArticle("PageTooLong", f"The page holds more than {MOST_TEXT:,} characters of markup and text.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.skipping = tag in ("script", "style")
        self.depth += 1
        self.tags += tag not in _TEXTLESS
        if self.tags > MOST_TAGS:
            raise _too_many_tags()
        if len(attributes) > MOST_ATTRIBUTES:
            raise NotAnArticle("TooManyAttributes", f"A tag of the page has more than {MOST_ATTRIBUTES:,} attributes.")

    def end(self, tag: str) -> None:
        self.skipping = False
        self.depth -= 1

    def data(self, text: str) -> None:
        if self.skipping:
            self.unseen += len(text)
        else:
            self.nested += self.depth * len(text)

    def close(self) -> None:
        """Nothing is built."""
