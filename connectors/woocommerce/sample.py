"""A sample of the door: a new order."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, as_json, base64_hmac, millis, own_id, posted_json
from connectors.woocommerce.settings import WoocommerceSettings


def sample(settings: WoocommerceSettings, address: str, now: datetime) -> Inbound:
    order = {
        "id": millis(now),
        "number": "test",
        "status": "pending",
        "currency": "EUR",
        "total": "1.00",
        "date_created_gmt": f"{now:%Y-%m-%dT%H:%M:%S}",
        "billing": {"first_name": NAME, "email": EMAIL, "phone": PHONE},
        "customer_note": TEXT,
    }
    body = as_json(order)
    headers = {
        "x-wc-webhook-topic": "order.created",
        "x-wc-webhook-resource": "order",
        "x-wc-webhook-event": "created",
        "x-wc-webhook-delivery-id": own_id(now),
        "x-wc-webhook-signature": base64_hmac(settings.secret, body),
    }
    return posted_json(settings, address, now, body, headers=headers)
