"""The kinds of value in config.yaml that are not plain text: spans of time, sizes, addresses, zones."""

import ipaddress
import re
from datetime import time, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, SecretStr

from connectors.addresses import web_address
from jobs.config.errors import quote
from leads.durations import Duration
from mappings.problems import nearest

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|kib|mib|gib)?\Z", re.IGNORECASE)
_SIZE_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0")
    return value


def parse_size(value: Any) -> int:
    """`1 MB`, `512 KiB`, or a number of bytes -> bytes. Raises ValueError."""
    match = _SIZE.match(str(value).strip()) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{quote(value)} is not a size: write for example 1 MB or 512 KiB")
    return int(float(match[1]) * _SIZE_BYTES[(match[2] or "").lower()])


def parse_listen(value: Any) -> str:
    """`host:port` or `[ipv6]:port`. Raises ValueError."""
    text = str(value).strip()
    hint = "write host:port, for example 127.0.0.1:8080"
    if text.startswith("[") and "]:" in text:
        host, _, port = text[1:].partition("]:")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{quote(text)} is not an address to listen on: {hint}") from None
    else:
        host, colon, port = text.rpartition(":")
        if not colon or not _HOST.match(host):
            raise ValueError(f"{quote(text)} is not an address to listen on: {hint}")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"the port {quote(port)} is not a number from 0 to 65535")
    return text


def split_listen(listen: str) -> tuple[str, int]:
    """("127.0.0.1", 8080); the brackets of IPv6 are taken off."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _public_url(value: str) -> str:
    text = web_address(value)
    parts = urlsplit(text)
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be a plain address like https://hub.example.com, without ?, # or @")
    return text.rstrip("/")


def parse_database(value: Any) -> SecretStr:
    """`sqlite:///file` or `postgresql://user:password@host1,host2/name`. Raises ValueError, never with the password."""
    text = (value.get_secret_value() if isinstance(value, SecretStr) else str(value)).strip()
    scheme, separator, rest = text.partition("://")
    scheme = {"postgres": "postgresql", "postgresql+psycopg": "postgresql"}.get(scheme.lower(), scheme.lower())
    if not separator or scheme not in ("sqlite", "postgresql"):
        guess = nearest(scheme, ("sqlite", "postgresql")) if separator else ""
        meant = f' Did you mean "{guess}://"?' if guess else ""
        raise ValueError(f"must begin with sqlite:/// or postgresql://.{meant}")
    if scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise ValueError("must be sqlite:/// and a file, for example sqlite:///var/leadhub.db")
        return SecretStr(f"sqlite://{rest}")
    return SecretStr(f"postgresql://{_postgres(rest)}")


def _postgres(rest: str) -> str:
    form = "must be postgresql://user:password@host1,host2/database"
    location, slash, name = rest.partition("/")
    if not slash or not name.partition("?")[0]:
        raise ValueError(f"{form}: the name of the database is missing")
    if "/" in name.partition("?")[0] or "@" in name.partition("?")[0] or location.count("@") > 1:
        raise ValueError(f"{form}: write %2F for a / and %40 for an @ inside the password")
    for host in location.rpartition("@")[2].split(","):
        without_port, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            raise ValueError(f"{form}: a port must be a number from 1 to 65535")
        if not (without_port if colon else host) and "?" not in rest:
            raise ValueError(f"{form}: the host is missing")
    return rest


def parse_zone(value: str) -> str:
    """The name of a time zone in the IANA database. Raises ValueError."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        guess = _nearest_zone(value)
        meant = f' Did you mean "{guess}"?' if guess else " Write for example Europe/Moscow."
        raise ValueError(f"time zone {quote(value)} is not known.{meant}") from None
    return value


def _nearest_zone(value: str) -> str:
    zones = available_timezones()
    city = {zone.rpartition("/")[2]: zone for zone in sorted(zones)}
    return nearest(value, zones) or city.get(nearest(value, city), "")


def parse_region(value: str) -> str:
    """A country for phone numbers, two letters. Raises ValueError."""
    from phonenumbers import SUPPORTED_REGIONS  # 50 ms: only where a region is set

    region = value.strip().upper()
    if region not in SUPPORTED_REGIONS:
        raise ValueError(f"{quote(value)} is not a country of two letters such as RU, KZ or DE")
    return region


def parse_network(value: str) -> str:
    """An IP address or a network such as 10.0.0.0/8. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{quote(value)} is not an IP address or network such as 10.0.0.0/8") from None


def parse_time(value: Any) -> time:
    """`HH:MM`, local time of the hub. Raises ValueError."""
    if isinstance(value, time):
        return value
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{quote(value)} is not a time of day: write for example 09:00")
    return time(int(match[1]), int(match[2]))


def parse_name(value: str) -> str:
    """The name of a connection, source, channel or sync. Raises ValueError."""
    if not _NAME.match(value):
        raise ValueError("a name has 1 to 64 Latin letters, digits, - and _ (it becomes part of web addresses)")
    return value


def as_list(value: Any) -> Any:
    """A single value where a list is asked."""
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Size = Annotated[int, BeforeValidator(parse_size)]
Listen = Annotated[str, BeforeValidator(parse_listen)]
Url = Annotated[str, AfterValidator(web_address)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
DatabaseUrl = Annotated[SecretStr, BeforeValidator(parse_database)]
Zone = Annotated[str, AfterValidator(parse_zone)]
Region = Annotated[str, AfterValidator(parse_region)]
Network = Annotated[str, AfterValidator(parse_network)]
DayTime = Annotated[time, BeforeValidator(parse_time)]
