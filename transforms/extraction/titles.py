"""The headline of a page, without the name of the site."""

import re
from collections.abc import Collection, Sequence

from transforms.extraction.fields import Page, told
from transforms.pages import key

_SEPARATOR = re.compile(r"\s+[|\-–—·•*:»«]+\s+|\s*[｜|ㅣ]\s*|\s*：\s*")
_OPENING = re.compile(r"[^:|–-]{2,40}?(?:\s*:|\s+[|–-])\s+")
_LONGEST_SITE = 40
_LONGEST = 500


def read_titles(page: Page, sites: Sequence[str]) -> list[str]:
    """What the page gives as its headline, the surest first.

    The name of the site is cut off, where another source gives the rest alone, or where what follows a separator
    is that name (together 24 of 129 titles of news pages). An h1 counts first if another source says the same.
    """
    named = {place: [text[:_LONGEST] for text in values] for place, values in told(page, "title")}
    others = {key(text) for values in named.values() for text in values}
    site_keys = {key(site) for site in sites}
    titles = {}
    for place, values in named.items():
        cut = [without_site(text, site_keys, others) for text in values]
        titles[place] = [text for text in cut if len(text) > 2 and key(text) not in site_keys]
    agreed = {key(text) for place, texts in titles.items() if place != "page h1" for text in texts}
    titles["page h1"] = sorted(titles.get("page h1", []), key=lambda text: key(text) not in agreed)
    return list(dict.fromkeys(texts[0] for texts in titles.values() if texts))


def without_site(title: str, sites: Collection[str], others: Collection[str]) -> str:
    """`Head | Section | Site` as `Head`. `sites` and `others` (what other sources say) are keys."""
    cuts = list(_SEPARATOR.finditer(title))
    for cut in cuts:
        if key(title[: cut.start()]) in others:
            return title[: cut.start()].strip()
    opening = _OPENING.match(title)
    if opening and key(opening[0]) in sites and title[opening.end() :]:
        return title[opening.end() :].strip()
    for cut in reversed(cuts):
        if not _is_site(key(title[cut.end() :]), sites):
            break
        title = title[: cut.start()].strip()
    return title


def _is_site(tail: str, sites: Collection[str]) -> bool:
    """Whether it is the site's name, or the one contains the other at its end: `The Ermel Courant`, `Courant`."""
    if not tail or len(tail) > _LONGEST_SITE:
        return False
    return any(tail == site or (len(site) > 3 and (tail.endswith(site) or site.endswith(tail))) for site in sites)
