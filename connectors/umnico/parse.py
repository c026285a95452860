"""Umnico webhooks -> messages."""

from typing import Final, Literal

from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Media, ParsedMessage
from connectors.trees import Tree, items, moment, part, read_object, text
from connectors.umnico.settings import UmnicoSettings
from leads.normalize import person_name

_KINDS: Final[dict[str, Literal["image", "audio", "video", "file"]]] = {
    "photo": "image",
    "image": "image",
    "audio": "audio",
    "voice": "audio",
    "video": "video",
    "doc": "file",
    "document": "file",
    "file": "file",
}


def parse(settings: UmnicoSettings, inbound: Inbound, region: str) -> Parsed:
    """The message of one hook; leads, customers and statuses of Umnico make nothing. Raises Unreadable."""
    hook = read_object(inbound)
    event, outer = text(hook, "type"), part(hook, "message")
    message_id = text(outer, "messageId")
    source = part(outer, "source")
    talk = text(source, "realId") or text(source, "id")
    if event not in ("message.incoming", "message.outgoing") or not message_id or not talk:
        return Parsed()
    channel = text(outer, "sa", "type") or text(outer, "sender", "type") or "umnico"
    chat_id = f"{text(hook, 'leadId')}:{talk}"
    words, media = text(outer, "message", "text"), _media(part(outer, "message"))
    at = moment(outer.get("datetime"), inbound.received_at)
    ours = outer.get("incoming") is False if "incoming" in outer else event == "message.outgoing"
    if ours or event == "message.outgoing":
        return Parsed(messages=(ParsedMessage(chat_id, message_id, channel, "us", at, words, media),))
    sender = part(outer, "sender")
    name = person_name(text(sender, "name"))
    customer = text(sender, "customerId") or text(sender, "id")
    extra = {
        "username": text(sender, "login"),
        "profile": text(sender, "profileUrl"),
        "umnico_lead": text(hook, "leadId"),
        "our_account": text(outer, "sa", "login"),
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
                author_name=name or text(sender, "login"),
                lead=ParsedLead(
                    name=name,
                    messengers=(("umnico", customer),) if customer else (),
                    extra={key: value for key, value in extra.items() if value},
                    touch=link_touch({}, "", at),
                ),
                hints=hints(words, settings.region or region),
            ),
        )
    )


def _media(message: Tree) -> tuple[Media, ...]:
    return tuple(
        Media(
            _KINDS.get(text(one, "type"), "other"),
            url=text(one, "payload", "url") or text(one, "url"),
            name=text(one, "payload", "name") or text(one, "payload", "title"),
        )
        for one in items(message, "attachments")
    )
