"""Notes for deals that leads have made already: whose, where, and each once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from leads.attribution import touch_to_json
from leads.clock import Clock
from leads.ids import new_id
from leads.records import Touch
from store.conversation_tables import t_conversation_note, t_note_duty
from store.note_duties import TAG
from store.outbox import tell_due
from store.tables import t_call, t_delivery, t_identity, t_lead, t_touch


class Known(NamedTuple):
    """Whose it is: a person, and with `lead_id` the very lead that is meant."""

    person_id: str
    lead_id: str = ""


class Move(NamedTuple):
    pipeline: str
    stage: str


NOWHERE = Move("", "")


def person_of_keys(conn: Connection, keys: Iterable[tuple[str, str]]) -> Known | None:
    """The owner of the first of these (kind, value) that somebody has."""
    for kind, value in keys:
        query = select(t_identity.c.person_id).where(t_identity.c.kind == kind, t_identity.c.value == value)
        if person_id := conn.execute(query).scalar():
            return Known(person_id)
    return None


def lead_of_ids(conn: Connection, ids: Sequence[str], sources: Sequence[str]) -> Known | None:
    """The lead that bears one of these ids: of its sender, of ours, or of the deal that it made."""
    wanted = [one for one in dict.fromkeys(ids) if one]
    if not wanted:
        return None
    keys = [f"u:{source}:{one}" for source in sources for one in wanted]
    query = select(t_lead.c.id, t_lead.c.person_id).where(t_lead.c.dedup_key.in_(keys) | t_lead.c.id.in_(wanted))
    row = conn.execute(query.order_by(t_lead.c.id.desc()).limit(1)).first()
    if row is None:
        deal = select(t_lead.c.id, t_lead.c.person_id).join(t_delivery, t_delivery.c.lead_id == t_lead.c.id)
        row = conn.execute(deal.where(t_delivery.c.record_id.in_(wanted)).order_by(t_lead.c.id.desc()).limit(1)).first()
    return Known(row.person_id, row.id) if row else None


def lead_of_call(conn: Connection, call_id: str) -> Known | None:
    """The lead that this call of any source became; `call_id` is the vendor's or ours."""
    query = (
        select(t_lead.c.id, t_lead.c.person_id)
        .join(t_call, t_call.c.lead_id == t_lead.c.id)
        .where((t_call.c.key == call_id) | (t_call.c.id == call_id))
    )
    row = conn.execute(query.order_by(t_lead.c.id.desc()).limit(1)).first()
    return Known(row.person_id, row.id) if row else None


def deals_of(conn: Connection, known: Known) -> dict[str, str]:
    """Connection -> lead whose deal there is meant: the lead itself, else the person's newest that goes there."""
    query = select(t_delivery.c.connection, t_delivery.c.lead_id).where(
        t_delivery.c.lane == known.person_id, t_delivery.c.state != "discarded"
    )
    if known.lead_id:
        query = query.where(t_delivery.c.lead_id == known.lead_id)
    return {row.connection: row.lead_id for row in conn.execute(query.order_by(t_delivery.c.place))}


def told_before(conn: Connection, subject: str) -> set[str]:
    """Keys of what the notes of this subject tell already."""
    query = select(t_conversation_note.c.message_keys).where(t_conversation_note.c.conversation_id == subject)
    return {key for keys in conn.execute(query).scalars() for key in keys}


def tell(
    conn: Connection,
    clock: Clock,
    subject: str,
    key: str,
    text: str,
    deals: Mapping[str, str],
    moves: Mapping[str, Move],
    tags: Sequence[str] = (),
) -> tuple[str, ...]:
    """Owes a note, a move and tags of the deal to each connection of `deals`; returns them. `moves` by connection."""
    now, note_id = clock.now(), new_id(clock)
    last = select(func.max(t_conversation_note.c.number)).where(t_conversation_note.c.conversation_id == subject)
    number = (conn.execute(last).scalar() or 0) + 1
    conn.execute(
        insert(t_conversation_note).values(
            id=note_id,
            conversation_id=subject,
            number=number,
            made_at=now,
            text=text,
            message_keys=[key, *(f"{TAG}{tag}" for tag in tags)],
        )
    )
    names = [name for name in deals if text or moves.get(name, NOWHERE).stage]
    for name in names:
        to = moves.get(name, NOWHERE)
        row: dict[str, Any] = {
            "id": new_id(clock),
            "note_id": note_id,
            "conversation_id": subject,
            "number": number,
            "lead_id": deals[name],
            "connection": name,
            "state": "ready",
            "created_at": now,
            "due_at": now,
            "age_from": now,
            "pipeline": to.pipeline,
            "stage": to.stage,
        }
        conn.execute(insert(t_note_duty).values(row))
    tell_due(conn, names)
    return tuple(names)


def touch(conn: Connection, clock: Clock, known: Known, lead_id: str, at: datetime, source: str) -> None:
    """A payment is a touch of the person: it stands in his journey."""
    data = touch_to_json(Touch(at=at, source=source, channel="payment"))
    conn.execute(insert(t_touch).values(id=new_id(clock), person_id=known.person_id, lead_id=lead_id, at=at, data=data))
