"""A sample of the door: a form."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, UTM, own_id, posted_form, secret
from connectors.tilda.settings import TildaSettings


def sample(settings: TildaSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "Name": NAME,
        "Phone": PHONE,
        "Email": EMAIL,
        "Textarea": TEXT,
        **UTM,
        "tranid": own_id(now),
        "formname": NAME,
    }
    if settings.api_key is not None:
        fields[settings.api_key_name] = secret(settings.api_key)
    return posted_form(settings, address, now, fields)
