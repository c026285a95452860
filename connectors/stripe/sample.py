"""A sample of the door: a paid checkout."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, as_json, hex_hmac, own_id, posted_json
from connectors.stripe.settings import StripeSettings


def sample(settings: StripeSettings, address: str, now: datetime) -> Inbound:
    session = {
        "id": f"cs_{own_id(now)}",
        "object": "checkout.session",
        "amount_total": 100,
        "currency": "eur",
        "payment_status": "paid",
        "customer_details": {"email": EMAIL, "name": NAME, "phone": PHONE},
    }
    stamp = int(now.timestamp())
    tree = {
        "id": f"evt_{own_id(now)}",
        "object": "event",
        "created": stamp,
        "type": "checkout.session.completed",
        "data": {"object": session},
    }
    body = as_json(tree)
    signature = hex_hmac(settings.signing_secret, f"{stamp}.".encode() + body)
    return posted_json(settings, address, now, body, headers={"stripe-signature": f"t={stamp},v1={signature}"})
