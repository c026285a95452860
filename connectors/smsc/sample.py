"""A sample of the door: an SMS."""

import hashlib
from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, TEXT, millis, posted_form, secret
from connectors.smsc.settings import SmscSettings


def sample(settings: SmscSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "phone": PHONE.removeprefix("+"),
        "mes": TEXT,
        "to": LINE.removeprefix("+"),
        "sms_id": str(millis(now)),
        "time": str(int(now.timestamp())),
    }
    signed = ":".join((fields["phone"], fields["mes"], fields["to"], secret(settings.secret_word)))
    fields["md5"] = hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
    return posted_form(settings, address, now, fields)
