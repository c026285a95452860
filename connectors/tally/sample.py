"""A sample of the door: a response."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, as_json, base64_hmac, own_id, posted_json
from connectors.tally.settings import TallySettings


def sample(settings: TallySettings, address: str, now: datetime) -> Inbound:
    asked = (("INPUT_TEXT", "Name", NAME), ("INPUT_EMAIL", "Email", EMAIL), ("INPUT_PHONE_NUMBER", "Phone", PHONE))
    fields = [
        {"key": f"question_{n}", "label": label, "type": kind, "value": value}
        for n, (kind, label, value) in enumerate(asked)
    ]
    data = {"responseId": own_id(now), "formId": "test", "formName": NAME, "fields": fields}
    tree = {"eventId": own_id(now), "eventType": "FORM_RESPONSE", "createdAt": now.isoformat(), "data": data}
    body = as_json(tree)
    return posted_json(settings, address, now, body, headers={"tally-signature": base64_hmac(settings.secret, body)})
