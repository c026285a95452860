"""A sample of the door: a request from the site."""

from datetime import datetime

from connectors.callibri.settings import CallibriSettings
from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, millis, posted_json


def sample(settings: CallibriSettings, address: str, now: datetime) -> Inbound:
    tree = {
        "appeal_id": millis(now),
        "type": "feedback",
        "date": now.isoformat(),
        "name": NAME,
        "phone": PHONE,
        "email": EMAIL,
        "content": TEXT,
        "form_name": NAME,
        **UTM,
    }
    return posted_json(settings, address, now, tree)
