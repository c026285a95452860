"""A sample of the door: a hangup of the dialplan."""

from datetime import datetime

from connectors.asterisk.settings import AsteriskSettings
from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, RING_S, TALK_S, own_id, posted_form


def sample(settings: AsteriskSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "event": "hangup",
        "linkedid": own_id(now),
        "uniqueid": own_id(now),
        "direction": "in",
        "caller": PHONE.removeprefix("+"),
        "did": LINE.removeprefix("+"),
        "extension": "101",
        "disposition": "ANSWERED",
        "duration": str(RING_S + TALK_S),
        "billsec": str(TALK_S),
    }
    return posted_form(settings, address, now, fields)
