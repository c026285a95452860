"""A sample of the door: what a service found out about a call."""

from datetime import datetime

from connectors.call_insight.settings import CallInsightSettings
from connectors.doors import Inbound
from connectors.samples import TEXT, own_id, posted_json, secret


def sample(settings: CallInsightSettings, address: str, now: datetime) -> Inbound:
    headers = {"authorization": f"Bearer {secret(settings.bearer)}"} if settings.bearer is not None else {}
    tree = {"call_id": own_id(now), "text": TEXT, "tags": ["test"], "score": 5}
    return posted_json(settings, address, now, tree, headers=headers)
