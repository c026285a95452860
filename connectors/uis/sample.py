"""A sample of the door: the end of an answered call."""

from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.doors import Inbound
from connectors.samples import LINE, NAME, PHONE, RING_S, TALK_S, millis, posted_json
from connectors.uis.settings import UisSettings


def sample(settings: UisSettings, address: str, now: datetime) -> Inbound:
    local = now.astimezone(ZoneInfo(settings.timezone or "UTC"))
    tree = {
        "notification_mnemonic": "call_finished",
        "notification_time": f"{local:%Y-%m-%d %H:%M:%S}",
        "virtual_phone_number": LINE.removeprefix("+"),
        "contact_phone_number": PHONE.removeprefix("+"),
        "call_session_id": millis(now),
        "communication_number": 1,
        "employee_full_name": NAME,
        "direction": "in",
        "talk_time_duration": TALK_S,
        "total_time_duration": RING_S + TALK_S,
        "wait_time_duration": RING_S,
    }
    return posted_json(settings, address, now, tree)
