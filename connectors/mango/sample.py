"""A sample of the door: the summary of an answered call."""

import hashlib
from datetime import datetime

from connectors.doors import Inbound
from connectors.mango.settings import MangoSettings
from connectors.samples import LINE, PHONE, RING_S, TALK_S, as_json, own_id, posted_form, secret


def sample(settings: MangoSettings, address: str, now: datetime) -> Inbound:
    ended = int(now.timestamp())
    talked, began = ended - TALK_S, ended - TALK_S - RING_S
    call = {
        "entry_id": own_id(now),
        "call_direction": 1,
        "from": {"number": PHONE.removeprefix("+")},
        "to": {"extension": "101"},
        "line_number": LINE.removeprefix("+"),
        "create_time": began,
        "forward_time": began,
        "talk_time": talked,
        "end_time": ended,
        "entry_result": 1,
        "disconnect_reason": 1110,
    }
    text = as_json(call)
    key, salt = secret(settings.vpbx_api_key), secret(settings.vpbx_api_salt)
    sign = hashlib.sha256(key.encode() + text + salt.encode()).hexdigest()
    fields = {"vpbx_api_key": key, "sign": sign, "json": text.decode()}
    return posted_form(settings, address, now, fields, tail="events/summary")
