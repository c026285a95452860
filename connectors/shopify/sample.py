"""A sample of the door: a new order."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, TEXT, as_json, base64_hmac, millis, own_id, posted_json
from connectors.shopify.settings import ShopifySettings


def sample(settings: ShopifySettings, address: str, now: datetime) -> Inbound:
    customer = {"id": 1, "first_name": NAME, "email": EMAIL, "phone": PHONE}
    order = {
        "id": millis(now),
        "name": "#test",
        "email": EMAIL,
        "created_at": now.isoformat(),
        "currency": "EUR",
        "total_price": "1.00",
        "financial_status": "pending",
        "customer": customer,
        "line_items": [{"id": 1, "title": TEXT, "quantity": 1, "price": "1.00"}],
    }
    body = as_json(order)
    headers = {
        "x-shopify-topic": "orders/create",
        "x-shopify-webhook-id": own_id(now),
        "x-shopify-event-id": own_id(now),
        "x-shopify-hmac-sha256": base64_hmac(settings.client_secret, body),
    }
    return posted_json(settings, address, now, body, headers=headers)
