"""Values of records in the words of connectors.records, from and to the plain types that vendors speak. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.base import FieldInfo
from connectors.records import RecordField
from mappings.accounts import AccountField

STAND_IN = "—"
"""The name of a record that has nothing to be called by, where the vendor wants a name."""
_TRUE = frozenset({"1", "y", "yes", "true", "on", "да"})


def same_name(one: str, other: str) -> bool:
    """Whether two names of companies are the same but for case and spaces."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold() != ""


def is_nothing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, list | tuple) and not value)


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def texts_of(value: Any) -> tuple[str, ...]:
    """A list as texts without blanks and repeats; one value is a list of one."""
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(dict.fromkeys(text for item in items if (text := text_of(item).strip())))


def number_text(value: Any) -> str:
    """`1500.00` -> `1500`; "" for what is no number."""
    try:
        number = Decimal(text_of(value).strip().replace(",", "."))
    except InvalidOperation:
        return ""
    if not number.is_finite():
        return ""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def price_text(value: Any) -> str:
    """As `number_text`; no price for 0, because most CRMs keep 0 where there is none."""
    text = number_text(value)
    return "" if text == "0" else text


def truth_of(value: Any) -> bool:
    return value if isinstance(value, bool) else text_of(value).strip().lower() in _TRUE


def moment_of(value: Any) -> datetime | None:
    """An aware time in UTC from a time, ISO text or unix seconds; None for anything else."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_seconds(float(value))
    text = text_of(value).strip()
    if text.isascii() and text.lstrip("-").isdecimal() and len(text) != 8:
        return _from_seconds(float(text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def day_of(value: Any, zone: tzinfo = UTC) -> date | None:
    """A day from a date, ISO text, or a moment as people in `zone` date it."""
    if isinstance(value, datetime):
        return value.astimezone(zone).date() if value.tzinfo is not None else value.date()
    if isinstance(value, date):
        return value
    text = text_of(value).strip()
    try:
        return date.fromisoformat(text[:10] if "T" in text or " " in text else text)
    except ValueError:
        pass
    at = moment_of(value)
    return at.astimezone(zone).date() if at is not None else None


def _from_seconds(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def stand_in_name(*candidates: Iterable[str]) -> str:
    """What a nameless record is called: the first phone, e-mail or site that it has."""
    return next((text for some in candidates for text in some if text), STAND_IN)


def is_stand_in(name: str, *candidates: Iterable[str]) -> bool:
    """Whether the name says nothing that the record does not say elsewhere."""
    return name == STAND_IN or any(name == text for some in candidates for text in some)


def record_fields(attributes: Iterable[AccountField], infos: Iterable[FieldInfo]) -> tuple[RecordField, ...]:
    """The shared attributes with the names that the account gives them, then every other field by its id."""
    known = tuple(infos)
    by_code: Mapping[str, FieldInfo] = {info.code or info.id: info for info in known}
    attributes = tuple(attributes)
    taken = {one.code for one in attributes if one.code}
    shared = [_attribute(one, by_code.get(one.code) if one.code else None) for one in attributes]
    own = [_own(info) for info in known if (info.code or info.id) not in taken]
    return (*shared, *own)


def _attribute(one: AccountField, info: FieldInfo | None) -> RecordField:
    field = RecordField(
        one.key,
        one.name,
        one.code,
        one.type,
        one.several,
        one.enums,
        one.read_only,
        one.max_chars,
        one.max_values,
        one.decimals,
    )
    if info is None:
        return field
    return replace(
        field,
        name=info.name,
        enums=info.enums,
        read_only=one.read_only or info.read_only,
        max_chars=one.max_chars or info.max_chars,
    )


def _own(info: FieldInfo) -> RecordField:
    return RecordField(
        info.id,
        info.name,
        info.code,
        info.kind,
        info.several,
        info.enums,
        info.read_only,
        info.max_chars,
        foreign=info.foreign,
    )
