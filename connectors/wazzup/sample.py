"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, PHONE, TEXT, own_id, posted_json, secret
from connectors.wazzup.settings import WazzupSettings


def sample(settings: WazzupSettings, address: str, now: datetime) -> Inbound:
    message = {
        "messageId": own_id(now),
        "channelId": "test",
        "chatType": "whatsapp",
        "chatId": PHONE.removeprefix("+"),
        "dateTime": now.isoformat(),
        "type": "text",
        "status": "inbound",
        "text": TEXT,
        "contact": {"name": NAME},
        "isEcho": False,
    }
    headers = {"authorization": f"Bearer {secret(settings.crm_key)}"}
    return posted_json(settings, address, now, {"messages": [message]}, headers=headers)
