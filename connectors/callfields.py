"""What doors of telephony and call tracking share: named fields, seconds, times of a zone, how a call came out."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydantic import Field

from connectors.bodies import UnreadableBody, flatten, plain_path, read_body
from connectors.doors import Inbound
from connectors.events import Direction, Disposition, ParsedLead
from connectors.pbx import PbxSettings, Zone, local_time
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
LONGEST_CALL_S: Final = 7 * 86_400  # what claims to last longer is no length of a call
OLDEST: Final = datetime(2010, 1, 1, tzinfo=UTC)
WRONG_CLOCK: Final = timedelta(minutes=10)  # a call cannot begin after its event came
_NONE: Mapping[str, str] = MappingProxyType({})


class CallSettings(PbxSettings):
    """What a source of calls may set beside what every PBX may."""

    timezone: Zone = Field(
        "", description="zone of times that come without one, e.g. Europe/Moscow; default: told by when they come"
    )


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

    `inside` is an object of the body whose fields count as its own (`params` of JSON-RPC, whose `id` is only that of
    the request). Nothing at all, which is how some vendors test an address, is no fields.
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
        if inside and any(name.startswith(f"{inside}.") for name, _ in of_body):
            outer = [(name, value) for name, value in of_body if name not in ("id", "jsonrpc")]
            of_body = [(name.removeprefix(f"{inside}."), value) for name, value in outer]
        values = {**values, **values_of(of_body)}
    return Fields(values)


_DIGITS = re.compile(r"\d{1,17}", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,17})[.,]\d{0,9}", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})", re.ASCII)
_RUSSIAN_DATE = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(.*)", re.ASCII | re.DOTALL)


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


def moment(
    text: str, received_at: datetime, timezone: str = "", *, usual: str = "UTC", later_s: int = 0
) -> datetime | None:
    """Seconds, milliseconds or microseconds since 1970, or a date with time -> UTC in whole seconds.

    None when it is no time of a call. A time without zone is of `timezone`, else as `pbx.local_time` finds it:
    `later_s` after it happened what the event tells of.
    """
    written = text.strip()
    decimal = _DECIMAL.fullmatch(written)
    russian = _RUSSIAN_DATE.fullmatch(written)
    try:
        if decimal or _DIGITS.fullmatch(written):
            at: datetime | None = _since_1970(int(decimal[1] if decimal else written))
        else:
            iso = f"{russian[3]}-{russian[2]}-{russian[1]}{russian[4]}" if russian else written
            exact = datetime.fromisoformat(iso)
            at = exact.astimezone(UTC).replace(microsecond=0) if exact.tzinfo is not None else None
            at = at or local_time(iso, received_at, timezone, usual=usual, later_s=later_s)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at is not None and OLDEST < at < received_at + WRONG_CLOCK else None


def _since_1970(number: int) -> datetime:
    while number > 99_999_999_999:
        number //= 1000
    return datetime.fromtimestamp(number, UTC)


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


def final_id(call_id: str, disposition: str) -> str:
    """Id of the event that ends a call, the same from a request and from a vendor's list: answered once, or not."""
    return f"{call_id}:{'answered' if disposition == 'answered' else 'unanswered'}"


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
