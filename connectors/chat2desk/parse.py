"""Chat2Desk webhooks -> messages."""

import re
from typing import Final, Literal

from connectors.chat2desk.settings import Chat2DeskSettings
from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Media, ParsedMessage
from connectors.trees import Tree, is_true, items, moment, part, read_object, text
from leads.normalize import person_name

_MEDIA: Final[dict[str, Literal["image", "video", "audio", "file"]]] = {
    "photo": "image",
    "video": "video",
    "audio": "audio",
    "pdf": "file",
}
_AUTHORS: Final[dict[tuple[str, str], Literal["client", "us", "bot"]]] = {
    ("inbox", "from_client"): "client",
    ("inbox", ""): "client",
    ("outbox", "to_client"): "us",
    ("outbox", ""): "us",
    ("outbox", "autoreply"): "bot",
    ("outbox", "system"): "bot",
}
"""(hook_type, type) -> who wrote; everything else is no message."""
_NUMBERED: Final = ("whatsapp", "wa_", "viber", "sms")
"""Beginnings of transports whose people are known by their number."""
_INTERNATIONAL = re.compile(r"\+?\d{11,15}", re.ASCII)
_CHANNELS: Final = {"wa": "whatsapp", "tg": "telegram", "ig": "instagram", "vkontakte": "vk"}


def parse(settings: Chat2DeskSettings, inbound: Inbound, region: str) -> Parsed:
    """The message of one hook; dialogs, tags, statuses and imports make nothing. Raises Unreadable."""
    hook = read_object(inbound)
    author = _AUTHORS.get((text(hook, "hook_type"), text(hook, "type")))
    client_id = text(hook, "client_id") or text(hook, "client", "id")
    message_id = text(hook, "message_id")
    if author is None or not client_id or not message_id:
        return Parsed()
    transport = text(hook, "transport")
    chat_id = f"{client_id}:{text(hook, 'channel_id')}:{transport}"
    channel = _CHANNELS.get(transport.partition("_")[0], transport.partition("_")[0]) or "chat2desk"
    words, media = text(hook, "text"), _media(hook)
    at = moment(hook.get("event_time"), inbound.received_at)
    if author != "client":
        return Parsed(messages=(ParsedMessage(chat_id, message_id, channel, author, at, words, media),))
    client = part(hook, "client")
    name = person_name(text(client, "name") or text(client, "assigned_name"))
    phone = _phone(text(client, "phone"), transport)
    told = own_phone(text(client, "client_phone"))
    extra = {
        "dialog": text(hook, "dialog_id"),
        "request": text(hook, "request_id"),
        "transport": transport,
        "username": text(client, "username"),
        "client_phone": "" if phone else text(client, "phone"),
    }
    return Parsed(
        messages=(
            ParsedMessage(
                chat_id=chat_id,
                message_id=message_id,
                channel=channel,
                at=at,
                text=words,
                media=media,
                author_name=name,
                lead=ParsedLead(
                    name=name,
                    phones=(phone,) if phone else (),
                    messengers=(("chat2desk", client_id),),
                    extra={key: value for key, value in extra.items() if value},
                    touch=link_touch({}, "", at),
                ),
                hints=tuple(
                    dict.fromkeys(
                        (*([told] if told and told != phone else []), *hints(words, settings.region or region))
                    )
                ),
            ),
        )
    )


def _phone(written: str, transport: str) -> str:
    """`client.phone` may be a messenger's id (`[tg] 123`): outside channels of numbers only what is long enough."""
    is_number = transport.startswith(_NUMBERED) or _INTERNATIONAL.fullmatch(written)
    return own_phone(written) if is_number else ""


def _media(hook: Tree) -> tuple[Media, ...]:
    found = [Media(kind, url=link) for key, kind in _MEDIA.items() if (link := text(hook, key))]
    for attachment in items(hook, "attachments"):
        link = text(attachment, "link") or text(attachment, "url")
        if link and not is_true(attachment, "deleted"):
            found.append(Media("file", url=link, name=text(attachment, "name")))
    return tuple(found)
