"""A sample of the door: a first message."""

from datetime import datetime

from connectors.chat2desk.settings import Chat2DeskSettings
from connectors.doors import Inbound
from connectors.samples import NAME, PHONE, TEXT, millis, posted_json


def sample(settings: Chat2DeskSettings, address: str, now: datetime) -> Inbound:
    tree = {
        "hook_type": "inbox",
        "message_id": millis(now),
        "type": "from_client",
        "text": TEXT,
        "transport": "whatsapp",
        "client_id": millis(now),
        "dialog_id": millis(now),
        "channel_id": 1,
        "client": {"id": millis(now), "phone": PHONE.removeprefix("+"), "name": NAME},
        "event_time": now.isoformat(),
    }
    return posted_json(settings, address, now, tree)
