"""A sample of the door: a first message."""

from datetime import datetime

from connectors.d360.settings import D360Settings
from connectors.doors import Inbound
from connectors.samples import hex_hmac, posted_json, secret
from connectors.whatsapp.sample import cloud_message


def sample(settings: D360Settings, address: str, now: datetime) -> Inbound:
    body = cloud_message("", now)
    headers = {}
    if settings.authorization is not None:
        headers["authorization"] = secret(settings.authorization)
    if settings.platform_secret is not None:
        headers["x-360dialog-signature"] = hex_hmac(settings.platform_secret, body)
    return posted_json(settings, address, now, body, headers=headers)
