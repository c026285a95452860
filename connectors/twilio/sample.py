"""A sample of the door: a forwarded call that was answered."""

import base64
import hashlib
import hmac
from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, TALK_S, millis, posted_form
from connectors.twilio.settings import TwilioSettings


def sample(settings: TwilioSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "AccountSid": settings.account_sid or "AC00000000000000000000000000000000",
        "CallSid": f"CA{millis(now):032x}",
        "CallStatus": "in-progress",
        "Direction": "inbound",
        "From": PHONE,
        "To": LINE,
        "DialCallSid": f"CA{millis(now) + 1:032x}",
        "DialCallStatus": "completed",
        "DialCallDuration": str(TALK_S),
        "DialBridged": "true",
    }
    url = settings.webhook_url or address
    signed = url + "".join(name + value for name, value in sorted(fields.items()))
    headers = {}
    if settings.auth_token is not None:
        key, algorithm = settings.auth_token, hashlib.sha1
    elif settings.shared_keys:
        name, key = next(iter(settings.shared_keys.items()))
        algorithm = hashlib.sha256
        headers["x-twilio-webhooks-signature-settings"] = f"key={name},algorithm=HMAC_SHA256"
    else:
        return posted_form(settings, address, now, fields)
    digest = hmac.new(key.get_secret_value().encode(), signed.encode(), algorithm).digest()
    headers["x-twilio-signature"] = base64.b64encode(digest).decode()
    return posted_form(settings, address, now, fields, headers=headers)
