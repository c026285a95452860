"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.instagram.settings import InstagramSettings
from connectors.samples import TEXT, as_json, hex_hmac, millis, own_id, posted_json


def sample(settings: InstagramSettings, address: str, now: datetime) -> Inbound:
    ours, theirs = settings.account_id or "1", str(millis(now))
    message = {
        "sender": {"id": theirs},
        "recipient": {"id": ours},
        "timestamp": millis(now),
        "message": {"mid": own_id(now), "text": TEXT},
    }
    body = as_json({"object": "instagram", "entry": [{"id": ours, "time": millis(now), "messaging": [message]}]})
    signature = {"x-hub-signature-256": f"sha256={hex_hmac(settings.app_secret, body)}"}
    return posted_json(settings, address, now, body, headers=signature)
