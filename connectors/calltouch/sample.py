"""A sample of the door: a call that was answered."""

from datetime import datetime

from connectors.calltouch.settings import CalltouchSettings
from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, RING_S, TALK_S, UTM, millis, posted_form, secret


def sample(settings: CalltouchSettings, address: str, now: datetime) -> Inbound:
    fields = {
        "leadtype": "call",
        "callphase": "callcompleted",
        "id": str(millis(now)),
        "callerphone": PHONE.removeprefix("+"),
        "phonenumber": LINE.removeprefix("+"),
        "calltime": str(int(now.timestamp()) - RING_S - TALK_S),
        "status": "successful",
        "duration": str(TALK_S),
        "waiting_time": str(RING_S),
        **UTM,
    }
    query = [("secret", secret(settings.secret_param))] if settings.secret_param is not None else []
    return posted_form(settings, address, now, fields, query=query)
