"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, PHONE, TEXT, as_json, hex_hmac, own_id, posted_json
from connectors.whatsapp.settings import WhatsAppSettings


def sample(settings: WhatsAppSettings, address: str, now: datetime) -> Inbound:
    body = cloud_message(settings.phone_number_id, now)
    signature = {"x-hub-signature-256": f"sha256={hex_hmac(settings.app_secret, body)}"}
    return posted_json(settings, address, now, body, headers=signature)


def cloud_message(number_id: str, now: datetime) -> bytes:
    """The body that Meta's Cloud API sends, and who resells it."""
    sender = PHONE.removeprefix("+")
    message = {
        "from": sender,
        "id": f"wamid.{own_id(now)}",
        "timestamp": str(int(now.timestamp())),
        "type": "text",
        "text": {"body": TEXT},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": number_id or "1"},
        "contacts": [{"profile": {"name": NAME}, "wa_id": sender}],
        "messages": [message],
    }
    changes = [{"field": "messages", "value": value}]
    return as_json({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]})
