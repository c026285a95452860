"""A sample of the door: a first message."""

from datetime import datetime

from connectors.avito.settings import AvitoSettings
from connectors.doors import Inbound
from connectors.samples import TEXT, millis, own_id, posted_json


def sample(settings: AvitoSettings, address: str, now: datetime) -> Inbound:
    message = {
        "id": own_id(now),
        "chat_id": f"u2i-{own_id(now)}",
        "user_id": int(settings.user_id) if settings.user_id.isdecimal() else 1,
        "author_id": millis(now),
        "created": int(now.timestamp()),
        "type": "text",
        "chat_type": "u2i",
        "content": {"text": TEXT},
        "item_id": 1,
    }
    tree = {
        "id": own_id(now),
        "version": "v3.0.0",
        "timestamp": int(now.timestamp()),
        "payload": {"type": "message", "value": message},
    }
    return posted_json(settings, address, now, tree)
