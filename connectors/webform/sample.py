"""A sample of the door: a form."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import form_fields, posted_json, secret
from connectors.webform.settings import WebformSettings


def sample(settings: WebformSettings, address: str, now: datetime) -> Inbound:
    headers = {"x-leadhub-key": secret(settings.key)} if settings.key is not None else {}
    return posted_json(settings, address, now, form_fields(now), headers=headers)
