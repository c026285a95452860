"""Conversations as plain data: the same for API, console and command line."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jobs.talks.conversations import MESSAGE, event_of
from jobs.talks.sending import name_of
from leads.conversations import MessageEvent
from store import conversations, outgoing
from store.conversations import TalkFilter

UNSENT = ("ready", "sending", "failed", "unknown")


def list_json(conn: Connection, wanted: TalkFilter, *, limit: int, before: datetime | None) -> list[dict[str, Any]]:
    return [_head(row) for row in conversations.list_talks(conn, wanted, limit=limit, before=before)]


def talk_json(conn: Connection, conversation_id: str) -> dict[str, Any] | None:
    """One conversation with its messages, oldest first, and the notes made of it."""
    row = conversations.talk_row(conn, conversation_id)
    if row is None:
        return None
    stored = conversations.messages_of(conn, row.source, row.chat_id)
    events = [event_of(MESSAGE.validate_python(one.data["message"]), one.received_at) for one in stored]
    ours = outgoing.of_conversations(conn, [conversation_id])
    notes = conversations.notes_of(conn, conversation_id)
    said = [*messages_json(events, ours), *(unsent_json(one) for one in ours if _is_unsent(one, events))]
    return {
        **_head(row),
        "messages": sorted(said, key=lambda one: datetime.fromisoformat(one["at"])),
        "notes": [
            {
                "number": one.number,
                "connection": one.connection,
                "state": {"dead": "failed"}.get(one.state, one.state),
                "made_at": one.made_at.isoformat(),
                "deal_id": one.deal_id,
                "record_id": one.record_id,
                "error": one.last_error,
            }
            for one in notes
        ],
    }


def _is_unsent(one: Any, events: Sequence[MessageEvent]) -> bool:
    """Not what the vendor took first: it stands among the messages."""
    return one.state in UNSENT and not (one.vendor_id and any(one.vendor_id == event.message_id for event in events))


def messages_json(events: Sequence[MessageEvent], ours: Sequence[Any]) -> list[dict[str, Any]]:
    """Each message as it reads now: the last edit of it, or that it was deleted."""
    kinds = {one.vendor_id or f"sent:{one.id}": one.kind for one in ours if one.state == "sent" or one.vendor_id}
    undelivered = {one.vendor_id: one.last_error for one in ours if one.vendor_id and one.state == "failed"}
    by_id: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda one: (one.at, one.change != "")):
        if not (event.text or event.media or event.change):
            continue
        known = by_id.get(event.message_id)
        if known is None:
            known = by_id[event.message_id] = _message(event, kinds.get(event.message_id, ""))
            if event.message_id in undelivered:
                known.update(state="failed", error=undelivered[event.message_id])
        if event.change == "deleted":
            known["deleted"] = True
        elif event.change == "edited":
            known.update(text=event.text, media=_media(event), edited=True)
    return list(by_id.values())


def _message(event: MessageEvent, kind: str) -> dict[str, Any]:
    return {
        "id": event.message_id,
        "at": event.at.isoformat(),
        "author": event.author,
        "author_name": event.author_name,
        "text": event.text,
        "media": _media(event),
        "edited": event.change == "edited",
        "deleted": event.change == "deleted",
        "state": "sent" if event.author == "us" else "received",
        "kind": kind,
        "error": "",
    }


def unsent_json(one: Any) -> dict[str, Any]:
    """A message of ours that is not sent, or of which nobody can say it."""
    return {
        "id": one.id,
        "at": one.created_at.isoformat(),
        "author": "us",
        "author_name": name_of(one.author),
        "text": one.text,
        "media": [],
        "edited": False,
        "deleted": False,
        "state": {"ready": "pending", "sending": "pending"}.get(one.state, one.state),
        "kind": one.kind,
        "error": one.last_error,
    }


def _media(event: MessageEvent) -> list[dict[str, str]]:
    return [{"kind": one.kind, "url": one.url, "name": one.name} for one in event.media]


def _head(row: Any) -> dict[str, Any]:
    head: Mapping[str, Any] = {
        "id": row.id,
        "source": row.source,
        "channel": row.channel,
        "chat_id": row.chat_id,
        "lead_id": row.lead_id,
        "person_id": row.person_id,
        "name": row.name or "",
        "started_at": row.started_at.isoformat(),
        "last_at": row.last_at.isoformat(),
        "last_client_at": row.last_client_at.isoformat() if row.last_client_at else None,
        "note_due_at": row.due_at.isoformat() if row.due_at else None,
    }
    return dict(head)
