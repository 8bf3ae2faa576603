"""Page furniture: short paragraphs that stand around an article and are not part of it. Removed whole or not at all."""

import re
from collections.abc import Sequence

LONGEST = 240
"""Characters of a paragraph that can be furniture; what is longer is text."""
_LONGEST_CREDIT = 160

# Marks and pointers, in lower case (a pattern that ignores case is three times as slow).
_MARKS = (
    # advertising
    r"(?:skip )?(?:advertisement|advertising|sponsored(?: content)?|anzeige|werbung|publicit[ée]|publicidad)\W*",
    r"(?:the |this )?(?:story|article) continues (?:below|after)(?: (?:this|the))?"
    r"(?: (?:ad|advert|advertisement|video|gallery))?\W*",
    # what a page says of itself
    r"\d{1,3}[ -]?min(?:ute)?s? (?:read|lesezeit)|(?:reading time|lesezeit)\s?:? .{1,30}",
    r"(?:©|\(c\)|copyright\b).{0,160}\ball rights reserved\W*|all rights reserved\W*",
    r"(?:©|copyright (?:©|\(c\))) ?(?:19|20)\d\d\b[^.]{0,80}\.?",
    r"(?:comments|view comments|leave a comment|show more|load more|back to top|loading)\W*",
    # pointers to something else
    r"(?:read|see|find out|learn) (?:more|also|next)(?: (?:here|below|about this|on this story))?\W*",
    r"(?:read|see) (?:more|also|next|this|related)(?: (?:on|about|in|from)\b[^:]{0,40})?\s?(?:[:>»→|]|[–—-] ).*",
    r"read more (?:about|on|in|from|at)\b.*[^.!?\"”’]",
    r"(?:more on this(?: story)?|more from .{1,60}|more stories.{0,40}|recommended|most read"
    r"|you (?:may|might) also like|related(?: (?:articles?|stories|story|topics?|content|links?))?|don['’]t miss"
    r"|what to read next|also read)"
    r"(?:\W*|\s?: .*)",
    r"(?:watch|listen|listen now|video|in pictures|gallery|podcast)\s?: .*",
    r"click here (?:to|for)\b.*",
    r"(?:lesen sie (?:auch|mehr|hier)|mehr (?:zum thema|dazu|infos)|auch interessant|(?:à )?lire aussi|leggi anche"
    r"|l[ae]{1,2} también|leia também|lees ook|les også|läs (?:också|även|mer))(?:\W*|\s?[:–—-].*)",
    # requests
    r"(?:sign up|subscribe|register|abonnieren sie|jetzt abonnieren)\b.{0,160}"
    r"\b(?:newsletters?|e-?mails?|inbox|alerts?|briefings?|updates?|channel|podcast|digest|push-nachrichten)\b.{0,80}",
    r"(?:sign up|subscribe|log in|register)(?: (?:now|here|today|for free))?\W*",
    r"(?:follow|like|join|find) us\b.{0,60}"
    r"\b(?:facebook|twitter|x|instagram|tiktok|youtube|whatsapp|linkedin|telegram|threads|bluesky)\b.{0,80}",
    r"(?:download|get) (?:the|our)\b.{0,40}\bapp\b.{0,80}",
    r"(?:do you have|have|got) a (?:news )?(?:story|tip)\b.{0,40}\?.*",
)
_MARK = re.compile("|".join(f"(?:{mark})" for mark in _MARKS))

_BUTTON_WORDS = (
    "share tweet pin email e-mail mail print save bookmark facebook twitter x linkedin whatsapp telegram reddit threads"
    " bluesky messenger pinterest copy comment comments flipboard teilen drucken"
)
_BUTTONS = frozenset(_BUTTON_WORDS.split())
_WORDS_BESIDE = "this on via by to the a article story page post link url with friend friends"
_BESIDE_BUTTONS = frozenset(_WORDS_BESIDE.split())
_PICTURE = r"(?i:pictures?|photos?|photographs?|images?|fotos?|bild(?:er)?|illustration|graphic)"
_PHOTO_AGENCY = (
    r"(?:PA Wire|PA Images|PA Media|Press Association Images|AP Photo|(?:AFP via )?Getty(?: Images)?"
    r"|Alamy(?: Stock Photo)?|Shutterstock|iStock(?:photo)?|Unsplash|EPA-EFE|Rex Features|imago(?: images)?"
    r"|picture alliance)"
)
_AGENCY = r"(?:Reuters|REUTERS|AP|AFP|DPA|dpa|EPA|PA|ANSA|EFE|TASS|APA|Xinhua)"
_NAME = r"[A-Z][\w.'’-]{0,30} [A-Z][\w.'’-]{0,30}"
_OPENS_AS_CREDIT = re.compile(
    rf"\(?{_PICTURE} (?:by [A-Z]|courtesy of \w)[^!?,]{{1,60}}$|{_PHOTO_AGENCY}$"
    r"|(?i:caption|credit|(?:image|photo|picture) caption)\s?[:,] ?\S.{0,140}$"
)
_HINT = re.compile(r"[:/|©(\[]")
_CREDIT = re.compile(
    rf"(?:^|[.!?)”\"’] |\()\(?{_PICTURE}(?: (?i:credit|source|courtesy))?(?: by| of)?\s?[:©] ?\S.{{0,80}}$"
    rf"|[/|(\[©] ?{_PHOTO_AGENCY}(?:/{_NAME})?[)\]]?\.?$"
    rf"|{_NAME} ?[/|] ?{_AGENCY}[)\]]?\.?$"
    rf"|(?:^|[ (\[]){_AGENCY} ?/ ?{_NAME}[)\]]?\.?$"
)
_WIRE_END = re.compile(r"(?:reuters?|reute|more)(?:\.{3})?(?:\^m)?")


def is_furniture(paragraph: str) -> bool:
    """Whether a paragraph is advertising, a pointer, a request, share buttons, a picture's credit or its caption."""
    if len(paragraph) > LONGEST:
        return False
    lower = paragraph.lower()
    return _MARK.fullmatch(lower) is not None or is_credit(paragraph) or _is_buttons(lower)


def is_credit(paragraph: str) -> bool:
    """Whether a paragraph names who took a picture, with or without the caption."""
    if len(paragraph) > _LONGEST_CREDIT:
        return False
    if _HINT.search(paragraph) and _CREDIT.search(paragraph):
        return True
    return _OPENS_AS_CREDIT.match(paragraph) is not None


def _is_buttons(lower: str) -> bool:
    if lower.partition(" ")[0].rstrip(",:") not in _BUTTONS:
        return False
    words = set(re.split(r"[\s,|·.:!]+", lower)) - {""}
    return not _BUTTONS.isdisjoint(words) and _BUTTONS.issuperset(words - _BESIDE_BUTTONS)


def without_furniture(paragraphs: Sequence[str]) -> list[str]:
    """The paragraphs that are text. Last ones that only say `Reuter` are where wire copy ends."""
    kept = [paragraph for paragraph in paragraphs if not is_furniture(paragraph)]
    while kept and len(kept[-1]) <= 12 and _WIRE_END.fullmatch(kept[-1].lower()):
        kept.pop()
    return kept
