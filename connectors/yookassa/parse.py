"""A notification of YooKassa -> the payment as it says, and an errand to read it from the API."""

from typing import Any, Final, Literal

from connectors.bodies import UnreadableBody
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Errand, ParsedPayment
from connectors.formfields import currency, dict_of, lead_of, moment, money, object_of, text_of
from connectors.yookassa.settings import YookassaSettings

STATUS: Final[dict[str, Literal["pending", "succeeded", "canceled", "refunded"]]] = {
    "payment.pending": "pending",  # of the API alone, no notification tells it
    "payment.waiting_for_capture": "pending",
    "payment.succeeded": "succeeded",
    "payment.canceled": "canceled",
    "refund.succeeded": "refunded",
}
_ORDER_NAMES: Final = ("order_id", "orderId", "order", "order_number", "orderNumber", "deal_id")


def parse(settings: YookassaSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Payouts, deals and the like make nothing.

    With the shop's key each payment is read from the API; without proof of the sender only what is read counts.
    """
    if not inbound.body.strip():
        return Parsed()
    notice = object_of(inbound)
    event, thing = text_of(notice.get("event")), dict_of(notice.get("object"))
    object_id = text_of(thing.get("id"))
    if event not in STATUS:
        return Parsed()
    if not object_id:
        raise UnreadableBody(f"{event} without the id of its object")
    payment = payment_of(settings, inbound, region, event, thing)
    if settings.secret_key is None:
        return Parsed(payments=(payment,))
    told = {"payment_id": payment.payment_id, "object_id": object_id, "event": event}
    errands = (Errand("yookassa_payment", payment.event_id, told),)
    return Parsed(payments=(payment,) if settings.trusted_ip else (), errands=errands)


def payment_of(
    settings: YookassaSettings, inbound: Inbound, region: str, event: str, thing: dict[str, Any]
) -> ParsedPayment:
    """`thing`: a payment or refund as the API has it and as the notification of `event` quotes it."""
    object_id = text_of(thing.get("id"))
    payment_id = text_of(thing.get("payment_id")) if event.startswith("refund.") else object_id
    amount = dict_of(thing.get("amount"))
    metadata = {name: text_of(value) for name, value in dict_of(thing.get("metadata")).items()}
    return ParsedPayment(
        payment_id=payment_id or object_id,
        event_id=f"{object_id}:{event}",
        status=STATUS[event],
        amount=money(amount.get("value")),
        currency=currency(amount.get("currency")),
        order_id=next((metadata[name] for name in _ORDER_NAMES if metadata.get(name)), ""),
        description=text_of(thing.get("description")),
        at=moment(thing.get("captured_at")) or moment(thing.get("created_at")),
        lead=_payer(settings, inbound, region, metadata),
    )


def _payer(settings: YookassaSettings, inbound: Inbound, region: str, metadata: dict[str, Any]) -> ParsedLead:
    """Who pays is known only from the metadata that the shop gave the payment."""
    return lead_of(settings, inbound, region, {name: value for name, value in metadata.items() if value})
