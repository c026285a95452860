"""Looks at what conversations owe: notes that are not in the CRM, messages that did not reach the client."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from jobs.alerts.looking import Look
from leads.incidents import Observation
from store import conversations, note_duties, outgoing

NOTE_LATE = timedelta(minutes=10)
"""So long a note may wait although the CRM answers and the lead is there."""
REPLY_LATE = timedelta(minutes=5)
SHOWN = 3


def look_at_notes(conn: Connection, look: Look, name: str, about: dict[str, Any], *, down: bool) -> None:
    """Of one connection; while that is `down`, notes wait with the leads and are no news of their own."""
    owed = [one for one in note_duties.owed(conn, name, look.now - NOTE_LATE) if one.state == "dead" or not down]
    if owed:
        cause = next((one.last_error for one in owed if one.last_error), "")
        data = {**about, "ids": list(dict.fromkeys(one.conversation_id for one in owed))[:SHOWN]}
        look.observe(Observation("note_failed", name, cause, len(owed), owed[0].created_at, data))
    else:
        look.over("note_failed", name)


def look_at_replies(conn: Connection, look: Look, sources: Mapping[str, dict[str, Any]]) -> None:
    by_source: dict[str, list[Any]] = {}
    for one in outgoing.owed(conn, look.now - REPLY_LATE):
        by_source.setdefault(one.source, []).append(one)
    open_of = sorted(one.connection for one in look.told.values() if one.kind == "reply_failed")
    for name in dict.fromkeys([*by_source, *open_of]):
        owed = by_source.get(name, [])
        if owed:
            data: dict[str, Any] = {
                **sources.get(name, {}),
                "unknown": sum(one.state == "unknown" for one in owed),
                "ids": [one.id for one in owed][:SHOWN],
            }
            talk = conversations.talk_row(conn, owed[0].conversation_id)
            if talk is not None and talk.lead_id:
                data["path"] = f"/leads/{talk.lead_id}"
            cause = next((one.last_error for one in owed if one.last_error), "")
            look.observe(Observation("reply_failed", name, cause, len(owed), owed[0].created_at, data))
        else:
            look.over("reply_failed", name)
