"""What doors of messengers share: the marks a link brings, phones that are proven or merely hinted, signatures."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat
from pydantic import Field, SecretStr, field_validator

from connectors.conversing import TalkSettings
from connectors.doors import DoorSettings, Inbound, Refused, Reply, check_token, same_secret
from leads.attribution import touch_of, utm_of
from leads.normalize import email
from leads.phones import phones
from leads.records import Touch

Secret = Annotated[SecretStr, Field(min_length=1)]
"""An empty secret would open the door to everybody: it is refused when the configuration is read."""

HINTS_MAX = 5
HINTS_TEXT_MAX = 10_000  # characters
PARAM_MAX = 500  # characters of a link's parameter


class ChatSettings(TalkSettings):
    """What every messenger whose links carry a parameter may set."""

    links: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="parameter of a link (start, ref, context) -> the UTM it stands for, "
        "e.g. vk_17: {utm_source: vk, utm_campaign: autumn}",
    )

    @field_validator("links")
    @classmethod
    def _are_utm(cls, links: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for marks in links.values():
            if not marks or len(utm_of(marks)) != len(marks):
                raise ValueError(
                    "expected utm_source, utm_medium, utm_campaign, utm_content, utm_term with their values"
                )
        return links


# --- where a person came from -------------------------------------------------------------------


def link_touch(
    links: Mapping[str, Mapping[str, str]],
    param: str,
    at: datetime,
    *,
    source: str = "",
    referrer: str = "",
    click_ids: Mapping[str, str] | None = None,
    is_ad: bool = False,
) -> Touch:
    """The touch of a message that came by a link with `param`, "" for none.

    The parameter is what `links` says of it; else UTM written out in it or packed as base64; else it is itself
    the campaign, and `source` where it came from.
    """
    marks = {"utm_source": source, **_marks(links, param[:PARAM_MAX])} if param else {"utm_source": source}
    touch = touch_of(marks, at=at, referrer=referrer, kind="messenger")
    touch = replace(touch, click_ids={**touch.click_ids, **(click_ids or {})})
    if is_ad:
        return replace(touch, channel="ad")
    if not touch.utm.get("utm_source") and not touch.utm.get("utm_medium") and not referrer:
        return replace(touch, channel="messenger")  # a campaign alone does not tell of another way
    return touch


def _marks(links: Mapping[str, Mapping[str, str]], param: str) -> Mapping[str, str]:
    known = links.get(param)
    if known is not None:
        return known
    return _written_out(param) or _written_out(_unpacked(param)) or {"utm_campaign": param}


def _written_out(param: str) -> dict[str, str]:
    """`utm_source=vk&utm_campaign=autumn` -> its values; {} when it is not that."""
    return utm_of(dict(parse_qsl(param))) if "=" in param else {}


def _unpacked(param: str) -> str:
    """Text packed as base64url, as Telegram's documentation advises for start parameters; "" if it is none."""
    try:
        return base64.b64decode(param + "=" * (-len(param) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        return ""


def host_and_path(url: str) -> str:
    """A link short enough for a person to read: `fb.me/3sIMadURL`; "" when it is no link."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.netloc}{parts.path}".rstrip("/") if parts.scheme in ("http", "https") else ""


# --- phones ---------------------------------------------------------------------------------------

_DRESS = dict.fromkeys(map(ord, " -()\u00a0"))
_DIGITS = re.compile(r"\+?\d{7,15}", re.ASCII)
_OLD_MEXICAN_MOBILE = re.compile(r"\+521(\d{10})", re.ASCII)
_LIKE_PHONE = re.compile(r"(?<![\w+])[+(]?\d[\d \u00a0().\-]{6,22}\d(?!\w)", re.ASCII)
_LIKE_EMAIL = re.compile(r"[^\s<>()\[\],;:\"]{1,64}@[^\s<>()\[\],;:\"]{3,190}")


def own_phone(digits: str) -> str:
    """E.164 of a number that a vendor gives with the country code, with or without plus and dress; else ""."""
    plain = digits.translate(_DRESS)
    if not _DIGITS.fullmatch(plain):
        return ""
    number = _OLD_MEXICAN_MOBILE.sub(r"+52\1", plain if plain.startswith("+") else f"+{plain}")
    found = phones(number, "").found
    return found[0] if len(found) == 1 else ""


def hints(message: str, region: str) -> tuple[str, ...]:
    """Valid phones (E.164) and e-mails that stand in a text: whose they are, nobody knows."""
    message = message[:HINTS_TEXT_MAX]
    found = [number for match in _LIKE_PHONE.finditer(message) if (number := _valid_phone(match[0], region))]
    if "@" in message:
        found += [address for match in _LIKE_EMAIL.finditer(message) if (address := email(match[0]))]
    return tuple(dict.fromkeys(found))[:HINTS_MAX]


@lru_cache(2_048)  # people repeat themselves; at most 25 characters each
def _valid_phone(written: str, region: str) -> str:
    digits = "".join(char for char in written if char.isdigit())
    if not (8 if written.startswith("+") else 9) <= len(digits) <= 15:
        return ""
    attempts = [written] if written.startswith("+") or len(digits) < 11 else [f"+{digits}", written]
    for attempt in attempts:
        try:
            number = phonenumbers.parse(attempt, region or None)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return ""


# --- proofs -----------------------------------------------------------------------------------------


def check_address(settings: DoorSettings, inbound: Inbound) -> None:
    """The token in the address, where one is set. Raises Refused, also when more than the token is there."""
    if check_token(settings, inbound):
        raise Refused("no such address", 404)


def check_signature(secret: SecretStr | None, body: bytes, given: str) -> None:
    """`given` must be the HMAC-SHA256 of the raw body in lower-case hex, where a secret is set. Raises Refused."""
    if secret is None:
        return
    expected = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    if not same_secret(given, expected):
        raise Refused("the signature is wrong or missing")


def check_meta_signature(secret: SecretStr | None, inbound: Inbound) -> None:
    """`X-Hub-Signature-256: sha256=<hex>` of Meta's apps. Raises Refused."""
    if secret is None:
        return
    scheme, _, given = inbound.headers.get("x-hub-signature-256", "").partition("=")
    check_signature(secret, inbound.body, given if scheme == "sha256" else "")


def meta_handshake(settings: DoorSettings, verify_token: SecretStr | None, inbound: Inbound) -> Reply | None:
    """Meta tests an address with GET: the challenge as plain text when its token is ours, else 403."""
    if inbound.param("hub.mode") != "subscribe":
        return None
    check_address(settings, inbound)
    if verify_token is None or not same_secret(inbound.param("hub.verify_token"), verify_token.get_secret_value()):
        raise Refused("the verify token is wrong or not set", 403)
    return Reply(200, inbound.param("hub.challenge").encode("utf-8", "replace"), "text/plain")
