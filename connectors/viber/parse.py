"""Callbacks of a Viber bot -> messages, and touches of people who only opened the chat."""

from typing import Final, Literal

from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Media, ParsedMessage, ParsedUndelivered
from connectors.trees import Tree, moment, part, read_object, text
from connectors.viber.settings import ViberSettings
from leads.normalize import clean_text, person_name

CHANNEL = "viber"
_KINDS: Final[dict[str, Literal["image", "sticker", "video", "file", "other"]]] = {
    "picture": "image",
    "sticker": "sticker",
    "video": "video",
    "file": "file",
    "url": "other",
}


def parse(settings: ViberSettings, inbound: Inbound, region: str) -> Parsed:
    """A message, the opening of a chat, or that one of ours failed; other marks make nothing. Raises Unreadable."""
    callback = read_object(inbound)
    event, token = text(callback, "event"), text(callback, "message_token")
    if event == "failed" and token:
        why = clean_text(text(callback, "desc"), 200) or "Viber could not deliver it"
        return Parsed(undelivered=(ParsedUndelivered(token, why),))
    opened = event == "conversation_started"
    sender = part(callback, "user") if opened else part(callback, "sender")
    person = text(sender, "id")
    if event not in ("message", "conversation_started") or not person or not token:
        return Parsed()
    message = {} if opened else part(callback, "message")
    context = text(callback, "context") if opened else ""
    at = moment(callback.get("timestamp"), inbound.received_at)
    words = text(message, "text")
    card = own_phone(text(message, "contact", "phone_number"))
    name = person_name(text(sender, "name"))
    touch = link_touch(settings.links, context, at)
    extra = {"context": context, "country": text(sender, "country"), "language": text(sender, "language")}
    typed = hints(words, settings.region or text(sender, "country").upper() or region)
    return Parsed(
        messages=(
            ParsedMessage(
                chat_id=person,
                message_id=token,
                channel=CHANNEL,
                at=at,
                text=words,
                media=_media(message),
                author_name=name,
                lead=ParsedLead(
                    name=name,
                    messengers=((CHANNEL, person),),
                    utm=dict(touch.utm),
                    click_ids=dict(touch.click_ids),
                    extra={key: value for key, value in extra.items() if value},
                    touch=touch,
                ),
                hints=tuple(dict.fromkeys((*([card] if card else []), *typed))),
            ),
        )
    )


def _media(message: Tree) -> tuple[Media, ...]:
    kind = text(message, "type")
    if kind == "contact":
        contact = part(message, "contact")
        number = text(contact, "phone_number")
        return (Media("contact", name=", ".join(filter(None, (text(contact, "name"), own_phone(number) or number)))),)
    if kind == "location":
        place = part(message, "location")
        where = f"{text(place, 'lat')},{text(place, 'lon')}"
        return (Media("location", url=f"https://maps.google.com/?q={where}", name=text(place, "address")),)
    if kind in ("text", ""):
        return ()
    unknown = "" if kind in _KINDS else kind[:50]
    return (Media(_KINDS.get(kind, "other"), url=text(message, "media"), name=text(message, "file_name") or unknown),)
