"""The filters of the expression language: what `value | filter` may do. All are bounded and none can fail on a lead."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import phonenumbers
from jinja2 import pass_context
from jinja2.runtime import Context

from leads.normalize import labelled
from leads.records import Touch
from leads.touch_text import describe_touch
from mappings.texts import FLAG_TEXTS, Locale, locale_of
from mappings.values import TEXT_CAP, amount, filled, is_empty, plain_number, text_of
from mappings.views import View

_DATE_FORMAT: Final = re.compile(r"(?:[^%]|%[dmyYHMSjpAaBb%])*")
_RU_PHONE: Final = re.compile(r"\+7(\d{3})(\d{3})(\d{2})(\d{2})")
_LATIN: Final = {
    **dict(zip("абвгдеёзийклмнопрстуфыэ", "abvgdeeziyklmnoprstufye", strict=True)),
    "ж": "zh",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ъ": "",
    "ь": "",
    "ю": "yu",
    "я": "ya",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LINE_CAP: Final = 1_000
"""Characters of one field in `lines`."""
SEPARATOR_CAP: Final = 100
"""Characters that `join` puts between two parts: keeps its result small before it is cut."""


class FilterError(ValueError):
    """A filter was used on something, or with something, that it cannot take. The text names no value of a lead."""


def phone(value: object) -> object:
    """`+79161234567` -> `+7 916 123-45-67`; of a list, each one."""
    if isinstance(value, list | tuple):
        return tuple(pretty_phone(text_of(one)) for one in value)
    return pretty_phone(text_of(value))


@lru_cache(maxsize=1024)
def pretty_phone(number: str) -> str:
    """An E.164 number in groups as its country writes it; anything else as it is."""
    russian = _RU_PHONE.fullmatch(number)
    if russian:
        return "+7 {} {}-{}-{}".format(*russian.groups())
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def date(value: object, format: str = "%d.%m.%Y %H:%M") -> str:
    """A time in the hub's zone: `{{ now | date('%d.%m.%Y') }}`. An ISO text is read as one."""
    if is_empty(value):
        return ""
    if not isinstance(format, str) or not _DATE_FORMAT.fullmatch(format):
        raise FilterError("date knows %d %m %y %Y %H %M %S %j %p %A %a %B %b")
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return text_of(value)
    if not isinstance(value, datetime):
        raise FilterError("date takes a time")
    return value.strftime(format)


def default(value: object, fallback: object = "") -> object:
    """`value`, or `fallback` when there is nothing in it."""
    return fallback if is_empty(value) else value


def number(value: object, fallback: object = 0) -> object:
    """The number in a text, to count and compare with; `fallback` when there is none."""
    found = amount(value)
    return fallback if found is None else found


def money(value: object, currency: str = "") -> str:
    """`12500.5` -> `12 500,50`, with the currency behind; a text without a number stays as it is."""
    found = amount(value)
    if found is None:
        return text_of(value)
    whole = found == found.to_integral_value()
    digits = f"{found:,.{0 if whole else 2}f}".replace(",", "\u00a0").replace(".", ",")
    return f"{digits}\u00a0{text_of(currency)}" if currency else digits


def translit(value: object) -> str:
    """Russian letters in Latin ones, as in a passport."""
    return text_of("".join(_latin(char) for char in text_of(value)))


def _latin(char: str) -> str:
    latin = _LATIN.get(char.lower())
    if latin is None:
        return char
    return latin.capitalize() if char.isupper() else latin


def truncate(value: object, length: int = 255) -> str:
    """At most `length` characters; what was cut ends with an ellipsis."""
    text = text_of(value)
    if not isinstance(length, int) or length < 1:
        raise FilterError("truncate takes a length of at least 1")
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def sentence(value: object) -> str:
    """The text with a full stop, unless it ends with a mark of its own; nothing stays nothing."""
    text = text_of(value).rstrip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def join(value: object, separator: str = ", ") -> str:
    """The parts of a list that are not empty, as one text."""
    if isinstance(value, list | tuple):
        return text_of(text_of(separator)[:SEPARATOR_CAP].join(filled(text_of(one) for one in value)))
    return text_of(value)


def split(value: object, separator: str = ",") -> tuple[str, ...]:
    """The parts of a text, trimmed, without empty ones."""
    parts = text_of(value).split(text_of(separator) or ",")
    return tuple(filled(part.strip() for part in parts))


def replace(value: object, old: str, new: str = "") -> str:
    """Every `old` in the text by `new`."""
    text, old, new = text_of(value), text_of(old), text_of(new)
    if not old:
        raise FilterError("replace needs a text to look for")
    enough = TEXT_CAP // max(len(new), 1) + 1  # what follows would be cut off anyway
    return text_of(text.replace(old, new, enough if new else -1))


def length(value: object) -> int:
    """Characters of a text, parts of a list."""
    return len(value) if isinstance(value, str | list | tuple | Mapping) else len(text_of(value))


def first(value: object) -> object:
    """The first part of a list, or nothing."""
    return _at(value, 0)


def last(value: object) -> object:
    """The last part of a list, or nothing."""
    return _at(value, -1)


def _at(value: object, index: int) -> object:
    if isinstance(value, list | tuple):
        return value[index] if value else ""
    return value


def lines(value: object) -> str:
    """A table such as `lead.extra` with a line `name: value` for each filled field; a list, one part a line."""
    if isinstance(value, Mapping):
        pairs = ((text_of(key), text_of(one).strip()) for key, one in value.items())
        return text_of("\n".join(labelled(key, truncate(one, LINE_CAP)) for key, one in pairs if one))
    if isinstance(value, list | tuple):
        return join(value, "\n")
    return text_of(value)


def page(value: object) -> str:
    """An address as people read it: without scheme, query and the last slash."""
    text = re.sub(r"^\w+://", "", text_of(value).strip())
    return re.split(r"[?#]", text, maxsplit=1)[0].rstrip("/")


def plural(value: object, one: str, few: str, many: str | None = None) -> str:
    """The word that fits a number: two forms as in English, three as in Russian (день, дня, дней)."""
    count = amount(value) or Decimal(0)
    if many is None:
        return text_of(one if count == 1 else few)
    tail = int(abs(count) % 100)
    if 11 <= tail <= 14 or tail % 10 in (0, 5, 6, 7, 8, 9):
        return text_of(many)
    return text_of(one if tail % 10 == 1 else few)


@pass_context
def touch(context: Context, value: object) -> str:
    """A touch in words: where from, which campaign, which search."""
    record = value.record if isinstance(value, View) else value
    if is_empty(record):
        return ""
    if not isinstance(record, Touch):
        raise FilterError("touch takes first_touch or last_touch")
    if not isinstance(value, View):
        return text_of(describe_touch(record, _locale(context)))
    if not value.memo:
        value.memo = text_of(describe_touch(record, _locale(context)))
    return value.memo


@pass_context
def channel(context: Context, value: object) -> str:
    """A channel such as `organic`, or that of a touch, in words."""
    record = value.record if isinstance(value, View) else value
    name = record.channel if isinstance(record, Touch) else text_of(record)
    return describe_touch(Touch(at=_EPOCH, channel=name), _locale(context)).lower() if name else ""


@pass_context
def flags(context: Context, value: object, without: str = "") -> str:
    """Flags of a lead in words; `without` one that is told of elsewhere."""
    words = FLAG_TEXTS[_locale(context)]
    names = value if isinstance(value, list | tuple) else (text_of(value),)
    told = [name for name in map(text_of, names) if name != without]
    return join([words.get(name, name) for name in told], "; ")


def _locale(context: Context) -> Locale:
    hub = context.resolve("hub")
    return locale_of(hub.parts.get("locale") if isinstance(hub, View) else "")


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    **{function.__name__: function for function in (phone, date, default, number, money, translit, truncate, join)},
    **{function.__name__: function for function in (split, replace, length, first, last, lines, page, plural)},
    **{function.__name__: function for function in (touch, channel, flags, sentence)},
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "capitalize": lambda value: text_of(value).capitalize(),
    "title": lambda value: text_of(value).title(),
    "strip": lambda value: text_of(value).strip(),
    "trim": lambda value: text_of(value).strip(),
}

TESTS: Final[dict[str, Callable[..., bool]]] = {
    "empty": is_empty,
    "none": lambda value: value is None,
    "defined": lambda value: not is_empty(value),
    "undefined": is_empty,
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float | Decimal) and not isinstance(value, bool),
}

__all__ = ["FILTERS", "TESTS", "FilterError", "plain_number", "pretty_phone"]
