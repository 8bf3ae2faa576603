"""Pages that are no article, recognised by what they say of themselves, and by what they lack.

A page that calls itself an article (JSON-LD, microdata or og:type) and has a text is one, whatever else it looks
like. Of the 181 articles of the article extraction benchmark none is refused.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.records import Problem
from transforms.extraction.fields import Page, texts
from transforms.extraction.metadata import as_list, is_article, text_of, types_of
from transforms.text import count_words
from transforms.urls import path_segments

SHORT = 120
"""Words below which a text can be an error's or a form's."""
STUB = 60
"""Words below which what stands before a paywall is not kept: often the first sentence. Of two stubs in the
benchmark with 94 and 106 words the text is wanted."""
PART = 200
"""Words below which a text before a paywall is noted to be perhaps only a part."""
VERY_SHORT = 40
"""Words below which a text can be the caption of pictures."""
MANY_TEASERS = 6
"""Headings that are links, from which a page without a text of its own is a list of articles."""
WORDS_A_TEASER = 40

_ERROR = re.compile(
    r"(?:error )?(?:40[0134]|410|429|50[0-4])(?:\W*$|\W+(?:[|–-]|error|not|page|forbidden|bad|service|gone)\b)"
    r"|(?:page|article|story|file|seite|artikel) (?:was )?"
    r"(?:not found|nicht gefunden)"
    r"|(?:page|site|seite).{0,20}(?:not available|unavailable|nicht verfügbar)|access denied|forbidden|bad gateway"
    r"|service (?:temporarily )?unavailable|internal server error|gateway time-?out|just a moment|attention required"
    r"|are you (?:a )?(?:human|robot)|page introuvable|página no encontrada|pagina non trovata|sidan hittades inte"
    r"|ページが見つかりません|страница не найдена",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"(?:log ?in|sign ?in|anmelden|einloggen|login|connexion|se connecter|iniciar sesión|accedi|logga in)\b",
    re.IGNORECASE,
)
_SEARCH = re.compile(
    r"(?:search results?|results? for|you searched for|suchergebnisse|suche nach|résultats? (?:de recherche|pour)"
    r"|resultados (?:de búsqueda|para)|risultati (?:della ricerca|per)|sökresultat|zoekresultaten)\b",
    re.IGNORECASE,
)
_SEARCH_PATHS = frozenset(("search", "suche", "recherche", "buscar", "cerca", "sok", "zoeken"))
_GALLERY = re.compile(r"galler|slideshow|fotostrecke|bilderstrecke|photo-?(?:essay|story)|in-pictures|diaporama", re.I)
_LISTS = (
    "section sections category categories kategorie rubrik ressort topic topics tag tags thema archive author autor"
)
_SECTION_PATHS = frozenset(_LISTS.split())
_PAYWALL = re.compile(
    r"subscribe to (?:continue|read|keep)|to (?:continue|keep) reading|already a subscriber|(?:this|the rest of this)"
    r" (?:article|story|content) is (?:for|available to|only for|exclusive)|subscriber[- ]only|subscribers only"
    r"|weiterlesen mit|jetzt weiterlesen|nur für abonnenten|bereits abonnent|réservée? aux abonnés|il vous reste \d+ ?%"
    r"|exclusivo para suscriptores|contenuto riservato agli abbonati|läs vidare|endast för prenumeranter",
    re.IGNORECASE,
)
_PAYWALL_PATH = (
    './/*[self::div or self::section or self::aside][contains(translate(@class, "PAYW", "payw"), "paywall")]'
)
_NEXT = re.compile(r"\d+\s*;\s*url\s*=", re.IGNORECASE)


class Signs(NamedTuple):
    """What tells the kind of a page."""

    titles: Sequence[str]
    words: int
    """In its text."""
    calls_itself_article: bool
    types: str
    """Of its JSON-LD nodes."""
    og_type: str
    path: list[str] | None
    """Of its address; None if no address is known."""
    is_dated: bool
    """By its metadata, or by the only time that it shows: lists show several."""


def read_signs(page: Page, address: str | None, titles: Sequence[str], body: Sequence[str], is_dated: bool) -> Signs:
    """The signs of a page; `address` is its own, or the one that it gives, even if that is a front page."""
    og_type = next(iter(texts(page, "meta og:type")), "").lower()
    says_so = is_article(page.data.article) or bool(page.data.items.get("headline")) or og_type == "article"
    types = " ".join(types_of(node) for node in page.data.nodes)
    path = path_segments(address) if address else None
    return Signs(titles, count_words(" ".join(body)), says_so, types, og_type, path, is_dated)


def other_kind(page: Page, signs: Signs) -> Problem | None:
    """What the page is, if it is no article."""
    if found := _without_text(page, signs):
        return found
    if signs.words < STUB and is_behind_paywall(page):
        return Problem("PaywallStub", f"Only {signs.words} words stand before the paywall.")
    if signs.calls_itself_article and signs.words:
        return None
    if signs.path == [] and (not signs.is_dated or _teasers(page) >= MANY_TEASERS):
        return Problem("FrontPage", "The address is a site's front page.")
    if "SearchResultsPage" in signs.types or _matching(_SEARCH, signs) or _is_search(signs):
        return Problem("SearchPage", "The page lists what a search found.")
    if _is_section(page, signs):
        return Problem("SectionPage", "The page is a list of articles.")
    return None


def _without_text(page: Page, signs: Signs) -> Problem | None:
    """Kinds that can call themselves article, and have hardly any text."""
    longest = VERY_SHORT if signs.calls_itself_article else SHORT
    if signs.words < longest and (title := _matching(_ERROR, signs)):
        return Problem("ErrorPage", f"The page says: {title[:100]}")
    if signs.words < longest and _is_login(page, signs):
        return Problem("LoginPage", "The page asks to log in.")
    if signs.words < VERY_SHORT and any(map(_NEXT.match, page.data.meta.get("refresh", []))):
        return Problem("RedirectPage", "The page only sends on to another.")
    if signs.words < SHORT and _is_gallery(page, signs):
        return Problem("Gallery", "The page is a gallery of pictures.")
    if signs.words < VERY_SHORT and ("VideoObject" in signs.types.split() or signs.og_type.startswith("video")):
        return Problem("VideoPage", "The page is a video.")
    return None


def _is_login(page: Page, signs: Signs) -> bool:
    has_password = page.tree.xpath('boolean(.//input[@type="password"])')
    return (has_password and signs.words < VERY_SHORT) or _matching(_LOGIN, signs) is not None


def _matching(pattern: re.Pattern[str], signs: Signs) -> str | None:
    return next((title for title in signs.titles if pattern.match(title)), None)


def _is_gallery(page: Page, signs: Signs) -> bool:
    """By type or address, with pictures that the text does not explain."""
    named = re.search("ImageGallery|MediaGallery", signs.types) or _GALLERY.search(" ".join(signs.path or ()))
    return bool(named) and len(page.tree.findall(".//img")) >= 3


def _is_search(signs: Signs) -> bool:
    return bool(signs.path) and not _SEARCH_PATHS.isdisjoint(signs.path or ()) and not signs.is_dated


def _is_section(page: Page, signs: Signs) -> bool:
    """A list by type or address, or by many headings that are links and no more text than teasers have."""
    if signs.is_dated and signs.words >= SHORT:
        return False
    teasers = _teasers(page)
    is_list = re.search("CollectionPage|ItemList|ProfilePage", signs.types) is not None
    is_list = is_list or (signs.path is not None and not _SECTION_PATHS.isdisjoint(signs.path[:-1] or signs.path))
    return teasers >= (2 if is_list else MANY_TEASERS) and signs.words <= WORDS_A_TEASER * teasers


def _teasers(page: Page) -> int:
    """Headings that are links."""
    return len(page.tree.xpath(".//*[self::h2 or self::h3 or self::h4][.//a or parent::a]"))


def cut_short(page: Page, signs: Signs) -> list[str]:
    """A note where a text that is kept may be only the part before a paywall."""
    return ["perhaps cut short by a paywall"] if signs.words < PART and is_behind_paywall(page) else []


def is_behind_paywall(page: Page) -> bool:
    """Whether the page says that its text is not free, or asks to subscribe to read on."""
    free = [value for node in page.data.nodes if is_article(node) for value in as_list(node.get("isAccessibleForFree"))]
    if any(str(value).strip().lower() == "false" for value in free):
        return True
    return page.tree.xpath(_PAYWALL_PATH) or _asks_to_subscribe(page.tree)


def _asks_to_subscribe(tree: Any) -> bool:
    shown = (text_of(tag) for tag in tree.iter("p", "h2", "h3", "h4", "strong"))
    return any(_PAYWALL.search(text) for text in shown if len(text) < 300)
