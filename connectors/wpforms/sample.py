"""A sample of the door: an entry."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, millis, posted_json
from connectors.wpforms.settings import WpformsSettings


def sample(settings: WpformsSettings, address: str, now: datetime) -> Inbound:
    fields = {"entry_id": millis(now), "name": NAME, "email": EMAIL, "phone": PHONE, "message": TEXT, **UTM}
    return posted_json(settings, address, now, fields)
