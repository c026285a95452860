"""What a person or a program does with a conversation: answer, note now, send again, let be. All is audited."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from connectors.links import Link, Outgoing, Refusal, Replies
from jobs.talks.gathering import Gathering
from leads.clock import Clock
from store import conversations, note_duties, outgoing
from store.db import Database
from store.errands import lease_of
from store.operator import record_action
from store.outbox import tell_due

REQUEST_KEY_MAX = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """`message_id` of what will be sent, or why not: `refusal`, or `missing` when there is no such conversation."""

    message_id: str = ""
    refusal: Refusal | None = None
    missing: bool = False
    wake: tuple[str, ...] = ()


def reply(
    conn: Connection,
    links: Mapping[str, Link],
    conversation_id: str,
    text: str,
    *,
    actor: str,
    request_key: str,
    clock: Clock,
) -> Answered:
    """Stores the answer, to be sent by the link of the conversation's source; what may not be sent is refused now."""
    talk = conversations.lock_talk(conn, conversation_id)
    if talk is None:
        return Answered(missing=True)
    link: object = links.get(talk.source)
    if not isinstance(link, Replies):
        return Answered(refusal=Refusal("no_access"))
    refusal = link.why_not(Outgoing("", talk.chat_id, talk.channel, text, talk.last_client_at))
    if refusal is not None:
        return Answered(refusal=refusal)
    made = outgoing.add(
        conn,
        talk.id,
        talk.source,
        "reply",
        text,
        author=actor,
        request_key=request_key[:REQUEST_KEY_MAX],
        clock=clock,
    )
    record_action(conn, clock, actor=actor, action="conversation.reply", subject=talk.lead_id, data={"message": made})
    return Answered(made, wake=(lease_of(talk.source),))


Decision = Literal["retry", "discard"]


def decide(conn: Connection, message_id: str, decision: Decision, *, actor: str, clock: Clock) -> tuple[str, ...]:
    """A person says what becomes of a message that was not (surely) sent; returns the workers to wake, () for none."""
    change = outgoing.retry if decision == "retry" else outgoing.discard
    source = change(conn, message_id, clock.now())
    row = outgoing.find(conn, message_id)
    if not source or row is None:
        return ()
    talk = conversations.talk_row(conn, row.conversation_id)
    subject = talk.lead_id if talk else message_id
    record_action(conn, clock, actor=actor, action=f"message.{decision}", subject=subject, data={"message": message_id})
    tell_due(conn, [lease_of(source)])
    return (lease_of(source),)


async def note_now(db: Database, gathering: Gathering, conversation_id: str, *, actor: str, clock: Clock) -> bool:
    """What was said so far becomes a note at once, and what could not be written is tried again.

    False when there is nothing to note.
    """

    def work(conn: Connection) -> set[str]:
        names = {*gathering.gather(conn, conversation_id), *note_duties.retry(conn, conversation_id, clock.now())}
        talk = conversations.talk_row(conn, conversation_id)
        if names:
            # Notes of payments and of calls belong to no conversation.
            subject = talk.lead_id if talk is not None else conversation_id
            record_action(conn, clock, actor=actor, action="conversation.note", subject=subject)
            tell_due(conn, names)
        return names

    names = await db.write(work)
    if names:
        gathering.wake(tuple(sorted(names)))
    return bool(names)


async def let_be(db: Database, conversation_id: str, *, actor: str, why: str, clock: Clock) -> int:
    """Notes that were given up need not arrive any more; returns how many."""

    def work(conn: Connection) -> int:
        count = note_duties.discard(conn, conversation_id, clock.now())
        talk = conversations.talk_row(conn, conversation_id)
        if count:
            subject = talk.lead_id if talk is not None else conversation_id
            record_action(conn, clock, actor=actor, action="note.discard", subject=subject, why=why)
        return count

    return await db.write(work)
