"""Notifications of UIS -> calls. Their layout is the customer's: NOTES.md has a template that fits."""

from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.callfields import final_id
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.numbers import Number, line_or_client
from connectors.pbx import NEVER, local_time, told, web_link, whole_seconds
from connectors.trees import moment
from connectors.uis.settings import Kind, UisSettings
from connectors.uis.template import read_template
from leads.attribution import touch_of
from leads.normalize import emails, person_name

Fields = dict[str, str]

USUAL_ZONE = "Europe/Moscow"
_STATES: Final[dict[str, CallState]] = {
    "ringing": "ringing",
    "talking": "talking",
    "talked": "talking",
    "ended": "ended",
    "lost": "ended",
}
_WORDS: Final[tuple[tuple[Kind, tuple[str, ...]], ...]] = (
    ("lost", ("lost", "missed", "потер", "пропущ")),
    ("record", ("record", "запис")),
    ("ringing", ("wait", "ожидан")),
    ("talked", ("talk_finish", "talk_end", "завершение разговора", "окончание разговора", "разговор завершен")),
    ("ended", ("finish", "end_", "_end", "hangup", "заверш", "оконч")),
    ("talking", ("talk", "connect", "answer", "разговор", "ответ")),
    ("ringing", ("in_call", "out_call", "incoming", "outgoing", "start", "call", "звонок", "вызов")),
)
"""Words of a mnemonic or a name, the first that is found: UIS has published neither list nor spelling."""


def parse(settings: UisSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of a call; what belongs to no call makes nothing. Raises Unreadable."""
    if not inbound.body.strip() and not inbound.query:
        return Parsed()
    fields = read_template(inbound)
    kind = kind_of(fields, settings)
    if kind == "ignore" or not fields.get("call_session_id"):
        return Parsed()
    return Parsed(calls=(call_of(kind, fields, settings, settings.region or region, inbound.received_at),))


def kind_of(fields: Fields, settings: UisSettings) -> Kind | None:
    """By the customer's own table, then by the words, then by what only one kind of notification has."""
    names = [fields.get(name, "") for name in ("event", "notification_mnemonic", "notification_name")]
    own = next((settings.events[name] for name in names if name in settings.events), None)
    if own:
        return own
    for name in filter(None, (name.lower() for name in names)):
        for kind, words in _WORDS:
            if any(word in name for word in words):
                return kind
    if fields.get("file_link"):
        return "record"
    return "ended" if fields.get("total_time_duration") else None


def call_of(kind: Kind | None, fields: Fields, settings: UisSettings, region: str, received_at: datetime) -> ParsedCall:
    direction = _direction(fields)
    at = _time(fields, settings, received_at)
    wait, talk, total = (whole_seconds(fields.get(f"{name}_time_duration", "")) for name in ("wait", "talk", "total"))
    ended = at if kind in ("ended", "lost") else None
    disposition = _disposition(kind, talk, direction)
    started = local_time(fields.get("start_time", ""), received_at, settings.timezone, usual=USUAL_ZONE)
    length = total if total is not None else wait if kind == "lost" else None
    if started is None and ended and length is not None:
        started = ended - timedelta(seconds=length)
    answered = ended - timedelta(seconds=talk) if ended and talk else at if kind == "talking" else None
    employee = line_or_client(fields.get("employee_phone_number", ""), region)
    name = next(
        (fields[name] for name in ("event", "notification_mnemonic", "notification_name") if name in fields), ""
    )
    return ParsedCall(
        call_id=fields["call_session_id"],
        event=name,
        event_id=final_id(fields["call_session_id"], disposition) if disposition else _event_id(fields, name),
        state=_STATES.get(kind or "", ""),
        direction=direction,
        client=_client(fields, direction, region),
        line=_line(fields, direction, region).outside,
        extension=employee.extension or fields.get("employee_id", ""),
        employee=fields.get("employee_full_name", ""),
        at=at,
        started_at=started,
        answered_at=answered,
        ended_at=ended,
        ring_s=wait,
        talk_s=0 if kind == "lost" else talk,
        disposition=disposition,
        recording_url=web_link(fields.get("file_link", "")),
        lead=_who(fields, at) if direction != "internal" else None,
        command_id=fields.get("external_id", ""),
        extra=told(
            employee_id=fields.get("employee_id", ""),
            employee_ids=fields.get("employee_ids", ""),
            scenario=fields.get("scenario_name", ""),
            call_source=fields.get("call_source", ""),
            tags=fields.get("tag_names", ""),
        ),
    )


def _event_id(fields: Fields, name: str) -> str:
    parts = ("call_session_id", "leg_id", "leg_ids", "notification_time")
    return ":".join([*(fields.get(part, "") for part in parts), name])


def _time(fields: Fields, settings: UisSettings, received_at: datetime) -> datetime:
    seconds = moment(fields.get("notification_timestamp", ""), NEVER)
    if seconds != NEVER:
        return seconds
    at = local_time(fields.get("notification_time", ""), received_at, settings.timezone, usual=USUAL_ZONE)
    return at or received_at.astimezone(UTC).replace(microsecond=0)


def _direction(fields: Fields) -> Direction:
    if fields.get("is_internal", "").lower() in ("true", "1"):
        return "internal"
    said = fields.get("direction", "").lower()
    if said in ("in", "out"):
        return "in" if said == "in" else "out"
    name = fields.get("notification_mnemonic", "").lower()
    return "out" if name.startswith("out") or "исходящ" in fields.get("notification_name", "").lower() else "in"


def _client(fields: Fields, direction: Direction, region: str) -> str:
    other = "called_phone_number" if direction == "out" else "calling_phone_number"
    found = line_or_client(fields.get("contact_phone_number") or fields.get(other, ""), region)
    return found.outside if direction != "internal" else ""


def _line(fields: Fields, direction: Direction, region: str) -> Number:
    other = "calling_phone_number" if direction == "out" else "called_phone_number"
    return line_or_client(fields.get("virtual_phone_number") or fields.get(other, ""), region)


def _disposition(kind: Kind | None, talk: int | None, direction: Direction) -> Disposition:
    """Who talked did so for longer than nothing; a finished call that tells no seconds is left open."""
    if kind == "lost":
        return "missed"
    if kind != "ended" or talk is None:
        return ""
    if talk > 0:
        return "answered"
    return "missed" if direction == "in" else "no_answer"


def _who(fields: Fields, at: datetime) -> ParsedLead | None:
    """The name, and what call tracking knows of the visit; None when that is nothing."""
    name = person_name(fields.get("contact_full_name", ""))
    if not any(char.isalpha() for char in name):
        name = ""  # UIS names a stranger by his number
    addresses = emails(fields.get("contact_email", "") or fields.get("visitor_email", "")).found
    marks = {key.removeprefix("visitor_"): value for key, value in fields.items()}
    touch = touch_of(
        marks,
        at=at,
        landing_page=web_link(marks.get("entrance_page", "")),
        referrer=web_link(marks.get("referrer", "")),
        kind="call",
    )
    extra = told(
        campaign=fields.get("campaign_name", ""),
        project=fields.get("tp_project", ""),
        region=fields.get("cpn_region_name", ""),
        contact_id=fields.get("contact_id", ""),
    )
    if not (name or addresses or extra or touch.utm or touch.click_ids or touch.referrer or touch.landing_page):
        return None
    return ParsedLead(
        name=name,
        emails=addresses,
        referrer=touch.referrer,
        utm=dict(touch.utm),
        click_ids=dict(touch.click_ids),
        extra=extra,
        touch=touch,
    )
