"""A sample of the door: a report about an SMS of ours, which makes nothing."""

import hashlib
from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import millis, posted_form, secret
from connectors.smsru.settings import SmsRuSettings


def sample(settings: SmsRuSettings, address: str, now: datetime) -> Inbound:
    report = f"sms_status\n000000-{millis(now)}\n103\n{int(now.timestamp())}"
    digest = hashlib.sha256((secret(settings.api_id) + report).encode()).hexdigest()
    return posted_form(settings, address, now, {"data[0]": report, "hash": digest})
