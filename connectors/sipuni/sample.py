"""A sample of the door: the end of an answered call."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import LINE, PHONE, RING_S, TALK_S, own_id, request
from connectors.sipuni.settings import SipuniSettings


def sample(settings: SipuniSettings, address: str, now: datetime) -> Inbound:
    ended = int(now.timestamp())
    fields = {
        "event": "2",
        "call_id": own_id(now),
        "src_num": PHONE.removeprefix("+"),
        "short_src_num": PHONE.removeprefix("+"),
        "src_type": "1",
        "dst_num": LINE.removeprefix("+"),
        "short_dst_num": LINE.removeprefix("+"),
        "dst_type": "1",
        "pbxdstnum": LINE.removeprefix("+"),
        "status": "ANSWER",
        "call_start_timestamp": str(ended - TALK_S - RING_S),
        "call_answer_timestamp": str(ended - TALK_S),
        "timestamp": str(ended),
        "last_called": "101",
        "user_id": settings.user,
    }
    return request(settings, address, now, query=fields.items(), method="GET")
