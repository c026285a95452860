"""Whether a request that changes something comes from a page of ours, and not from another site's."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from web.visitor import Visitor, hostname, is_loopback


def comes_from_us(headers: Mapping[str, str], visitor: Visitor, public_url: str) -> bool:
    """False when the browser says that another site sent it. Names of `headers` in lower case.

    What says nothing (no browser, or a very old one) passes: the form token is asked for as well.
    """
    site = headers.get("sec-fetch-site", "")
    if site:
        return site in ("same-origin", "none")
    origin = headers.get("origin", "")
    if not origin:
        return True
    ours = {visitor.host, _netloc(public_url)}
    return _netloc(origin) in ours - {""}


def is_local(visitor: Visitor) -> bool:
    """Somebody at this machine, who also typed this machine's name.

    A site that lets its own name point to 127.0.0.1 (DNS rebinding) is betrayed by the Host header.
    """
    return visitor.local and is_loopback(hostname(visitor.host))


def safe_next(target: str) -> str:
    """A path of ours to go to after sign-in or an action; "/" for anything that leads elsewhere."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or any(ord(char) < 32 for char in target):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or "\\" in target else target


def _netloc(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    netloc = parts.netloc.lower()
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return netloc.removesuffix(default) if default else netloc
