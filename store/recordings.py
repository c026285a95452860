"""Recordings of calls: known once, told to the CRM once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from leads.clock import Clock
from leads.ids import new_id
from store.call_tables import t_call_recording
from store.conversation_tables import t_conversation_note, t_note_duty
from store.events import KnownCall
from store.note_duties import OF_RECORDING
from store.outbox import tell_due
from store.tables import t_call, t_delivery


def keep(conn: Connection, known: KnownCall, at: datetime) -> bool:
    """Whether the recording of this call is news."""
    query = select(t_call_recording.c.id).where(t_call_recording.c.id == known.id)
    if conn.execute(query).first() is not None:
        return False
    call = known.call
    row = {"id": known.id, "source": known.source, "recording_id": call.recording_id, "url": call.recording_url}
    conn.execute(insert(t_call_recording).values(at=at, **row))
    return True


def owe_note(conn: Connection, known: KnownCall, link: str, text: str, clock: Clock) -> tuple[str, ...]:
    """A note on the deal that the call made or joined, in each CRM; returns the connections where it is due."""
    query = select(t_delivery.c.connection).where(
        t_delivery.c.lead_id == known.lead_id, t_delivery.c.state != "discarded"
    )
    connections = tuple(conn.execute(query).scalars())
    if not connections:
        return ()
    now, note_id, conversation = clock.now(), new_id(clock), f"{OF_RECORDING}{known.id}"
    note = {"id": note_id, "conversation_id": conversation, "number": 1, "text": text, "message_keys": [link]}
    conn.execute(insert(t_conversation_note).values(made_at=now, **note))
    for connection in connections:
        duty = {"id": new_id(clock), "note_id": note_id, "conversation_id": conversation, "number": 1}
        times = {"created_at": now, "due_at": now, "age_from": now}
        conn.execute(
            insert(t_note_duty).values(lead_id=known.lead_id, connection=connection, state="ready", **duty, **times)
        )
    tell_due(conn, connections)
    return connections


def find(conn: Connection, call_id: str) -> Any:
    """The recording of this call (our id), or None."""
    return conn.execute(select(t_call_recording).where(t_call_recording.c.id == call_id)).first()


def of_leads(conn: Connection, lead_ids: Iterable[str]) -> dict[str, Any]:
    """Lead -> the recording of its call, where there is one."""
    query = (
        select(t_call.c.lead_id, t_call_recording)
        .join(t_call_recording, t_call_recording.c.id == t_call.c.id)
        .where(t_call.c.lead_id.in_(list(lead_ids)))
    )
    return {row.lead_id: row for row in conn.execute(query)}
