"""What was said in a conversation since its last note -> one note, and the duty to write it to each CRM."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from sqlalchemy import Connection

from connectors.conversing import TalkSettings
from jobs.config.loading import Settings
from jobs.talks.conversations import MESSAGE, event_of
from leads.clock import Clock
from leads.conversations import Attachment, labels_of, note_of
from store import conversations
from store.db import Database

AT_ONCE = 50
WITHOUT_DEAL = timedelta(minutes=15)
"""A conversation whose lead no route takes is asked again so often: its notes wait with it."""
NAMES = {
    "avito": "Avito",
    "instagram": "Instagram",
    "jivo": "Jivo",
    "max": "MAX",
    "telegram": "Telegram",
    "viber": "Viber",
    "vk": "VK",
    "whatsapp": "WhatsApp",
}


def channel_name(channel: str) -> str:
    """As people write it."""
    return NAMES.get(channel, channel)


class Gathering:
    """Makes notes that are due; safe to run in several processes at once. Methods raise StoreUnavailable."""

    def __init__(self, db: Database, clock: Clock, settings: Settings, wake: Callable[[tuple[str, ...]], None]) -> None:
        self._db = db
        self._clock = clock
        self._labels = labels_of(settings.hub.locale)
        self._zone = settings.hub.zone
        self._public_url = str(settings.hub.public_url or "").rstrip("/")
        self._fetchable = {
            name
            for name, one in settings.sources.items()
            if isinstance(one.settings, TalkSettings) and one.settings.can_fetch
        }
        self.wake = wake

    async def run(self) -> None:
        """All that is due now."""
        now = self._clock.now()
        due = await self._db.read(conversations.due_talks, now, limit=AT_ONCE)
        for conversation_id in due:
            names = await self._db.write(self.gather, conversation_id=conversation_id, only_due=True)
            if names:
                self.wake(names)

    def gather(self, conn: Connection, conversation_id: str, *, only_due: bool = False) -> tuple[str, ...]:
        """Makes the notes of one conversation; returns the connections that owe them now."""
        now = self._clock.now()
        talk = conversations.lock_talk(conn, conversation_id)
        if talk is None or talk.unnoted_since is None or not talk.lead_id:
            return ()
        if only_due and (talk.due_at is None or talk.due_at > now):  # another process was quicker
            return ()
        names = conversations.receivers(conn, talk.lead_id)
        if not names and conversations.is_unrouted(conn, talk.lead_id):
            later = conversations.note_later(since=talk.unnoted_since, due_at=now + WITHOUT_DEAL)
            conversations.change(conn, talk, later)
            return ()
        stored = conversations.messages_of(conn, talk.source, talk.chat_id)
        events = [event_of(MESSAGE.validate_python(row.data["message"]), row.received_at) for row in stored]
        noted = conversations.keys_noted(conn, talk)
        made = False
        while True:
            note = note_of(
                events,
                noted,
                labels=self._labels,
                zone=self._zone,
                channel=channel_name(talk.channel),
                link=partial(self._link, talk.source),
            )
            if note.text:
                conversations.add_note(conn, talk, note.text, note.keys, names, self._clock)
                made = True
            noted |= note.keys
            if not note.more:
                break
        conversations.change(conn, talk, conversations.nothing_to_note())
        return tuple(names) if made else ()

    def _link(self, source: str, attachment: Attachment) -> str:
        """The vendor's, unless it is one that only we can open: then ours, for who is signed in."""
        if attachment.url.startswith(("https://", "http://")):
            return attachment.url
        if not attachment.id or not self._public_url or source not in self._fetchable:
            return ""
        return f"{self._public_url}/media/{quote(source, safe='')}/{quote(attachment.id, safe='')}"
