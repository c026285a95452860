"""What a sender said otherwise when it sent a known event once more: kept in the lead's story."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from leads.clock import Clock
from leads.ids import new_id
from leads.records import Lead
from store.tables import t_audit_entry, t_lead

SENT_AGAIN = "lead.sent_again"
MOST = 20
"""Kept of one lead: a sender that goes on for ever must not fill the database."""
LONGEST = 4000
"""Characters of one value."""
IN_LIMIT = 400
"""Values in one `IN (…)`."""
Values = Mapping[str, Any]


def keep_differences(conn: Connection, repeats: Sequence[tuple[str, Lead, Values]], clock: Clock) -> None:
    """`repeats`: id of the lead known, the same as it came now, and its `data`. The lead itself stays as it was."""
    for start in range(0, len(repeats), IN_LIMIT):
        _keep(conn, repeats[start : start + IN_LIMIT], clock)


def _keep(conn: Connection, repeats: Sequence[tuple[str, Lead, Values]], clock: Clock) -> None:
    ids = sorted({lead_id for lead_id, _, _ in repeats})
    columns = (t_lead.c.id, t_lead.c.name, t_lead.c.phones, t_lead.c.emails, t_lead.c.data)
    known = {
        row.id: {"name": row.name, "phones": row.phones, "emails": row.emails, **row.data}
        for row in conn.execute(select(*columns).where(t_lead.c.id.in_(ids)))
    }
    differing = []
    for lead_id, lead, data in repeats:
        now = {**data, "name": lead.name, "phones": lead.phones, "emails": lead.emails}
        if what := _otherwise(known[lead_id], now):
            differing.append((lead_id, what))
    if not differing:
        return
    kept: dict[str, list[Any]] = {}
    entry = t_audit_entry.c
    told = select(entry.subject, entry.data).where(
        entry.subject.in_({lead_id for lead_id, _ in differing}), entry.action == SENT_AGAIN
    )
    for row in conn.execute(told):
        kept.setdefault(row.subject, []).append(row.data)
    for lead_id, what in differing:
        before = kept.setdefault(lead_id, [])
        if what in before or len(before) >= MOST:
            continue
        before.append(what)
        values = {"id": new_id(clock), "at": clock.now(), "actor": "sender", "action": SENT_AGAIN, "subject": lead_id}
        conn.execute(insert(t_audit_entry).values(**values, why="", data=what))


def _otherwise(known: Values, now: Values) -> dict[str, str]:
    """Field -> what it says now, where that is something else; a field that is left out now says nothing."""
    found: dict[str, str] = {}
    for name, value in now.items():
        if name in ("touch", "other_persons"):
            continue
        before = known.get(name)
        if isinstance(value, Mapping):
            inner = before if isinstance(before, Mapping) else {}
            found.update((f"{name}.{key}", _text(one)) for key, one in value.items() if one != inner.get(key))
        elif value and _text(value) != _text(before or ""):
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(": ".join(one) if isinstance(one, list | tuple) else str(one) for one in value)
    return str(value)[:LONGEST]
