"""A sample of the door: an entry."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.gravityforms.settings import GravityformsSettings
from connectors.samples import EMAIL, NAME, PHONE, TEXT, millis, posted_json


def sample(settings: GravityformsSettings, address: str, now: datetime) -> Inbound:
    fields = {"id": str(millis(now)), "form_id": "1", "1": NAME, "2": EMAIL, "3": PHONE, "4": TEXT}
    return posted_json(settings, address, now, {**fields, "date_created": f"{now:%Y-%m-%d %H:%M:%S}"})
