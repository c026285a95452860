"""Incidents of conversations as a person reads them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs.alert_causes import code_of
from jobs.alert_parts import Lines, as_code, cause_line, crm_of, source_of
from jobs.alert_words import Style
from leads.incidents import Incident
from leads.redact import redact


def _note_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("note_failed", n=max(1, incident.count), crm=crm_of(incident, style)),
        _why(incident, style, now),
        style.say("note_failed_todo", where=as_code(f"leadhub conversations retry {_first(incident)}")),
    ]


def _reply_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    unknown = int(incident.data.get("unknown") or 0)
    return [
        style.say("reply_failed", n=max(1, incident.count), source=source_of(incident, style)),
        _why(incident, style, now),
        style.say("reply_failed_unknown", n=unknown) if unknown else "",
        style.say(
            "reply_failed_todo",
            retry=as_code(f"leadhub conversations retry {_first(incident)}"),
            discard=as_code(f"leadhub conversations discard {_first(incident)}"),
        ),
    ]


def _why(incident: Incident, style: Style, now: datetime) -> str:
    since = f"{style.say('since', time=style.time(incident.opened_at, now))}."
    if incident.cause and not code_of(incident.cause):
        return f"{since} {style.say('talk_answer', detail=redact(incident.cause))}"
    return f"{since} {cause_line(incident, style)}".strip()


def _first(incident: Incident) -> str:
    ids = incident.data.get("ids") or ["ID"]
    return str(ids[0])


OF_TALKS: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "note_failed": _note_failed,
    "reply_failed": _reply_failed,
}
