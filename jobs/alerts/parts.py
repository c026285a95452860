"""Parts of which the texts of incidents are made: cause, age, place, people, buttons."""

import re
from collections.abc import Mapping
from datetime import datetime
from html import escape, unescape
from typing import Any

from connectors.notify import Button
from jobs.alerts.causes import code_of
from jobs.alerts.words import Raw, Style, catalog
from jobs.sources.texts import vendor_text
from leads.incidents import Incident, button_token
from leads.redact import redact

SHOWN_PEOPLE = 5
_WHO = re.compile(r'(\w+) "([^"]+)": ')
"""How an error begins that names its CRM: where there are two."""
_TAG = re.compile(r"<[^>]+>")
Lines = list[str]


def crm_name(incident_data: Mapping[str, Any], connection: str, style: Style) -> str:
    """`amoCRM «Продажи»`, unescaped."""
    vendor, name = incident_data.get("vendor"), incident_data.get("title") or connection
    quoted = '"{}"' if style.locale == "en" else "«{}»"
    return f"{vendor} {quoted.format(name)}" if vendor else quoted.format(name)


def cause_text(cause: str, style: Style, who: str = "") -> str:
    """A cause (a code of `jobs.alerts.causes` or the text of an error) in words, as HTML; "" for none.

    `who` is the other side when it is not the CRM.
    """
    named = _WHO.match(cause)
    if named and not who:
        quoted = f'"{named[2]}"' if style.locale == "en" else f"«{named[2]}»"
        who = f"{named[1]} {quoted}"
    code, _, detail = (code_of(cause) or "other").partition(":")
    key = "cause_http" if code.startswith("http_") else f"cause_{code}"
    if not cause or not style.has(key):
        return ""
    said = style.say(
        key,
        who=who or style.say("the_crm"),
        status=code.removeprefix("http_"),
        detail=redact(cause) if key == "cause_other" else detail,
    )
    known = key == "cause_other" or not named or "{who}" in str(catalog(style.locale)[key])
    return said if known else f"{escape(who, quote=False)}: {said}"


def waiting_line(incident: Incident, style: Style, now: datetime) -> str:
    since = style.time(incident.opened_at, now)
    if not incident.count:
        return style.say("waiting_none", time=since)
    if incident.oldest_at is None:
        return style.say("waiting_ageless", n=incident.count, time=since)
    key = "waiting_one" if incident.count == 1 else "waiting"
    return style.say(key, n=incident.count, time=since, age=age_of(style, incident.oldest_at, now))


def cause_line(incident: Incident, style: Style) -> str:
    text = cause_text(incident.cause, style)
    return style.say("cause", cause=Raw(text)) if text else ""


def retry_line(incident: Incident, style: Style) -> str:
    every = incident.data.get("retry_s")
    return style.say("retry_every", every=Raw(style.duration(float(every)))) if every else style.say("retry")


def people_lines(incident: Incident, style: Style, now: datetime) -> Lines:
    """Names and phones, only where config allows personal data in alerts."""
    if not style.personal:
        return []
    people = list(incident.data.get("leads", ()))
    lines = []
    for lead in people[:SHOWN_PEOPLE]:
        at = lead.get("received_at")
        parts = [lead.get("name"), lead.get("phone"), style.time(from_iso(at), now) if at else ""]
        lines.append(escape(", ".join(str(part) for part in parts if part), quote=False))
    hidden = max(incident.count, len(people)) - len(lines)
    if lines and hidden > 0:
        lines.append(style.say("and_more", n=hidden))
    return lines


def buttons_of(incident: Incident, style: Style) -> tuple[Button, ...]:
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


def crm_of(incident: Incident, style: Style) -> str:
    return crm_name(incident.data, incident.connection, style)


def source_of(incident: Incident, style: Style) -> str:
    """`«Реклама» (Meta Lead Ads)`, unescaped."""
    quoted = '"{}"' if style.locale == "en" else "«{}»"
    vendor = vendor_text(style.locale, str(incident.data.get("vendor") or ""))
    return quoted.format(name_of(incident)) + (f" ({vendor})" if vendor else "")


def name_of(incident: Incident) -> str:
    return str(incident.data.get("title") or incident.connection)


def named(key: str, incident: Incident) -> str:
    """The text that names the source, or when there is none the one that does not."""
    return key if name_of(incident) else f"{key}_anywhere"


def field_of(incident: Incident) -> str:
    return str(incident.data.get("field") or incident.cause.partition(":")[2] or "?")


def where_to(incident: Incident, style: Style, path: str, command: str) -> Raw:
    return style.where(str(incident.data.get("path", path)), command)


def text_of(html: str) -> str:
    """A short HTML text of ours as plain text."""
    return unescape(_TAG.sub("", html))


def as_code(text: str) -> Raw:
    return Raw(f"<code>{escape(text, quote=False)}</code>")


def period_line(key: str, first: datetime, last: datetime, style: Style, now: datetime) -> str:
    end = style.time(last, first if first.astimezone(style.zone).date() == last.astimezone(style.zone).date() else now)
    return style.say(key, first=style.time(first, now), last=end)


def age_of(style: Style, since: datetime, now: datetime) -> Raw:
    return Raw(style.duration((now - since).total_seconds()))


def from_iso(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))
