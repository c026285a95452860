"""A sample of the door: a form of the plugin."""

from datetime import datetime

from connectors.cf7.settings import Cf7Settings
from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, posted_json


def sample(settings: Cf7Settings, address: str, now: datetime) -> Inbound:
    fields = {"your-name": NAME, "your-email": EMAIL, "your-tel": PHONE, "your-message": TEXT, **UTM}
    return posted_json(settings, address, now, fields)
