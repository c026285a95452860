"""Incidents of record sync as a person reads them. `connection` of such an incident is the sync's name."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs.alert_causes import code_of
from jobs.alert_parts import Lines, as_code, cause_line, name_of
from jobs.alert_words import Style
from leads.incidents import Incident
from leads.redact import redact


def _sync_braked(incident: Incident, style: Style, now: datetime) -> Lines:
    name = incident.connection
    return [
        style.say("sync_braked", name=name_of(incident), n=max(1, incident.count)),
        style.say("sync_braked_why", time=style.time(incident.opened_at, now)),
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


OF_SYNCS: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "sync_braked": _sync_braked,
    "sync_failed": _sync_failed,
}
