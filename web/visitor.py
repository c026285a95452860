"""Who is asking, as far as the connection and trusted proxies tell: address, scheme, host."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""A request that bears one of these came through a proxy."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """`host` is what the visitor's browser has in its address line, with the port. `local`: no proxy, this machine."""

    ip: str
    https: bool
    host: str
    local: bool


def visitor_of(peer: str, scheme: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> Visitor:
    """`headers` with names in lower case. A proxy's word counts only when its address is trusted."""
    believed = is_in(peer, trusted)
    ip = _first_untrusted(headers.get("x-forwarded-for", ""), peer, trusted) if believed else peer
    proto = headers.get("x-forwarded-proto", "") if believed else ""
    host = (headers.get("x-forwarded-host", "") if believed else "") or headers.get("host", "")
    return Visitor(
        ip=ip,
        https=(proto or scheme).split(",")[-1].strip() == "https",
        host=host.split(",")[-1].strip().lower(),
        local=is_loopback(peer) and not any(name in headers for name in FORWARDING),
    )


def _first_untrusted(forwarded: str, peer: str, trusted: Sequence[Network]) -> str:
    address = peer
    for hop in reversed(forwarded.split(",")):
        hop = hop.strip()
        if not _is_address(hop):
            break
        address = hop
        if not is_in(hop, trusted):
            break
    return address


def is_in(address: str, networks: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


def is_loopback(host: str) -> bool:
    """An address or name that only this machine reaches: 127.0.0.1, ::1, localhost."""
    name = host.strip("[]").lower()
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def hostname(netloc: str) -> str:
    """`[::1]:8080` -> `::1`; "" for what is no host."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
