"""A sample of the door: an answered call."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.ringostat.settings import RingostatSettings
from connectors.samples import LINE, PHONE, TALK_S, UTM, own_id, posted_form


def sample(settings: RingostatSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "calldate": str(int(now.timestamp())),
        "caller": PHONE.removeprefix("+"),
        "dst": LINE.removeprefix("+"),
        "disposition": "ANSWERED",
        "billsec": str(TALK_S),
        "uniqueid": own_id(now),
        **UTM,
    }
    return posted_form(settings, address, now, fields)
