"""Incidents of record sync as a person reads them. `connection` of such an incident is the sync's name."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs.alerts.causes import code_of
from jobs.alerts.parts import Lines, age_of, as_code, cause_line, cause_text, from_iso, name_of, where_to
from jobs.alerts.words import Raw, Style
from leads.incidents import Incident
from leads.redact import redact


def _sync_braked(incident: Incident, style: Style, now: datetime) -> Lines:
    name = incident.connection
    why = cause_text(incident.cause, style) if code_of(incident.cause) else style.say("sync_braked_more")
    return [
        style.say("sync_braked", name=name_of(incident), n=max(1, incident.count)),
        style.say("sync_braked_why", time=style.time(incident.opened_at, now), why=Raw(why)),
        style.say(
            "sync_braked_todo",
            plan=as_code(f"leadhub sync plan {name}"),
            run=as_code(f"leadhub sync run {name} --yes"),
        ),
    ]


def _sync_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    since = f"{style.say('since', time=style.time(incident.opened_at, now))}."
    if incident.cause and not code_of(incident.cause):
        why = style.say("sync_failed_answer", detail=redact(incident.cause))
    else:
        why = cause_line(incident, style)
    return [
        style.say("sync_failed", name=name_of(incident)),
        f"{since} {why}".strip(),
        style.say("sync_failed_todo", where=as_code(f"leadhub sync status {incident.connection}")),
    ]


def _sync_late(incident: Incident, style: Style, now: datetime) -> Lines:
    since = incident.oldest_at or incident.opened_at
    began = incident.data.get("began_at")
    running = style.say("sync_late_running", time=style.time(from_iso(began), now)) if began else ""
    return [
        style.say("sync_late", name=name_of(incident), age=age_of(style, since, now)),
        running or style.say("sync_late_idle"),
        style.say("sync_late_todo", where=where_to(incident, style, "/syncs", "leadhub sync status")),
    ]


def _sync_loop(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("sync_loop", name=name_of(incident), n=max(1, incident.count)),
        style.say("sync_loop_why", time=style.time(incident.oldest_at or incident.opened_at, now)),
        style.say("sync_loop_todo", where=where_to(incident, style, "/syncs", "leadhub sync conflicts list")),
    ]


def _sync_waiting(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("sync_waiting", name=name_of(incident), n=max(1, incident.count)),
        style.say(
            "sync_waiting_why",
            conflicts=int(incident.data.get("conflict", 0)),
            unclear=int(incident.data.get("ambiguous", 0)),
            age=age_of(style, incident.oldest_at or incident.opened_at, now),
        ),
        style.say("sync_waiting_todo", where=where_to(incident, style, "/syncs", "leadhub sync conflicts list")),
    ]


OF_SYNCS: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "sync_braked": _sync_braked,
    "sync_failed": _sync_failed,
    "sync_late": _sync_late,
    "sync_loop": _sync_loop,
    "sync_waiting": _sync_waiting,
}
