"""A sample of the door: an order, which MoySklad only names."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.moysklad.settings import MoyskladSettings
from connectors.samples import own_id, posted_json


def sample(settings: MoyskladSettings, address: str, now: datetime) -> Inbound:
    kind = "customerorder"
    href = f"{settings.api_url}/entity/{kind}/{own_id(now)}"
    event = {"meta": {"type": kind, "href": href}, "action": "CREATE", "accountId": "test"}
    return posted_json(settings, address, now, {"events": [event]}, query=[("requestId", own_id(now))])
