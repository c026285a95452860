"""amoCRM's webhooks (docs, "Вебхуки"): forms with nested keys, unsigned, so they are hints and nothing more. Pure."""

import hmac
import re
from typing import Final
from urllib.parse import parse_qsl

from pydantic import BaseModel

from connectors.amocrm.settings import AmocrmSettings
from connectors.doors import Inbound, Refused, Unreadable
from connectors.records import RecordHint, RecordObject

MAX_FIELDS: Final = 20_000
_KEY: Final = re.compile(
    r"(leads|contacts|companies)\[(add|update|delete|restore|status|responsible|note)\]\[(\d+)\]"
    r"(?:\[(id|type)\]|\[note\]\[(element_id)\])"
)
_OBJECTS: Final[dict[str, RecordObject]] = {"leads": "deal", "contacts": "contact", "companies": "company"}


def read_hook(settings: BaseModel, inbound: Inbound) -> tuple[RecordHint, ...]:
    """Several records may share one request. With `hook_token` set, the address must end with it."""
    assert isinstance(settings, AmocrmSettings)
    if settings.hook_token is not None:
        wanted, given = settings.hook_token.get_secret_value(), inbound.path_tail.strip("/") or inbound.param("key")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            raise Refused("the address does not end with hook_token", 403)
    try:
        pairs = parse_qsl(inbound.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Unreadable("the form has too many fields") from None
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match:
            entity, action, index, name, owner = match.groups()
            found.setdefault((entity, action, index), {})[name or owner] = value.strip()
    hints: list[RecordHint] = []
    for (entity, action, _), said in found.items():
        id = said.get("id") or said.get("element_id") or ""
        if id.isascii() and id.isdecimal():
            hints += [RecordHint(one, id, deleted=action == "delete") for one in _objects(entity, action, said)]
    return tuple(dict.fromkeys(hints))


def _objects(entity: str, action: str, said: dict[str, str]) -> tuple[RecordObject, ...]:
    """Contacts and companies both come under `contacts`; a deletion may leave out which of them it was."""
    if entity != "contacts":
        return (_OBJECTS[entity],)
    if said.get("type") in ("contact", "company"):
        return ("contact",) if said["type"] == "contact" else ("company",)
    return ("contact", "company") if action == "delete" else ("contact",)
