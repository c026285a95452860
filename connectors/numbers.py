"""Numbers as telephony sends them: E.164 without its plus, national, SIP addresses, extensions, hidden callers."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from leads.normalize import clean_text
from leads.phones import SAME_PLAN_AS_RUSSIA, phones

EXTENSION_MAX = 5  # digits; what is longer belongs to the world outside
RAW_MAX = 100  # characters
_ADDRESS = re.compile(r"(?:.*<)?\s*(?:(?:sips?|tel):)?\s*(?P<user>[^@;<>]*)", re.IGNORECASE | re.DOTALL)
_DRESS = str.maketrans("", "", " -().\u00a0")
_HIDDEN = frozenset(
    (
        *("", "anonymous", "unknown", "restricted", "private", "privatenumber", "unavailable", "blocked", "hidden"),
        *("withheld", "none", "null", "undefined", "аноним", "скрыт", "скрытый", "номерскрыт", "скрытыйномер"),
        *("неизвестный", "неизвестно", "неопределен", "неопределён"),
    )
)


@dataclass(frozen=True, slots=True)
class Number:
    """Who is at one end of a call. All empty: hidden, or not said. `raw` is what was sent, without SIP around it."""

    e164: str = ""
    extension: str = ""
    raw: str = ""

    @property
    def outside(self) -> str:
        """As `client` and `line` of a call want it: E.164, else as it was sent; "" for a colleague or nobody."""
        return "" if self.extension else self.e164 or self.raw

    def __bool__(self) -> bool:
        return bool(self.raw)


NOBODY = Number()


def line_or_client(text: str, region: str) -> Number:
    """Reads one end of a call: at most 5 digits are an extension, 11 to 15 are first read with a plus in front.

    Numbers without a country code are read as of `region`. A hidden caller is NOBODY. Raises nothing.
    """
    return _cached(text[:RAW_MAX], region)


@lru_cache(8_192)  # a line and its colleagues come with every event; strangers push each other out
def _cached(text: str, region: str) -> Number:
    match = _ADDRESS.match(text)
    raw = clean_text(match["user"] if match else text)
    bare = raw.translate(_DRESS)
    digits = bare.removeprefix("+")
    if bare.casefold() in _HIDDEN or not digits.strip("+") or (len(digits) > EXTENSION_MAX and not digits.strip("0")):
        return NOBODY
    if not (digits.isascii() and digits.isdecimal()):
        return Number(raw=raw)
    if len(digits) <= EXTENSION_MAX and digits == bare:
        return Number(extension=digits, raw=digits)
    return Number(e164=_e164(digits, region, has_plus=digits != bare), raw=raw)


def _e164(digits: str, region: str, *, has_plus: bool) -> str:
    """The number, or nothing when it cannot be read as exactly one."""
    if has_plus:
        return _one(f"+{digits}", region)
    if not 11 <= len(digits) <= 15 or digits.startswith("00") or _by_russian_trunk(digits, region):
        return _one(digits, region)
    if digits.startswith("7") and len(digits) == 11:
        return _one(f"+{digits}", "")
    readings = ((f"+{digits}", ""), (digits, region))
    likely = [_one(text, of) for text, of in readings if _is_valid(text, of)]
    possible = (_one(text, of) for text, of in readings)
    return next((found for found in (*likely, *possible) if found), "")


def _by_russian_trunk(digits: str, region: str) -> bool:
    """8 (495) ... as dialled inside the country. With a plus in front some would be Vietnam's."""
    return region in SAME_PLAN_AS_RUSSIA and len(digits) == 11 and digits.startswith("8")


def _one(text: str, region: str) -> str:
    found = phones(text, region).found
    return found[0] if len(found) == 1 else ""


def _is_valid(text: str, region: str) -> bool:
    try:
        number: PhoneNumber = phonenumbers.parse(text, region or None)
    except NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)
