"""Which addresses may be fetched: public ones, over http and https, at the usual ports.

The address is judged when a connection is made, by what it resolved to: whatever its notation (127.1, 0x7f.1,
[::ffff:127.0.0.1]), and on every redirect.
"""

import re
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

_UNICAST = ip_network("2000::/3")  # all of IPv6 that is given out (RFC 4291, IANA)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Special in IANA's registries, but not in `ipaddress` of every Python."""
_PORTS = {"http": 80, "https": 443}


class Refused(OSError):
    """Raised for an address that must not be fetched."""


def is_public(host: str) -> bool:
    """Whether an IP address is one of the public internet; an address inside of an IPv6 one must be, too."""
    address = ip_address(host.partition("%")[0])
    inner = _inner(address) if isinstance(address, IPv6Address) else address
    if isinstance(inner, IPv6Address) and inner not in _UNICAST:
        return False
    special = any(inner in network for network in _SPECIAL)
    return inner.is_global and not (inner.is_multicast or special)


def _inner(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The address that a mapped, translated or tunnelled one stands for."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, address))[1]


def feed_address(text: str) -> str:
    """A feed's address as it is fetched: `feed:` is how some lists write it."""
    text = text.strip()
    rest = re.sub("^feed:(?://)?(?=https?:)", "", text, count=1, flags=re.IGNORECASE)
    return re.sub("^feed://", "http://", rest, count=1, flags=re.IGNORECASE)


def check_url(url: str, ports: Collection[int] = ()) -> None:
    """Raises Refused for another scheme than http and https, credentials in the address, or a port that is not among
    `ports` (any, where there are none)."""
    try:
        parts = urlsplit(url)
        scheme, port = parts.scheme.lower(), parts.port
    except ValueError:
        raise Refused("it is no address of a page") from None
    if scheme not in _PORTS:
        raise Refused(f"only http and https are fetched, not {scheme[:20] or 'an address without a scheme'}")
    if not parts.hostname:
        raise Refused("the address names no host")
    if parts.username is not None:
        raise Refused("the address holds a name or password; give `credentials` in the configuration")
    if ports and (port or _PORTS[scheme]) not in ports:
        raise Refused(f"port {port} is not among feeds.ports ({', '.join(map(str, sorted(ports)))})")


def host_of(url: str) -> str:
    """The host that a request goes to, in lower case; empty if there is none."""
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def is_private_literal(url: str) -> bool:
    """Whether the address names its host by an IP address that is not public, or as localhost."""
    host = host_of(url)
    try:
        return not is_public(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def guarded_socket(info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    """A socket for an address that a connection is about to be made to. Raises Refused unless it is public."""
    host = str(info[4][0])
    if not is_public(host):
        raise Refused(f"{host} is no address of the public internet; feeds.allow_private_addresses allows it")
    return socket.socket(*info[:3])
