"""What samples of doors are made of: requests as a vendor sends them, about an invented person.

`connectors/<package>/sample.py` has `sample(settings, address, now) -> Inbound`: a valid, current request with the
proofs that the settings ask for. `address` is the public address of the source, with its token. Each sample has ids of
its own, so that no two are repeats.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import SecretStr

from connectors.doors import DoorSettings, Inbound

NAME: Final = "leadhub test"
PHONE: Final = "+79990000000"
EMAIL: Final = "test@example.com"
TEXT: Final = "A test of the source, sent by leadhub"
LINE: Final = "+74950000000"
"""The number that the invented person calls."""
RING_S: Final = 5
TALK_S: Final = 20
UTM: Final[Mapping[str, str]] = MappingProxyType({"utm_source": "leadhub", "utm_medium": "test"})
HOME: Final = "192.0.2.1"

Pairs = Sequence[tuple[str, str]]


def millis(now: datetime) -> int:
    """A number that no other sample has."""
    return int(now.timestamp() * 1000)


def own_id(now: datetime) -> str:
    return f"leadhub-test-{millis(now)}"


def secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def hex_hmac(key: SecretStr | None, body: bytes) -> str:
    return hmac.digest(secret(key).encode(), body, "sha256").hex()


def base64_hmac(key: SecretStr | None, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret(key).encode(), body, "sha256")).decode()


def as_json(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def as_form(fields: Mapping[str, str] | Pairs) -> bytes:
    return urlencode(list(fields.items()) if isinstance(fields, Mapping) else list(fields)).encode()


def request(
    settings: DoorSettings,
    address: str,
    now: datetime,
    *,
    body: bytes = b"",
    content_type: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
    query: Iterable[tuple[str, str]] = (),
    tail: str = "",
    method: str = "POST",
) -> Inbound:
    """`tail` is what the vendor appends to the address, such as `events/call`."""
    pairs = list(query)
    url = address + (f"/{tail}" if tail else "") + (f"?{urlencode(pairs)}" if pairs else "")
    told = {"content-type": content_type} if content_type else {}
    return Inbound(
        method=method,
        path_tail="/".join(filter(None, (secret(settings.url_token), tail))),
        query=pairs,
        headers={**told, **{name.lower(): value for name, value in headers.items()}},
        body=body,
        remote_ip=sender(settings),
        received_at=now,
        url=url,
    )


def posted_json(settings: DoorSettings, address: str, now: datetime, tree: Any, **more: Any) -> Inbound:
    body = tree if isinstance(tree, bytes) else as_json(tree)
    return request(settings, address, now, body=body, content_type="application/json", **more)


def posted_form(
    settings: DoorSettings, address: str, now: datetime, fields: Mapping[str, str] | Pairs, **more: Any
) -> Inbound:
    kind = "application/x-www-form-urlencoded"
    return request(settings, address, now, body=as_form(fields), content_type=kind, **more)


def sender(settings: DoorSettings) -> str:
    """An address from which the source lets requests in."""
    for name in settings.sent_from:
        for network in getattr(settings, name):
            return str(network).partition("/")[0]
    return HOME


def form_fields(now: datetime) -> dict[str, str]:
    """What most forms would send."""
    return {"name": NAME, "phone": PHONE, "email": EMAIL, "comment": TEXT, **UTM, "lead_uid": own_id(now)}
