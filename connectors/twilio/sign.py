"""The signature of Twilio: HMAC over the public address and the sorted fields of the form."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from connectors.doors import Inbound, Refused, Unreadable, same_secret
from connectors.pbx import check_address
from connectors.rawform import raw_fields
from connectors.twilio.settings import TwilioSettings

_ALGORITHMS: Final = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_PORTS: Final = {"https": 443, "http": 80}


def verify(settings: TwilioSettings, inbound: Inbound) -> None:
    """Sender and token, then the signature where a secret is set. Raises Refused.

    Our own idea of the public address may differ in scheme, host (behind a proxy), port or the token in it from what
    was typed at Twilio: each is tried, for only who holds the secret can sign any of them. So of a signed request the
    token may be left out.
    """
    is_signed = settings.auth_token is not None or bool(settings.shared_keys)
    without_token = is_signed and not inbound.path_tail
    check_address(settings.model_copy(update={"url_token": None}) if without_token else settings, inbound)
    if not is_signed:
        return
    given = inbound.headers.get("x-twilio-signature", "")
    key, algorithm = _key(settings, inbound.headers.get("x-twilio-webhooks-signature-settings", ""))
    signed_fields = _signed_fields(inbound)
    if signed_fields is None or not given:
        raise Refused("the signature is wrong or missing")
    right = False
    for url in _addresses(settings, inbound):
        digest = hmac.new(key, url.encode("utf-8", "replace") + signed_fields, algorithm).digest()
        right = same_secret(given, base64.b64encode(digest).decode()) or right
    if not right:
        raise Refused("the signature is wrong or missing")


def _key(settings: TwilioSettings, told: str) -> tuple[bytes, str]:
    """The secret and the hash: `key=<id>,algorithm=HMAC_SHA256`, without which the Auth Token signs by SHA-1."""
    parts = dict(part.strip().partition("=")[::2] for part in told.split(",") if "=" in part)
    name = parts.get("algorithm", "").strip().upper() or "HMAC_SHA1"
    secret = settings.shared_keys.get(parts.get("key", "")) if parts.get("key") else settings.auth_token
    if secret is None or name not in _ALGORITHMS:
        raise Refused("signed with a key or an algorithm that is not known here")
    return secret.get_secret_value().encode(), _ALGORITHMS[name]().name


def _signed_fields(inbound: Inbound) -> bytes | None:
    """Name and value of every field, sorted, without repeats; of another body its hash in the address counts."""
    expected = inbound.param("bodySHA256")
    if expected and not inbound.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return b"" if same_secret(hashlib.sha256(inbound.body).hexdigest(), expected.lower()) else None
    if inbound.method == "GET":
        return b""  # they are part of the address
    try:
        pairs = raw_fields(inbound)
    except Unreadable:
        return None
    return b"".join(name + value for name, value in sorted(set(pairs)))


def _addresses(settings: TwilioSettings, inbound: Inbound) -> list[str]:
    """Every way in which the address may have been typed, the likeliest first."""
    told = urlsplit(inbound.url)
    bare = told._replace(path=told.path.removesuffix(f"/{inbound.path_tail}")) if inbound.path_tail else told
    hosts = [told.netloc, inbound.headers.get("x-forwarded-host", ""), inbound.headers.get("host", "")]
    found = [settings.webhook_url + (f"?{told.query}" if told.query and "?" not in settings.webhook_url else "")]
    for host in filter(None, hosts):
        for scheme in ("https", "http"):
            for one in (told, bare):
                found += _ports(one._replace(scheme=scheme, netloc=host.partition(",")[0].strip()))
    return list(dict.fromkeys(filter(None, found)))


def _ports(url: SplitResult) -> Iterator[str]:
    """With the port and without: Twilio itself is not of one mind."""
    yield url.geturl()
    host, colon, port = url.netloc.rpartition(":")
    if colon and port.isdecimal():
        yield url._replace(netloc=host).geturl()
    else:
        yield url._replace(netloc=f"{url.netloc}:{_PORTS[url.scheme]}").geturl()
