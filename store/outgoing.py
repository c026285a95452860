"""The duty to send a message to a client: taken once, settled, never sent again by itself when nobody can say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from leads.clock import Clock
from leads.ids import new_id
from store.conversation_tables import t_conversation, t_outgoing
from store.errands import lease_of
from store.events import events_of
from store.leases import Held, LostLease, assert_held
from store.outbox import tell_due
from store.prepared import Prepared, Rows

Kind = Literal["reply", "auto"]
State = Literal["ready", "sent", "failed", "unknown"]
UNDELIVERED = "undelivered"
"""The kind of event that tells of a message of ours that did not arrive."""
ECHO_WITHIN = timedelta(hours=1)
"""The vendor's echo of what we sent comes at most so late."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message that is ours to send until it is settled."""

    id: str
    conversation_id: str
    chat_id: str
    channel: str
    text: str
    kind: str
    author: str
    attempts: int
    created_at: datetime
    client_wrote_at: datetime | None


def add(
    conn: Connection,
    conversation_id: str,
    source: str,
    kind: Kind,
    text: str,
    *,
    author: str,
    request_key: str,
    clock: Clock,
) -> str:
    """The message's id; of an earlier one with the same `request_key` in the conversation, if there is one."""
    known = select(t_outgoing.c.id).where(
        t_outgoing.c.conversation_id == conversation_id, t_outgoing.c.request_key == request_key
    )
    if request_key and (found := conn.execute(known).scalar()):
        return str(found)
    now, made = clock.now(), new_id(clock)
    conn.execute(
        insert(t_outgoing).values(
            id=made,
            conversation_id=conversation_id,
            source=source,
            kind=kind,
            text=text,
            author=author,
            request_key=request_key or made,
            created_at=now,
            due_at=now,
        )
    )
    tell_due(conn, [lease_of(source)])
    return made


def claim(conn: Connection, held: Held, source: str, now: datetime) -> Outbound | None:
    """The oldest due message of the source that has none before it in its conversation. Raises LostLease.

    Its intent is stored with this: from here on nobody knows whether it was sent, until it is settled.
    """
    assert_held(conn, held)
    earlier = t_outgoing.alias("earlier")
    query = (
        select(t_outgoing, t_conversation.c.chat_id, t_conversation.c.channel, t_conversation.c.last_client_at)
        .join(t_conversation, t_conversation.c.id == t_outgoing.c.conversation_id)
        .where(
            t_outgoing.c.source == source,
            t_outgoing.c.state == "ready",
            t_outgoing.c.due_at <= now,
            ~select(earlier.c.id)
            .where(
                earlier.c.conversation_id == t_outgoing.c.conversation_id,
                earlier.c.state.in_(("ready", "sending")),
                earlier.c.id < t_outgoing.c.id,
            )
            .exists(),
        )
        .order_by(t_outgoing.c.due_at, t_outgoing.c.id)
        .limit(1)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    values = {"state": "sending", "sent_at": now, "fence": held.fence, "attempts": row.attempts + 1}
    conn.execute(update(t_outgoing).where(t_outgoing.c.id == row.id, t_outgoing.c.state == "ready").values(values))
    return Outbound(
        row.id,
        row.conversation_id,
        row.chat_id,
        row.channel,
        row.text,
        row.kind,
        row.author,
        row.attempts + 1,
        row.created_at,
        row.last_client_at,
    )


def settle(
    conn: Connection,
    held: Held,
    message_id: str,
    state: State,
    now: datetime,
    *,
    vendor_id: str = "",
    due_at: datetime | None = None,
    error_kind: str = "",
    error: str = "",
    count_attempt: bool = True,
) -> None:
    """How the send ended. An echo may have told that it was sent before we knew: that stands. Raises LostLease."""
    assert_held(conn, held)
    values: dict[str, Any] = {"state": state, "error_kind": error_kind, "last_error": error}
    if vendor_id:
        values["vendor_id"] = vendor_id
    if state == "ready":
        values |= {"due_at": due_at or now, "sent_at": None}
        if not count_attempt:
            values["attempts"] = t_outgoing.c.attempts - 1
    else:
        values["settled_at"] = now
    changed = conn.execute(
        update(t_outgoing)
        .where(t_outgoing.c.id == message_id, t_outgoing.c.state == "sending", t_outgoing.c.fence == held.fence)
        .values(values)
    )
    if changed.rowcount != 1 and _state(conn, message_id) != "sent":
        raise LostLease(held.name)


def not_delivered(conn: Connection, source: str, vendor_id: str, why: str, now: datetime) -> bool:
    """The vendor took it and says now that it did not arrive: a person decides. False: it is none of ours."""
    changed = conn.execute(
        update(t_outgoing)
        .where(t_outgoing.c.source == source, t_outgoing.c.vendor_id == vendor_id, t_outgoing.c.state == "sent")
        .values(state="failed", settled_at=now, error_kind="refused", last_error=why)
    )
    return changed.rowcount > 0


def why_undelivered(conn: Connection, source: str, vendor_id: str) -> str:
    """What the vendor said of it before we knew its id; "" when it said nothing."""
    told = events_of(conn, source, UNDELIVERED, vendor_id) if vendor_id else []
    return str(told[0].data["why"]) if told else ""


def take_over(conn: Connection, held: Held, source: str, now: datetime, *, repeats_safely: bool) -> int:
    """Messages that an earlier owner was sending: their outcome is unknown. Returns how many.

    Where the vendor knows our key of a message a repeat is safe, so they are sent again.
    """
    assert_held(conn, held)
    values: dict[str, Any] = {"state": "ready", "due_at": now, "sent_at": None}
    if not repeats_safely:
        why = "the hub stopped while it was being sent: it may have arrived"
        values = {"state": "unknown", "settled_at": now, "error_kind": "unknown", "last_error": why}
    changed = conn.execute(
        update(t_outgoing)
        .where(t_outgoing.c.source == source, t_outgoing.c.state == "sending", t_outgoing.c.fence != held.fence)
        .values(values)
    )
    return int(changed.rowcount)


def is_echo(conn: Connection, conversation_id: str, message_id: str, text: str, now: datetime) -> bool:
    """Whether a message of ours that the vendor tells of is one that the hub sent and the conversation has already.

    By the vendor's id; else by its text, where the vendor gave none. What was being sent or unknown is sent by this:
    then the conversation has it from here, and False says so.
    """
    mine = (t_outgoing.c.conversation_id == conversation_id, t_outgoing.c.created_at > now - ECHO_WITHIN)
    if conn.execute(select(t_outgoing.c.id).where(*mine, t_outgoing.c.vendor_id == message_id)).first():
        return True
    alike = select(t_outgoing.c.id, t_outgoing.c.state, t_outgoing.c.text).where(
        *mine, t_outgoing.c.vendor_id == "", t_outgoing.c.state.in_(("sending", "sent", "unknown"))
    )
    for row in conn.execute(alike.order_by(t_outgoing.c.id)):
        if _plain(row.text) == _plain(text):
            values: dict[str, Any] = {"vendor_id": message_id}
            if row.state != "sent":
                values |= {"state": "sent", "settled_at": now, "error_kind": "", "last_error": ""}
            conn.execute(update(t_outgoing).where(t_outgoing.c.id == row.id).values(values))
            return bool(row.state == "sent")
    return False


def _plain(text: str) -> str:
    return " ".join(text.split())


def _state(conn: Connection, message_id: str) -> str:
    return conn.execute(select(t_outgoing.c.state).where(t_outgoing.c.id == message_id)).scalar() or ""


def next_due(conn: Connection, source: str) -> datetime | None:
    query = select(func.min(t_outgoing.c.due_at, type_=t_outgoing.c.due_at.type)).where(
        t_outgoing.c.source == source, t_outgoing.c.state == "ready"
    )
    return conn.execute(query).scalar()


# --- what a person does -----------------------------------------------------------------------------------


def retry(conn: Connection, message_id: str, now: datetime) -> str:
    """Sends it (again): of one that failed or whose outcome is unknown a person may say so. The source, or ""."""
    changed = conn.execute(
        update(t_outgoing)
        .where(t_outgoing.c.id == message_id, t_outgoing.c.state.in_(("failed", "unknown")))
        .values(
            state="ready",
            due_at=now,
            sent_at=None,
            settled_at=None,
            error_kind="",
            last_error="",
            vendor_id="",
            attempts=0,
        )
    )
    return _source(conn, message_id) if changed.rowcount == 1 else ""


def discard(conn: Connection, message_id: str, now: datetime) -> str:
    """It need not be sent any more. The source, or "" when there is nothing to discard."""
    changed = conn.execute(
        update(t_outgoing)
        .where(t_outgoing.c.id == message_id, t_outgoing.c.state.in_(("ready", "failed", "unknown")))
        .values(state="discarded", settled_at=now)
    )
    return _source(conn, message_id) if changed.rowcount == 1 else ""


def _source(conn: Connection, message_id: str) -> str:
    return conn.execute(select(t_outgoing.c.source).where(t_outgoing.c.id == message_id)).scalar() or ""


def find(conn: Connection, message_id: str) -> Row[Any] | None:
    return conn.execute(select(t_outgoing).where(t_outgoing.c.id == message_id)).first()


def of_conversations(conn: Connection, conversation_ids: Sequence[str]) -> list[Row[Any]]:
    """Rows of `outgoing_message`, oldest first."""
    query = select(t_outgoing).where(t_outgoing.c.conversation_id.in_(conversation_ids))
    return list(conn.execute(query.order_by(t_outgoing.c.id)))


_UNSETTLED = Prepared(
    select(t_outgoing)
    .where(t_outgoing.c.state.in_(("ready", "sending", "failed", "unknown")))
    .order_by(t_outgoing.c.id)
)


def owed(conn: Connection, before: datetime) -> Rows:
    """What a person should hear of: failed, unknown, or waiting since before that time; oldest first."""
    return [row for row in _UNSETTLED.all(conn) if row.state in ("failed", "unknown") or row.created_at < before]
