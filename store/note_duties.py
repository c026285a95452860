"""The duty to write a conversation's note to a connection: in order, after its lead, under the owner's fence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select, update

from store.conversation_tables import t_conversation_note, t_note_duty
from store.leases import Held, LostLease, assert_held
from store.prepared import Prepared
from store.tables import t_delivery, t_lead, t_link

OF_RECORDING = "recording:"
"""A recording's note stands in the line of the conversation of this name and the call's id; its key is the link."""
TAG = "tag:"
"""A key of a note that begins so is a tag for the deal."""
LONGEST_WAIT = timedelta(seconds=700)
"""No retry and no second look is further ahead."""
OWED = ("ready", "dead")


@dataclass(frozen=True, slots=True)
class Duty:
    """`deal_id`: the deal that it was sent to, with `sent_at` alone its outcome is unknown; `first_deal_id` the lead's
    own deal, `last_deal_id` that of the person's newest lead there."""

    id: str
    note_id: str
    lead_id: str
    person_id: str
    text: str
    attempts: int
    age_from: datetime
    sent_at: datetime | None
    deal_id: str
    first_deal_id: str
    last_deal_id: str
    contact_id: str
    conversation_id: str
    made_at: datetime
    keys: tuple[str, ...] = ()
    pipeline: str = ""
    stage: str = ""
    recording_url: str = ""
    """The note tells of this recording of a call; `call_record_id` is the call in the CRM, where it is there as one."""
    call_record_id: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(key.removeprefix(TAG) for key in self.keys if key.startswith(TAG))


def _due_statement() -> Select[Any]:
    earlier = t_note_duty.alias("earlier")
    behind = (
        select(earlier.c.id)
        .where(
            earlier.c.conversation_id == t_note_duty.c.conversation_id,
            earlier.c.connection == t_note_duty.c.connection,
            earlier.c.number < t_note_duty.c.number,
            earlier.c.state == "ready",
        )
        .exists()
    )
    return (
        select(
            t_note_duty,
            t_conversation_note.c.text,
            t_conversation_note.c.message_keys,
            t_conversation_note.c.made_at,
            t_delivery.c.progress,
            t_lead.c.person_id,
            t_delivery.c.record_id.label("first_deal_id"),
            func.coalesce(t_link.c.vendor_id, t_delivery.c.contact_id).label("contact_id"),
        )
        .join(t_conversation_note, t_conversation_note.c.id == t_note_duty.c.note_id)
        .join(t_lead, t_lead.c.id == t_note_duty.c.lead_id)
        .join(t_delivery, _ITS_DELIVERY)
        .outerjoin(
            t_link,
            and_(
                t_link.c.connection == t_note_duty.c.connection,
                t_link.c.kind == "contact",
                t_link.c.our_id == t_lead.c.person_id,
            ),
        )
        .where(
            t_note_duty.c.connection == bindparam("at_connection"),
            t_note_duty.c.state == "ready",
            t_note_duty.c.due_at <= bindparam("now"),
            t_delivery.c.state == "delivered",
            ~behind,
        )
        .order_by(t_note_duty.c.due_at, t_note_duty.c.id)
        .limit(bindparam("at_most"))
    )


_ITS_DELIVERY = and_(t_delivery.c.lead_id == t_note_duty.c.lead_id, t_delivery.c.connection == t_note_duty.c.connection)
# Asked several times a second, and mostly for nothing.
_DUE = Prepared(_due_statement())
_OWED = Prepared(
    select(t_note_duty)
    .join(t_delivery, _ITS_DELIVERY)
    .where(t_note_duty.c.connection == bindparam("at_connection"), t_note_duty.c.state.in_(OWED))
    .where((t_note_duty.c.state == "dead") | (t_delivery.c.state == "delivered"))
    .order_by(t_note_duty.c.id)
)


def due(conn: Connection, connection: str, now: datetime, *, limit: int) -> list[Duty]:
    """Due duties whose lead was delivered and whose conversation owes nothing earlier there, oldest first."""
    rows = _DUE.all(conn, {"at_connection": connection, "now": now, "at_most": limit})
    return [_duty(conn, row) for row in rows]


def _duty(conn: Connection, row: Any) -> Duty:
    newest = (
        select(t_delivery.c.record_id)
        .where(
            t_delivery.c.lane == row.person_id,
            t_delivery.c.connection == row.connection,
            t_delivery.c.state == "delivered",
        )
        .order_by(t_delivery.c.place.desc())
        .limit(1)
    )
    return Duty(
        row.id,
        row.note_id,
        row.lead_id,
        row.person_id,
        row.text,
        row.attempts,
        row.age_from,
        row.sent_at,
        row.deal_id,
        row.first_deal_id,
        conn.execute(newest).scalar() or "",
        row.contact_id or "",
        row.conversation_id,
        row.made_at,
        tuple(row.message_keys),
        row.pipeline,
        row.stage,
        row.message_keys[0] if row.conversation_id.startswith(OF_RECORDING) else "",
        row.progress.get("call", {}).get("id", ""),
    )


def intend(conn: Connection, held: Held, duty_id: str, deal_id: str, sent_at: datetime | None) -> None:
    """What is about to be sent, and where to; `sent_at` None: nothing was sent after all. Raises LostLease."""
    _change(conn, held, duty_id, {"deal_id": deal_id, "sent_at": sent_at})


def settle(
    conn: Connection,
    held: Held,
    duty_id: str,
    state: Literal["ready", "written", "dead"],
    now: datetime,
    *,
    record_id: str = "",
    due_at: datetime | None = None,
    count_attempt: bool = True,
    error_kind: str = "",
    error: str = "",
) -> None:
    """How a try ended. Raises LostLease."""
    values: dict[str, Any] = {"state": state, "error_kind": error_kind, "last_error": error}
    if count_attempt:
        values["attempts"] = t_note_duty.c.attempts + 1
    if state == "ready":
        values["due_at"] = due_at or now
    else:
        values["settled_at"] = now
    if record_id:
        values |= {"record_id": record_id, "sent_at": None}
    _change(conn, held, duty_id, values)


def _change(conn: Connection, held: Held, duty_id: str, values: dict[str, Any]) -> None:
    assert_held(conn, held)
    changed = conn.execute(
        update(t_note_duty)
        .where(t_note_duty.c.id == duty_id, t_note_duty.c.connection == held.name, t_note_duty.c.state == "ready")
        .values(values)
    )
    if changed.rowcount != 1:
        raise LostLease(held.name)


def hand_over(conn: Connection, held: Held, duty_id: str, lead_id: str) -> None:
    """The note is for the deal of another lead, once that is delivered. Raises LostLease."""
    _change(conn, held, duty_id, {"lead_id": lead_id, "deal_id": "", "sent_at": None})


def follow_discarded(conn: Connection, connection: str, now: datetime) -> int:
    """Notes of leads that a person discarded need not arrive either."""
    return _OF_DISCARDED.run(conn, {"at_connection": connection, "now": now})


_READY_AT = t_note_duty.c.connection == bindparam("at_connection"), t_note_duty.c.state == "ready"
_NOW = bindparam("now", type_=t_note_duty.c.due_at.type)
_OF_DISCARDED = Prepared(
    update(t_note_duty)
    .where(
        *_READY_AT,
        select(t_delivery.c.id).where(_ITS_DELIVERY, t_delivery.c.state == "discarded").exists(),
    )
    .values(state="discarded", settled_at=_NOW)
)
_TOO_FAR = Prepared(
    update(t_note_duty)
    .where(*_READY_AT, t_note_duty.c.due_at > bindparam("latest"), t_note_duty.c.error_kind != "rate_limited")
    .values(due_at=_NOW)
)


def clamp_due(conn: Connection, connection: str, now: datetime) -> int:
    """A try that lies too far ahead was dated by a clock that was wrong: it is due now."""
    return _TOO_FAR.run(conn, {"at_connection": connection, "latest": now + LONGEST_WAIT, "now": now})


def owed(conn: Connection, connection: str, before: datetime) -> list[Row[Any]]:
    """What a person should hear of: given up, or waiting since before that time although the lead is there."""
    rows = _OWED.all(conn, {"at_connection": connection})
    return [row for row in rows if row.state == "dead" or row.created_at < before]


def retry(conn: Connection, conversation_id: str, now: datetime) -> set[str]:
    """A person tries again what was given up, and at once what waits; returns the connections that owe it."""
    rows = conn.execute(
        select(t_note_duty.c.id, t_note_duty.c.connection).where(
            t_note_duty.c.conversation_id == conversation_id, t_note_duty.c.state.in_(OWED)
        )
    ).all()
    ids = [row.id for row in rows]
    values = {"state": "ready", "due_at": now, "age_from": now, "attempts": 0, "settled_at": None, "error_kind": ""}
    conn.execute(update(t_note_duty).where(t_note_duty.c.id.in_(ids)).values(values))
    return {row.connection for row in rows}


def discard(conn: Connection, conversation_id: str, now: datetime) -> int:
    """What was given up need not arrive any more; returns how many."""
    changed = conn.execute(
        update(t_note_duty)
        .where(t_note_duty.c.conversation_id == conversation_id, t_note_duty.c.state == "dead")
        .values(state="discarded", settled_at=now)
    )
    return int(changed.rowcount)
