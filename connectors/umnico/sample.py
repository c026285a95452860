"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, TEXT, millis, own_id, posted_json
from connectors.umnico.settings import UmnicoSettings


def sample(settings: UmnicoSettings, address: str, now: datetime) -> Inbound:
    sender = {"id": millis(now), "customerId": millis(now), "login": NAME, "type": "telegram", "socialId": own_id(now)}
    message = {
        "messageId": millis(now),
        "datetime": now.isoformat(),
        "sa": {"id": 1, "type": "telegram"},
        "message": {"text": TEXT, "attachments": []},
        "incoming": True,
        "sender": sender,
        "source": {"id": own_id(now), "realId": millis(now), "saId": 1},
    }
    tree = {"type": "message.incoming", "accountId": 1, "leadId": millis(now), "isNewLead": True, "message": message}
    return posted_json(settings, address, now, tree)
