"""Orders of 1C -> a lead for a new one, a payment for one that was paid, canceled or refunded."""

from collections.abc import Iterator
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from connectors.bodies import UnreadableBody, flatten
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import ParsedPayment
from connectors.formfields import (
    body_of,
    currency,
    dict_of,
    dicts_of,
    lead_of,
    moment,
    money,
    order_line,
    plain_values,
    text_of,
)
from connectors.onec.settings import OnecSettings

MAX_ORDERS = 100  # in one request

# Our key, and what programmers of 1C write for it.
_KEYS: Final = {
    "number": ("номер", "order", "order_number"),
    "date": ("дата",),
    "status": ("статус", "состояние"),
    "amount": ("сумма", "total"),
    "currency": ("валюта",),
    "phone": ("телефон",),
    "email": ("почта", "e-mail"),
    "name": ("имя", "фио", "контрагент", "клиент", "покупатель", "customer", "client", "buyer"),
    "paid": ("оплачен", "оплачено"),
    "comment": ("комментарий",),
    "items": ("товары",),
    "id": ("guid", "ref", "ref_key", "ссылка"),
}
_OURS: Final = {word: key for key, words in _KEYS.items() for word in (key, *words)}
_OWN: Final = frozenset(("number", "date", "status", "amount", "currency", "paid", "items", "id"))
_YES: Final = frozenset(("true", "1", "да", "истина", "yes"))


def parse(settings: OnecSettings, inbound: Inbound, region: str) -> Parsed:
    """One order, a list of them, or {"orders": [...]}. Raises UnreadableBody; an empty request is a test."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    if body.tree is None:
        raise UnreadableBody("expected JSON")
    tree = body.tree
    several = dict_of(tree).get("orders")
    orders = dicts_of(tree if isinstance(tree, list) else several) if isinstance(tree, list) or several else [tree]
    leads: list[ParsedLead] = []
    payments: list[ParsedPayment] = []
    for order in orders[:MAX_ORDERS]:
        for made in _made_of(settings, inbound, region, _named(order)):
            if isinstance(made, ParsedPayment):
                payments.append(made)
            else:
                leads.append(made)
    return Parsed(tuple(leads), payments=tuple(payments))


def _named(order: dict[str, Any]) -> dict[str, Any]:
    """Keys as we call them; the others as they are. Of a buyer who is an object of his own, its keys."""
    named: dict[str, Any] = {}
    buyer: dict[str, Any] = {}
    for key, value in order.items():
        ours = _ours(key)
        if ours == "name" and isinstance(value, dict):
            buyer = buyer or value
        else:
            named.setdefault(ours, value)
    told = {_ours(key): value for key, value in buyer.items() if _ours(key) not in _OWN}
    return {**told, **named}


def _ours(key: str) -> str:
    return _OURS.get(key.strip().casefold(), key)


def _made_of(
    settings: OnecSettings, inbound: Inbound, region: str, order: dict[str, Any]
) -> Iterator[ParsedLead | ParsedPayment]:
    number = text_of(order.get("number"))
    status = text_of(order.get("status")).casefold().replace("ё", "е")
    paid = text_of(order.get("paid")).casefold() in _YES
    at = moment(order.get("date"), ZoneInfo(settings.timezone))
    # Numbers of 1C begin anew each year: the year belongs to the name of an order.
    year = at.astimezone(ZoneInfo(settings.timezone)).year if at else ""
    uid = text_of(order.get("id")) or (f"{number}/{year}" if year else number)
    lead = _lead(settings, inbound, region, order, uid)
    state = _state(settings, status, paid=paid)
    known = bool(number or text_of(order.get("id")))
    if not known or (state is None and (not status or status in _words(settings.new_statuses))):
        yield lead
        return
    yield ParsedPayment(
        payment_id=uid,
        event_id=f"{uid}:{state or 'pending'}:{status}",
        status=state or "pending",
        amount=money(order.get("amount")),
        currency=currency(order.get("currency")) or currency(settings.currency),
        order_id=number or uid,
        description=text_of(order.get("status")),
        at=at,
        lead=lead,
    )


def _state(settings: OnecSettings, status: str, *, paid: bool) -> Literal["succeeded", "canceled", "refunded"] | None:
    if status in _words(settings.refunded_statuses):
        return "refunded"
    if status in _words(settings.canceled_statuses):
        return "canceled"
    return "succeeded" if paid else None


def _words(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.casefold().replace("ё", "е") for word in words)


def _lead(settings: OnecSettings, inbound: Inbound, region: str, order: dict[str, Any], uid: str) -> ParsedLead:
    items = (
        order_line(item.get("name"), item.get("quantity"), item.get("amount"), price=item.get("price"))
        for item in (_item(one) for one in dicts_of(order.get("items")))
    )
    extra = {
        "order_id": text_of(order.get("number")),
        "order_status": text_of(order.get("status")),
        "order_amount": text_of(order.get("amount")),
        "order_currency": currency(order.get("currency")) or currency(settings.currency),
        "order_items": "; ".join(filter(None, items)),
    }
    rest = {key: value for key, value in order.items() if key and key not in _OWN}
    return lead_of(
        settings,
        inbound,
        region,
        plain_values(flatten(rest)),
        lead_uid=uid,
        extra=extra,
    )


_ITEM: Final = {
    "наименование": "name",
    "номенклатура": "name",
    "количество": "quantity",
    "цена": "price",
    "сумма": "amount",
}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {_ITEM.get(key.strip().casefold(), key.strip().casefold()): value for key, value in item.items()}
