"""Text as people type it -> canonical text: free text, names, e-mails, UTM values. Phones are in `phones`."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from leads.phones import PhoneResult, country, phones

__all__ = [
    "EmailResult",
    "PhoneResult",
    "clean_text",
    "country",
    "email",
    "emails",
    "person_name",
    "phones",
    "utm_value",
]

NAME_MAX = 255
EMAIL_MAX = 254  # RFC 5321 4.5.3.1.3: a path of 256 with its two angle brackets
LOCAL_PART_MAX = 64
EMAILS_TEXT_MAX = 2_000  # longer than any honest field; the rest is handed back unread
UTM_MAX = 500
UTM_RAW_MAX = 3_000  # 500 Cyrillic letters, percent-encoded
UTM_CACHED_MAX = 200

# Controls except tab and line feed, invisible directional marks that reorder what a manager reads, the BOM and
# zero-width spaces. The zero-width joiner stays: it holds emoji together.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_LINE_BREAKS = re.compile("\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")


def clean_text(text: str, max_chars: int = 0) -> str:
    """NFC text without NUL, other controls and lone surrogates; line breaks are `\\n`; outer space is cut.

    PostgreSQL refuses NUL, UTF-8 refuses surrogates. `max_chars` > 0 cuts, with an ellipsis as the last character.
    """
    if not text.isprintable():  # all that is replaced or removed here is not printable
        text = _SURROGATES.sub("\ufffd", text)
        text = _LINE_BREAKS.sub("\n", text)
        text = _UNWANTED.sub("", text)
    if not text.isascii():
        # Removing a mark may bring together what composes: normalise last.
        text = unicodedata.normalize("NFC", text)
    text = text.strip()
    if 0 < max_chars < len(text):
        text = text[: max_chars - 1].rstrip() + "…"
    return text


def labelled(name: str, value: str) -> str:
    """`Этаж: 5`; a question keeps its own mark: `Какой дом? Кирпичный`."""
    return f"{name} {value}" if name.endswith(("?", "!", ":")) else f"{name}: {value}"


def person_name(text: str) -> str:
    """One line, spaces collapsed, case and emoji kept, at most NAME_MAX characters; a script's "null" is no name."""
    name = _SPACES.sub(" ", clean_text(text)).strip()
    if name in ("null", "undefined"):
        return ""
    return name if len(name) <= NAME_MAX else name[:NAME_MAX].rstrip()


# --- e-mail ------------------------------------------------------------------------------------

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(
    rf"""(?x) (?P<local> [^\s@<>()\[\]\\,;:"]{{1,{LOCAL_PART_MAX}}} )
    @ (?P<domain> {_LABEL} (?:\.{_LABEL})* \. (?: xn--[a-z0-9-]{{1,59}} | [^\W\d_]{{2,63}} ) )""",
)
_EMAIL_SEPARATORS = re.compile(r"[\s,;<>()\[\]\"|]+")
_AROUND_AT = re.compile(r"\s*@\s*")
_EMAIL_EDGES = ".'`:/!"


@dataclass(frozen=True, slots=True)
class EmailResult:
    """`found` without repeats in the order given; `rest` is what had an @ and could not be read, or all if none did."""

    found: tuple[str, ...] = ()
    rest: str = ""


def email(text: str) -> str:
    """The one address that `text` is, trimmed and in lower case, or ""."""
    address = text.strip().strip(_EMAIL_EDGES).lower()
    address = address.removeprefix("mailto:")
    if len(address) > EMAIL_MAX:
        return ""
    if not address.isascii():
        address = unicodedata.normalize("NFC", address)
    match = _EMAIL.fullmatch(address)
    if match is None:
        return ""
    local = match["local"]
    if local[0] == "." or local[-1] == "." or ".." in address or not local.isprintable():
        return ""
    return address


def emails(text: str) -> EmailResult:
    """All addresses in `text`: a list by comma, semicolon or space, or `Name <address>`."""
    single = email(text)
    if single:
        return EmailResult((single,))
    cleaned = clean_text(text)
    if not cleaned:
        return EmailResult()
    head, tail = cleaned[:EMAILS_TEXT_MAX], cleaned[EMAILS_TEXT_MAX:]
    found: dict[str, None] = {}
    unread = []
    for piece in _EMAIL_SEPARATORS.split(_AROUND_AT.sub("@", head)):
        address = email(piece)
        if address:
            found[address] = None
        elif "@" in piece:
            unread.append(piece)
    if not found:
        return EmailResult((), cleaned)
    return EmailResult(tuple(found), " ".join((*unread, tail)).strip())


# --- UTM ---------------------------------------------------------------------------------------

_EMPTY_VALUES = frozenset(
    (
        *("null", "undefined", "none", "nan", "n/a", "-", "—", "[object object]"),
        *("(none)", "(null)", "(not set)", "(not provided)", "(direct)", "<none>"),
        *("не указано", "<не указано>", "<не заполнено>", "<не задано>"),
    )
)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
# {keyword}, {{campaign.name}}, {param}: a template of the ad system or call tracker that nobody filled in.
_PLACEHOLDER = re.compile(r"\{+[^{}]*\}+|%7b[^{}]*%7d")


def utm_value(text: str) -> str:
    """A UTM value for storing: percent-decoded once, lower case, one line; "" for what means "nothing".

    Plus becomes a space only where the value was percent-encoded: a decoded value may hold a real plus.
    """
    # A campaign's values come again with every lead of it; but strangers fill this cache.
    return _utm_cached(text) if len(text) <= UTM_CACHED_MAX else _utm_value(text[:UTM_RAW_MAX])


def _utm_value(text: str) -> str:
    if "%" in text and _PERCENT.search(text):
        text = _decode_once(text.replace("+", " "))
    value = _SPACES.sub(" ", clean_text(text)).strip().lower()[:UTM_MAX].rstrip()
    return "" if value in _EMPTY_VALUES or _PLACEHOLDER.fullmatch(value) else value


_utm_cached = lru_cache(4_096)(_utm_value)


def _decode_once(text: str) -> str:
    """UTF-8, or else windows-1251, in which older Russian sites still write their addresses."""
    raw = unquote_to_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("windows-1251", "replace")
