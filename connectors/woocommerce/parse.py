"""An order of WooCommerce -> a lead when it is new, a payment when its state changed."""

import re
from typing import Any, Final, Literal

from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import ParsedPayment
from connectors.formfields import (
    currency,
    dict_of,
    dicts_of,
    join_texts,
    lead_of,
    moment,
    money,
    object_of,
    order_line,
    text_of,
)
from connectors.woocommerce.settings import WoocommerceSettings

PING: Final = rb"webhook_id=\d+"
_STATUS: Final[dict[str, Literal["pending", "succeeded", "canceled", "refunded"]]] = {
    "processing": "succeeded",  # WooCommerce's word for "paid, to be sent"
    "completed": "succeeded",
    "cancelled": "canceled",
    "failed": "canceled",
    "refunded": "refunded",
}
_ATTRIBUTION = "_wc_order_attribution_"
_MARKS = {"referrer": "referrer", "session_entry": "landing_page"}
_NOTHING = ("(direct)", "(none)")


def parse(settings: WoocommerceSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Other topics than orders make nothing."""
    if not inbound.body.strip() or re.fullmatch(PING, inbound.body.strip()):
        return Parsed()
    order = object_of(inbound)
    topic = inbound.headers.get("x-wc-webhook-topic", "order.created").lower()
    if not topic.startswith("order.") or topic in ("order.deleted", "order.restored") or "billing" not in order:
        return Parsed()
    lead = _lead(settings, inbound, region, order)
    if topic == "order.created":
        return Parsed((lead,))
    order_id, status = text_of(order.get("id")), text_of(order.get("status"))
    if not order_id:
        return Parsed()
    payment = ParsedPayment(
        payment_id=order_id,
        event_id=f"{order_id}:{status}",
        status=_STATUS.get(status, "pending"),
        amount=money(order.get("total")),
        currency=currency(order.get("currency")),
        order_id=text_of(order.get("number")) or order_id,
        description=lead.extra.get("order_items", ""),
        at=moment(order.get("date_modified_gmt")),
        lead=lead,
    )
    return Parsed(payments=(payment,))


def _lead(settings: WoocommerceSettings, inbound: Inbound, region: str, order: dict[str, Any]) -> ParsedLead:
    billing, shipping = dict_of(order.get("billing")), dict_of(order.get("shipping"))
    country = text_of(billing.get("country")) or text_of(shipping.get("country"))
    values = {
        "first_name": text_of(billing.get("first_name")) or text_of(shipping.get("first_name")),
        "last_name": text_of(billing.get("last_name")) or text_of(shipping.get("last_name")),
        "phone": text_of(billing.get("phone")) or text_of(shipping.get("phone")),
        "email": text_of(billing.get("email")),
        "company": text_of(billing.get("company")),
        "comment": text_of(order.get("customer_note")),
        **_attribution(dicts_of(order.get("meta_data"))),
    }
    items = (
        order_line(item.get("name"), item.get("quantity"), item.get("total"), text_of(item.get("sku")))
        for item in dicts_of(order.get("line_items"))
    )
    address = ("address_1", "address_2", "city", "state", "postcode", "country")
    extra = {
        "order_id": text_of(order.get("number")) or text_of(order.get("id")),
        "order_status": text_of(order.get("status")),
        "order_amount": text_of(order.get("total")),
        "order_currency": text_of(order.get("currency")),
        "order_items": "; ".join(filter(None, items)),
        "payment_method": text_of(order.get("payment_method_title")),
        "address": join_texts([billing.get(part) for part in address]),
        "coupons": join_texts([coupon.get("code") for coupon in dicts_of(order.get("coupon_lines"))]),
    }
    return lead_of(
        settings,
        inbound,
        region,
        {name: value for name, value in values.items() if value},
        country=country,
        lead_uid=text_of(order.get("id")),
        extra=extra,
    )


def _attribution(meta: list[dict[str, Any]]) -> dict[str, str]:
    """Order attribution that WooCommerce keeps since 8.5; a plugin's own UTM fields under their names."""
    found: dict[str, str] = {}
    for item in meta:
        key = text_of(item.get("key"))
        value = text_of(item.get("value"))
        name = key.removeprefix(_ATTRIBUTION)
        if value and value not in _NOTHING and (name.startswith("utm_") or (name != key and name in _MARKS)):
            found.setdefault(_MARKS.get(name, name), value)
    return found
