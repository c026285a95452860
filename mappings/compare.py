"""When two values are the same: each kind of value in one form, whoever wrote it down and however."""

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final
from zoneinfo import ZoneInfo

from leads.normalize import email as one_email
from leads.phones import phones as read_phones
from mappings.accounts import FieldType
from mappings.values import amount, is_empty, plain_number, text_of

Comparable = str | tuple[str, ...]
"""Text; of a list its different parts in order. Empty for nothing. Good for JSON and for hashing."""

MAX_VALUES: Final = 500  # of one list: more is no honest record
_SHARED: Final = frozenset(
    [
        "vk.com",
        "t.me",
        "wa.me",
        "ok.ru",
        "dzen.ru",
        "avito.ru",
        "2gis.ru",
        "yandex.ru",
        "taplink.cc",
        "instagram.com",
        "facebook.com",
        "linkedin.com",
        "youtube.com",
        "google.com",
    ]
)
"""Hosts where many firms have a page."""
_TRUE: Final = frozenset({"1", "y", "yes", "true", "да", "on"})
_FALSE: Final = frozenset({"0", "n", "no", "false", "нет", "off"})
_SPACES: Final = re.compile(r"[^\S\n]+")
_EPOCH: Final = re.compile(r"-?\d{9,10}|-?\d{12,13}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def comparable(
    value: Any, kind: FieldType, *, several: bool = False, region: str = "", zone: str = "UTC", decimals: int = -1
) -> Comparable:
    """`value` in the form in which it is compared. Never raises; what is not of its kind is compared as text."""
    if not several:
        return _one(value, kind, region, zone, decimals)
    parts = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    found = {_one(part, kind, region, zone, decimals) for part in list(parts)[:MAX_VALUES]}
    return tuple(sorted(found - {""}))


def _one(value: Any, kind: FieldType, region: str, zone: str, decimals: int) -> str:
    if isinstance(value, list | tuple):  # a CRM that keeps a list where one value is meant: the first counts
        value = next((part for part in value if not is_empty(part)), "")
    if is_empty(value):
        return ""
    match kind:
        case "phone":
            return same_phone(text_of(value), region)
        case "email":
            return one_email(text_of(value)) or _text(value).casefold()
        case "number" | "money":
            return rounded(value, decimals)
        case "bool":
            return truth(value)
        case "date":
            found = time_of(value, zone)
            return (found.date() if isinstance(found, datetime) else found).isoformat() if found else _text(value)
        case "datetime":
            found = time_of(value, zone)
            return moment(found, zone).isoformat(timespec="seconds") if found else _text(value)
        case "enum" | "stage" | "user":
            return _text(value).casefold()
        case "url":
            return re.sub(r"^(https?://)?(www\.)?", "", _text(value).casefold()).rstrip("/")
        case _:
            return _text(value)


def site(address: str) -> str:
    """Whose site an address, in compared form, is on: its host; with the page where many have theirs on one host."""
    host = re.split(r"[/?#]", address, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    shared = any(host == one or host.endswith(f".{one}") for one in _SHARED)
    return address if shared or not host else host


def same_phone(text: str, region: str) -> str:
    """E.164 where it can be read, else its digits, else the text."""
    found = read_phones(text, region).found
    return found[0] if found else re.sub(r"[^0-9]", "", text) or _text(text)


def rounded(value: Any, decimals: int) -> str:
    """A number without useless noughts, rounded half up to `decimals` places where that is not negative; "" where
    nothing is left of it."""
    found = amount(value)
    if found is None:
        return _text(value)
    if decimals >= 0:
        whole, found = found, to_places(found, decimals)
        if whole and not found:
            return ""
    text = plain_number(found)
    return "0" if text in ("-0", "") else text


def to_places(number: Decimal, decimals: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60  # an amount has at most 18 digits, a number more: rounding never raises
        if number.adjusted() > 40:
            return number
        return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def truth(value: Any) -> str:
    """`1` or `0`; what is neither stays as text."""
    text = _text(value).casefold()
    return "1" if text in _TRUE else "0" if text in _FALSE else text


def time_of(value: Any, zone: str = "UTC") -> datetime | date | None:
    """A time or a day: as such, as ISO text, or as seconds or milliseconds since 1970. A time comes in `zone`."""
    if isinstance(value, datetime):
        return _in_zone(value, zone)
    if isinstance(value, date):
        return value
    text = text_of(value).strip()
    if _EPOCH.fullmatch(text):
        seconds = int(text) / (1000 if len(text.lstrip("-")) > 10 else 1)
        return _in_zone(datetime.fromtimestamp(seconds, UTC), zone)
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return _in_zone(datetime.fromisoformat(text), zone)
    except ValueError:
        return None


def moment(found: datetime | date, zone: str) -> datetime:
    """A time in UTC; a day is its midnight in `zone`."""
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=ZoneInfo(zone))
    try:
        return found.astimezone(UTC)
    except OverflowError:  # the first or last day that there is
        return found.replace(tzinfo=UTC)


def _in_zone(value: datetime, zone: str) -> datetime:
    """A time without a zone belongs to `zone`."""
    if value.tzinfo is None:
        return value.replace(tzinfo=ZoneInfo(zone))
    try:
        return value.astimezone(ZoneInfo(zone))
    except OverflowError:
        return value


def _text(value: Any) -> str:
    text = unicodedata.normalize("NFC", text_of(value))
    if "\n" not in text and "\r" not in text:
        return " ".join(text.split())
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n")).strip()
