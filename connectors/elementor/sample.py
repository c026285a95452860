"""A sample of the door: a form with plain data."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.elementor.settings import ElementorSettings
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, posted_form


def sample(settings: ElementorSettings, address: str, now: datetime) -> Inbound:
    fields = {"Name": NAME, "Email": EMAIL, "Phone": PHONE, "Message": TEXT, "form_name": NAME, **UTM}
    return posted_form(settings, address, now, fields)
