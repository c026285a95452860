"""What a door is: how one kind of source is checked, understood and answered, without any I/O.

The caller reads the request, keeps its raw bytes, asks the door, stores what it made and
only then sends the reply. Everything here is a pure function of settings and request, so a
request from the spool is taken in exactly as a fresh one.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from connectors.events import Errand, ParsedCall, ParsedMessage, ParsedPayment, ParsedUndelivered
from connectors.events import ParsedLead as ParsedLead
from leads.hours_settings import MINUTES_A_DAY, parse_days, parse_time
from leads.records import Lead

# --- what comes in and what goes back ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inbound:
    """One request as it arrived. Header names are lower case; `body` is never touched: signatures cover it.

    `path_tail` is what follows `/in/{source}/`, without a leading slash: the token, and for
    vendors that append to the address also their event. `url` is the public address, query
    included, for vendors whose signature covers it.
    """

    method: str
    path_tail: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    remote_ip: str
    received_at: datetime
    url: str = ""

    def param(self, name: str, default: str = "") -> str:
        """First value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The sender could not prove who it is: 401 or 403, or 404 for an address that does not exist."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Unreadable(Exception):
    """Nothing can be made of the request: answered 400 with the reason, which never quotes the content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- what a door makes of it -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one request held. None of anything is a test ping: answered well, nothing stored but the raw.

    `reply`, when set, is what the sender must be told instead of the door's usual reply.
    """

    leads: tuple[ParsedLead, ...] = ()
    calls: tuple[ParsedCall, ...] = ()
    messages: tuple[ParsedMessage, ...] = ()
    payments: tuple[ParsedPayment, ...] = ()
    errands: tuple[Errand, ...] = ()
    undelivered: tuple[ParsedUndelivered, ...] = ()
    reply: Reply | None = None

    @property
    def has_events(self) -> bool:
        return bool(self.calls or self.messages or self.payments or self.errands or self.undelivered)


class Receipt(NamedTuple):
    """What became of one parsed lead: its id, or the first one's id if it is a repeat."""

    lead_id: str
    duplicate: bool = False


def content_key(source: str, lead: ParsedLead | Lead) -> str:
    """What makes two leads without an id of their own the same one inside `dedup_window`: 64 hex digits.

    Times stay out: of two clicks on one button only the moment differs.
    """
    parts = [
        source,
        sorted(lead.phones),
        sorted(lead.emails),
        sorted(lead.messengers),
        [lead.name, lead.external_id, lead.company, lead.comment, lead.form, lead.page_url, lead.referrer],
        sorted(lead.utm.items()),
        sorted(lead.click_ids.items()),
        sorted(lead.extra.items()),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


# --- settings that every source may have -------------------------------------------------

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])\s*")
_RATE = re.compile(r"(\d+)\s*/\s*(?:(\d+)\s*)?([smhd])")


def duration_s(value: object) -> object:
    """`60s`, `1h30m`, `2d` -> seconds; numbers are seconds and, like other types, left to pydantic."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text or _DURATION.sub("", text):
        raise ValueError("expected a duration such as 60s, 15m, 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text))


class RateLimit(NamedTuple):
    """At most `calls` in `per_s` seconds."""

    calls: int
    per_s: float

    @classmethod
    def read(cls, value: object) -> object:
        """`30/m`, `5/10s` -> RateLimit; `off` -> None."""
        if not isinstance(value, str):
            return value
        if value.strip().lower() in ("off", "none", ""):
            return None
        match = _RATE.fullmatch(value.strip())
        if match is None or int(match[1]) == 0:
            raise ValueError("expected a rate such as 30/m, 5/10s, or off")
        return cls(int(match[1]), float(match[2] or 1) * _UNITS_S[match[3]])


def duration_or_off(value: object) -> object:
    """As `duration_s`; `off` -> None."""
    off = value is False or (isinstance(value, str) and value.strip().lower() in ("off", "none"))
    return None if off else duration_s(value)


Seconds = Annotated[float, BeforeValidator(duration_s), Field(ge=0)]
SecondsOrOff = Annotated[Annotated[float, Field(ge=60)] | None, BeforeValidator(duration_or_off)]
Rate = Annotated[RateLimit | None, BeforeValidator(RateLimit.read)]

_LOOPBACK = ("127.", "::1", "::ffff:127.")


_HOURS = re.compile(r"(?:(?P<days>\D+?)\s+)?(?P<opens>\d{1,2}(?::\d\d)?)\s*[-–]\s*(?P<closes>\d{1,2}(?::\d\d)?)")


class SilenceRule(BaseModel):
    """The section `silence` of a source: how long it may send nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[float, BeforeValidator(duration_s), Field(ge=60)] = Field(
        description="so long without an event, counted in `hours`, is an alert, e.g. 2h"
    )
    hours: str = Field("", description="when something is to be expected, e.g. mon-fri 9-18; default: always")

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, text: str) -> str:
        hours_of(text)
        return text


def hours_of(text: str) -> tuple[tuple[int, ...], int, int]:
    """`mon-fri 9-18`, `sat,sun 10:00-14:30`, `9-24` -> weekdays, minutes of the day; "": always. Raises ValueError."""
    if not text.strip():
        return parse_days("daily"), 0, MINUTES_A_DAY
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected hours such as mon-fri 9-18 or 10:00-14:30")
    opens, closes = (
        parse_time(int(match[name]) if match[name].isdigit() else match[name].zfill(5)) for name in ("opens", "closes")
    )
    if closes <= opens:
        raise ValueError("expected hours of one day, from the earlier to the later")
    return parse_days(match["days"] or "daily"), opens, closes


def _silence(value: object) -> object:
    """`off` is False; `auto`, which is the default, None."""
    if isinstance(value, str):
        return {"off": False, "auto": None}.get(value.strip().lower(), value)
    return value


class DoorSettings(BaseModel):
    """What any source may set in config.yaml; a vendor's own settings extend it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Which settings prove the sender, each where it is set, beside the token in the address (`connectors.proofs`).
    signed_with: ClassVar[tuple[str, ...]] = ()
    keyed_with: ClassVar[tuple[str, ...]] = ()
    sent_from: ClassVar[tuple[str, ...]] = ()
    reads_with: ClassVar[str] = ""
    """The setting without which nothing can be read of what the requests merely name; "": they tell all themselves."""
    open_is_usual: ClassVar[bool] = False
    """Browsers send here, and what they could prove anybody could read."""

    title: str = Field("", description="name of the source as people see it; default: its key in config.yaml")
    url_token: SecretStr | None = Field(None, description="secret last part of the address: /in/{source}/{token}")
    region: str = Field("", description="country of phone numbers without a code, e.g. RU; default: the hub's")
    dedup_window: Seconds = Field(60.0, description="seconds in which equal content without an id is one lead")
    rate_limit: Rate = Field(None, description="requests from one address, e.g. 60/m; off: no limit")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may send; '*' is any")
    silence: Annotated[SilenceRule | Literal[False] | None, BeforeValidator(_silence)] = Field(
        None,
        description="which silence is an alert: {after: 2h, hours: mon-fri 9-18}, off; default: its own habits",
    )
    reconcile: SecondsOrOff = Field(
        900.0, description="how often the vendor's own list is read for what never arrived, where there is one; or off"
    )

    def limit_for(self, remote_ip: str) -> RateLimit | None:
        """The limit for one address. Loopback has none unless the limit was written down on purpose."""
        if "rate_limit" not in self.model_fields_set and remote_ip.startswith(_LOOPBACK):
            return None
        return self.rate_limit

    def cors_headers(self, origin: str) -> dict[str, str]:
        """CORS headers for an answer to `origin` (every answer, errors too), none if it may not send."""
        if not origin or not ("*" in self.cors_origins or origin in self.cors_origins):
            return {}
        return {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "POST, OPTIONS",
            "access-control-allow-headers": "Content-Type, X-Leadhub-Key, Idempotency-Key, Authorization",
            "access-control-max-age": "86400",
            "vary": "Origin",
        }


# --- proofs --------------------------------------------------------------------------------


def same_secret(given: str, expected: str) -> bool:
    """Compares in constant time, whatever characters were sent."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def check_token(settings: DoorSettings, inbound: Inbound) -> str:
    """What follows the token in the address. Raises Refused if the token is wrong or missing."""
    if settings.url_token is None:
        return inbound.path_tail
    token, _, rest = inbound.path_tail.partition("/")
    if not same_secret(token, settings.url_token.get_secret_value()):
        raise Refused("the token in the address is wrong or missing", 403)
    return rest


# --- declaration ---------------------------------------------------------------------------


def no_handshake(settings: Any, inbound: Inbound) -> Reply | None:
    """For vendors that do not test an address with GET."""
    return None


def empty_object(settings: Any, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """200 and `{}`: what suits every vendor that documents nothing else."""
    return parsed.reply or Reply()


def token_only(settings: Any, inbound: Inbound) -> None:
    """For vendors that sign nothing: the secret is in the address."""
    if check_token(settings, inbound):
        raise Refused("no such address", 404)


Group = Literal["form", "telephony", "messenger", "ads", "tracking", "shop", "payment"]


@dataclass(frozen=True, slots=True)
class Door:
    """One kind of source: `SOURCE` in `connectors/<name>/__init__.py`.

    `verify(settings, inbound)` raises Refused. `parse(settings, inbound, region)` raises
    Unreadable (or Refused, where the proof is inside the body); `region` is the hub's and
    gives way to `settings.region`. `handshake(settings, inbound)` answers a GET, or None for
    405; a vendor that sends its events by GET as well has it in `methods`, and None goes on to
    verify and parse. `reply(settings, inbound, parsed, receipts)` is asked after the commit.
    """

    name: str
    title: str
    settings: type[DoorSettings]
    group: Group
    parse: Callable[[Any, Inbound, str], Parsed]
    verify: Callable[[Any, Inbound], None] = token_only
    handshake: Callable[[Any, Inbound], Reply | None] = no_handshake
    reply: Callable[[Any, Inbound, Parsed, Sequence[Receipt]], Reply] = empty_object
    methods: tuple[str, ...] = ("POST",)
    link: Callable[[Any], Any] | None = None
    """`connectors.links.LinkOpening` -> `connectors.links.Link`, for vendors whose API is asked as well; None where
    the settings leave nothing to ask."""
