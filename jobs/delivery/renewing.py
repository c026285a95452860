"""A client writes again when all his deals are closed: a new enquiry, and the repeat policy of its route decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from connectors.events import ParsedLead, ParsedMessage
from jobs.intake.events import NO_REQUEST, MakeAcceptance
from jobs.talks.conversations import MESSAGE, event_of
from leads.clock import Clock
from leads.ids import new_id
from store import conversations, note_duties
from store.intake import Acceptance, Accepted
from store.leases import Held
from store.note_duties import Duty


@dataclass(frozen=True, slots=True)
class Renewal:
    """Works inside a transaction that its caller holds."""

    clock: Clock
    accept: Callable[[Connection, Sequence[Acceptance]], list[Accepted]]
    acceptance: MakeAcceptance

    def of(self, conn: Connection, held: Held, duty: Duty) -> tuple[str, ...] | None:
        """Gives the note to the new enquiry; returns the connections that owe that now.

        None: the note belongs where it is, for nobody but us wrote, or it is that of the new enquiry itself.
        Raises LostLease.
        """
        talk = conversations.lock_talk(conn, duty.conversation_id)
        if talk is None:
            return None
        due: tuple[str, ...] = ()
        if talk.lead_id == duty.lead_id:  # else another connection was first, or an earlier note
            said = self._said(conn, talk.source, talk.chat_id, duty)
            if not said or conversations.began_at(conn, duty.lead_id) >= duty.made_at:
                return None
            lead = replace(said[-1].lead or ParsedLead(), comment="")
            lead = replace(lead, lead_uid=f"chat:{talk.chat_id}:{said[0].message_id}")
            item = self.acceptance(talk.source, self.clock.now(), NO_REQUEST, lead, new_id(self.clock))
            (accepted,) = self.accept(conn, [item])
            conversations.change(conn, talk, conversations.belongs_to(conn, talk, accepted.lead_id, []))
            lead_id, due = accepted.lead_id, accepted.connections
        else:
            lead_id = talk.lead_id
        if held.name not in conversations.receivers(conn, lead_id):
            return None
        note_duties.hand_over(conn, held, duty.id, lead_id)
        return due

    @staticmethod
    def _said(conn: Connection, source: str, chat_id: str, duty: Duty) -> list[ParsedMessage]:
        """What the client himself wrote of what the note tells."""
        stored = conversations.messages_of(conn, source, chat_id)
        messages = [(MESSAGE.validate_python(row.data["message"]), row.received_at) for row in stored]
        return [
            one
            for one, at in messages
            if one.author == "client" and not one.change and event_of(one, at).key in duty.keys
        ]
