"""An order of Shopify -> a lead when it is new, a payment when its state changed."""

import re
from collections.abc import Iterator
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
from connectors.shopify.settings import ShopifySettings

Status = Literal["pending", "succeeded", "canceled", "refunded"]

_STATUS: Final[dict[str, Status]] = {
    "paid": "succeeded",
    "partially_refunded": "succeeded",
    "refunded": "refunded",
    "voided": "canceled",
}
_OF_ORDERS: Final = frozenset(
    ("paid", "cancelled", "updated", "fulfilled", "partially_fulfilled", "edited", "partially_paid")
)
_SHOP = re.compile(r"[\w-]+(?:\.[\w-]+)+", re.ASCII)


def parse(settings: ShopifySettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Other topics than orders and refunds, and the shop's test, make nothing."""
    data = object_of(inbound)
    headers = inbound.headers
    topic, _, what = headers.get("x-shopify-topic", "orders/create").lower().partition("/")
    if headers.get("x-shopify-test", "").lower() == "true":
        return Parsed()
    if (topic, what) == ("refunds", "create"):
        return Parsed(payments=tuple(_refund(inbound, data)))
    if topic != "orders" or not text_of(data.get("id")):
        return Parsed()
    lead = _lead(settings, inbound, region, data)
    if what == "create":
        return Parsed((lead,))
    return Parsed(payments=(_payment(inbound, data, what, lead),)) if what in _OF_ORDERS else Parsed()


def _event_id(inbound: Inbound, *parts: str) -> str:
    """Shopify's id of the delivery, the same on every retry of it."""
    return inbound.headers.get("x-shopify-webhook-id", "").strip() or ":".join(parts)


def _payment(inbound: Inbound, order: dict[str, Any], what: str, lead: ParsedLead) -> ParsedPayment:
    order_id, state = text_of(order.get("id")), text_of(order.get("financial_status")).lower()
    status = _STATUS.get(state, "pending")
    if status != "refunded" and (what == "cancelled" or text_of(order.get("cancelled_at"))):
        status = "canceled"
    elif what == "paid":
        status = "succeeded"
    return ParsedPayment(
        payment_id=order_id,
        event_id=_event_id(inbound, order_id, what, state, text_of(order.get("updated_at"))),
        status=status,
        amount=money(order.get("current_total_price")) or money(order.get("total_price")),
        currency=currency(order.get("currency")),
        order_id=text_of(order.get("name")) or order_id,
        description=lead.extra.get("order_items", ""),
        at=moment(order.get("updated_at")) or moment(order.get("created_at")),
        lead=lead,
    )


def _refund(inbound: Inbound, refund: dict[str, Any]) -> Iterator[ParsedPayment]:
    """A refund names its order by id only; its amount is the sum of its transactions."""
    order_id, refund_id = text_of(refund.get("order_id")), text_of(refund.get("id"))
    if not order_id:
        return
    done = [one for one in dicts_of(refund.get("transactions")) if text_of(one.get("kind")) in ("refund", "")]
    amounts = [amount for amount in (money(one.get("amount")) for one in done) if amount is not None]
    yield ParsedPayment(
        payment_id=order_id,
        event_id=_event_id(inbound, order_id, "refund", refund_id),
        status="refunded",
        amount=sum(amounts[1:], amounts[0]) if amounts else None,
        currency=currency(done[0].get("currency")) if done else "",
        order_id=order_id,
        description=text_of(refund.get("note")),
        at=moment(refund.get("processed_at")) or moment(refund.get("created_at")),
    )


def _lead(settings: ShopifySettings, inbound: Inbound, region: str, order: dict[str, Any]) -> ParsedLead:
    customer = dict_of(order.get("customer"))
    shipping, billing = dict_of(order.get("shipping_address")), dict_of(order.get("billing_address"))
    people = (customer, shipping, billing)
    values = dict(_noted(order))
    values |= {
        "first_name": _first(text_of(one.get("first_name")) for one in people),
        "last_name": _first(text_of(one.get("last_name")) for one in people),
        "name": "" if text_of(customer.get("first_name")) else _first(text_of(one.get("name")) for one in people[1:]),
        "phone": _first(text_of(one.get("phone")) for one in (order, customer, shipping, billing)),
        "email": _first(
            text_of(one) for one in (order.get("email"), order.get("contact_email"), customer.get("email"))
        ),
        "company": _first(text_of(one.get("company")) for one in (billing, shipping)),
        "comment": text_of(order.get("note")),
        "landing_page": _landing(text_of(order.get("landing_site")), inbound.headers.get("x-shopify-shop-domain", "")),
        "referrer": text_of(order.get("referring_site")),
    }
    items = (
        order_line(
            item.get("title") or item.get("name"), item.get("quantity"), "", _details(item), price=item.get("price")
        )
        for item in dicts_of(order.get("line_items"))
    )
    parts = ("address1", "address2", "city", "province", "zip", "country")
    extra = {
        "order_id": text_of(order.get("name")) or text_of(order.get("id")),
        "order_status": text_of(order.get("financial_status")),
        "order_amount": text_of(order.get("total_price")),
        "order_currency": text_of(order.get("currency")),
        "order_items": "; ".join(filter(None, items)),
        "address": join_texts([shipping.get(part) for part in parts]),
        "discounts": join_texts([code.get("code") for code in dicts_of(order.get("discount_codes"))]),
    }
    return lead_of(
        settings,
        inbound,
        region,
        {name: value for name, value in values.items() if value},
        country=_first(text_of(one.get("country_code")) for one in (shipping, billing)),
        lead_uid=text_of(order.get("id")),
        extra=extra,
    )


def _first(values: Iterator[str]) -> str:
    return next(filter(None, values), "")


def _noted(order: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the shop's theme or an app noted on the cart: often UTM and visitor ids."""
    for item in dicts_of(order.get("note_attributes")):
        name = text_of(item.get("name"))[:200]
        if name:
            yield name, text_of(item.get("value"))


def _landing(site: str, shop: str) -> str:
    return f"https://{shop}{site}" if site.startswith("/") and _SHOP.fullmatch(shop) else site


def _details(item: dict[str, Any]) -> str:
    return join_texts([item.get("variant_title"), item.get("sku")])
