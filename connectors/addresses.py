"""Addresses of CRM accounts in config.yaml: plain ones, without a password or a query."""

from urllib.parse import urlsplit


def web_address(value: str) -> str:
    """An http(s) address that names a host. Raises ValueError, which never shows what was given."""
    text = value.strip()
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or any(char.isspace() for char in text):
        raise ValueError("is not a web address: it must begin with https:// or http:// and name a host")
    return text


def plain_address(value: str) -> str:
    """An http(s) address of an account or API, without the slash at its end; it may have a path.

    Raises ValueError, which never shows what was given: people paste addresses with passwords and keys in them.
    """
    text = web_address(value)
    if "@" in urlsplit(text).netloc:
        raise ValueError("must have no user and password in front of the host")
    if "?" in text or "#" in text:
        raise ValueError("must have no query and no fragment: leave out everything from the ? or # on")
    return text.rstrip("/")
