"""A sample of the door: the end of an answered call."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, RING_S, TALK_S, own_id, posted_form, secret
from connectors.zadarma.settings import ZadarmaSettings
from connectors.zadarma.sign import SIGNED


def sample(settings: ZadarmaSettings, address: str, now: datetime) -> Inbound:
    began = (now - timedelta(seconds=RING_S + TALK_S)).astimezone(ZoneInfo(settings.timezone or "UTC"))
    fields = {
        "event": "NOTIFY_END",
        "call_start": f"{began:%Y-%m-%d %H:%M:%S}",
        "pbx_call_id": own_id(now),
        "caller_id": PHONE,
        "called_did": LINE.removeprefix("+"),
        "internal": "101",
        "duration": str(TALK_S),
        "disposition": "answered",
        "status_code": "16",
        "is_recorded": "0",
    }
    signed = "".join(fields[name.decode()] for name in SIGNED[b"NOTIFY_END"])
    digest = hmac.new(secret(settings.secret).encode(), signed.encode(), hashlib.sha1).hexdigest()
    signature = {"signature": base64.b64encode(digest.encode()).decode()}
    return posted_form(settings, address, now, fields, headers=signature)
