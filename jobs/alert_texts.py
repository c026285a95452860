"""An incident as a person reads it: what happened, whose side, since when, how many, what to do.

`data` of an incident may hold (JSON values, all optional): `vendor` ("amoCRM"), `title` (how
people call the connection), `retry_s`, `path` (page of the console), `detail` (redacted),
`field`, `mapping` ("mappings/x.yaml:18"), `oauth` (false: the token is made by hand),
`records` (of doubled leads: [[record id, …], …]),
`leads` ([{"name", "phone", "received_at"}], shown only where personal data is allowed),
`down_from` (ISO time), `per_hour`, `last_at` (ISO time); for the end: `delivered`,
`last_at`, `waiting`, `done`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from connectors.notify import Button, Notice
from jobs.alert_causes import code_of
from jobs.alert_words import Raw, Style
from leads.incidents import Incident, button_token
from leads.redact import redact

SHOWN_PEOPLE = 5
SHOWN_EVENTS = 10
EXTRAS = ("note", "task")
"""Parts of a delivery that may be missing like a field, but are none."""
SIGNS = ("🔴", "🟠", "🟡", "🟢")
"""What a headline begins with, the worst first."""
Lines = list[str]


def render(incident: Incident, style: Style, now: datetime) -> Notice:
    """The message that is true at `now`; the first line is the headline."""
    lines = _over(incident, style, now) if incident.resolved_at else _open(incident, style, now)
    if incident.acked_by and not incident.resolved_at:
        lines.append(style.say("on_it", who=incident.acked_by))
    head, *rest = (line for line in lines if line)
    return Notice(html="\n".join([f"<b>{head}</b>", *rest]), buttons=_buttons(incident, style), topic=incident.id)


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


def crm_name(incident_data: Mapping[str, Any], connection: str, style: Style) -> str:
    """`amoCRM «Продажи»`, unescaped."""
    vendor, name = incident_data.get("vendor"), incident_data.get("title") or connection
    quoted = '"{}"' if style.locale == "en" else "«{}»"
    return f"{vendor} {quoted.format(name)}" if vendor else quoted.format(name)


def cause_text(cause: str, style: Style, who: str = "") -> str:
    """A cause (a code of `jobs.alert_causes` or the text of an error) in words, as HTML; "" for none.

    `who` is the other side when it is not the CRM.
    """
    code, _, detail = (code_of(cause) or "other").partition(":")
    key = "cause_http" if code.startswith("http_") else f"cause_{code}"
    if not cause or not style.has(key):
        return ""
    return style.say(
        key,
        who=who or style.say("the_crm"),
        status=code.removeprefix("http_"),
        detail=redact(cause) if key == "cause_other" else detail,
    )


# --- kinds --------------------------------------------------------------------------------


def _open(incident: Incident, style: Style, now: datetime) -> Lines:
    return _OPEN[incident.kind](incident, style, now)


def _connection_down(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("connection_down", crm=_crm(incident, style)),
        _waiting(incident, style, now),
        f"{_cause(incident, style)} {_retry(incident, style)}".strip(),
        style.say("connection_down_todo", where=_where(incident, style, "/", "leadhub leads list")),
    ]


def _token_refused(incident: Incident, style: Style, now: datetime) -> Lines:
    rights = incident.cause == "rights"
    if rights:
        todo = style.say("token_refused_todo_rights", where=style.where("/", "leadhub check --live"))
    elif incident.data.get("oauth") is False:
        todo = style.say("token_refused_todo_key")
    else:
        login = f"leadhub auth {incident.connection}"
        where = style.where(str(incident.data["path"]), login) if "path" in incident.data else _code(login)
        todo = style.say("token_refused_todo", where=where)
    return [
        style.say("token_refused_rights" if rights else "token_refused", crm=_crm(incident, style)),
        f"{_waiting(incident, style, now)}.",
        todo,
    ]


def _lead_failed(incident: Incident, style: Style, now: datetime) -> Lines:
    known = code_of(incident.cause)
    detail = incident.data.get("detail") or ("" if known else incident.cause)
    shown = replace(incident, cause=known or "validation")
    return [
        style.say("lead_failed", n=max(1, incident.count), crm=_crm(incident, style)),
        f"{style.say('since', time=style.time(incident.opened_at, now))}. {_cause(shown, style)}".strip(),
        style.say("lead_failed_answer", detail=redact(str(detail))) if detail else "",
        *_people(incident, style, now),
        style.say("lead_failed_todo", where=_where(incident, style, "/", "leadhub leads retry --all-failed")),
    ]


def _lead_late(incident: Incident, style: Style, now: datetime) -> Lines:
    oldest = incident.oldest_at or incident.opened_at
    age = style.say("lead_late_age", age=_age(style, oldest, now), time=style.time(oldest, now))
    return [
        style.say("lead_late", n=max(1, incident.count), crm=_crm(incident, style)),
        f"{age} {_cause(incident, style)}".strip(),
        *_people(incident, style, now),
        style.say("lead_late_todo", where=_where(incident, style, "/", "leadhub leads list")),
    ]


def _lead_doubled(incident: Incident, style: Style, now: datetime) -> Lines:
    pairs = [", ".join(str(record) for record in records) for records in incident.data.get("records", ())]
    lines = [style.say("lead_doubled_records", records=pair) for pair in pairs[:SHOWN_PEOPLE]]
    if len(pairs) > SHOWN_PEOPLE:
        lines.append(style.say("and_more", n=len(pairs) - SHOWN_PEOPLE))
    return [
        style.say("lead_doubled", n=max(1, incident.count), crm=_crm(incident, style)),
        style.say("lead_doubled_why", time=style.time(incident.opened_at, now)),
        *lines,
        style.say("lead_doubled_todo", where=_where(incident, style, "/", "leadhub audit")),
    ]


def _field_removed(incident: Incident, style: Style, now: datetime) -> Lines:
    if _field(incident) in EXTRAS:
        return [
            style.say(f"{_field(incident)}_missing", n=max(1, incident.count), crm=_crm(incident, style)),
            style.say("extra_missing_todo", time=style.time(incident.opened_at, now)),
        ]
    what = incident.cause.partition(":")[0]
    key = f"field_removed_{what}" if what in ("field", "refused", "mandatory", "mapping") else "field_removed"
    mapping = incident.data.get("mapping")
    return [
        style.say(key, crm=_crm(incident, style), field=_field(incident)),
        style.say("field_removed_count", n=incident.count, time=style.time(incident.opened_at, now)),
        style.say("field_removed_where", mapping=_code(str(mapping))) if mapping else "",
        style.say("field_removed_todo", where=_where(incident, style, "/", "leadhub leads list")),
    ]


def _hub_restarted(incident: Incident, style: Style, now: datetime) -> Lines:
    down_from, up_at = incident.data.get("down_from"), incident.data.get("up_at") or incident.opened_at.isoformat()
    return [
        style.say("hub_restarted", n=incident.count),
        _period("hub_restarted_down", _iso(down_from), _iso(up_at), style, now) if down_from else "",
        style.say("hub_restarted_todo", where=_where(incident, style, "/", "leadhub status")),
    ]


def _spool_in_use(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say("spool_in_use"),
        style.say("spool_in_use_count", n=incident.count, time=style.time(incident.opened_at, now)),
        _cause(incident, style),
        style.say("spool_in_use_todo", where=_code("leadhub db check")),
    ]


def _storage_trouble(incident: Incident, style: Style, now: datetime) -> Lines:
    code = incident.cause.partition(":")[0]
    disk = code in ("disk_low", "disk_full")
    return [
        style.say(f"storage_trouble_{code}" if disk else "storage_trouble"),
        f"{style.say('since', time=style.time(incident.opened_at, now))}. {_cause(incident, style)}".strip(),
        style.say("storage_trouble_todo_disk" if disk else "storage_trouble_todo", where=_code("leadhub db check")),
    ]


def _spam_held(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say(_named("spam_held", incident), n=incident.count, name=_name(incident)),
        style.say("since", time=style.time(incident.opened_at, now)),
        style.say("spam_held_todo", where=_where(incident, style, "/", "leadhub leads list")),
    ]


def _source_unrouted(incident: Incident, style: Style, now: datetime) -> Lines:
    return [
        style.say(_named("source_unrouted", incident), name=_name(incident)),
        style.say("source_unrouted_count", n=incident.count, time=style.time(incident.opened_at, now)),
        style.say("source_unrouted_todo", where=_where(incident, style, "/", "leadhub leads list")),
    ]


def _source_silent(incident: Incident, style: Style, now: datetime) -> Lines:
    last, usual = incident.data.get("last_at"), incident.data.get("per_hour")
    since = _iso(last) if last else incident.opened_at
    parts = [
        style.say("source_silent_usual", n=int(usual)) if usual else "",
        style.say("source_silent_last", time=style.time(since, now)) if last else "",
    ]
    return [
        style.say("source_silent", name=_name(incident), age=_age(style, since, now)),
        " ".join(part for part in parts if part),
        style.say("source_silent_todo"),
    ]


def _channel_down(incident: Incident, style: Style, now: datetime) -> Lines:
    who = str(incident.data.get("vendor") or "Telegram")
    cause = cause_text(incident.cause, style, who)
    since = style.say("since", time=style.time(incident.opened_at, now))
    return [
        style.say("channel_down", name=_name(incident)),
        f"{since}. {style.say('cause', cause=Raw(cause))}" if cause else since,
        style.say("channel_down_todo", name=incident.connection, where=_code("leadhub check --live")),
    ]


def _alert_test(incident: Incident, style: Style, now: datetime) -> Lines:
    return [style.say("alert_test"), style.say("alert_test_todo")]


def _prepared(incident: Incident, style: Style, now: datetime) -> Lines:
    """A text that was made by its own job, such as the daily digest: `data` has it by language."""
    texts = incident.data.get("html", {})
    return str(texts.get(style.locale) or next(iter(texts.values()), escape(incident.key))).split("\n")


_OPEN: Mapping[str, Callable[[Incident, Style, datetime], Lines]] = {
    "connection_down": _connection_down,
    "token_refused": _token_refused,
    "lead_failed": _lead_failed,
    "lead_late": _lead_late,
    "lead_doubled": _lead_doubled,
    "field_removed": _field_removed,
    "hub_restarted": _hub_restarted,
    "spool_in_use": _spool_in_use,
    "storage_trouble": _storage_trouble,
    "spam_held": _spam_held,
    "source_unrouted": _source_unrouted,
    "source_silent": _source_silent,
    "channel_down": _channel_down,
    "alert_test": _alert_test,
    "owner_digest": _prepared,
}


def _over(incident: Incident, style: Style, now: datetime) -> Lines:
    kind, data = incident.kind, incident.data
    if not style.has(f"{kind}_over"):
        return _open(incident, style, now)
    ended = incident.recovered_at or incident.resolved_at or now
    key = f"{_field(incident)}_missing_over" if _field(incident) in EXTRAS else f"{kind}_over"
    key = _named(key, incident) if style.has(f"{key}_anywhere") else key
    head = style.say(key, crm=_crm(incident, style), name=_name(incident), field=_field(incident))
    own = f"{kind}_period"
    parts = [_period(own if style.has(own) else "lasted", incident.opened_at, ended, style, now)]
    if data.get("delivered"):
        arrived = style.say("arrived_all", n=int(data["delivered"]))
        last = data.get("last_at")
        at = style.time(_iso(last), now, seconds=True) if last else ""
        parts.append(style.say("arrived_last" if last else "arrived", arrived=Raw(arrived), time=at))
    if data.get("waiting"):
        parts.append(style.say("still_coming", n=int(data["waiting"])))
    if data.get("done") and style.has(f"{kind}_done"):
        parts.append(style.say(f"{kind}_done", n=int(data["done"])))
    return [head, " ".join(part for part in parts if part)]


# --- parts --------------------------------------------------------------------------------


def _waiting(incident: Incident, style: Style, now: datetime) -> str:
    since = style.time(incident.opened_at, now)
    if not incident.count:
        return style.say("waiting_none", time=since)
    if incident.oldest_at is None:
        return style.say("waiting_ageless", n=incident.count, time=since)
    key = "waiting_one" if incident.count == 1 else "waiting"
    return style.say(key, n=incident.count, time=since, age=_age(style, incident.oldest_at, now))


def _cause(incident: Incident, style: Style) -> str:
    text = cause_text(incident.cause, style)
    return style.say("cause", cause=Raw(text)) if text else ""


def _retry(incident: Incident, style: Style) -> str:
    every = incident.data.get("retry_s")
    return style.say("retry_every", every=Raw(style.duration(float(every)))) if every else style.say("retry")


def _people(incident: Incident, style: Style, now: datetime) -> Lines:
    """Names and phones, only where config allows personal data in alerts."""
    if not style.personal:
        return []
    people = list(incident.data.get("leads", ()))
    lines = []
    for lead in people[:SHOWN_PEOPLE]:
        at = lead.get("received_at")
        parts = [lead.get("name"), lead.get("phone"), style.time(_iso(at), now) if at else ""]
        lines.append(escape(", ".join(str(part) for part in parts if part), quote=False))
    hidden = max(incident.count, len(people)) - len(lines)
    if lines and hidden > 0:
        lines.append(style.say("and_more", n=hidden))
    return lines


def _buttons(incident: Incident, style: Style) -> tuple[Button, ...]:
    buttons = []
    if is_public(style.public_url):
        path = str(incident.data.get("path", "/"))
        buttons.append(Button(style.say("show"), url=f"{style.public_url.rstrip('/')}{path}"))
    if style.actions and incident.resolved_at is None and incident.level != "info":
        token = button_token(incident.id)
        buttons.append(Button(style.say("mute"), action=f"mute:{token}"))
        if not incident.acked_by:
            buttons.append(Button(style.say("take"), action=f"ack:{token}"))
    return tuple(buttons)


def is_public(url: str) -> bool:
    """Telegram refuses buttons that lead to a host without a dot or to this machine."""
    host = re.match(r"https?://([^/:]+)", url)
    return host is not None and "." in host.group(1) and not host.group(1).startswith("127.")


def _crm(incident: Incident, style: Style) -> str:
    return crm_name(incident.data, incident.connection, style)


def _name(incident: Incident) -> str:
    return str(incident.data.get("title") or incident.connection)


def _named(key: str, incident: Incident) -> str:
    """The text that names the source, or when there is none the one that does not."""
    return key if _name(incident) else f"{key}_anywhere"


def _field(incident: Incident) -> str:
    return str(incident.data.get("field") or incident.cause.partition(":")[2] or "?")


def _where(incident: Incident, style: Style, path: str, command: str) -> Raw:
    return style.where(str(incident.data.get("path", path)), command)


def _code(text: str) -> Raw:
    return Raw(f"<code>{escape(text, quote=False)}</code>")


def _period(key: str, first: datetime, last: datetime, style: Style, now: datetime) -> str:
    end = style.time(last, first if first.astimezone(style.zone).date() == last.astimezone(style.zone).date() else now)
    return style.say(key, first=style.time(first, now), last=end)


def _age(style: Style, since: datetime, now: datetime) -> Raw:
    return Raw(style.duration((now - since).total_seconds()))


def _iso(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))
