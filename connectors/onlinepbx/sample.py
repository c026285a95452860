"""A sample of the door: the end of an answered call."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.onlinepbx.settings import OnlinePbxSettings
from connectors.samples import LINE, PHONE, RING_S, TALK_S, own_id, posted_form


def sample(settings: OnlinePbxSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "event": "call_end",
        "uuid": own_id(now),
        "direction": "inbound",
        "caller": PHONE.removeprefix("+"),
        "callee": "101",
        "gateway": LINE.removeprefix("+"),
        "domain": settings.domain or "test.onpbx.ru",
        "date": str(int(now.timestamp())),
        "call_duration": str(RING_S + TALK_S),
        "dialog_duration": str(TALK_S),
        "hangup_cause": "NORMAL_CLEARING",
    }
    return posted_form(settings, address, now, fields)
