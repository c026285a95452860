"""A sample of the door: the end of an answered call."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, TALK_S, own_id, posted_form
from connectors.telphin.settings import TelphinSettings


def sample(settings: TelphinSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "EventType": "hangup",
        "EventTime": str(int(now.timestamp() * 1_000_000)),
        "Duration": str(TALK_S * 1_000_000),
        "CallStatus": "ANSWER",
        "CallID": own_id(now),
        "SubCallID": f"{own_id(now)}-1",
        "CallFlow": "IN",
        "CallerIDNum": PHONE.removeprefix("+"),
        "CalledDID": LINE.removeprefix("+"),
        "CalledNumber": "00000*101",
        "CalledExtension": "00000*101",
        "CallAPIID": own_id(now),
    }
    return posted_form(settings, address, now, fields)
