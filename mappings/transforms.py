"""The named transforms: `transform: [strip, phone, {truncate: 60}]`. Each takes a value and gives one of a known type.

Applied to a list, a transform works on each part, except those that are for lists. What it cannot read raises
TransformError: the field is left out and told.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from leads.normalize import emails as read_emails
from leads.phones import phones as read_phones
from mappings import filters
from mappings.compare import time_of, to_places
from mappings.values import amount, filled, is_empty, text_of

DATE_PARTS: Final = re.compile(r"(?:[^%]|%[dmyYHMSjpAaBb%])*")
COMMON_DATES: Final = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d")
"""Read without being told so, beside ISO and seconds since 1970. Not 03/04/2026: nobody knows which is the month."""
BOUNDS: Final = {"decimals": (0, 6), "length": (1, 20_000)}
"""Options that are whole numbers: from, to."""


class TransformError(ValueError):
    """What a value is not. The text names no value of a record."""


@dataclass(frozen=True, slots=True)
class Around:
    """Where a value is used. `limit` is that of the CRM's field in characters, 0 when none is known."""

    zone: str = "UTC"
    region: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Transform:
    """One step with its options, checked when the mapping was read."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, value: Any, around: Around) -> Any:
        """Raises TransformError."""
        known = TRANSFORMS[self.name]
        if known.whole or not isinstance(value, list | tuple):
            return known.run(value, self.options, around)
        parts = tuple(known.run(part, self.options, around) for part in value if not is_empty(part))
        return tuple(part for part in parts if not is_empty(part))


@dataclass(frozen=True, slots=True)
class Known:
    """A transform that exists. `whole`: it takes a list as one. `main` is the option that may be written alone."""

    run: Callable[[Any, Mapping[str, Any], Around], Any]
    help: str
    whole: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    """Name -> kind: text, a key of BOUNDS, zone, region, dates (a format), table, value, or words: a|b|c."""
    main: str = ""
    needs: bool = False
    """It cannot do without its main option."""


def apply(steps: tuple[Transform, ...], value: Any, around: Around) -> Any:
    """`value` after every step; nothing stays nothing, unless a step has something to say about nothing."""
    for step in steps:
        if is_empty(value) and "default" not in step.options:
            return value
        value = step(value, around)
    return value


def _strip(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _phone(value: Any, options: Mapping[str, Any], around: Around) -> Any:
    if is_empty(value):
        return ""
    found = read_phones(text_of(value), str(options.get("region") or around.region)).found
    if not found:
        raise TransformError("holds no phone number that can be read")
    match options.get("form", "e164"):
        case "pretty":
            return filters.pretty_phone(found[0])
        case "digits":
            return found[0].lstrip("+")
    return found[0]


def _email(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    found = read_emails(text_of(value)).found
    if not found:
        raise TransformError("holds no e-mail address that can be read")
    return found[0]


def _date(value: Any, options: Mapping[str, Any], around: Around) -> Any:
    zone = str(options.get("zone") or around.zone)
    found = _read_date(value, str(options.get("from") or ""), zone)
    if found is None:
        raise TransformError("is not a date that can be read")
    to = options.get("to")
    if to == "date":
        return found.date() if isinstance(found, datetime) else found
    if to in (None, "", "time"):
        return found
    return found.strftime(str(to))


def _read_date(value: Any, form: str, zone: str) -> datetime | date | None:
    text = text_of(value).strip() if not isinstance(value, date) else ""
    for one in (form,) if form else ():
        try:
            return _timed(text, one, zone)
        except ValueError:
            break
    found = time_of(value, zone)
    if found is not None or isinstance(value, date):
        return found
    for one in COMMON_DATES:
        try:
            return _timed(text, one, zone)
        except ValueError:
            continue
    return None


def _timed(text: str, form: str, zone: str) -> datetime | date:
    found = datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone))
    return found if "%H" in form or "%I" in form else found.date()


def _money(value: Any, options: Mapping[str, Any], around: Around) -> Any:
    return _number(value, {"decimals": 2, **options}, around)


def _number(value: Any, options: Mapping[str, Any], _around: Around) -> Any:
    found = amount(value)
    if found is None:
        raise TransformError("is not a number")
    decimals = options.get("decimals", -1)
    return to_places(found, decimals) if decimals >= 0 else found


def _split(value: Any, options: Mapping[str, Any], _around: Around) -> Any:
    if isinstance(value, list | tuple):
        return tuple(filled(text_of(part).strip() for part in value))
    return filters.split(value, options.get("by", ","))


def _join(value: Any, options: Mapping[str, Any], _around: Around) -> Any:
    return filters.join(value, options.get("by", ", ")) if isinstance(value, list | tuple) else value


def _translit(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return filters.translit(value)


def _map(value: Any, options: Mapping[str, Any], _around: Around) -> Any:
    table: Mapping[str, Any] = options["table"]
    key = text_of(value).strip()
    if key in table:
        return table[key]
    folded = key.casefold()
    found = next((table[name] for name in table if name.casefold() == folded), None)
    if found is not None:
        return found
    if "default" in options:
        if key and any(text_of(target).casefold() == folded for target in table.values()):
            return value  # done already: a dictionary used twice gives what it gave once
        return options["default"]
    if not key or any(text_of(target).casefold() == folded for target in table.values()):
        return value
    raise TransformError("is not in the dictionary")


def _truncate(value: Any, options: Mapping[str, Any], around: Around) -> Any:
    if not isinstance(value, str):
        return value
    length = options.get("length") or around.limit
    return filters.truncate(value, length) if length else value


def _lower(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return text_of(value).lower()


def _upper(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return text_of(value).upper()


def _first(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return filters.first(value)


def _last(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    return filters.last(value)


def _unique(value: Any, _options: Mapping[str, Any], _around: Around) -> Any:
    if not isinstance(value, list | tuple):
        return value
    kept: dict[str, Any] = {}
    for part in value:
        kept.setdefault(text_of(part).strip().casefold(), part)
    return tuple(kept.values())


TRANSFORMS: Final[Mapping[str, Known]] = {
    "strip": Known(_strip, "one line without outer and double spaces"),
    "lower": Known(_lower, "small letters"),
    "upper": Known(_upper, "capital letters"),
    "phone": Known(
        _phone,
        "the phone number as +79161234567; `form: pretty` or `digits`",
        options={"form": "e164|pretty|digits", "region": "region"},
        main="form",
    ),
    "email": Known(_email, "the e-mail address, trimmed and in small letters"),
    "date": Known(
        _date,
        "a time with its zone; `from`: how it is written, `zone`: where it was written, `to`: date, time or a format",
        options={"from": "dates", "zone": "zone", "to": "dates"},
        main="to",
    ),
    "money": Known(_money, "the amount with `decimals` places (2)", options={"decimals": "decimals"}, main="decimals"),
    "number": Known(_number, "the number", options={"decimals": "decimals"}, main="decimals"),
    "split": Known(_split, "a list from a text, parted by `by`", True, {"by": "text"}, main="by"),
    "join": Known(_join, "one text from a list", True, {"by": "text"}, main="by"),
    "translit": Known(_translit, "Russian letters in Latin ones"),
    "map": Known(
        _map,
        "what the dictionary says; `default` for what is not in it",
        options={"table": "table", "default": "value"},
        main="table",
        needs=True,
    ),
    "truncate": Known(
        _truncate, "at most so many characters; alone: the CRM's limit", options={"length": "length"}, main="length"
    ),
    "first": Known(_first, "the first of a list", True),
    "last": Known(_last, "the last of a list", True),
    "unique": Known(_unique, "a list without repeats", True),
}
