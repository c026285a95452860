"""Incidents of sources as a person reads them. `data` may hold `vendor`, `title`, `group` of the door."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs.alerts.causes import code_of
from jobs.alerts.parts import Lines, age_of, as_code, cause_text, from_iso, name_of, source_of, where_to
from jobs.alerts.words import Raw, Style
from jobs.sources.texts import vendor_text
from leads.incidents import Incident
from leads.redact import redact
from store.errands import FAILED_AT_IT


def _errand_late(incident: Incident, style: Style, now: datetime) -> Lines:
    oldest = incident.oldest_at or incident.opened_at
    age = style.say("errand_late_age", age=age_of(style, oldest, now), time=style.time(oldest, now))
    code, _, detail = code_of(incident.cause).partition(":")
    todo = {"no_access": "_access", "token": "_token", "rights": "_token"}.get(code, "")
    return [
        style.say("errand_late", n=max(1, incident.count), source=source_of(incident, style)),
        f"{age} {_cause(incident, style)}".strip(),
        style.say(
            f"errand_late_todo{todo}",
            detail=detail,
            name=incident.connection,
            where=where_to(incident, style, "/", "leadhub errands list"),
        ),
    ]


def _errand_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    known = code_of(incident.cause)
    since = style.say("since", time=style.time(incident.opened_at, now))
    return [
        style.say("errand_failed", n=max(1, incident.count), source=source_of(incident, style)),
        f"{since}. {_cause(incident, style) if known else ''}".strip(),
        style.say("errand_failed_answer", detail=redact(incident.cause)) if incident.cause and not known else "",
        style.say(
            "errand_failed_todo",
            show=as_code("leadhub errands list"),
            where=as_code("leadhub errands retry --all-failed"),
        ),
    ]


def _source_disconnected(incident: Incident, style: Style, now: datetime) -> Lines:
    why = style.say(
        "source_disconnected_why",
        time=style.time(incident.opened_at, now),
        cause=Raw(_cause(incident, style)),
    )
    return [
        style.say("source_disconnected", source=source_of(incident, style)),
        why.strip(),
        style.say("source_disconnected_todo", name=incident.connection),
    ]


def _unclaimed(incident: Incident, style: Style, now: datetime) -> Lines:
    fault = incident.cause.removeprefix(f"{FAILED_AT_IT}: ") if incident.cause.startswith(FAILED_AT_IT) else ""
    return [
        style.say("unclaimed", n=max(1, incident.count), source=source_of(incident, style)),
        style.say(
            "unclaimed_fault" if fault else "unclaimed_why",
            time=style.time(incident.oldest_at or incident.opened_at, now),
            cause=redact(fault),
        ),
        style.say(
            "unclaimed_fault_todo" if fault else "unclaimed_todo",
            show=as_code("leadhub errands list"),
            where=as_code("leadhub errands retry --all-failed"),
        ),
    ]


def _events_stuck(incident: Incident, style: Style, now: datetime) -> Lines:
    since = style.time(incident.oldest_at or incident.opened_at, now)
    return [
        style.say("events_stuck", n=max(1, incident.count)),
        style.say("events_stuck_why", time=since, cause=redact(incident.cause)).strip(),
        style.say("events_stuck_todo", where=as_code("leadhub sources stuck")),
    ]


def _list_unread(incident: Incident, style: Style, now: datetime) -> Lines:
    since = style.time(incident.oldest_at or incident.opened_at, now)
    return [
        style.say("list_unread", source=source_of(incident, style)),
        style.say("list_unread_why", time=since, detail=redact(incident.cause)),
        style.say("list_unread_todo", name=incident.connection, where=as_code("leadhub sources")),
    ]


def _copies_failing(incident: Incident, style: Style, now: datetime) -> Lines:
    since = style.time(incident.oldest_at or incident.opened_at, now)
    return [
        style.say("copies_failing", n=max(1, incident.count), source=source_of(incident, style)),
        style.say("copies_failing_why", time=since, detail=redact(incident.cause)),
        style.say("copies_failing_todo", name=incident.connection),
    ]


def _source_recovered(incident: Incident, style: Style, now: datetime) -> Lines:
    first, last = incident.data.get("since"), incident.data.get("until")
    what = {"call": "source_recovered_call", "payment": "source_recovered_payment"}
    return [
        style.say(
            what.get(str(incident.data.get("what")), "source_recovered"),
            n=max(1, incident.count),
            source=source_of(incident, style),
        ),
        style.say(
            "source_recovered_why",
            first=style.time(from_iso(first) if first else incident.opened_at, now),
            last=style.time(from_iso(last) if last else incident.opened_at, now),
        ),
        style.say("source_recovered_todo", where=as_code("leadhub sources")),
    ]


def _source_silent(incident: Incident, style: Style, now: datetime) -> Lines:
    last, usual = incident.data.get("last_at"), incident.data.get("per_hour")
    since = from_iso(last) if last else incident.opened_at
    group = str(incident.data.get("group", "form"))
    parts = [
        style.say(_of_group("source_silent_usual", group, style), n=int(usual)) if usual else "",
        style.say(_of_group("source_silent_last", group, style), time=style.at(since, now)) if last else "",
    ]
    return [
        style.say("source_silent", name=name_of(incident), age=age_of(style, since, now)),
        " ".join(part for part in parts if part),
        style.say(_of_group("source_silent_todo", group, style), where=as_code("leadhub sources")),
    ]


def _of_group(key: str, group: str, style: Style) -> str:
    """The words for this kind of source, if there are any."""
    return f"{key}_{group}" if style.has(f"{key}_{group}") else key


def _cause(incident: Incident, style: Style) -> str:
    vendor = vendor_text(style.locale, str(incident.data.get("vendor") or ""))
    text = cause_text(incident.cause, style, vendor or name_of(incident))
    return style.say("cause", cause=Raw(text)) if text else ""


OF_SOURCES: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "errand_late": _errand_late,
    "errand_failed": _errand_failed,
    "source_disconnected": _source_disconnected,
    "events_stuck": _events_stuck,
    "list_unread": _list_unread,
    "copies_failing": _copies_failing,
    "unclaimed": _unclaimed,
    "source_recovered": _source_recovered,
    "source_silent": _source_silent,
}
