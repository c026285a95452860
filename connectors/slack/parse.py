"""Requests of a Slack app -> messages."""

import re
from typing import Final, Literal

from connectors.bodies import read_body
from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead, Reply
from connectors.events import Media, ParsedMessage
from connectors.slack.settings import SlackSettings
from connectors.trees import Tree, items, moment, part, read_object, text
from leads.normalize import clean_text, person_name

CHANNEL = "slack"
_FORM: Final = "application/x-www-form-urlencoded"
_CHANGES: Final[dict[str, Literal["", "edited", "deleted"]]] = {
    "": "",
    "file_share": "",
    "message_changed": "edited",
    "message_deleted": "deleted",
}
"""`subtype` of what a person wrote; the rest (somebody joined, a topic was set) is no message."""
_MARKUP: Final = re.compile(r"<(?:mailto:|tel:)?([^<>|]+)(?:\|([^<>]+))?>")


def parse(settings: SlackSettings, inbound: Inbound, region: str) -> Parsed:
    """A message of a person to the app. Buttons of our own messages make nothing. Raises Unreadable."""
    headers = inbound.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        read_body(inbound.body, _FORM)  # `payload`: a button was pressed
        return Parsed()
    request = read_object(inbound)
    if text(request, "type") == "url_verification":
        challenge = text(request, "challenge")
        return Parsed(reply=Reply(200, challenge.encode(), "text/plain"))
    event = part(request, "event")
    if text(request, "type") != "event_callback" or text(event, "type") != "message":
        return Parsed()
    message = _message(event, inbound, settings.region or region)
    return Parsed(messages=(message,)) if message else Parsed()


def _message(event: Tree, inbound: Inbound, region: str) -> ParsedMessage | None:
    change = _CHANGES.get(text(event, "subtype"))
    if change is None:
        return None
    told = part(event, "previous_message") if change == "deleted" else part(event, "message") if change else event
    person, chat, number = text(told, "user"), text(event, "channel"), text(told, "ts")
    if not (person and chat and number):
        return None
    at = moment(number.partition(".")[0], inbound.received_at)
    words = clean_text(_MARKUP.sub(lambda found: found[2] or found[1], text(told, "text")))
    is_ours = bool(text(told, "bot_id") or text(told, "app_id"))
    lead = ParsedLead(
        name=person_name(text(told, "user_profile", "real_name")),
        messengers=((CHANNEL, person),),
        touch=link_touch({}, "", at),
    )
    return ParsedMessage(
        chat_id=f"{chat}:{person}" if not chat.startswith("D") else chat,
        message_id=f"{chat}:{number}",
        channel=CHANNEL,
        author="bot" if is_ours else "client",
        at=at,
        text="" if change == "deleted" else words,
        media=tuple(_file(one) for one in items(told, "files")),
        change=change,
        author_name=lead.name,
        lead=None if is_ours else lead,
        hints=hints(words, region),
    )


def _file(one: Tree) -> Media:
    kind = text(one, "mimetype").partition("/")[0]
    known: dict[str, Literal["image", "video", "audio"]] = {"image": "image", "video": "video", "audio": "audio"}
    return Media(known.get(kind, "file"), url=text(one, "permalink"), name=text(one, "name"))
