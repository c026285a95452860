"""Events of Sipuni -> calls."""

import re
from datetime import datetime
from typing import Final

from connectors.callfields import final_id
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.numbers import NOBODY, Number, line_or_client
from connectors.pbx import NEVER, fields_of, told, web_link
from connectors.sipuni.settings import SipuniSettings
from connectors.trees import moment

Fields = dict[str, str]

RING, HANGUP, ANSWER, LEG_HANGUP = "1", "2", "3", "4"
_STATES: Final[dict[str, CallState]] = {RING: "ringing", ANSWER: "talking", HANGUP: "ended", LEG_HANGUP: ""}
_UNANSWERED: Final[dict[str, Disposition]] = {
    **dict.fromkeys(("NOANSWER", "CANCEL"), "no_answer"),
    "BUSY": "busy",
    **dict.fromkeys(("CONGESTION", "CHANUNAVAIL"), "failed"),
}
_TAIL: Final = re.compile(r"_id\d+$")
INTERNAL = "2"
ACCOUNT_MIN = 4  # digits; a shorter one might be the beginning of an extension


def parse(settings: SipuniSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of a call; a test of the address makes nothing. Raises Unreadable."""
    fields = fields_of(inbound)
    event = fields.get("event", "")
    if event not in _STATES or not fields.get("call_id"):
        return Parsed()
    return Parsed(calls=(_call(event, fields, settings, settings.region or region, inbound.received_at),))


def _call(event: str, fields: Fields, settings: SipuniSettings, region: str, received_at: datetime) -> ParsedCall:
    accounts = (fields.get("user_id", ""), settings.user)
    source, target = (_side(fields, side, accounts, region) for side in ("src", "dst"))
    direction = _direction(fields, source, target)
    called = line_or_client(fields.get("pbxdstnum", ""), region)
    at = moment(fields.get("timestamp", ""), received_at)
    status = fields.get("status", "").upper()
    final = event == HANGUP
    answered = final and status == "ANSWER"
    started, answer = (_time(fields, name) for name in ("call_start_timestamp", "call_answer_timestamp"))
    disposition = _disposition(status, direction) if final else ""
    return ParsedCall(
        call_id=fields["call_id"],
        event=f"event {event}",
        event_id=final_id(fields["call_id"], disposition)
        if disposition
        else ":".join((fields["call_id"], event, fields.get("timestamp", ""), target.raw)),
        state=_STATES[event],
        direction=direction,
        client={"in": source, "out": target if target.outside else called}.get(direction, NOBODY).outside,
        line=(called.outside or target.outside) if direction == "in" else "",
        extension=_extension(event, fields, source, target, direction, accounts),
        at=at,
        started_at=started if final else at if event == RING else None,
        answered_at=at if event == ANSWER else answer if answered else None,
        ended_at=at if final else None,
        ring_s=_between(started, answer if answered else at) if final else None,
        talk_s=(_between(answer, at) if answered else 0) if disposition else None,
        disposition=disposition,
        recording_url=web_link(fields.get("call_record_link", "")) if answered else "",
        extra=told(
            status=status,
            scheme=fields.get("treeName", ""),
            last_called=fields.get("last_called", ""),
            transfer_from=fields.get("transfer_from", ""),
        ),
    )


def _side(fields: Fields, side: str, accounts: tuple[str, str], region: str) -> Number:
    """One end: a colleague by his short number, whose long one begins with the account's."""
    long, short = (_TAIL.sub("", fields.get(name, "")) for name in (f"{side}_num", f"short_{side}_num"))
    if fields.get(f"{side}_type") == INTERNAL:
        own = _own(short or long, accounts)
        return Number(extension=own, raw=own) if own else NOBODY
    return line_or_client(long or short, region)


def _own(number: str, accounts: tuple[str, str]) -> str:
    """A colleague's number without the account's before it."""
    for account in accounts:
        bare = account.lstrip("0")  # in YAML without quotes 070001 is the number 70001
        if len(bare) >= ACCOUNT_MIN:
            number = re.sub(rf"^0*{re.escape(bare)}(?=\d)", "", number)
    return number


def _direction(fields: Fields, source: Number, target: Number) -> Direction:
    """By the kinds of both ends; names of schemes are the customer's and only help when kinds are missing."""
    kind = fields.get("src_type", "")
    if not kind:
        scheme = fields.get("treeName", "").lower()
        kind = INTERNAL if "исход" in scheme or (source.extension and "вход" not in scheme) else "1"
    if kind != INTERNAL:
        return "in"
    return "internal" if target.extension else "out"


def _extension(
    event: str, fields: Fields, source: Number, target: Number, direction: Direction, accounts: tuple[str, str]
) -> str:
    """Who rings or talked. Several who rang in vain are nobody in particular."""
    if direction != "in":
        return source.extension
    last = fields.get("last_called", "")
    if event == HANGUP and last and "&" not in last:
        return line_or_client(_own(last, accounts), "").extension or target.extension
    return target.extension


def _disposition(status: str, direction: Direction) -> Disposition:
    """Answer times of calls from outside to outside lie, so only the status counts."""
    if status == "ANSWER":
        return "answered"
    if not status:
        return ""
    return "missed" if direction == "in" else _UNANSWERED.get(status, "failed")


def _time(fields: Fields, name: str) -> datetime | None:
    at = moment(fields.get(name, ""), NEVER)
    return None if at == NEVER else at


def _between(start: datetime | None, end: datetime | None) -> int | None:
    return max(0, int((end - start).total_seconds())) if start and end else None
