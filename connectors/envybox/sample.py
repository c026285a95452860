"""A sample of the door: a request to be called back."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.envybox.settings import EnvyboxSettings
from connectors.samples import EMAIL, NAME, PHONE, UTM, millis, posted_form, secret


def sample(settings: EnvyboxSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "webhooktype": "1",
        "phone": PHONE.removeprefix("+"),
        "name": NAME,
        "email": EMAIL,
        "call_state": "Заказ звонка",
        "call_duration": "0",
        "called_at": str(int(now.timestamp())),
        "url": "https://example.com/",
        **UTM,
        "call_id": str(millis(now)),
        "key": secret(settings.key),
    }
    return posted_form(settings, address, now, fields)
