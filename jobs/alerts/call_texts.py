"""A missed call that nobody called back, as a manager reads it.

`data` of the incident: `title` of the source, `line` (title or number of ours), `tail` (last digits of the client's
number), `missed_at` (ISO time), `lead_id`, `leads`; for the end `by` ("out" or "in"), `closed_at`, or `gave_up`.
"""

from datetime import datetime
from typing import Any

from jobs.alerts.words import Raw, Style
from leads.incidents import Incident


def not_called_back(incident: Incident, style: Style, now: datetime, people: list[str]) -> list[str]:
    """`people`: whose call it was, in full, where personal data is allowed."""
    data = incident.data
    missed_at = _time(data.get("missed_at"), incident.oldest_at or incident.opened_at)
    name, line = str(data.get("title") or incident.connection), str(data.get("line") or "")
    lead_id, tail = str(data.get("lead_id") or ""), str(data.get("tail") or "")
    where = style.where(f"/leads/{lead_id}" if lead_id else "/", f"leadhub leads show {lead_id}".strip())
    return [
        style.say("not_called_back", n=max(1, incident.count), time=style.at(missed_at, now)),
        style.say(
            "not_called_back_line" if line else "not_called_back_where",
            name=name,
            line=line,
            age=Raw(style.duration((now - missed_at).total_seconds())),
        ),
        *(people or ([style.say("not_called_back_tail", tail=tail)] if tail else [])),
        style.say("not_called_back_todo", where=where),
    ]


def how_it_ended(incident: Incident, style: Style) -> str:
    """For the last message; "" for any other incident."""
    data = incident.data
    if data.get("gave_up"):
        return style.say("not_called_back_gave_up")
    if data.get("by") not in ("out", "in"):
        return ""
    closed_at = _time(data.get("closed_at"), incident.resolved_at or incident.opened_at)
    waited_s = (closed_at - _time(data.get("missed_at"), incident.opened_at)).total_seconds()
    return style.say(f"not_called_back_by_{data['by']}", age=Raw(style.duration(waited_s)))


def _time(value: Any, default: datetime) -> datetime:
    return datetime.fromisoformat(str(value)) if value else default
