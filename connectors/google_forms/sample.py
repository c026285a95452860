"""A sample of the door: a response of the script."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.google_forms.settings import GoogleFormsSettings
from connectors.samples import EMAIL, NAME, PHONE, own_id, posted_json


def sample(settings: GoogleFormsSettings, address: str, now: datetime) -> Inbound:
    values = {"Name": [NAME], "Phone": [PHONE], "Email": [EMAIL]}
    tree = {"response_id": own_id(now), "form_id": "test", "submitted_at": now.isoformat(), "named_values": values}
    return posted_json(settings, address, now, tree)
