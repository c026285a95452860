"""A payment, or what was found out about a call, as the note on a deal tells it."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from decimal import Decimal

from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal

from connectors.events import ParsedPayment

_NUMBER = re.compile(r"\d+\.\d+")
_HEADS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("Оплата {amount} получена", "Payment of {amount} received"),
    "pending": ("Оплата {amount} ожидается", "Payment of {amount} is pending"),
    "canceled": ("Оплата {amount} отменена", "Payment of {amount} canceled"),
    "refunded": ("Возврат {amount}", "Refund of {amount}"),
}
_NO_AMOUNT: Mapping[str, tuple[str, str]] = {
    "succeeded": ("Оплата получена", "Payment received"),
    "pending": ("Оплата ожидается", "Payment is pending"),
    "canceled": ("Оплата отменена", "Payment canceled"),
    "refunded": ("Возврат", "Refund"),
}


def money_text(amount: Decimal, currency: str, locale: str) -> str:
    """`12 000 ₽`, `$12,000.50`; without a currency the number alone."""
    whole = amount == amount.to_integral_value()
    digits = "#,##0" if whole else "#,##0.00"
    if not currency:
        return format_decimal(amount, digits, locale=locale)
    pattern = f"{digits}\u00a0¤" if locale == "ru" else f"¤{digits}"
    return format_currency(amount, currency, pattern, locale=locale, currency_digits=False)


def payment_note(payment: ParsedPayment, source: str, at: datetime, locale: str, zone: tzinfo) -> str:
    """`source` as people call it; `at`: when it came, where the payment does not say."""
    russian = locale == "ru"
    side = 0 if russian else 1
    amount = money_text(payment.amount, payment.currency, locale) if payment.amount is not None else ""
    head = (_HEADS if amount else _NO_AMOUNT)[payment.status][side].format(amount=amount)
    order = f"{'Заказ' if russian else 'Order'}: {payment.order_id}" if payment.order_id else ""
    when = (payment.at or at).astimezone(zone)
    pattern = "dd.MM.yyyy HH:mm" if russian else "d MMM yyyy HH:mm"
    where = f"{source}, {format_datetime(when, pattern, locale=locale)}"
    return "\n".join(filter(None, (head, order, payment.description, where)))


def insight_note(told: Mapping[str, str], source: str, locale: str) -> str:
    """`told`: text, tags, score and who found it out."""
    russian = locale == "ru"
    lines = [f"{'Разбор звонка' if russian else 'About the call'}: {told.get('source') or source}"]
    if score := told.get("score"):
        shown = score.replace(".", ",") if russian and _NUMBER.fullmatch(score) else score
        lines.append(f"{'Оценка' if russian else 'Score'}: {shown}")
    if tags := told.get("tags"):
        lines.append(f"{'Теги' if russian else 'Tags'}: {tags}")
    return "\n".join(filter(None, (*lines, told.get("text", ""))))
