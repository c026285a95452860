"""A sample of the door: a response."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, UTM, as_json, base64_hmac, own_id, posted_json
from connectors.typeform.settings import TypeformSettings


def sample(settings: TypeformSettings, address: str, now: datetime) -> Inbound:
    asked = (("short_text", "Name?"), ("email", "E-mail?"), ("phone_number", "Phone?"))
    fields = [{"id": f"f{n}", "title": title, "type": kind, "ref": f"f{n}"} for n, (kind, title) in enumerate(asked)]
    told = (("text", NAME), ("email", EMAIL), ("phone_number", PHONE))
    answers = [{"type": kind, kind: value, "field": field} for (kind, value), field in zip(told, fields, strict=True)]
    response = {
        "form_id": "test",
        "token": own_id(now),
        "submitted_at": now.isoformat(),
        "hidden": dict(UTM),
        "definition": {"id": "test", "title": NAME, "fields": fields},
        "answers": answers,
    }
    body = as_json({"event_id": own_id(now), "event_type": "form_response", "form_response": response})
    signature = {"typeform-signature": f"sha256={base64_hmac(settings.secret, body)}"}
    return posted_json(settings, address, now, body, headers=signature)
