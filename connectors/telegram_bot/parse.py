"""Updates of the Bot API -> messages. `messages_of` serves the webhook and getUpdates alike."""

import re
from datetime import datetime
from typing import Literal

from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import ParsedMessage
from connectors.telegram_bot.content import media_of, says_something
from connectors.telegram_bot.settings import TelegramBotSettings
from connectors.trees import Tree, is_true, moment, part, read_object, text
from leads.normalize import person_name

CHANNEL = "telegram"

_START = re.compile(r"/start(?:@\w+)?(?:\s+([A-Za-z0-9_-]{1,64}))?\s*")


def parse(settings: TelegramBotSettings, inbound: Inbound, region: str) -> Parsed:
    """The messages of one update, none for buttons, members and groups. Raises Unreadable."""
    update = read_object(inbound)
    return Parsed(messages=messages_of(settings, update, settings.region or region, inbound.received_at))


def messages_of(
    settings: TelegramBotSettings, update: Tree, region: str, received_at: datetime
) -> tuple[ParsedMessage, ...]:
    """What one update tells of conversations with people: nothing, one message, or several that were deleted."""
    for key in ("message", "edited_message", "business_message", "edited_business_message"):
        message = part(update, key)
        if message:
            made = _message(settings, message, key.startswith("edited"), region, received_at)
            return (made,) if made else ()
    deleted = part(update, "deleted_business_messages")
    ids = deleted.get("message_ids")
    return tuple(
        ParsedMessage(
            _chat_id(deleted), str(message_id), CHANNEL, at=received_at.replace(microsecond=0), change="deleted"
        )
        for message_id in (ids if isinstance(ids, list) else [])
        if isinstance(message_id, int)
    )


def _chat_id(message: Tree) -> str:
    """Chat of a business account: `<business connection>:<chat>`, which an answer needs both of."""
    connection, chat = text(message, "business_connection_id"), text(message, "chat", "id")
    return f"{connection}:{chat}" if connection else chat


def _message(
    settings: TelegramBotSettings, message: Tree, is_edit: bool, region: str, received_at: datetime
) -> ParsedMessage | None:
    sender, chat = part(message, "from"), part(message, "chat")
    chat_id, message_id = text(chat, "id"), text(message, "message_id")
    if text(chat, "type") not in ("private", "") or not chat_id or not message_id or not says_something(message):
        return None
    written = text(message, "text") or text(message, "caption") or text(message, "web_app_data", "data")
    media = media_of(message)
    at = moment((is_edit and message.get("edit_date")) or message.get("date"), received_at)
    name = person_name(f"{text(sender, 'first_name')} {text(sender, 'last_name')}")
    change: Literal["", "edited"] = "edited" if is_edit else ""
    ours = text(message, "business_connection_id") and text(sender, "id") not in ("", chat_id)
    if is_true(sender, "is_bot") or part(message, "sender_business_bot") or ours:
        author: Literal["us", "bot"] = "us" if ours and not part(message, "sender_business_bot") else "bot"
        return ParsedMessage(_chat_id(message), message_id, CHANNEL, author, at, written, media, change, name)
    phones, others = _contact(message, sender)
    start = _START.fullmatch(written)
    param = start[1] or "" if start and not is_edit else ""
    extra = {
        "username": text(sender, "username"),
        "language": text(sender, "language_code"),
        "start": param,
        "business_connection_id": text(message, "business_connection_id"),
    }
    touch = None if is_edit else link_touch(settings.links, param, at)
    return ParsedMessage(
        chat_id=_chat_id(message),
        message_id=message_id,
        channel=CHANNEL,
        at=at,
        text=written,
        media=media,
        change=change,
        author_name=name,
        lead=ParsedLead(
            name=name,
            phones=phones,
            messengers=((CHANNEL, text(sender, "id") or chat_id),),
            utm=dict(touch.utm) if touch else {},
            extra={key: value for key, value in extra.items() if value},
            touch=touch,
        ),
        hints=tuple(dict.fromkeys((*others, *hints(written, region)))),
    )


def _contact(message: Tree, sender: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(phones proven the sender's own, phones of other people): Telegram proves it by the same user id."""
    contact = part(message, "contact")
    phone = own_phone(text(contact, "phone_number"))
    if not phone:
        return (), ()
    own = text(contact, "user_id") != "" and text(contact, "user_id") == text(sender, "id")
    return ((phone,), ()) if own else ((), (phone,))
