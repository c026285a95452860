"""Notes for deals that leads have made already: whose, where, and each once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select

from leads.attribution import touch_to_json
from leads.clock import Clock
from leads.ids import new_id
from leads.records import Touch
from store.conversation_tables import t_conversation_note, t_note_duty
from store.note_duties import TAG
from store.outbox import tell_due
from store.prepared import Prepared, among
from store.tables import t_call, t_delivery, t_identity, t_lead, t_touch


class Known(NamedTuple):
    """Whose it is: a person, and with `lead_id` the very lead that is meant."""

    person_id: str
    lead_id: str = ""


class Move(NamedTuple):
    pipeline: str
    stage: str


NOWHERE = Move("", "")


_OWNER = Prepared(
    select(t_identity.c.person_id).where(
        t_identity.c.kind == bindparam("of_kind"), t_identity.c.value == bindparam("of_value")
    )
)
# Neither ordered and cut off after the first, nor joined: where PostgreSQL takes the tables for small, it would walk
# through all leads.
_LEADS = select(t_lead.c.id, t_lead.c.person_id)
_BY_KEY = Prepared(_LEADS.where(among(t_lead.c.dedup_key, "keys")))
_BY_ID = Prepared(_LEADS.where(among(t_lead.c.id, "ids")))
_OF_DEALS = Prepared(select(t_delivery.c.lead_id).where(among(t_delivery.c.record_id, "ids")))
_DEALS = select(t_delivery.c.connection, t_delivery.c.lead_id).where(
    t_delivery.c.lane == bindparam("of_person"), t_delivery.c.state != "discarded"
)
_DEALS = _DEALS.order_by(t_delivery.c.place)
_DEALS_OF_PERSON, _DEALS_OF_LEAD = (
    Prepared(_DEALS),
    Prepared(_DEALS.where(t_delivery.c.lead_id == bindparam("of_lead"))),
)


def person_of_keys(conn: Connection, keys: Iterable[tuple[str, str]]) -> Known | None:
    """The owner of the first of these (kind, value) that somebody has."""
    for kind, value in keys:
        if person_id := _OWNER.scalar(conn, {"of_kind": kind, "of_value": value}):
            return Known(person_id)
    return None


def lead_of_ids(conn: Connection, ids: Sequence[str], sources: Sequence[str]) -> Known | None:
    """The lead that bears one of these ids: of its sender, of ours, or of the deal that it made."""
    wanted = [one for one in dict.fromkeys(ids) if one]
    if not wanted:
        return None
    keys = [f"u:{source}:{one}" for source in sources for one in wanted]
    found = _BY_KEY.all(conn, {"keys": keys}) + _BY_ID.all(conn, {"ids": wanted})
    if not found and (made := _OF_DEALS.scalars(conn, {"ids": wanted})):
        found = _BY_ID.all(conn, {"ids": made})
    newest = max(found, key=lambda one: one.id, default=None)
    return Known(newest.person_id, newest.id) if newest else None


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
    if known.lead_id:
        rows = _DEALS_OF_LEAD.all(conn, {"of_person": known.person_id, "of_lead": known.lead_id})
    else:
        rows = _DEALS_OF_PERSON.all(conn, {"of_person": known.person_id})
    return {row.connection: row.lead_id for row in rows}


def deals_told(conn: Connection, subject: str) -> dict[str, str]:
    """Connection -> lead on whose deal this subject was told of before, the latest there."""
    query = select(t_note_duty.c.connection, t_note_duty.c.lead_id).where(t_note_duty.c.conversation_id == subject)
    rows = conn.execute(query.where(t_note_duty.c.state != "discarded").order_by(t_note_duty.c.number))
    return {row.connection: row.lead_id for row in rows}


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
