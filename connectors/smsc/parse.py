"""Incoming SMS of SMSC.ru -> messages. The proof stands among the fields, so it is checked here."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from connectors.bodies import decode
from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Inbound, Parsed, ParsedLead, Refused, same_secret
from connectors.events import ParsedMessage, ParsedUndelivered
from connectors.rawform import raw_fields
from connectors.smsc.settings import SmscSettings
from connectors.trees import moment
from leads.normalize import clean_text, phones

CHANNEL = "sms"
LOST: Final = {
    "3": "it ran out of time",
    "20": "it cannot be delivered",
    "22": "the number is wrong",
    "23": "it is forbidden",
    "24": "the account has no money",
    "25": "the number cannot be reached",
}
RUSSIAN_TIME = "%d.%m.%Y %H:%M:%S"


def parse(settings: SmscSettings, inbound: Inbound, region: str) -> Parsed:
    """One SMS, or that one of ours did not arrive. Raises Unreadable, and Refused without the right md5."""
    region = settings.region or region
    fields = {name: value for name, value in raw_fields(inbound) if name}
    if not fields:
        return Parsed()
    _check(settings, fields)
    text, _ = decode(fields.get(b"mes", b""))
    told = {name.decode("ascii", "replace"): decode(value)[0] for name, value in fields.items()}
    sender = clean_text(told.get("phone", ""))
    if b"mes" not in fields:
        return Parsed(undelivered=tuple(_undelivered(told)))
    if not sender:
        return Parsed()
    line = clean_text(told.get("to", ""))
    at = _moment(told.get("time", ""), inbound.received_at, ZoneInfo(settings.timezone))
    phone = own_phone(sender) or next(iter(phones(sender, region).found), "")
    words = clean_text(text)
    repeatable = hashlib.sha256("\0".join((sender, line, told.get("time", ""), text)).encode("utf-8", "replace"))
    return Parsed(
        messages=(
            ParsedMessage(
                chat_id=f"{phone or sender}:{line}",
                message_id=clean_text(told.get("sms_id", "")) or repeatable.hexdigest()[:32],
                channel=CHANNEL,
                at=at,
                text=words,
                lead=ParsedLead(
                    phones=(phone,) if phone else (),
                    messengers=() if phone else ((CHANNEL, sender),),
                    extra={"our_number": line} if line else {},
                    touch=link_touch({}, "", at),
                ),
                hints=tuple(hint for hint in hints(words, region) if hint != phone),
            ),
        )
    )


def _undelivered(told: dict[str, str]) -> Iterator[ParsedUndelivered]:
    """A report with a status by which an SMS of ours never arrives."""
    status, message_id = told.get("status", "").strip(), clean_text(told.get("id", ""))
    if status in LOST and message_id:
        yield ParsedUndelivered(message_id, f"SMSC.ru could not deliver it: {LOST[status]} (status {status})")


def _check(settings: SmscSettings, fields: dict[bytes, bytes]) -> None:
    """md5 of `phone:mes:to:<word>`, of a report `id:phone:status:<word>`, over the bytes that were sent."""
    if settings.secret_word is None:
        return
    names = (b"phone", b"mes", b"to") if b"mes" in fields else (b"id", b"phone", b"status")
    word = settings.secret_word.get_secret_value().encode()
    signed = b":".join((*(fields.get(name, b"") for name in names), word))
    expected = hashlib.md5(signed, usedforsecurity=False).hexdigest()
    if not same_secret(fields.get(b"md5", b"").decode("latin-1"), expected):
        raise Refused("the md5 is wrong or missing")


def _moment(written: str, received_at: datetime, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.strptime(written.strip(), RUSSIAN_TIME).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return moment(written, received_at, zone)
    return moment(at.isoformat(), received_at)
