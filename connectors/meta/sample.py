"""A sample of the door: a lead form, which Meta only names."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.meta.settings import MetaSettings
from connectors.samples import as_json, hex_hmac, millis, posted_json


def sample(settings: MetaSettings, address: str, now: datetime) -> Inbound:
    value = {"leadgen_id": str(millis(now)), "page_id": "1", "form_id": "1", "created_time": int(now.timestamp())}
    entry = {"id": "1", "time": int(now.timestamp()), "changes": [{"field": "leadgen", "value": value}]}
    body = as_json({"object": "page", "entry": [entry]})
    signature = {"x-hub-signature-256": f"sha256={hex_hmac(settings.app_secret, body)}"}
    return posted_json(settings, address, now, body, headers=signature)
