"""A sample of the door: the record of an answered call."""

from datetime import UTC, datetime, timedelta

from connectors.doors import Inbound
from connectors.megafon.settings import MegafonSettings
from connectors.samples import LINE, PHONE, RING_S, TALK_S, own_id, posted_form, secret


def sample(settings: MegafonSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "cmd": "history",
        "type": "in",
        "start": f"{now.astimezone(UTC) - timedelta(seconds=RING_S + TALK_S):%Y%m%dT%H%M%SZ}",
        "duration": str(TALK_S),
        "status": "Success",
        "callid": own_id(now),
        "phone": PHONE.removeprefix("+"),
        "user": "test",
        "ext": "101",
        "diversion": LINE.removeprefix("+"),
        "crm_token": secret(settings.crm_token),
    }
    return posted_form(settings, address, now, fields)
