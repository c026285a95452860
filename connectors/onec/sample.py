"""A sample of the door: a new order."""

import base64
from datetime import datetime

from connectors.doors import Inbound
from connectors.onec.settings import OnecSettings
from connectors.samples import EMAIL, NAME, PHONE, TEXT, millis, own_id, posted_json, secret


def sample(settings: OnecSettings, address: str, now: datetime) -> Inbound:
    order = {
        "id": own_id(now),
        "number": str(millis(now)),
        "date": now.isoformat(timespec="seconds"),
        "status": settings.new_statuses[0] if settings.new_statuses else "",
        "amount": "1.00",
        "name": NAME,
        "phone": PHONE,
        "email": EMAIL,
        "comment": TEXT,
    }
    headers = {}
    if settings.password is not None:
        pair = f"{settings.user}:{secret(settings.password)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return posted_json(settings, address, now, order, headers=headers)
