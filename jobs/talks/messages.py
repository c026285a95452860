"""Messages as they come in: the first of a conversation is an enquiry, the later ones are its dialogue."""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from connectors.events import ParsedLead, ParsedMessage
from jobs.talks.conversations import Said, TalkKeeper
from leads.clock import Clock
from store import conversations, deal_notes, outgoing
from store.errands import lease_of
from store.intake import Accepted

TakeLeads = Callable[[Sequence[ParsedLead]], list[Accepted]]
"""Stores leads of the request at hand, in order."""


class MessageIntake:
    """Works inside a transaction that its caller holds."""

    def __init__(self, clock: Clock, keeper: TalkKeeper) -> None:
        self._clock = clock
        self._keeper = keeper

    def without_echoes(
        self, conn: Connection, source: str, messages: Sequence[ParsedMessage]
    ) -> tuple[ParsedMessage, ...]:
        """Without those that the hub itself sent and that the conversation has already."""
        return tuple(one for one in messages if not self._is_echo(conn, source, one))

    def _is_echo(self, conn: Connection, source: str, message: ParsedMessage) -> bool:
        if message.author == "client" or message.change:
            return False
        talk = conversations.find_talk(conn, source, message.chat_id)
        if talk is None:
            return False
        return outgoing.is_echo(conn, talk.id, message.message_id, message.text, self._clock.now())

    def take(
        self,
        conn: Connection,
        source: str,
        received_at: datetime,
        messages: Sequence[ParsedMessage],
        fresh: Collection[tuple[str, str]],
        take_leads: TakeLeads,
        flags: tuple[str, ...] = (),
    ) -> list[Accepted]:
        """`fresh`: (chat, `event_key`) of those not known before; `flags` go to leads of new conversations."""
        accepted: list[Accepted] = []
        left = set(fresh)
        for message in messages:
            key = (message.chat_id, event_key(message))
            if key in left:
                left.remove(key)
                accepted += self._take(conn, source, received_at, message, take_leads, flags)
        return accepted

    def _take(
        self,
        conn: Connection,
        source: str,
        received_at: datetime,
        message: ParsedMessage,
        take_leads: TakeLeads,
        flags: tuple[str, ...],
    ) -> list[Accepted]:
        if message.is_touch_only:
            self._keeper.opened(conn, source, message)
            return []
        talk = conversations.open_talk(conn, source, message.chat_id, message.channel, self._clock)
        accepted: list[Accepted] = []
        lead, lead_id, told = _enquiry_of(message), talk.lead_id, False
        if lead is not None:
            known = bool(lead_id)
            if not known:
                lead = self._keeper.with_touches(conn, source, message.chat_id, lead)
                accepted = take_leads([replace(lead, flags=tuple(dict.fromkeys((*lead.flags, *flags))))])
                lead_id, known = accepted[0].lead_id, accepted[0].duplicate
                told = not known and not message.media
            if known and (more := _with_contact(conn, lead, talk.person_id)) is not None:
                accepted += take_leads([more])
                talk = conversations.find_talk(conn, source, message.chat_id) or talk  # he may be another one now
        if self._keeper.said(conn, Said(talk, message, received_at, lead_id, told)):
            accepted.append(Accepted(lead_id, duplicate=True, connections=(lease_of(source),)))
        return accepted


def event_key(message: ParsedMessage) -> str:
    """Each edit of a message is an event of its own."""
    if not message.change:
        return message.message_id
    text = hashlib.sha256(json.dumps({"text": message.text}, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
    return f"{message.message_id}:{message.change}:{text[:32]}"


def _enquiry_of(message: ParsedMessage) -> ParsedLead | None:
    """What the first message of a conversation makes; with later ones it is a duplicate."""
    lead = message.lead
    if lead is None or message.author != "client" or message.change:
        return None
    return replace(lead, lead_uid=f"chat:{message.chat_id}", comment=lead.comment or message.text)


def _with_contact(conn: Connection, lead: ParsedLead, person_id: str) -> ParsedLead | None:
    """The same once more, as a repeat, when it proves a phone or an e-mail that we did not know of this person.

    `person_id` is whose conversation it is: a sender of SMS has his number and no other id.
    """
    contacts = [("phone", phone) for phone in lead.phones] + [("email", email) for email in lead.emails]
    if not contacts:
        return None
    pairs = [(f"messenger:{vendor}", sender) for vendor, sender in lead.messengers]
    persons = {*(person_of(conn, *pair) for pair in pairs), person_id} - {""}
    if all(person_of(conn, *pair) in persons for pair in contacts):
        return None
    known = hashlib.sha256(" ".join(value for _, value in contacts).encode()).hexdigest()[:16]
    return replace(lead, lead_uid=f"{lead.lead_uid}:{known}", flags=(*lead.flags, "contact_shared"))


def person_of(conn: Connection, kind: str, value: str) -> str:
    """The person of a match key, or ""."""
    found = deal_notes.person_of_keys(conn, [(kind, value)])
    return found.person_id if found else ""
