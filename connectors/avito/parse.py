"""Webhooks of Avito Messenger (v3) -> messages."""

from typing import Literal

from connectors.avito.settings import AvitoSettings
from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Media, ParsedMessage
from connectors.trees import Tree, moment, part, read_object, text

CHANNEL = "avito"


def parse(settings: AvitoSettings, inbound: Inbound, region: str) -> Parsed:
    """The message of one hook; what Avito itself writes into a chat makes nothing. Raises Unreadable."""
    value = part(read_object(inbound), "payload", "value")
    kind = text(value, "type")
    chat_id, message_id, author = text(value, "chat_id"), text(value, "id"), text(value, "author_id")
    if kind == "system" or not chat_id or not message_id:
        return Parsed()
    at = moment(value.get("created"), inbound.received_at)
    change: Literal["", "deleted"] = "deleted" if kind == "deleted" else ""
    words, media = ("", ()) if change else _content(kind, part(value, "content"))
    ours = {text(value, "user_id"), settings.user_id} - {"", "0"}
    if author in ours:  # there is no mark of direction
        return Parsed(messages=(ParsedMessage(chat_id, message_id, CHANNEL, "us", at, words, media, change),))
    item = text(value, "item_id")
    extra = {
        "item_id": "" if item == "0" else item,
        "chat_type": text(value, "chat_type"),
        "account": text(value, "user_id"),
    }
    return Parsed(
        messages=(
            ParsedMessage(
                chat_id=chat_id,
                message_id=message_id,
                channel=CHANNEL,
                at=at,
                text=words,
                media=media,
                change=change,
                lead=ParsedLead(
                    messengers=((CHANNEL, author),) if author not in ("", "0") else (),
                    extra={key: value for key, value in extra.items() if value},
                    touch=None if change else link_touch({}, "", at),
                ),
                hints=hints(words, settings.region or region),
            ),
        )
    )


def _content(kind: str, content: Tree) -> tuple[str, tuple[Media, ...]]:
    match kind:
        case "text":
            return text(content, "text"), ()
        case "image":
            return "", (Media("image", url=_largest(part(content, "image", "sizes"))),)
        case "voice":
            return "", (Media("audio", id=text(content, "voice", "voice_id")),)
        case "link":
            link = part(content, "link")
            words, url = text(link, "text"), text(link, "url")
            return " ".join(filter(None, (words, "" if url and url in words else url))), ()
        case "location":
            place = part(content, "location")
            where = f"{text(place, 'lat')},{text(place, 'lon')}"
            name = text(place, "title") or text(place, "text")
            return "", (Media("location", url=f"https://maps.google.com/?q={where}", name=name),)
        case "item":
            item = part(content, "item")
            return text(item, "title"), (Media("other", url=text(item, "item_url"), name=text(item, "price_string")),)
        case "file":
            return "", (Media("file", id=text(content, "file", "id"), name=text(content, "file", "name")),)
        case "video":
            return "", (Media("video", id=text(content, "video", "video_id"), url=text(content, "video", "url")),)
        case _:
            return text(content, "text"), (Media("other", name=kind[:50]),)


def _largest(sizes: Tree) -> str:
    """`{"1280x960": url, …}` -> the url of the largest."""
    return text(sizes, max(sizes, key=_area)) if sizes else ""


def _area(size: str) -> int:
    width, _, height = size.partition("x")
    return int(width) * int(height) if width.isdecimal() and height.isdecimal() and len(size) < 20 else 0
