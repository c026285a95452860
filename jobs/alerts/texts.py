"""An incident as a person reads it: what happened, whose side, since when, how many, what to do.

`data` of an incident may hold (JSON values, all optional): `vendor` ("amoCRM"), `title` (how
people call the connection), `retry_s`, `path` (page of the console), `detail` (redacted),
`field`, `mapping` ("mappings/x.yaml:18"), `oauth` (false: the token is made by hand),
`records` (of doubled leads: [[record id, …], …]),
`leads` ([{"name", "phone", "received_at"}], shown only where personal data is allowed),
`down_from` (ISO time), `per_hour`, `last_at` (ISO time); for the end: `delivered`,
`last_at`, `waiting`, `done`, `removed` (true: what it was about is not configured any more).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape

from connectors.notify import Notice
from jobs.alerts.call_texts import how_it_ended, not_called_back
from jobs.alerts.causes import code_of
from jobs.alerts.parts import (
    SHOWN_PEOPLE,
    Lines,
    age_of,
    as_code,
    buttons_of,
    cause_line,
    cause_text,
    crm_of,
    field_of,
    from_iso,
    name_of,
    named,
    people_lines,
    period_line,
    retry_line,
    source_of,
    waiting_line,
    where_to,
)
from jobs.alerts.source_texts import OF_SOURCES
from jobs.alerts.sync_texts import OF_SYNCS
from jobs.alerts.talk_texts import OF_TALKS
from jobs.alerts.words import Raw, Style
from leads.incidents import Incident
from leads.redact import redact

SHOWN_EVENTS = 10
EXTRAS = ("note", "task")
"""Parts of a delivery that may be missing like a field, but are none."""
SIGNS = ("🔴", "🟠", "🟡", "🟢")
"""What a headline begins with, the worst first."""


def render(incident: Incident, style: Style, now: datetime) -> Notice:
    """The message that is true at `now`; the first line is the headline."""
    lines = _over(incident, style, now) if incident.resolved_at else _open(incident, style, now)
    if incident.acked_by and not incident.resolved_at:
        lines.append(style.say("on_it", who=incident.acked_by))
    head, *rest = (line for line in lines if line)
    return Notice(html="\n".join([f"<b>{head}</b>", *rest]), buttons=buttons_of(incident, style), topic=incident.id)


def bundle(notices: Sequence[Notice], style: Style) -> Notice:
    """Many messages as one: their headlines."""
    heads = [notice.headline for notice in notices[:SHOWN_EVENTS]]
    more = len(notices) - len(heads)
    worst = next(sign for sign in SIGNS if sign == SIGNS[-1] or any(sign in notice.headline for notice in notices))
    lines = [f"<b>{style.say('bundle', n=len(notices), worst=worst)}</b>", *heads]
    if more:
        lines.append(style.say("and_more", n=more))
    lines.append(style.say("bundle_todo", where=style.where("/", "leadhub status")))
    return Notice(html="\n".join(lines))


# --- kinds --------------------------------------------------------------------------------


def _open(incident: Incident, style: Style, now: datetime) -> Lines:
    return _OPEN[incident.kind](incident, style, now)


def _connection_down(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("connection_down", crm=crm_of(incident, style)),
        waiting_line(incident, style, now),
        f"{cause_line(incident, style)} {retry_line(incident, style)}".strip(),
        style.say("connection_down_todo", where=where_to(incident, style, "/", "leadhub leads list")),
    ]


def _token_refused(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say(f"token_refused{_access(incident)}", crm=crm_of(incident, style)),
        f"{waiting_line(incident, style, now)}.",
        access_todo(incident, style),
    ]


def _access(incident: Incident) -> str:
    """`_rights`, `_unpaid`, `_sealed`; "" for a token that is not taken at all."""
    code = code_of(incident.cause)
    return f"_{code}" if code in ("rights", "unpaid", "sealed") else ""


def access_todo(incident: Incident, style: Style) -> str:
    """What gives the access back, in one line with its command; HTML."""
    check = as_code("leadhub check --live")
    if _access(incident) == "_sealed":
        return style.say("token_refused_todo_sealed", where=as_code(f"leadhub auth {incident.connection}"))
    if _access(incident):
        return style.say(f"token_refused_todo{_access(incident)}", where=check)
    if incident.data.get("oauth") is False:
        return style.say("token_refused_todo_key", where=check)
    login = f"leadhub auth {incident.connection}"
    where = style.where(str(incident.data["path"]), login) if "path" in incident.data else as_code(login)
    return style.say("token_refused_todo", where=where)


def _connection_missing(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("connection_missing", crm=crm_of(incident, style)),
        f"{waiting_line(incident, style, now)}.",
        style.say("connection_missing_todo", where=as_code("leadhub leads discard ID --why TEXT")),
    ]


def _lead_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    known = code_of(incident.cause)
    detail = incident.data.get("detail") or ("" if known else incident.cause)
    shown = replace(incident, cause=known or "validation")
    return [
        style.say("lead_failed", n=max(1, incident.count), crm=crm_of(incident, style)),
        f"{style.say('since', time=style.time(incident.opened_at, now))}. {cause_line(shown, style)}".strip(),
        style.say("lead_failed_answer", detail=redact(str(detail))) if detail else "",
        *people_lines(incident, style, now),
        style.say("lead_failed_todo", where=where_to(incident, style, "/", "leadhub leads retry --all-failed")),
    ]


def _lead_late(incident: Incident, style: Style, now: datetime) -> Lines:
    oldest = incident.oldest_at or incident.opened_at
    age = style.say("lead_late_age", age=age_of(style, oldest, now), time=style.time(oldest, now))
    return [
        style.say("lead_late", n=max(1, incident.count), crm=crm_of(incident, style)),
        f"{age} {cause_line(incident, style)}".strip(),
        *people_lines(incident, style, now),
        style.say("lead_late_todo", where=where_to(incident, style, "/", "leadhub leads list")),
    ]


def _lead_doubled(incident: Incident, style: Style, now: datetime) -> Lines:
    pairs = [", ".join(str(record) for record in records) for records in incident.data.get("records", ())]
    lines = [style.say("lead_doubled_records", records=pair) for pair in pairs[:SHOWN_PEOPLE]]
    if len(pairs) > SHOWN_PEOPLE:
        lines.append(style.say("and_more", n=len(pairs) - SHOWN_PEOPLE))
    return [
        style.say("lead_doubled", n=max(1, incident.count), crm=crm_of(incident, style)),
        style.say("lead_doubled_why", time=style.time(incident.opened_at, now)),
        *lines,
        style.say("lead_doubled_todo", where=where_to(incident, style, "/", "leadhub audit")),
    ]


def _field_removed(incident: Incident, style: Style, now: datetime) -> Lines:
    if field_of(incident) in EXTRAS:
        return [
            style.say(f"{field_of(incident)}_missing", n=max(1, incident.count), crm=crm_of(incident, style)),
            style.say("extra_missing_todo", time=style.time(incident.opened_at, now)),
            *_lacking_right(incident, style),
        ]
    what = incident.cause.partition(":")[0]
    key = f"field_removed_{what}" if what in ("field", "refused", "mandatory", "mapping") else "field_removed"
    mapping, time = incident.data.get("mapping"), style.time(incident.opened_at, now)
    group = "field_removed_mapping" if what == "mapping" else "field_removed"
    reason = str(incident.data.get("why") or "")
    why = cause_text(reason, style) or escape(reason, quote=False)
    return [
        style.say(key, crm=crm_of(incident, style), field=field_of(incident)),
        style.say(f"{group}_count", n=incident.count, time=time, why=Raw(why)),
        style.say("field_removed_where", mapping=as_code(str(mapping))) if mapping else "",
        style.say(f"{group}_todo", where=where_to(incident, style, "/", "leadhub leads list")),
    ]


def _lacking_right(incident: Incident, style: Style) -> Lines:
    if code_of(str(incident.data.get("why") or "")) != "rights":
        return []
    todo = style.say("token_refused_todo_rights", where=as_code("leadhub check --live"))
    return [style.say("cause", cause=Raw(cause_text("rights", style))), todo]


def _hub_restarted(incident: Incident, style: Style, now: datetime) -> Lines:
    down_from, up_at = incident.data.get("down_from"), incident.data.get("up_at") or incident.opened_at.isoformat()
    return [
        style.say("hub_restarted", n=incident.count),
        period_line("hub_restarted_down", from_iso(down_from), from_iso(up_at), style, now) if down_from else "",
        style.say("hub_restarted_todo", where=where_to(incident, style, "/", "leadhub status")),
    ]


def _spool_in_use(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("spool_in_use"),
        style.say("spool_in_use_count", n=incident.count, time=style.time(incident.opened_at, now)),
        cause_line(incident, style),
        style.say("spool_in_use_todo", where=as_code("leadhub db check")),
    ]


def _storage_trouble(incident: Incident, style: Style, now: datetime) -> Lines:
    code = incident.cause.partition(":")[0]
    disk = code in ("disk_low", "disk_full")
    return [
        style.say(f"storage_trouble_{code}" if disk else "storage_trouble"),
        f"{style.say('since', time=style.time(incident.opened_at, now))}. {cause_line(incident, style)}".strip(),
        style.say("storage_trouble_todo_disk" if disk else "storage_trouble_todo", where=as_code("leadhub db check")),
    ]


def _spam_held(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say(named("spam_held", incident), n=incident.count, name=name_of(incident)),
        style.say("since", time=style.time(incident.opened_at, now)),
        style.say("spam_held_todo", where=where_to(incident, style, "/", "leadhub leads list")),
    ]


def _source_unrouted(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say(named("source_unrouted", incident), name=name_of(incident)),
        style.say("source_unrouted_count", n=incident.count, time=style.time(incident.opened_at, now)),
        style.say("source_unrouted_todo", where=where_to(incident, style, "/", "leadhub leads list")),
    ]


def _channel_down(incident: Incident, style: Style, now: datetime) -> Lines:
    who = str(incident.data.get("vendor") or "Telegram")
    cause = cause_text(incident.cause, style, who)
    since = style.say("since", time=style.time(incident.opened_at, now))
    return [
        style.say("channel_down", name=name_of(incident)),
        f"{since}. {style.say('cause', cause=Raw(cause))}" if cause else since,
        style.say("channel_down_todo", name=incident.connection, where=as_code("leadhub check --live")),
    ]


def _alert_test(incident: Incident, style: Style, now: datetime) -> Lines:
    return [style.say("alert_test"), style.say("alert_test_todo")]


def _not_called_back(incident: Incident, style: Style, now: datetime) -> Lines:
    return not_called_back(incident, style, now, people_lines(incident, style, now))


def _prepared(incident: Incident, style: Style, now: datetime) -> Lines:
    """A text that was made by its own job, such as the daily digest: `data` has it by language."""
    texts = incident.data.get("html", {})
    return str(texts.get(style.locale) or next(iter(texts.values()), escape(incident.key))).split("\n")


_OPEN: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "connection_down": _connection_down,
    "token_refused": _token_refused,
    "connection_missing": _connection_missing,
    "lead_failed": _lead_failed,
    "lead_late": _lead_late,
    "lead_doubled": _lead_doubled,
    "field_removed": _field_removed,
    "hub_restarted": _hub_restarted,
    "spool_in_use": _spool_in_use,
    "storage_trouble": _storage_trouble,
    "spam_held": _spam_held,
    "source_unrouted": _source_unrouted,
    "channel_down": _channel_down,
    "alert_test": _alert_test,
    "not_called_back": _not_called_back,
    "owner_digest": _prepared,
    **OF_SOURCES,
    **OF_SYNCS,
    **OF_TALKS,
}


def _over(incident: Incident, style: Style, now: datetime) -> Lines:
    kind, data = incident.kind, incident.data
    if not style.has(f"{kind}_over"):
        return _open(incident, style, now)
    ended = incident.recovered_at or incident.resolved_at or now
    key = f"{field_of(incident)}_missing_over" if field_of(incident) in EXTRAS else f"{kind}_over"
    key = f"{kind}_removed" if data.get("removed") else key
    key = named(key, incident) if style.has(f"{key}_anywhere") else key
    head = style.say(
        key,
        crm=crm_of(incident, style),
        source=source_of(incident, style),
        name=name_of(incident),
        field=field_of(incident),
    )
    own = f"{kind}_period"
    parts = [period_line(own if style.has(own) else "lasted", incident.opened_at, ended, style, now)]
    if data.get("delivered"):
        arrived = style.say("arrived_all", n=int(data["delivered"]))
        last = data.get("last_at")
        at = style.at(from_iso(last), now, seconds=True) if last else ""
        parts.append(style.say("arrived_last" if last else "arrived", arrived=Raw(arrived), time=at))
    if data.get("waiting"):
        parts.append(style.say("still_coming", n=int(data["waiting"])))
    if incident.kind == "not_called_back":
        parts.append(how_it_ended(incident, style))
    if data.get("done") and style.has(f"{kind}_done"):
        parts.append(style.say(f"{kind}_done", n=int(data["done"])))
    return [head, " ".join(part for part in parts if part)]
