"""What MoySklad tells of a document -> a new order is a lead, paid ones and payments are payments."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, Literal

from connectors.doors import Parsed, ParsedLead
from connectors.events import ParsedPayment
from connectors.formfields import currency, dict_of, dicts_of, moment, order_line, text_of
from connectors.webform.lead import lead_from_fields

MOSCOW: Final = timezone(timedelta(hours=3))  # all its times are Moscow time
EXPANDED: Final = {
    "customerorder": "agent,state,rate.currency",
    "paymentin": "agent,rate.currency,operations",
    "cashin": "agent,rate.currency,operations",
}
"""Types of documents that say something of an enquiry -> what to ask for beside them."""
_ID = re.compile(r"[0-9a-f-]{8,40}")


def parsed_of(document: Mapping[str, Any], kind: str, action: str, region: str, now: datetime) -> Parsed:
    """`kind` is a key of EXPANDED, `action` the event's; sums are in hundredths."""
    lead = _buyer(document, region, now)
    if kind != "customerorder":
        return Parsed(payments=(_payment(document, lead),))
    payments = (_order(document, lead),) if document.get("payedSum") else ()
    return Parsed((lead,) if action == "CREATE" else (), payments=payments)


def _buyer(document: Mapping[str, Any], region: str, now: datetime) -> ParsedLead:
    agent = dict_of(document.get("agent"))
    values = {
        "name": text_of(agent.get("name")),
        "phone": text_of(agent.get("phone")),
        "email": text_of(agent.get("email")),
        "comment": text_of(document.get("description")),
    }
    extra = {
        "order_id": text_of(document.get("name")),
        "order_status": text_of(dict_of(document.get("state")).get("name")),
        "order_amount": str(_sum(document.get("sum")) or ""),
        "order_currency": _currency(document),
        "order_items": "; ".join(_items(document)),
        "address": text_of(document.get("shipmentAddress")) or text_of(agent.get("actualAddress")),
    }
    lead = lead_from_fields(
        {name: value for name, value in values.items() if value},
        region=region,
        now=min(moment(document.get("created"), MOSCOW) or now, now),
        extra={name: value for name, value in extra.items() if value},
    )
    return replace(lead, lead_uid=f"order:{text_of(document.get('id'))}", external_id=text_of(agent.get("id")))


def _items(document: Mapping[str, Any]) -> list[str]:
    rows = dicts_of(dict_of(document.get("positions")).get("rows"))
    found = [order_line(dict_of(row.get("assortment")).get("name"), _plain(row.get("quantity"))) for row in rows]
    return [line for line in found if line]


def _order(document: Mapping[str, Any], lead: ParsedLead) -> ParsedPayment:
    """Paid in part is still pending; the same sum told once more is the same event."""
    total, paid = _sum(document.get("sum")), _sum(document.get("payedSum"))
    status: Literal["pending", "succeeded"] = "succeeded" if total and paid and paid >= total else "pending"
    order_id = text_of(document.get("id"))
    return ParsedPayment(
        payment_id=order_id,
        event_id=f"{order_id}:{paid}",
        status=status,
        amount=paid,
        currency=_currency(document),
        order_id=text_of(document.get("name")) or order_id,
        at=moment(document.get("updated"), MOSCOW),
        lead=lead,
    )


def _payment(document: Mapping[str, Any], lead: ParsedLead) -> ParsedPayment:
    payment_id, amount = text_of(document.get("id")), _sum(document.get("sum"))
    orders = [dict_of(one.get("meta")) for one in dicts_of(document.get("operations"))]
    names = [text_of(one.get("name")) for one in dicts_of(document.get("operations"))]
    linked = next((text_of(one.get("href")) for one in orders if text_of(one.get("type")) == "customerorder"), "")
    tail = linked.rstrip("/").rpartition("/")[2]
    return ParsedPayment(
        payment_id=payment_id,
        event_id=f"{payment_id}:{amount}",
        status="succeeded" if document.get("applicable", True) else "pending",
        amount=amount,
        currency=_currency(document),
        order_id=next(filter(None, names), "") or (tail if _ID.fullmatch(tail) else ""),
        description=text_of(document.get("paymentPurpose")),
        at=moment(document.get("moment"), MOSCOW),
        lead=replace(lead, lead_uid=""),
    )


def _sum(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(round(value)).scaleb(-2)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _currency(document: Mapping[str, Any]) -> str:
    return currency(dict_of(dict_of(document.get("rate")).get("currency")).get("isoCode"))
