"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, TEXT, as_json, hex_hmac, millis, own_id, posted_json
from connectors.viber.settings import ViberSettings


def sample(settings: ViberSettings, address: str, now: datetime) -> Inbound:
    tree = {
        "event": "message",
        "timestamp": millis(now),
        "message_token": millis(now),
        "sender": {"id": own_id(now), "name": NAME},
        "message": {"text": TEXT, "type": "text"},
    }
    body = as_json(tree)
    headers = {"x-viber-content-signature": hex_hmac(settings.auth_token, body)}
    return posted_json(settings, address, now, body, headers=headers)
