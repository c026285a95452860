"""A sample of the door: a payment that succeeded."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import PHONE, TEXT, own_id, posted_json
from connectors.yookassa.settings import YookassaSettings


def sample(settings: YookassaSettings, address: str, now: datetime) -> Inbound:
    payment = {
        "id": own_id(now),
        "status": "succeeded",
        "paid": True,
        "amount": {"value": "1.00", "currency": "RUB"},
        "created_at": now.isoformat(),
        "captured_at": now.isoformat(),
        "description": TEXT,
        "metadata": {"phone": PHONE.removeprefix("+")},
        "recipient": {"account_id": settings.shop_id or "1"},
    }
    tree = {"type": "notification", "event": "payment.succeeded", "object": payment}
    return posted_json(settings, address, now, tree)
