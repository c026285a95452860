"""How a value of an expression looks as a text, and how a text becomes a number."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

TEXT_CAP = 20_000
"""No text that an expression makes is longer, in characters: a comment may be megabytes."""

_DECIMAL = re.compile(r"[-+]?[0-9]{1,30}\.[0-9]{1,30}")
_AMOUNT = re.compile(r"[-+]?\d[\d\s'.,]*")
_MAX_DIGITS = 18  # more is no sum of money but a card or account number


def text_of(value: object) -> str:
    """`value` as a person reads it: lists with commas, whole numbers without a point, nothing as ""."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_CAP else value[: TEXT_CAP - 1] + "…"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        return plain_number(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, list | tuple):
        return text_of(", ".join(filled(text_of(one) for one in value)))
    if isinstance(value, Mapping):
        return text_of("\n".join(f"{key}: {text_of(one)}" for key, one in value.items() if one not in (None, "", ())))
    return str(value)


def filled(texts: Iterable[str]) -> list[str]:
    """Those of `texts` that are not blank."""
    return [text for text in texts if text.strip()]


def is_empty(value: object) -> bool:
    """Nothing to write: no value, blank text, or a list or table of nothing. 0 and false are something."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, list | tuple | Mapping) and not value


def plain_number(value: Decimal | float) -> str:
    """Digits without exponent and without a useless fraction."""
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > 2 * _MAX_DIGITS:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal(value: object) -> object:
    """A number as a record holds it, `1234.567`, as a number: as a text it would be one with its thousands grouped."""
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def amount(value: object) -> Decimal | None:
    """The number in `value`, or None.

    Texts may have spaces, a currency and either decimal mark: `12 500,50 ₽`, `$1,299.90`.
    One mark before exactly three last digits groups thousands: `12.500` is 12500.
    """
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        return number if number.is_finite() else None
    if not isinstance(value, str):
        return None
    found = _AMOUNT.findall(value[:200])
    if len(found) != 1:
        return None
    digits = re.sub(r"[\s']", "", found[0]).rstrip(".,")
    if sum(char.isdigit() for char in digits) > _MAX_DIGITS:
        return None
    try:
        return Decimal(_with_point(digits))
    except InvalidOperation:
        return None


def _with_point(digits: str) -> str:
    marks = [char for char in digits if char in ".,"]
    if not marks:
        return digits
    last = marks[-1]
    whole, _, fraction = digits.rpartition(last)
    several_same = len(marks) > 1 and len(set(marks)) == 1
    groups = several_same or (len(marks) == 1 and len(fraction) == 3 and whole.lstrip("+-") not in ("", "0"))
    whole = whole.replace(".", "").replace(",", "")
    return whole + fraction if groups else f"{whole}.{fraction}"
