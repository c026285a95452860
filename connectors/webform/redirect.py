"""Where a browser goes after a plain HTML form: never to a host that the settings do not name."""

import re
from urllib.parse import quote, urljoin, urlsplit

from connectors.doors import Inbound, Reply
from connectors.webform.settings import WebformSettings

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")  # what browsers drop or turn into a slash


def redirect_reply(settings: WebformSettings, inbound: Inbound, wanted: str) -> Reply | None:
    """303 to the form's `_redirect` if allowed, else to the configured address; None for scripts, or without either."""
    if not _from_plain_form(inbound):
        return None
    target = _allowed(settings, wanted, inbound.headers.get("referer", "")) or settings.redirect
    if not target:
        return None
    return Reply(303, b"", "text/plain", {"location": quote(target, safe="%/:=&?~#+!$,;'@()*[]-._")})


def _from_plain_form(inbound: Inbound) -> bool:
    """A browser that leaves its page for our answer. A script would follow the redirect and miss the answer."""
    headers = inbound.headers
    return (
        headers.get("sec-fetch-mode", "navigate") == "navigate"
        and "x-requested-with" not in headers
        and "application/json" not in headers.get("accept", "")
    )


def _allowed(settings: WebformSettings, wanted: str, page: str) -> str:
    """`wanted`, made absolute against the page of the form, or "" if its host is not one of the allowed."""
    if not wanted or _UNSAFE.search(wanted) or _UNSAFE.search(page):
        return ""
    try:
        target = urljoin(page, wanted)
        parts = urlsplit(target)
        host = parts.hostname or ""
    except ValueError:
        return ""
    fine = parts.scheme in ("http", "https") and "@" not in parts.netloc and host in settings.allowed_hosts()
    return target if fine else ""
