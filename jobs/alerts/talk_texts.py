"""Incidents of conversations as a person reads them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs.alerts.causes import code_of
from jobs.alerts.parts import Lines, as_code, cause_text, crm_of, name_of, source_of
from jobs.alerts.words import Raw, Style
from leads.incidents import Incident
from leads.redact import redact


def _note_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("note_failed", n=max(1, incident.count), crm=crm_of(incident, style)),
        _why(incident, style, now),
        style.say("note_failed_todo", where=as_code(f"leadhub conversations retry {_first(incident)}")),
    ]


def _reply_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    count, unknown = max(1, incident.count), int(incident.data.get("unknown") or 0)
    source, all_unknown = source_of(incident, style), unknown >= count
    part = style.say("reply_failed_unknown", n=unknown) if unknown else ""
    return [
        style.say("reply_unknown" if all_unknown else "reply_failed", n=count, source=source),
        _why(incident, style, now, str(incident.data.get("vendor") or name_of(incident))),
        style.say("reply_unknown_kept") if all_unknown else part,
        _decide(incident, style),
    ]


def _decide(incident: Incident, style: Style) -> str:
    """The page of the lead, where both answers are buttons; without a page the two commands."""
    path, first = str(incident.data.get("path") or ""), _first(incident)
    if path and style.leads_to(path):
        return style.say("reply_failed_look", where=style.where(path, ""))
    return style.say(
        "reply_failed_todo",
        retry=as_code(f"leadhub conversations retry {first}"),
        discard=as_code(f"leadhub conversations discard {first}"),
    )


def _why(incident: Incident, style: Style, now: datetime, who: str = "") -> str:
    """`who` was asked, when it was not the CRM."""
    since = f"{style.say('since', time=style.time(incident.opened_at, now))}."
    if incident.cause and not code_of(incident.cause):
        return f"{since} {style.say('talk_answer', detail=redact(incident.cause))}"
    cause = cause_text(incident.cause, style, who)
    return f"{since} {style.say('cause', cause=Raw(cause)) if cause else ''}".strip()


def _first(incident: Incident) -> str:
    ids = incident.data.get("ids") or ["ID"]
    return str(ids[0])


OF_TALKS: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "note_failed": _note_failed,
    "reply_failed": _reply_failed,
}
