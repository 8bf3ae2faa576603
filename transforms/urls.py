"""Addresses: one form for each, which site they belong to, and what their paths tell."""

import re
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from w3lib.url import canonicalize_url

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LONGEST = 4_096
"""Characters of an address; longer ones are none."""
_TRACKER_FAMILIES = ("utm_", "mtm_", "pk_", "hsa_", "at_", "wt_", "wt.", "fb_", "ns_", "vero_", "guce_referrer", "_hs")
_TRACKER_NAMES = (
    "fbclid gclid dclid msclkid yclid twclid ttclid wbraid gbraid gclsrc li_fat_id igshid igsh _ga _gl mc_cid mc_eid"
    " mkt_tok cmp cmpid icid ocid ito smid smtyp smprod ncid sr_share share_id xtor wprov mbid spm taid soc_src soc_trk"
    " intcmp int_campaign int_medium int_source traffic_source campaign_id instance_id segment_id regi_id ref_src"
    " refsrc ref_url __source __twitter_impression guccounter echobox feedtype feedname partner_code utm"
)
_TRACKERS = frozenset(_TRACKER_NAMES.split())
"""Keys, in lower case, that only tell where a reader came from."""
_AMBIGUOUS_NAMES = "ref source src cid amp from via s share origin output outputtype partner"
_AMBIGUOUS = frozenset(_AMBIGUOUS_NAMES.split())
"""Keys that are trackers on most sites, and on some the only name of the article."""
_LABEL = "[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST = re.compile(rf"(?:(?:{_LABEL}\.)*{_LABEL}|\[[0-9a-f:.]+\])(?::\d+)?")
_PORTS = {"http": ":80", "https": ":443"}


def canonical(url: str | None) -> str | None:
    """One form for every way to write an address; None if it is no address of a web page.

    Gone are fragment, credentials, default port and trackers; parameters are sorted, the host is lower-case IDNA.
    Path, scheme and `www.` stay: a server may tell them apart. An ambiguous key such as `ref` goes only where
    something else names the article: another key, or a last path segment with a hyphen or digit.
    """
    url = (url or "").strip()
    if len(url) > LONGEST or not url[:8].lower().startswith(("http://", "https://")):
        return None
    try:
        scheme, netloc, path, query, _ = urlsplit(canonicalize_url(url))
    except ValueError:
        return None
    host = netloc.rpartition("@")[2].removesuffix(_PORTS[scheme]).removesuffix(".")
    if len(host) > 260 or not _HOST.fullmatch(host):
        return None
    return urlunsplit((scheme, host, path, _without_trackers(query, path), ""))


def _without_trackers(query: str, path: str) -> str:
    pairs = [pair for pair in query.split("&") if pair and not _is_tracker(_key(pair))]
    telling = [pair for pair in pairs if _key(pair) not in _AMBIGUOUS]
    return "&".join(telling if telling or _names_an_article(path) else pairs)


def _is_tracker(key: str) -> bool:
    return key in _TRACKERS or key.startswith(_TRACKER_FAMILIES)


def _key(pair: str) -> str:
    return pair.partition("=")[0].lower()


def _names_an_article(path: str) -> bool:
    last = path.rstrip("/").rpartition("/")[2]
    return "-" in last or any(char.isdigit() for char in last)


def host_name(url: str | None) -> str | None:
    """The host of an address, without `www.`; None if there is none."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def same_site(one: str, other: str) -> bool:
    """Whether two addresses belong to one registered domain (or are one IP address, or one host without a domain)."""
    first, second = host_name(one), host_name(other)
    return first is not None and second is not None and _site(first) == _site(second)


def _site(host: str) -> str:
    """The registered domain. IP addresses first: the list of suffixes takes them for names."""
    try:
        return str(ip_address(host))
    except ValueError:
        return _suffixes().privatesuffix(host) or host


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def path_segments(url: str | None) -> list[str]:
    """The parts of an address's path, unquoted and in lower case, without the empty ones."""
    try:
        path = urlsplit((url or "")[:LONGEST]).path
    except ValueError:
        return []
    return [unquote(part).lower() for part in path.split("/") if part]
