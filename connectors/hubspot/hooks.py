"""HubSpot's webhooks: a list of events, signed with the app's secret (docs, "Validating requests", v3). Pure."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from connectors.doors import Inbound, Refused, Unreadable
from connectors.hubspot.settings import HubSpotSettings
from connectors.records import RecordHint, RecordObject

OLDEST: Final = timedelta(minutes=5)
"""A request that was signed longer ago is a replay."""
_DECODED: Final = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.I)
_TYPES: Final[dict[str, RecordObject]] = {
    "contact": "contact",
    "company": "company",
    "deal": "deal",
    "0-1": "contact",
    "0-2": "company",
    "0-3": "deal",
}
_GONE: Final = ("deletion", "privacydeletion")


def read_hook(settings: BaseModel, inbound: Inbound) -> tuple[RecordHint, ...]:
    """With a client secret in the settings, the request must be signed with it, at most five minutes ago."""
    assert isinstance(settings, HubSpotSettings)
    secret = settings.client_secret or (settings.oauth.client_secret if settings.oauth else None)
    if secret is not None:
        _check(secret.get_secret_value(), inbound)
    try:
        events = json.loads(inbound.body.decode("utf-8", "replace") or "[]")
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON") from None
    events = [events] if isinstance(events, dict) else events
    if not isinstance(events, list):
        raise Unreadable("the body is no list of events")
    hints = [hint for event in events if isinstance(event, dict) for hint in _hints(event)]
    return tuple(dict.fromkeys(hints))


def signature(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Version 3: over method, address (partly decoded), body and time."""
    address = _DECODED.sub(lambda match: chr(int(match[1], 16)), url)
    signed = f"{method}{address}".encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def _check(secret: str, inbound: Inbound) -> None:
    given = inbound.headers.get("x-hubspot-signature-v3", "").strip()
    timestamp = inbound.headers.get("x-hubspot-request-timestamp", "").strip()
    if not given or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise Refused("the request is not signed")
    wanted = signature(secret, inbound.method, inbound.url, inbound.body, timestamp)
    if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
        raise Refused("the signature does not fit: client_secret, or public_url, is another than HubSpot's")
    signed_at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
    if abs(inbound.received_at - signed_at) > OLDEST:
        raise Refused("the request was signed too long ago")


def _hints(event: dict[str, Any]) -> list[RecordHint]:
    """`eventType` is what older documents call `subscriptionType`."""
    kind = str(event.get("subscriptionType") or event.get("eventType") or "")
    type_, _, what = kind.partition(".")
    object = _TYPES.get(str(event.get("objectTypeId") or "") if type_ == "object" else type_.lower())
    what = what.lower()
    if what == "associationchange":
        return _linked(event)
    if object is None:
        return []
    if what == "merge":
        return _merged(event, object)
    id = _id(event.get("objectId"))
    return [RecordHint(object, id, deleted=what in _GONE)] if id else []


def _merged(event: dict[str, Any], object: RecordObject) -> list[RecordHint]:
    """A new record takes the place of both."""
    survivor = _id(event.get("newObjectId")) or _id(event.get("primaryObjectId")) or _id(event.get("objectId"))
    merged = event.get("mergedObjectIds")
    old = [_id(event.get("primaryObjectId")), *(_id(one) for one in (merged if isinstance(merged, list) else ()))]
    gone = [id for id in dict.fromkeys(old) if id and id != survivor]
    if not survivor:
        return []
    return [RecordHint(object, survivor), *(RecordHint(object, id, merged_into=survivor) for id in gone)]


def _linked(event: dict[str, Any]) -> list[RecordHint]:
    """CONTACT_TO_COMPANY: both ends may have to be looked at."""
    from_, _, to = str(event.get("associationType") or "").lower().partition("_to_")
    ends = ((from_, _id(event.get("fromObjectId"))), (to, _id(event.get("toObjectId"))))
    return [RecordHint(_TYPES[name], id) for name, id in ends if name in _TYPES and id]


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isdecimal() and len(text) < 20 else ""
