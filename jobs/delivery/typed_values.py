"""A mapped value in the type of the CRM's field that it goes to."""

from datetime import date, datetime
from typing import Any

from connectors.base import FieldInfo
from mappings.compare import time_of, truth
from mappings.filters import truncate
from mappings.values import amount, plain_number, text_of


def typed(value: Any, info: FieldInfo, *, fits: bool = False) -> Any:
    """As the field's kind wants it: dates as such, numbers as digits, true and false.

    What is not of that kind stays as it is: see `is_typed`. `fits`: a text is cut to the field's limit.
    """
    match info.kind:
        case "date":
            found = time_of(value)
            if found is None:
                return value
            # The day that it is in the zone in which the mapping wrote the time.
            return datetime.fromisoformat(str(value)).date() if "T" in str(value) else _day(found)
        case "datetime":
            return time_of(value) or value
        case "number" | "money":
            number = amount(value)
            return value if number is None or isinstance(value, int) else plain_number(number)
        case "bool":
            return {"1": True, "0": False}.get(truth(value), value)
    if fits and info.max_chars:
        return truncate(text_of(value), info.max_chars)
    return value


def is_typed(value: Any, info: FieldInfo) -> bool:
    """Whether `typed` made it of the field's kind. What is not must not be sent: some CRMs refuse it, Bitrix24 takes
    the record without it or with 0 and says nothing.
    """
    match info.kind:
        case "date" | "datetime":
            return isinstance(value, date)
        case "number" | "money":
            return amount(value) is not None or text_of(value).strip().isdecimal()  # an account's number is no amount
        case "bool":
            return isinstance(value, bool)
    return True


def _day(found: Any) -> Any:
    return found.date() if isinstance(found, datetime) else found
