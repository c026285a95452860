"""Recordings of calls: known once, told to the CRM once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from leads.clock import Clock
from leads.ids import new_id
from store.call_tables import t_call_recording
from store.conversation_tables import t_conversation_note, t_note_duty
from store.events import KnownCall
from store.leases import Held, assert_held
from store.note_duties import OF_RECORDING
from store.outbox import tell_due
from store.prepared import Prepared
from store.tables import t_call, t_delivery


def keep(conn: Connection, known: KnownCall, at: datetime, copy_due_at: datetime | None = None) -> bool:
    """Whether the recording of this call is news. `copy_due_at`: when it is to be copied, None for never."""
    query = select(t_call_recording.c.id).where(t_call_recording.c.id == known.id)
    if conn.execute(query).first() is not None:
        return False
    call = known.call
    row = {"id": known.id, "source": known.source, "recording_id": call.recording_id, "url": call.recording_url}
    owed = {"copy_state": "owed", "copy_due_at": copy_due_at} if copy_due_at else {}
    conn.execute(insert(t_call_recording).values(at=at, **row, **owed))
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


@dataclass(frozen=True, slots=True)
class CopySettlement:
    """`state`: copied, gone, too_large, failed, or owed (again at `due_at`)."""

    state: str
    place: str = ""
    content_type: str = ""
    size: int = 0
    error: str = ""
    due_at: datetime | None = None


def next_owed(conn: Connection, source: str) -> Any:
    """The row that is to be copied next, or None."""
    query = select(t_call_recording).where(t_call_recording.c.copy_state == "owed", t_call_recording.c.source == source)
    return conn.execute(query.order_by(t_call_recording.c.copy_due_at, t_call_recording.c.id).limit(1)).first()


def settle_copy(conn: Connection, held: Held, call_id: str, done: CopySettlement) -> None:
    """Raises LostLease."""
    assert_held(conn, held)
    values: dict[str, Any] = {"copy_state": done.state, "copy_error": done.error, "copy_due_at": done.due_at}
    if done.state == "copied":
        values |= {"copy_place": done.place, "copy_type": done.content_type, "copy_bytes": done.size}
    values["copy_tries"] = t_call_recording.c.copy_tries + 1
    query = update(t_call_recording).where(t_call_recording.c.id == call_id, t_call_recording.c.copy_state == "owed")
    conn.execute(query.values(values))


_TRIED_IN_VAIN = Prepared(
    select(t_call_recording.c.source, t_call_recording.c.at, t_call_recording.c.copy_error)
    .where(
        t_call_recording.c.copy_state.in_(("owed", "failed", "too_large")),
        t_call_recording.c.copy_error != "",
        t_call_recording.c.at >= bindparam("since", type_=t_call_recording.c.at.type),
    )
    .order_by(t_call_recording.c.at)
)


def failed_copies(conn: Connection, since: datetime) -> dict[str, tuple[int, datetime, str]]:
    """Source -> how many recordings since then were tried in vain to be copied, the oldest, the last error."""
    found: dict[str, tuple[int, datetime, str]] = {}
    for row in _TRIED_IN_VAIN.all(conn, {"since": since}):
        count, oldest_at, _ = found.get(row.source, (0, row.at, ""))
        found[row.source] = (count + 1, oldest_at, row.copy_error)
    return found


def find(conn: Connection, call_id: str) -> Any:
    """The recording of this call (our id), or None."""
    return conn.execute(select(t_call_recording).where(t_call_recording.c.id == call_id)).first()


def of_lead(conn: Connection, lead_id: str) -> str:
    """Our id of the lead's call, if there is a recording of it, else ""."""
    query = select(t_call.c.id).join(t_call_recording, t_call_recording.c.id == t_call.c.id)
    return conn.execute(query.where(t_call.c.lead_id == lead_id).limit(1)).scalar() or ""
