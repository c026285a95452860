"""What doors of telephony share: fields however they were sent, whole seconds, the addresses a vendor calls from."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from connectors.bodies import read_body
from connectors.doors import (
    DoorSettings,
    Inbound,
    Refused,
    Seconds,
    Unreadable,
    check_token,
    duration_or_off,
    same_secret,
)
from connectors.numbers import line_or_client
from connectors.trees import moment
from leads.lines import Line
from leads.normalize import clean_text, utm_value
from leads.records import UTM_KEYS

NEVER = datetime(2100, 1, 1, tzinfo=UTC)
ZONE_STEP = timedelta(minutes=30)  # zones of the world differ by multiples of it, but for two small ones
ZONE_MAX = timedelta(hours=14, minutes=30)
ON_ITS_WAY = timedelta(minutes=3)  # from what happened to the arrival of its event, a clock that is wrong included
LINK_MAX = 2_000  # characters
LONGEST_CALL_S = 7 * 86_400  # what claims to last longer is not a number of seconds


def _is_network(text: str) -> str:
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("expected an address or network such as 203.0.113.7 or 203.0.113.0/24") from None


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name or "UTC")
    except (ValueError, OSError, KeyError):
        raise ValueError("expected a time zone such as Europe/Moscow or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_is_zone)]


SecondsOrOff = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(duration_or_off)]


class LineSettings(BaseModel):
    """One of our own numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", description="what the number stands for, as people call it, e.g. Billboard")
    utm_source: str = Field("", description="UTM of everybody who calls this number")
    utm_medium: str = Field("", description="the same")
    utm_campaign: str = Field("", description="the same")
    utm_content: str = Field("", description="the same")
    utm_term: str = Field("", description="the same")

    def line(self) -> Line:
        utm = {key: utm_value(getattr(self, key)) for key in UTM_KEYS}
        return Line(self.title.strip(), {key: value for key, value in utm.items() if value})


def line_number(written: str, region: str) -> str:
    """A key of `lines` in E.164; "" for what is no number that can be called from outside."""
    return line_or_client(written, region).e164


class CopySettings(BaseModel):
    """Copies of recordings, made before the vendor deletes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    copy_to: str = Field(min_length=1, description="folder (relative to config.yaml), or s3://BUCKET/PREFIX")
    endpoint: str = Field("", description="of the storage, e.g. https://storage.yandexcloud.net; default: Amazon's")
    access_key: SecretStr | None = Field(None, description="of the storage")
    secret_key: SecretStr | None = Field(None, description="of the storage")
    region: str = Field("us-east-1", description="of the storage, e.g. ru-central1")
    max_size: int = Field(100_000_000, ge=1_000, description="bytes; what is larger is not copied")
    after: Seconds = Field(60.0, description="how long to wait before the first try, so that the vendor has the file")
    allow_private: bool = Field(
        False, description="also from addresses of your own network, such as a PBX in the house"
    )

    @property
    def in_s3(self) -> bool:
        return self.copy_to.startswith("s3://")

    @model_validator(mode="after")
    def _storage_is_whole(self) -> "CopySettings":
        if self.in_s3 and not self.copy_to.removeprefix("s3://").partition("/")[0]:
            raise ValueError("copy_to names no bucket: s3://BUCKET/PREFIX")
        if self.in_s3 and (self.access_key is None or self.secret_key is None):
            raise ValueError("s3:// needs access_key and secret_key")
        if self.endpoint and not self.endpoint.startswith(("https://", "http://")):
            raise ValueError("endpoint must begin with https://")
        return self


class PbxSettings(DoorSettings):
    """What every source of calls may set."""

    sent_from = ("allowed_ips",)

    extensions: dict[str, str] = Field(
        default_factory=dict, description="extension or login -> CRM user (id, e-mail or name) who is responsible"
    )
    lines: dict[str, LineSettings] = Field(
        default_factory=dict, description="our own number -> what it stands for: title, utm_source, utm_medium, ..."
    )
    recordings: CopySettings | None = Field(
        None, description="copy recordings: copy_to, max_size, ...; default: no copies"
    )
    callback_within: Seconds = Field(900.0, description="working time in which a missed call is to be called back")
    callback_alert_after: SecondsOrOff = Field(
        1800.0, description="working time after which an alert tells that nobody has called back; off: none"
    )

    allowed_ips: tuple[Annotated[str, AfterValidator(_is_network)], ...] = Field(
        (), description="addresses or networks that the vendor sends from; empty: any"
    )


def lines_of(settings: PbxSettings, region: str) -> dict[str, Line]:
    """Number in E.164 -> what it stands for. `region` is the hub's and gives way to that of the source."""
    read = {line_number(written, settings.region or region): one.line() for written, one in settings.lines.items()}
    return {number: line for number, line in read.items() if number}


def check_sender(settings: PbxSettings, inbound: Inbound) -> str:
    """Raises Refused unless the token in the address and the sender's own address are right; what follows the token."""
    rest = check_token(settings, inbound)
    if settings.allowed_ips and not _is_within(inbound.remote_ip, settings.allowed_ips):
        raise Refused("the request comes from an address that is not allowed", 403)
    return rest


def check_address(settings: PbxSettings, inbound: Inbound) -> None:
    """For vendors whose address ends with the token. Raises Refused."""
    if check_sender(settings, inbound):
        raise Refused("no such address", 404)


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in ip_network(one) for one in networks)


def check_word(expected: SecretStr, given: str, what: str) -> None:
    """A secret that is sent along as it is. Raises Refused."""
    if not same_secret(given, expected.get_secret_value()):
        raise Refused(f"the {what} is wrong or missing", 403)


def fields_of(inbound: Inbound, *, lists: bool = False) -> dict[str, str]:
    """Fields of the query and the body, form or JSON; the body counts more. Raises Unreadable.

    Of several values of one field the first counts, or with `lists` they are joined: `1,2`.
    """
    pairs = list(inbound.query)
    if inbound.body.strip() and inbound.method != "GET":
        headers = inbound.headers
        body = read_body(inbound.body, headers.get("content-type", ""), headers.get("content-encoding", ""))
        pairs = [*body.pairs, *pairs]
    fields: dict[str, str] = {}
    for name, value in ((clean_text(name), clean_text(value)) for name, value in pairs):
        fields[name] = f"{fields[name]},{value}" if lists and name in fields else fields.get(name, value)
    return fields


def fields_or_none(inbound: Inbound) -> dict[str, str]:
    """The same before anything is proven: what cannot be read holds no proof."""
    try:
        return fields_of(inbound)
    except Unreadable:
        return {}


def whole_seconds(written: str) -> int | None:
    """`64`, `64.0` -> 64; what is no duration is None."""
    number = written.strip().partition(".")[0]
    if not (number.isascii() and number.isdecimal() and len(number) <= 9):
        return None
    return found if (found := int(number)) <= LONGEST_CALL_S else None


def local_time(
    written: str, received_at: datetime, zone: str = "", *, usual: str = "UTC", later_s: int = 0
) -> datetime | None:
    """A vendor's time without a zone -> UTC; None for what is no time.

    Without a `zone` it is that in which the event happened `later_s` after this time, and came at once. If there is
    none (a late event), it is `usual`, or where that lies ahead of the arrival, the zone that brings it nearest.
    """
    at = moment(written, NEVER, ZoneInfo(zone or usual))
    if at == NEVER:
        return None
    off = at + timedelta(seconds=later_s) - received_at
    zones = round(off / ZONE_STEP) * ZONE_STEP
    if zone or abs(off) > ZONE_MAX:
        return at
    if abs(off - zones) <= ON_ITS_WAY:
        return at - zones
    return at - ceil(off / ZONE_STEP) * ZONE_STEP if off > ON_ITS_WAY else at


def web_link(written: str) -> str:
    """An address of the web, else nothing: people click on it."""
    return written if written.startswith(("https://", "http://")) and len(written) <= LINK_MAX else ""


def told(**values: str) -> dict[str, str]:
    """Of what a vendor sent beside the call, that which is not empty."""
    return {key: value for key, value in values.items() if value}
