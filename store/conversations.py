"""Conversations as stored: what was said, what is still to be noted, the notes made of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from leads.clock import Clock
from leads.ids import new_id
from store.conversation_tables import t_conversation, t_conversation_note, t_note_duty
from store.events import events_of
from store.outbox import tell_due
from store.prepared import Prepared, Rows
from store.tables import t_delivery, t_lead


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation while something of it is taken in or noted; nobody else changes it until we commit."""

    id: str
    source: str
    chat_id: str
    channel: str
    started_at: datetime
    lead_id: str = ""
    person_id: str = ""
    unnoted_since: datetime | None = None
    due_at: datetime | None = None
    told: tuple[str, ...] = ()
    last_client_at: datetime | None = None
    auto_replied_at: datetime | None = None


_LOCKED = select(t_conversation).with_for_update()
_OF_CHAT = Prepared(
    _LOCKED.where(t_conversation.c.source == bindparam("of_source"), t_conversation.c.chat_id == bindparam("of_chat"))
)
_BY_ID = Prepared(_LOCKED.where(t_conversation.c.id == bindparam("of_id")))
_NEW = Prepared(insert(t_conversation))
_CHANGED = Prepared(update(t_conversation).where(t_conversation.c.id == bindparam("of_id")))
_PERSON_OF_LEAD = Prepared(select(t_lead.c.person_id).where(t_lead.c.id == bindparam("of_lead")))


def find_talk(conn: Connection, source: str, chat_id: str) -> Talk | None:
    return _talk(_OF_CHAT.first(conn, {"of_source": source, "of_chat": chat_id}))


def lock_talk(conn: Connection, conversation_id: str) -> Talk | None:
    return _talk(_BY_ID.first(conn, {"of_id": conversation_id}))


def open_talk(conn: Connection, source: str, chat_id: str, channel: str, clock: Clock) -> Talk:
    """The conversation, made when it is new."""
    found = find_talk(conn, source, chat_id)
    if found is not None:
        return found
    now = clock.now()
    made = Talk(new_id(clock), source, chat_id, channel, started_at=now)
    _NEW.run(
        conn,
        {
            "id": made.id,
            "source": source,
            "chat_id": chat_id,
            "channel": channel,
            "started_at": now,
            "last_at": now,
        },
    )
    return made


def _talk(row: Any) -> Talk | None:
    if row is None:
        return None
    return Talk(
        row.id,
        row.source,
        row.chat_id,
        row.channel,
        row.started_at,
        row.lead_id,
        row.person_id,
        row.unnoted_since,
        row.due_at,
        tuple(row.told),
        row.last_client_at,
        row.auto_replied_at,
    )


def change(conn: Connection, talk: Talk, changes: Mapping[str, Any]) -> None:
    """`changes`: column -> value; see the four below for those that go together."""
    _CHANGED.run(conn, {"of_id": talk.id, **changes})


def belongs_to(conn: Connection, talk: Talk, lead_id: str, told: Collection[str]) -> dict[str, Any]:
    """The change: it became this lead, which itself tells of the messages `told`."""
    person_id = _PERSON_OF_LEAD.scalar(conn, {"of_lead": lead_id}) or ""
    return {"lead_id": lead_id, "person_id": person_id, "told": sorted({*talk.told, *told})}


def heard(talk: Talk, now: datetime, client_at: datetime | None) -> dict[str, Any]:
    """The change: something was said now; `client_at`: the vendor's time, if the client said it."""
    if client_at is None:
        return {"last_at": now}
    return {"last_at": now, "last_client_at": max(client_at, talk.last_client_at or client_at)}


def note_later(*, since: datetime, due_at: datetime | None) -> dict[str, Any]:
    """The change: what was said is to be noted at `due_at`, None: when there is a deal; `since`: when the first of it
    came."""
    return {"unnoted_since": since, "due_at": due_at}


def nothing_to_note() -> dict[str, Any]:
    """The change: all of it is noted."""
    return {"unnoted_since": None, "due_at": None}


_DUE = Prepared(
    select(t_conversation.c.id)
    .where(t_conversation.c.due_at <= bindparam("now", type_=t_conversation.c.due_at.type))
    .order_by(t_conversation.c.due_at)
    .limit(bindparam("at_most"))
)


def due_talks(conn: Connection, now: datetime, *, limit: int) -> list[str]:
    """Ids of conversations whose note is due, the longest due first."""
    return _DUE.scalars(conn, {"now": now, "at_most": limit})


def said_before(conn: Connection, source: str, chat_id: str) -> list[Mapping[str, Any]]:
    """Data of all messages that are stored of a chat, in the order in which they came."""
    return [row.data["message"] for row in messages_of(conn, source, chat_id)]


def messages_of(conn: Connection, source: str, chat_id: str) -> Rows:
    """As `store.events.events_of`."""
    return events_of(conn, source, "message", chat_id)


# --- notes ----------------------------------------------------------------------------------------------


_TOLD = Prepared(
    select(t_conversation_note.c.message_keys).where(t_conversation_note.c.conversation_id == bindparam("of_id"))
)


def keys_told(conn: Connection, subject: str) -> set[str]:
    """Keys of what the notes of this conversation, or of a payment or call, tell already."""
    return {key for keys in _TOLD.scalars(conn, {"of_id": subject}) for key in keys}


def keys_noted(conn: Connection, talk: Talk) -> set[str]:
    """Keys of the messages that the lead or an earlier note tells of."""
    return {*talk.told, *keys_told(conn, talk.id)}


def receivers(conn: Connection, lead_id: str) -> list[str]:
    """Connections that the lead goes to or went to; a person's discarding ends that for its conversation as well."""
    query = select(t_delivery.c.connection).where(t_delivery.c.lead_id == lead_id, t_delivery.c.state != "discarded")
    return sorted(conn.execute(query).scalars())


def began_at(conn: Connection, lead_id: str) -> datetime:
    """When the lead of a conversation came."""
    found: datetime = conn.execute(select(t_lead.c.received_at).where(t_lead.c.id == lead_id)).scalar_one()
    return found


def is_unrouted(conn: Connection, lead_id: str) -> bool:
    """Whether the lead goes nowhere, so far."""
    return conn.execute(select(t_delivery.c.id).where(t_delivery.c.lead_id == lead_id).limit(1)).first() is None


def add_note(
    conn: Connection, talk: Talk, text: str, keys: Collection[str], connections: Sequence[str], clock: Clock
) -> str:
    """Keeps the note and the duty to write it to each connection; returns its id."""
    now, note_id = clock.now(), new_id(clock)
    last = select(func.max(t_conversation_note.c.number)).where(t_conversation_note.c.conversation_id == talk.id)
    number = int(conn.execute(last).scalar() or 0) + 1
    conn.execute(
        insert(t_conversation_note).values(
            id=note_id, conversation_id=talk.id, number=number, made_at=now, text=text, message_keys=sorted(keys)
        )
    )
    for name in connections:
        conn.execute(
            insert(t_note_duty).values(
                id=new_id(clock),
                note_id=note_id,
                conversation_id=talk.id,
                number=number,
                lead_id=talk.lead_id,
                connection=name,
                created_at=now,
                due_at=now,
                age_from=now,
            )
        )
    tell_due(conn, connections)
    return note_id


# --- reading --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TalkFilter:
    source: str = ""
    person_id: str = ""
    lead_id: str = ""


def list_talks(conn: Connection, wanted: TalkFilter, *, limit: int, before: datetime | None = None) -> list[Row[Any]]:
    """Rows of `conversation` with the person's `name`, the one with the newest message first."""
    query = select(t_conversation, t_lead.c.name).outerjoin(t_lead, t_lead.c.id == t_conversation.c.lead_id)
    for name in ("source", "person_id", "lead_id"):
        if value := getattr(wanted, name):
            query = query.where(t_conversation.c[name] == value)
    if before is not None:
        query = query.where(t_conversation.c.last_at < before)
    return list(conn.execute(query.order_by(t_conversation.c.last_at.desc(), t_conversation.c.id).limit(limit)))


def talk_row(conn: Connection, conversation_id: str) -> Row[Any] | None:
    query = select(t_conversation, t_lead.c.name).outerjoin(t_lead, t_lead.c.id == t_conversation.c.lead_id)
    return conn.execute(query.where(t_conversation.c.id == conversation_id)).first()


def notes_of(conn: Connection, conversation_id: str) -> list[Row[Any]]:
    """Rows of `note_duty` with `made_at`, oldest first."""
    query = (
        select(t_note_duty, t_conversation_note.c.made_at)
        .join(t_conversation_note, t_conversation_note.c.id == t_note_duty.c.note_id)
        .where(t_note_duty.c.conversation_id == conversation_id)
    )
    return list(conn.execute(query.order_by(t_note_duty.c.number, t_note_duty.c.connection)))


def talks_of_person(conn: Connection, person_id: str, lead_ids: Collection[str]) -> list[Row[Any]]:
    """Those of a person, and of these leads whoever they went to."""
    mine = or_(
        and_(t_conversation.c.person_id == person_id, t_conversation.c.person_id != ""),
        t_conversation.c.lead_id.in_(lead_ids),
    )
    return list(conn.execute(select(t_conversation).where(mine).order_by(t_conversation.c.last_at.desc()).limit(20)))
