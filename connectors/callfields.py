"""What doors of telephony and call tracking share: named fields, seconds, times of a zone, how a call came out."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from connectors.bodies import UnreadableBody, flatten, plain_path, read_body
from connectors.doors import DoorSettings, Inbound, ParsedLead, Refused, token_only
from connectors.events import Direction, Disposition
from connectors.webform.gather import values_of
from leads.attribution import touch_of
from leads.normalize import clean_text, emails, person_name

EMPTY: Final = frozenset(
    (
        *("null", "undefined", "none", "(none)", "<none>", "(not set)", "<unknown>", "unknown", "[]", "{}", "nan"),
        *("<не указано>", "не указано", "<не заполнено>", "не заполнено", "<не задано>"),
    )
)
"""How vendors write that a field is empty."""
_PLACEHOLDER = re.compile(r"\{+[\w.\- ]*\}+|%[A-Za-z_]+%|\[[A-Za-z_]+\]")
LONGEST_CALL_S: Final = 7 * 86_400
OLDEST: Final = datetime(2010, 1, 1, tzinfo=UTC)
WRONG_CLOCK: Final = timedelta(minutes=10)  # a call cannot begin after its event came
_NONE: Mapping[str, str] = MappingProxyType({})


class CallSettings(DoorSettings):
    """What a source of calls may set beside what every source may."""

    timezone: str = Field("", description="zone of times that the vendor sends without one, e.g. Europe/Moscow")
    allowed_ips: tuple[str, ...] = Field((), description="addresses or networks that may send; default: all")

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        if name:
            zone_of(name)
        return name

    @field_validator("allowed_ips")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network, strict=False)
        return networks


@lru_cache(64)
def zone_of(name: str) -> tzinfo:
    """Raises ValueError for a zone that nobody knows; "" is UTC."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a time zone such as Europe/Moscow") from error


# --- who sends ---------------------------------------------------------------------------------


def check_network(settings: CallSettings, inbound: Inbound) -> None:
    """The sender's address, where a list of them is set. Raises Refused."""
    if settings.allowed_ips and not _is_in(inbound.remote_ip, settings.allowed_ips):
        raise Refused("the sender's address is not one of allowed_ips", 403)


def token_and_network(settings: CallSettings, inbound: Inbound) -> None:
    """For vendors that sign nothing. Raises Refused."""
    check_network(settings, inbound)
    token_only(settings, inbound)


@lru_cache(1_024)
def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)


# --- fields ------------------------------------------------------------------------------------


class Fields:
    """Fields by name, whatever its case; what means "nothing" is not there. Names keep their spelling in `rest`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if value and not means_nothing(value)}
        self._by_name: dict[str, str] = {}
        for name, value in self._values.items():
            self._by_name.setdefault(name.casefold(), value)

    def get(self, *names: str) -> str:
        """The first of `names` (in lower case) that has a value, or ""."""
        return next((self._by_name[name] for name in names if name in self._by_name), "")

    def rest(self, without: Iterable[str]) -> dict[str, str]:
        """All fields but those named (in lower case)."""
        left_out = frozenset(without)
        return {name: value for name, value in self._values.items() if name.casefold() not in left_out}

    def all(self) -> Mapping[str, str]:
        return self._values

    def __bool__(self) -> bool:
        return bool(self._values)


def means_nothing(value: str) -> bool:
    """A word for "empty", or a template that nobody filled in (`{callerphone}` of a test)."""
    return value.casefold() in EMPTY or _PLACEHOLDER.fullmatch(value) is not None


def fields_of(inbound: Inbound, *, inside: str = "") -> Fields:
    """The body's fields, then those of the address that the body leaves out. Raises UnreadableBody.

    `inside` is an object of the body whose fields count as its own (`params` of JSON-RPC). Nothing at all, which is
    how some vendors test an address, is no fields.
    """
    pairs = [(plain_path(name), value) for name, value in inbound.query]
    values = values_of(pairs)
    if inbound.body.strip():
        headers = inbound.headers
        try:
            body = read_body(inbound.body, headers.get("content-type", ""), headers.get("content-encoding", ""))
        except UnreadableBody:
            if inbound.body.strip() in (b"{}", b"[]"):
                return Fields(values)
            raise
        of_body = flatten(body.tree) if body.kind == "json" else body.pairs
        if inside:
            of_body = [(name.removeprefix(f"{inside}."), value) for name, value in of_body]
        values = {**values, **values_of(of_body)}
    return Fields(values)


_DIGITS = re.compile(r"\d{1,17}", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,17})[.,]\d{0,9}", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})", re.ASCII)
_GERMAN_DATE = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(.*)", re.ASCII | re.DOTALL)


def seconds(text: str) -> int | None:
    """`75`, `75.4`, `01:15`, `0:01:15` -> 75; None when it is no length of a call."""
    decimal = _DECIMAL.fullmatch(text)
    whole = decimal[1] if decimal else text
    if _DIGITS.fullmatch(whole):
        length = int(whole)
    else:
        clock = _CLOCK.fullmatch(text)
        if clock is None:
            return None
        length = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    return length if length <= LONGEST_CALL_S else None


def moment(text: str, received_at: datetime, timezone: str = "") -> datetime | None:
    """Seconds, milliseconds or microseconds since 1970, or a date with time -> UTC in whole seconds.

    None when it is no time of a call. A time without zone is of `timezone`; where none is set it is read as UTC, and
    when it then lies ahead of the request it was of another zone: None as well.
    """
    try:
        at = _moment(text.strip(), timezone)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at is not None and OLDEST < at < received_at + WRONG_CLOCK else None


def _moment(text: str, timezone: str) -> datetime | None:
    decimal = _DECIMAL.fullmatch(text)
    whole = decimal[1] if decimal else text
    if _DIGITS.fullmatch(whole):
        number = int(whole)
        while number > 99_999_999_999:
            number //= 1000
        return datetime.fromtimestamp(number, UTC)
    german = _GERMAN_DATE.fullmatch(text)
    at = datetime.fromisoformat(f"{german[3]}-{german[2]}-{german[1]}{german[4]}" if german else text)
    return (at.replace(tzinfo=zone_of(timezone)) if at.tzinfo is None else at).astimezone(UTC).replace(microsecond=0)


def ago(at: datetime | None, seconds_: int | None) -> datetime | None:
    """`seconds_` before `at`, if both are known."""
    return at - timedelta(seconds=seconds_) if at is not None and seconds_ is not None else None


def after(at: datetime | None, seconds_: int | None) -> datetime | None:
    """`seconds_` after `at`, if both are known."""
    return at + timedelta(seconds=seconds_) if at is not None and seconds_ is not None else None


def less(whole: int | None, part: int | None) -> int | None:
    """What is left of `whole` without `part`: the ringing of a call whose talk is known."""
    return whole - part if whole is not None and part is not None and whole >= part else None


# --- how it came out -----------------------------------------------------------------------------

_BUSY = frozenset(("busy", "userbusy", "занято", "занят"))
_FAILED = frozenset(
    (
        *("failed", "failure", "error", "congestion", "chanunavail", "unallocatednumber", "invalidnumberformat"),
        *("noroutedestination", "networkoutoforder", "normaltemporaryfailure", "callrejected", "notallowed"),
        *("incompatibledestination", "recoveryontimerexpire", "subscriberabsent", "usernotregistered"),
    )
)
_ANSWERED = frozenset(
    ("answer", "answered", "success", "successful", "proper", "repeated", "yes", "true", "1", "отвечен", "принят")
)
_VOICEMAIL = frozenset(("voicemail", "vm", "голосоваяпочта"))
_NOT_LETTERS = re.compile(r"[\W_]+")


def plain_status(text: str) -> str:
    """`NO ANSWER`, `no-answer`, `NO_ANSWER` -> `noanswer`."""
    return _NOT_LETTERS.sub("", text.casefold())


def says_answered(status: str) -> bool:
    return plain_status(status) in _ANSWERED


def outcome(direction: Direction, answered: bool, status: str = "") -> Disposition:
    """How a finished call came out. Of an incoming one without talk it does not matter who hung up: it is missed."""
    if answered:
        return "answered"
    word = plain_status(status)
    if word in _VOICEMAIL:
        return "voicemail"
    if direction == "in":
        return "missed"
    if word in _BUSY:
        return "busy"
    return "failed" if word in _FAILED else "no_answer"


def direction_of(text: str) -> Direction:
    """A vendor's word for the direction; "" when it tells nothing. A callback was asked for by the client: `in`."""
    word = plain_status(text)
    if (word.startswith(("in", "вход")) and not word.startswith("internal")) or word in ("callback", "обратныйзвонок"):
        return "in"
    if word.startswith(("out", "исход")):
        return "out"
    return "internal" if word.startswith(("internal", "local", "внутр")) else ""


# --- who calls -----------------------------------------------------------------------------------


def caller_name(text: str) -> str:
    """A caller's name as the network shows it: "" for none, a number or a word for "unknown"."""
    name = person_name(text)
    if means_nothing(name) or name.casefold() in ("anonymous", "unavailable", "private", "restricted"):
        return ""
    return name if any(char.isalpha() for char in name) and "@" not in name else ""


def call_lead(
    marks: Mapping[str, str],
    at: datetime,
    *,
    name: str = "",
    email: str = "",
    page_url: str = "",
    landing_page: str = "",
    referrer: str = "",
    extra: Mapping[str, str] = _NONE,
    kind: str = "call",
) -> ParsedLead:
    """What a call tells of the client beside his number: name, e-mails, UTM, click ids, the touch."""
    touch = touch_of(marks, at=at, page_url=page_url, landing_page=landing_page, referrer=referrer, kind=kind)
    return ParsedLead(
        name=caller_name(name),
        emails=emails(email).found,
        page_url=clean_text(page_url),
        referrer=touch.referrer,
        utm=touch.utm,
        click_ids=touch.click_ids,
        extra={key: value for key, value in extra.items() if value},
        touch=touch,
    )
