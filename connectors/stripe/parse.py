"""An event of Stripe -> a payment."""

from decimal import Decimal
from typing import Any, Final, Literal

from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import ParsedPayment
from connectors.formfields import currency, dict_of, lead_of, moment, object_of, text_of
from connectors.stripe.settings import StripeSettings

Status = Literal["pending", "succeeded", "canceled", "refunded"]

# docs.stripe.com/currencies, "Zero-decimal currencies" and "Three-decimal currencies". ISK and UGX have no
# decimals either, but Stripe still writes them with two.
_ZERO_DECIMALS: Final = frozenset(
    (
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
    )
)
_THREE_DECIMALS: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))

STATUS: Final[dict[str, Status]] = {
    "checkout.session.completed": "succeeded",
    "checkout.session.async_payment_succeeded": "succeeded",
    "checkout.session.async_payment_failed": "canceled",
    "checkout.session.expired": "canceled",
    "payment_intent.processing": "pending",
    "payment_intent.payment_failed": "pending",  # the payer may try another card
    "payment_intent.succeeded": "succeeded",
    "payment_intent.canceled": "canceled",
    "charge.refunded": "refunded",
    "invoice.paid": "succeeded",
}
_AMOUNTS: Final = ("amount_total", "amount_received", "amount_paid", "amount")
_ORDER_NAMES: Final = ("order_id", "orderId", "order", "order_number", "invoice_id")


def parse(settings: StripeSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Event types that say nothing of a payment make nothing."""
    event = object_of(inbound)
    kind = text_of(event.get("type"))
    thing = dict_of(dict_of(event.get("data")).get("object"))
    payment_id = _linked(thing.get("payment_intent")) or text_of(thing.get("id"))
    if kind not in STATUS or not payment_id or text_of(thing.get("mode")) == "setup":
        return Parsed()
    status = STATUS[kind]
    if kind == "checkout.session.completed" and text_of(thing.get("payment_status")) == "unpaid":
        status = "pending"  # a bank transfer that is still under way
    code = currency(thing.get("currency"))
    metadata = {name: text_of(value) for name, value in dict_of(thing.get("metadata")).items()}
    payment = ParsedPayment(
        payment_id=payment_id,
        event_id=text_of(event.get("id")) or f"{payment_id}:{kind}",
        status=status,
        amount=_amount(thing, code, refund=kind == "charge.refunded"),
        currency=code,
        order_id=_order_id(thing, metadata),
        description=text_of(thing.get("description")),
        at=moment(event.get("created")),
        lead=_payer(settings, inbound, region, thing, metadata),
    )
    return Parsed(payments=(payment,))


def major_units(amount: int, code: str) -> Decimal:
    """Stripe's smallest unit -> the amount as people write it."""
    if code in _ZERO_DECIMALS:
        return Decimal(amount)
    return Decimal(amount).scaleb(-3 if code in _THREE_DECIMALS else -2)


def _amount(thing: dict[str, Any], code: str, *, refund: bool) -> Decimal | None:
    names = ("amount_refunded", *_AMOUNTS) if refund else _AMOUNTS
    for name in names:
        value = thing.get(name)
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and abs(value) < 10**15
            and (value or name != "amount_received")
        ):
            return major_units(value, code)
    return None


def _linked(value: Any) -> str:
    """An id, or the whole object where the account expands it."""
    return text_of(value) or text_of(dict_of(value).get("id"))


def _order_id(thing: dict[str, Any], metadata: dict[str, str]) -> str:
    told = next((metadata[name] for name in _ORDER_NAMES if metadata.get(name)), "")
    return told or text_of(thing.get("client_reference_id")) or metadata.get("deal_id", "")


def _payer(
    settings: StripeSettings, inbound: Inbound, region: str, thing: dict[str, Any], metadata: dict[str, str]
) -> ParsedLead:
    """Who pays: the details of the session, of the charge, or of an invoice. Metadata is kept as it is named."""
    details = dict_of(thing.get("customer_details")) or dict_of(thing.get("billing_details"))
    country = text_of(dict_of(details.get("address")).get("country"))
    values = {
        **metadata,
        "name": text_of(details.get("name")) or text_of(thing.get("customer_name")) or metadata.get("name", ""),
        "phone": text_of(details.get("phone")) or text_of(thing.get("customer_phone")) or metadata.get("phone", ""),
        "email": text_of(details.get("email"))
        or text_of(thing.get("receipt_email"))
        or text_of(thing.get("customer_email"))
        or metadata.get("email", ""),
    }
    return lead_of(
        settings,
        inbound,
        region,
        {name: value for name, value in values.items() if value},
        country=country,
        extra={"client_reference_id": text_of(thing.get("client_reference_id"))},
    )
