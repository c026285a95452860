"""A sample of the door: the end of an answered call."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.roistat.settings import RoistatSettings
from connectors.samples import LINE, PHONE, TALK_S, UTM, millis, own_id, posted_json


def sample(settings: RoistatSettings, address: str, now: datetime) -> Inbound:
    tree = {
        "id": own_id(now),
        "caller": PHONE.removeprefix("+"),
        "callee": LINE.removeprefix("+"),
        "visit_id": str(millis(now)),
        "date": str(int(now.timestamp())),
        **UTM,
        "status": "ANSWER",
        "duration": TALK_S,
    }
    return posted_json(settings, address, now, tree)
