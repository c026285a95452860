"""Wazzup24 webhooks -> messages, and the answer to its wish for a contact or a deal."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final, Literal

from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Inbound, Parsed, ParsedLead, Reply
from connectors.events import Media, ParsedMessage, ParsedUndelivered
from connectors.trees import Tree, is_true, items, moment, part, read_object, text
from connectors.wazzup.settings import WazzupSettings
from leads.normalize import clean_text, person_name

_GROUPS: Final = frozenset(("whatsgroup", "telegroup", "maxgroup"))
_NUMBERED: Final = frozenset(("whatsapp", "viber"))
"""Channels whose chatId is the person's number."""
_KINDS: Final[dict[str, Literal["image", "audio", "video", "file", "location", "contact"]]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "document": "file",
    "vcard": "contact",
    "geo": "location",
}


def parse(settings: WazzupSettings, inbound: Inbound, region: str) -> Parsed:
    """All messages of one request, and which of ours were not delivered. Raises Unreadable."""
    body = read_object(inbound)
    if is_true(body, "test"):
        return Parsed(reply=Reply())
    made = (_message(item, settings.region or region, inbound.received_at) for item in items(body, "messages"))
    failed = (_undelivered(status) for status in items(body, "statuses") if text(status, "status") == "error")
    return Parsed(
        messages=tuple(message for message in made if message),
        undelivered=tuple(one for one in failed if one.message_id),
        reply=_created(body),
    )


def _undelivered(status: Tree) -> ParsedUndelivered:
    error = part(status, "error")
    said = filter(None, (text(error, "error"), text(error, "description")))
    return ParsedUndelivered(text(status, "messageId"), clean_text(": ".join(said), 200) or "Wazzup24 says: error")


def _message(message: Tree, region: str, received_at: datetime) -> ParsedMessage | None:
    channel, person = text(message, "chatType"), text(message, "chatId")
    message_id, status = text(message, "messageId"), text(message, "status")
    if channel in _GROUPS or not channel or not person or not message_id:
        return None
    change: Literal["", "edited", "deleted"] = "edited" if is_true(message, "isEdited") else ""
    if is_true(message, "isDeleted"):
        change = "deleted"
    # isEcho is documented; the status tells the same where it is missing.
    ours = is_true(message, "isEcho") if "isEcho" in message else status not in ("inbound", "")
    if ours and status == "error":
        return None  # it never reached the person
    chat_id = f"{text(message, 'channelId')}:{channel}:{person}"
    words = text(message, "text") if change != "deleted" else ""
    media = _media(message, words) if change != "deleted" else ()
    # Of two edits the later must win: whether dateTime of an edit is its own or the message's, nobody says.
    at = moment("" if change else message.get("dateTime"), received_at)
    if ours:
        author = person_name(text(message, "authorName"))
        return ParsedMessage(chat_id, message_id, channel, "us", at, words, media, change, author)
    contact = part(message, "contact")
    phone = _phone(channel, person, contact)
    name = person_name(text(contact, "name"))
    extra = {
        "username": text(contact, "username"),
        "wazzup_channel": text(message, "channelId"),
        "avito_profile": text(message, "avitoProfileId"),
        "post": text(message, "instPost", "src"),
    }
    return ParsedMessage(
        chat_id=chat_id,
        message_id=message_id,
        channel=channel,
        at=at,
        text=words,
        media=media,
        change=change,
        author_name=name,
        lead=ParsedLead(
            name=name,
            phones=(phone,) if phone else (),
            messengers=((channel, person),),
            extra={key: value for key, value in extra.items() if value},
            flags=("bad_phone",) if channel in _NUMBERED and not phone else (),
            touch=None if change else link_touch({}, "", at),
        ),
        hints=hints(words, region),
    )


def _phone(channel: str, person: str, contact: Tree) -> str:
    """Of WhatsApp and Viber the chat itself; of others what the contact says, which stands in either of two places."""
    if channel in _NUMBERED:
        return own_phone(person)
    told = [contact, *items(contact, "contactData")]
    return next((phone for one in told if (phone := own_phone(text(one, "phone")))), "")


def _media(message: Tree, words: str) -> tuple[Media, ...]:
    kind, link = text(message, "type"), text(message, "contentUri")
    if kind == "text" or (not link and words):
        return ()
    return (Media(_KINDS.get(kind, "other"), url=link, name="" if kind in _KINDS else kind[:50]),)


def _created(body: Tree) -> Reply | None:
    """Wazzup waits for the JSON of what it wished for: the person and the deal come with the first message."""
    contact, deal = part(body, "createContact"), part(body, "createDeal")
    if contact:
        data = [
            {"chatType": text(chat, "chatType"), "chatId": text(chat, "chatId")}
            for chat in items(contact, "contactData")
        ]
        return _json(
            {
                "id": _id(data),
                "responsibleUserId": text(contact, "responsibleUserId"),
                "name": text(contact, "name"),
                "contactData": data,
            }
        )
    if deal:
        raw = deal.get("contacts")
        contacts = [str(one) for one in raw if isinstance(one, str | int)] if isinstance(raw, list) else []
        return _json(
            {
                "id": _id(contacts),
                "responsibleUserId": text(deal, "responsibleUserId"),
                "name": text(deal, "name"),
                "contacts": contacts,
                "closed": False,
            }
        )
    return None


def _id(of: Any) -> str:
    """The same for a repeat of the wish."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:24]


def _json(made: dict[str, Any]) -> Reply:
    return Reply(body=json.dumps(made, ensure_ascii=False).encode("utf-8", "replace"))
