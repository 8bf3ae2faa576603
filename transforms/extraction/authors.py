"""Who wrote it: names without roles, `By`, addresses and credits. Agencies stay; they are told apart elsewhere."""

import re
from collections.abc import Iterable, Iterator

from transforms.extraction.fields import Page, told
from transforms.extraction.metadata import Node, as_list, plain
from transforms.extraction.shown import BY
from transforms.pages import is_role, key

LONGEST = 80
_AND = re.compile(r"\s*(?:;|\||/(?=\s)|(?<=\s)/)\s*|,?\s+(?:and|And|AND|und|et|og|och|y|e|&)\s+")
_ADDRESS = re.compile(r"\s*[(<\[]?[^\s@<>()]{1,64}@[^\s@<>()]{1,190}\.\w{2,20}[)>\]]?")
_LINK = re.compile(r"https?://|www\.|@")
_ROLE = re.compile(
    r"\b(?:contributor|photographer|producer|autor(?:in)?|profes+or\w*|analyst|critic|senior|chief|deputy|director"
    r"|redaktor(?:in)?|leiter(?:in)?|journaliste|redacteur|redactora?|periodista|giornalista|correspondant(?:e)?|desk)\b",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"^\(|[:©]|\b(?:image|photos?|bild|foto|getty)\b", re.IGNORECASE)


def read_authors(page: Page, sites: Iterable[str]) -> list[str]:
    """The names, from the first place that names someone; the site itself only where no place does.

    JSON-LD first, in each of its shapes: texts, objects, lists, references by `@id`. Meta tags behind it, where it
    names only the site (8 of 129 news pages), and then what the page shows (2).
    """
    site_keys = {key(site) for site in sites}
    fallback: list[str] = []
    for place, values in _places(page):
        if place == "page byline":
            values = [value for value in values if all(len(name.split()) <= 4 for name in split_names(value))][:1]
        names = _unique(name for value in values for name in split_names(value))
        people = [name for name in names if key(name) not in site_keys]
        if people:
            return people
        fallback = fallback or names
    return fallback


def _places(page: Page) -> Iterator[tuple[str, list[str]]]:
    index = {node["@id"]: node for node in page.data.nodes if isinstance(node.get("@id"), str) and node.get("name")}
    for name in ("author", "creator"):
        yield f"jsonld {name}", _names(page.data.article.get(name), index)
    yield from ((place, values) for place, values in told(page, "authors") if not place.startswith("jsonld "))


def _names(value: object, index: dict[str, Node], deepest: int = 4) -> list[str]:
    """The names in an author of any shape; `index` has the page's nodes by `@id`."""
    found: list[str] = []
    for one in as_list(value)[:100] if deepest else []:
        if isinstance(one, str):
            one = index.get(one, one)
        elif isinstance(one, dict) and not one.get("name"):
            one = index.get(str(one.get("@id")), one)
        if isinstance(one, str):
            found.append(plain(one))
        elif isinstance(one, dict):
            parts = " ".join(plain(one[part]) for part in ("givenName", "familyName") if one.get(part))
            found += _names(one.get("name") or parts or None, index, deepest - 1)
    return found


def split_names(text: str) -> list[str]:
    """`By Ada Lind, Senior Reporter, and Bo Ek (bo@x.example)` is two names."""
    text = BY.sub("", text, 1) if BY.match(text) else text
    if _LINK.match(text):
        return []
    text = _ADDRESS.sub("", text)
    return [name for part in _AND.split(text) for name in _of_part(part) if 1 < len(name) < LONGEST]


def _of_part(part: str) -> Iterator[str]:
    """`Ada Lind, Senior Reporter, Courant`: behind a comma stands a name, a role or an agency; `Lind, Ada` is one."""
    bits = [bit for bit in re.split(r"\s*,\s*", part.strip()) if bit]
    if len(bits) == 2 and not any(" " in bit or _is_job(bit) for bit in bits):
        bits = [", ".join(bits)]
    for at, bit in enumerate(bits):
        if _CREDIT.search(bit) or (at and (_is_job(bit) or len(bit.split()) > 4)) or (len(bits) > 1 and is_role(bit)):
            continue
        yield bit.strip(" ,:;–-") if re.search(r"\b\w\.$", bit) else bit.strip(" .,:;–-")


def _is_job(text: str) -> bool:
    return is_role(text) or _ROLE.search(text) is not None


def _unique(names: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for name in names:
        if key(name) and not name.isdigit():
            found.setdefault(key(name), name)
    return list(found.values())
