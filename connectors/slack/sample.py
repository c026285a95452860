"""A sample of the door: a first message to the app."""

import hmac
from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, TEXT, as_json, millis, posted_json, secret
from connectors.slack.settings import SlackSettings


def sample(settings: SlackSettings, address: str, now: datetime) -> Inbound:
    stamp, number = int(now.timestamp()), millis(now)
    tree = {
        "type": "event_callback",
        "team_id": "T0LEADHUB",
        "event_id": f"Ev{number}",
        "event": {
            "type": "message",
            "channel": f"D{number}",
            "channel_type": "im",
            "user": f"U{number}",
            "user_profile": {"real_name": NAME},
            "text": TEXT,
            "ts": f"{stamp}.{number % 1000000:06d}",
        },
    }
    body = as_json(tree)
    signed = f"v0:{stamp}:".encode() + body
    signature = hmac.digest(secret(settings.signing_secret).encode(), signed, "sha256").hex()
    headers = {"x-slack-request-timestamp": str(stamp), "x-slack-signature": f"v0={signature}"}
    return posted_json(settings, address, now, body, headers=headers)
