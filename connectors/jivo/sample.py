"""A sample of the door: a message that was left while nobody was there."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.jivo.settings import JivoSettings
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, millis, posted_json


def sample(settings: JivoSettings, address: str, now: datetime) -> Inbound:
    tree = {
        "event_name": "offline_message",
        "chat_id": millis(now),
        "widget_id": "test",
        "visitor": {"name": NAME, "email": EMAIL, "phone": PHONE, "number": str(millis(now))},
        "session": {"utm_json": {"source": UTM["utm_source"], "medium": UTM["utm_medium"]}},
        "page": {"url": "https://example.com/", "title": NAME},
        "message": TEXT,
        "offline_message_id": millis(now),
    }
    return posted_json(settings, address, now, tree)
