"""Webhooks of the sandbox account of HubSpot: lists of events, signed as the vendor signs them (v3)."""

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connectors.sandbox.posts import KEPT, Post

SINGLE = {"contacts": "contact", "companies": "company", "deals": "deal"}


class AppWebhooks:
    """`target` is the app's one address, "" for none; people set it in the app, there is no call for it."""

    def __init__(self, now: Callable[[], datetime], secret: str) -> None:
        self._now = now
        self.secret = secret
        self.target = ""
        self.posts: deque[Post] = deque(maxlen=KEPT)
        self._number = 0

    def happened(self, type_: str, what: str, id_: str, **more: Any) -> None:
        if not self.target or type_ not in SINGLE:
            return
        self._number += 1
        at = int(self._now().timestamp() * 1000)
        event = {
            "eventId": self._number,
            "subscriptionId": 25,
            "portalId": 33,
            "appId": 116,
            "occurredAt": at,
            "subscriptionType": f"{SINGLE[type_]}.{what}",
            "attemptNumber": 0,
            "objectId": int(id_),
            "changeSource": "CRM_UI",
            **more,
        }
        body = json.dumps([event]).encode()
        signed = f"POST{self.target}".encode() + body + str(at).encode()
        made = base64.b64encode(hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()).decode()
        headers = {
            "content-type": "application/json",
            "x-hubspot-signature-v3": made,
            "x-hubspot-request-timestamp": str(at),
        }
        self.posts.append(Post(self.target, body, headers))
