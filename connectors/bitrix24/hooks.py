"""Bitrix24's events and outgoing webhooks: only ids, proven by `application_token`, never sent again. Pure."""

import hmac
import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import BaseModel

from connectors.bitrix24.settings import Bitrix24Settings
from connectors.doors import Inbound, Refused, Unreadable
from connectors.records import RecordHint, RecordObject

MAX_FIELDS: Final = 2_000
_EVENT: Final = re.compile(r"ONCRM(LEAD|DEAL|CONTACT|COMPANY)(ADD|UPDATE|DELETE|MOVETOCATEGORY)", re.I)
_OBJECTS: Final[dict[str, RecordObject]] = {
    "LEAD": "lead",
    "DEAL": "deal",
    "CONTACT": "contact",
    "COMPANY": "company",
}
_ID: Final = ("data[FIELDS][ID]", "data[ID]", "data[FIELDS][id]", "data[id]")


def read_hook(settings: BaseModel, inbound: Inbound) -> tuple[RecordHint, ...]:
    """() for an event that is about no record of ours. With `application_token` set, the event must bear it."""
    assert isinstance(settings, Bitrix24Settings)
    said = _fields(inbound)
    if settings.application_token is not None:
        wanted, given = settings.application_token.get_secret_value(), said.get("auth[application_token]", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            raise Refused("the event does not bear our application_token", 403)
    match = _EVENT.fullmatch(said.get("event", "").strip())
    id = next((said[name].strip() for name in _ID if said.get(name)), "")
    if match is None or not (id.isascii() and id.isdecimal()):
        return ()
    return (RecordHint(_OBJECTS[match[1].upper()], id, deleted=match[2].upper() == "DELETE"),)


def _fields(inbound: Inbound) -> dict[str, str]:
    """The form, or JSON in the names of the form."""
    text = inbound.body.decode("utf-8", "replace")
    try:
        if "json" in inbound.headers.get("content-type", ""):
            return dict(_flat("", json.loads(text or "{}")))
        return {**dict(inbound.query), **dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))}
    except (ValueError, RecursionError):
        raise Unreadable("neither a form nor JSON") from None


def _flat(name: str, value: Any, depth: int = 0) -> list[tuple[str, str]]:
    if isinstance(value, dict) and depth < 5:
        inside = [(f"{name}[{key}]" if name else str(key), item) for key, item in value.items()]
        return [pair for key, item in inside for pair in _flat(key, item, depth + 1)]
    return [(name, str(value))] if isinstance(value, str | int) else []
