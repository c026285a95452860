"""Events of VK's Callback API -> messages and leads. The proof stands in the body, so it is checked here."""

from datetime import datetime
from typing import Literal

from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead, Refused, Reply, same_secret
from connectors.events import ParsedMessage
from connectors.trees import Tree, is_true, moment, part, read_object, text
from connectors.vk.content import media_of, words_of
from connectors.vk.forms import lead_of
from connectors.vk.settings import VkSettings

CHANNEL = "vk"
FIRST_GROUP_CHAT = 2_000_000_000


def parse(settings: VkSettings, inbound: Inbound, region: str) -> Parsed:
    """What one event holds, and the confirmation VK asks for. Raises Unreadable, and Refused without its secret."""
    event = read_object(inbound)
    kind, region = text(event, "type"), settings.region or region
    _check(settings, event, kind)
    thing = part(event, "object")
    match kind:
        case "confirmation":
            if not settings.confirmation:
                raise Refused("the confirmation string is not set", 403)
            return Parsed(reply=Reply(200, settings.confirmation.encode(), "text/plain"))
        case "message_new" | "message_reply" | "message_edit":
            made = _message(settings, thing, kind, region, inbound.received_at)
            return Parsed(messages=(made,) if made else ())
        case "message_allow":
            allowed = _allowed(settings, thing, text(event, "event_id"), inbound.received_at)
            return Parsed(messages=(allowed,) if allowed else ())
        case "lead_forms_new":
            lead = lead_of(thing, region, inbound.received_at.replace(microsecond=0))
            return Parsed(leads=(lead,) if lead else ())
        case _:
            return Parsed()


def _check(settings: VkSettings, event: Tree, kind: str) -> None:
    given = text(event, "secret")
    proven = settings.secret is None or same_secret(given, settings.secret.get_secret_value())
    asked_before_it_was_set = kind == "confirmation" and not given
    if not proven and not asked_before_it_was_set:
        raise Refused("the secret is wrong or missing", 403)
    if settings.group_id and event and text(event, "group_id").removeprefix("-") != settings.group_id:
        raise Refused("another community", 403)


def _message(settings: VkSettings, thing: Tree, kind: str, region: str, received_at: datetime) -> ParsedMessage | None:
    message = part(thing, "message") or thing  # bare in replies and edits, and in old versions of the API
    sender, peer = text(message, "from_id"), text(message, "peer_id")
    chat_id = peer or sender
    number = text(message, "id")
    message_id = number if number not in ("", "0") else text(message, "conversation_message_id")
    if not chat_id or not message_id or _is_group(chat_id):
        return None
    change: Literal["", "edited"] = "edited" if kind == "message_edit" else ""
    at = moment((change and message.get("update_time")) or message.get("date"), received_at)
    words, media = words_of(message), media_of(message)
    if sender.startswith("-") or is_true(message, "out") or kind == "message_reply":
        return ParsedMessage(chat_id, message_id, CHANNEL, "us", at, words, media, change)
    ref, ref_source = text(message, "ref"), text(message, "ref_source")
    touch = None if change else link_touch(settings.links, ref, at, source=ref_source)
    extra = {"ref": ref, "ref_source": ref_source, "button": text(message, "payload")}
    return ParsedMessage(
        chat_id=chat_id,
        message_id=message_id,
        channel=CHANNEL,
        at=at,
        text=words,
        media=media,
        change=change,
        lead=ParsedLead(
            messengers=((CHANNEL, sender or chat_id),),
            utm=dict(touch.utm) if touch else {},
            click_ids=dict(touch.click_ids) if touch else {},
            extra={key: value for key, value in extra.items() if value},
            touch=touch,
        ),
        hints=hints(words, region),
    )


def _is_group(peer: str) -> bool:
    return peer.isdecimal() and len(peer) < 20 and int(peer) >= FIRST_GROUP_CHAT


def _allowed(settings: VkSettings, thing: Tree, event_id: str, received_at: datetime) -> ParsedMessage | None:
    """A person let the community write to him, by a button that is named `key`: a touch, not yet a message."""
    person, key = text(thing, "user_id"), text(thing, "key")
    if not person or not key or not event_id:
        return None
    at = received_at.replace(microsecond=0)
    touch = link_touch(settings.links, key, at)
    return ParsedMessage(
        chat_id=person,
        message_id=f"allow:{event_id}",
        channel=CHANNEL,
        at=at,
        lead=ParsedLead(
            messengers=((CHANNEL, person),),
            utm=dict(touch.utm),
            click_ids=dict(touch.click_ids),
            extra={"key": key},
            touch=touch,
        ),
    )
