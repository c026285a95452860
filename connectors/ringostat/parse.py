"""Ringostat webhooks -> calls."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from connectors.callfields import (
    Fields,
    after,
    call_lead,
    direction_of,
    fields_of,
    final_id,
    less,
    moment,
    outcome,
    plain_status,
    says_answered,
    seconds,
)
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, ParsedCall
from connectors.formfields import digest_of
from connectors.numbers import NOBODY, Number, line_or_client
from connectors.pbx import web_link
from connectors.ringostat.settings import RingostatSettings

# Names that Ringostat's own export and examples use; what the customer chose otherwise stands in the settings.
_NAMES: Final[dict[str, str]] = {
    "call_id": "uniqueid unique_id call_id callid id linkedid",
    "event": "event event_type event_name webhook moment method",
    "direction": "direction call_type calltype type call_direction",
    "client": "caller caller_number callernumber caller_phone client client_number client_phone phone from callerid",
    "line": "dst did line called callee destination to called_number dst_number",
    "extension": "extension ext employee_number employee_sip connected_with answered_extension manager_number",
    "employee": "employee employee_fio employee_name manager manager_name employee_email manager_email operator",
    "started_at": "calldate call_date date datetime start_time started_at calltime",
    "duration_s": "duration call_duration total_duration",
    "ring_s": "waittime wait_time wait ring_time",
    "talk_s": "billsec bill_sec talk_time talktime conversation_duration",
    "disposition": "disposition status call_status result",
    "recording_url": "recording record recording_url record_url recording_wav recordinglink audio",
    "name": "name client_name contact_name",
    "email": "email client_email",
    "page_url": "page page_url pageurl url",
    "landing_page": "landing landing_page landingpage",
    "referrer": "referrer refferrer referer",
}
_OURS_BY_NAME: Final = {name: ours for ours, names in _NAMES.items() for name in names.split()}
_TOUCH: Final = ("page_url", "landing_page", "referrer", "name", "email")


def parse(settings: RingostatSettings, inbound: Inbound, region: str) -> Parsed:
    """One moment of one call; a request without numbers makes nothing. Raises Unreadable."""
    ours, rest = _named(fields_of(inbound, inside="params"), settings.fields)
    region = settings.region or region
    caller, called = line_or_client(ours.get("client"), region), line_or_client(ours.get("line"), region)
    if not (caller or called or ours.get("call_id")):
        return Parsed()
    event = ours.get("event")
    direction = _direction(ours, event, caller, called)
    client, colleague, line = _ends(direction, caller, called)
    state = _state(ours, event)
    at = inbound.received_at.replace(microsecond=0)
    whole_s, talk_s, ring_s = (seconds(ours.get(name)) for name in ("duration_s", "talk_s", "ring_s"))
    length = whole_s or (ring_s or 0) + (talk_s or 0)
    started_at = moment(ours.get("started_at"), inbound.received_at, settings.timezone, later_s=length)
    status = ours.get("disposition")
    answered, talk_s = _talked(status, talk_s, whole_s)
    ended = state == "ended"
    ended_at = _end(started_at, whole_s, ring_s, talk_s) if ended else None
    ring_s = ring_s if ring_s is not None else less(whole_s, talk_s)
    call_id = ours.get("call_id") or digest_of(
        "ringostat", ours.get("client"), ours.get("line"), ours.get("started_at")
    )
    marks = {name: value for name, value in rest.items() if name not in _TOUCH}
    disposition = outcome(direction, answered, status) if ended else ""
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event=event or state,
                event_id=final_id(call_id, disposition) if ended else f"{call_id}:{plain_status(event) or state}",
                state=state,
                direction=direction,
                client=client.outside,
                line=line.outside,
                extension=_extension(ours.get("extension"), region) or colleague.extension,
                employee=ours.get("employee"),
                at=ended_at or at,
                started_at=started_at or (at if state == "ringing" else None),
                answered_at=at if state == "talking" else None,
                ended_at=ended_at,
                ring_s=ring_s if ended else None,
                talk_s=talk_s if ended else None,
                disposition=disposition,
                recording_url=web_link(ours.get("recording_url")),
                lead=call_lead(
                    marks,
                    started_at or at,
                    name=ours.get("name"),
                    email=ours.get("email"),
                    page_url=ours.get("page_url"),
                    landing_page=ours.get("landing_page"),
                    referrer=ours.get("referrer"),
                    extra=_extra(rest),
                ),
            ),
        )
    )


def _named(fields: Fields, own: Mapping[str, str]) -> tuple[Fields, dict[str, str]]:
    """Fields under our names, and those that have none: UTM, ids of visitors, what the customer added."""
    by_own_name = {name.casefold(): ours for name, ours in own.items()}
    known: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in fields.all().items():
        ours = by_own_name.get(name.casefold())
        if ours is not None and ours not in _NAMES:
            rest[name if ours == "extra" else ours] = value
        elif ours is not None:
            known[ours] = value
    taken = frozenset(known)
    for name, value in fields.all().items():
        if name.casefold() in by_own_name:
            continue
        ours = _OURS_BY_NAME.get(name.casefold())
        if ours is None:
            rest.setdefault(name, value)
        elif ours not in taken:
            known.setdefault(ours, value)
    return Fields(known), rest


def _extra(rest: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in rest.items() if not name.casefold().startswith("utm_")}


def _direction(ours: Fields, event: str, caller: Number, called: Number) -> Direction:
    if caller.extension and called.extension:
        return "internal"
    told = direction_of(ours.get("direction"))
    if told:
        return told
    if "outgoing" in event.casefold() or "outbound" in event.casefold():
        return "out"
    return "out" if caller.extension else "in"


def _ends(direction: Direction, caller: Number, called: Number) -> tuple[Number, Number, Number]:
    """(client, colleague, our line)."""
    if direction == "out":
        return called, caller, NOBODY if caller.extension else caller
    return (NOBODY if direction == "internal" else caller), called, called


def _state(ours: Fields, event: str) -> CallState:
    word = plain_status(event)
    if "rating" in word or "rated" in word:
        return ""
    if any(mark in word for mark in ("after", "end", "finish", "hangup", "complete")):
        return "ended"
    if any(mark in word for mark in ("answer", "taking", "taken", "talk", "connect")):
        return "talking"
    if any(mark in word for mark in ("before", "start", "ring", "forward", "begin")):
        return "ringing"
    return "ended" if ours.get("disposition") or ours.get("talk_s") else "ringing"


def _talked(status: str, talk_s: int | None, whole_s: int | None) -> tuple[bool, int | None]:
    """The length of the talk decides; without it the status, with the whole length standing for the talk."""
    if talk_s is not None:
        silent = plain_status(status) in ("noanswer", "busy", "failed", "voicemail", "clientnoanswer", "noforward")
        return talk_s > 0 and not silent, 0 if silent else talk_s
    answered = says_answered(status)
    return answered, (whole_s if answered else 0 if status else None)


def _extension(text: str, region: str) -> str:
    """`101`, `sip:101@pbx`; a login stays as it is."""
    number = line_or_client(text, region)
    return number.extension or ("" if number.e164 else number.raw)


def _end(started_at: datetime | None, whole_s: int | None, ring_s: int | None, talk_s: int | None) -> datetime | None:
    """When the call ended, as far as its lengths tell."""
    if whole_s is None and ring_s is not None and talk_s is not None:
        whole_s = ring_s + talk_s
    return after(started_at, whole_s)
