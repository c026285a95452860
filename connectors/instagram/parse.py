"""Instagram webhooks -> messages."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import Media, ParsedMessage
from connectors.instagram.settings import InstagramSettings
from connectors.trees import Tree, is_true, items, moment, part, read_object, text

CHANNEL = "instagram"
_KINDS: Final[dict[str, Literal["image", "audio", "video", "story", "file"]]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "ig_reel": "video",
    "reel": "video",
    "story_mention": "story",
    "file": "file",
}


def parse(settings: InstagramSettings, inbound: Inbound, region: str) -> Parsed:
    """All messages of one request; reactions and read marks make nothing. Raises Unreadable."""
    payload = read_object(inbound)
    return Parsed(messages=tuple(_messages(settings, payload, settings.region or region, inbound.received_at)))


def _messages(
    settings: InstagramSettings, payload: Tree, region: str, received_at: datetime
) -> Iterator[ParsedMessage]:
    for entry in items(payload, "entry"):
        events = [*items(entry, "messaging"), *(part(change, "value") for change in items(entry, "changes"))]
        for event in events:
            made = _message(settings, event, text(entry, "id"), region, received_at)
            if made:
                yield made


def _message(
    settings: InstagramSettings, event: Tree, account: str, region: str, received_at: datetime
) -> ParsedMessage | None:
    message, edit = part(event, "message"), part(event, "message_edit")
    postback = part(event, "postback")
    shown = message or edit or postback
    referral = part(shown, "referral") or part(event, "referral")
    sender = text(event, "sender", "id")
    ours = is_true(message, "is_echo") or sender in {account, settings.account_id} - {""}
    chat_id = text(event, "recipient", "id") if ours else sender
    stamp = text(event, "timestamp")
    message_id = text(shown, "mid") or (f"referral:{stamp}" if referral and not shown and stamp else "")
    if not chat_id or not message_id:
        return None
    change: Literal["", "edited", "deleted"] = "edited" if edit else ""
    if is_true(message, "is_deleted"):
        change = "deleted"
    words = text(shown, "text") or text(postback, "title")
    media = _media(message) if change != "deleted" else ()
    at = moment(event.get("timestamp"), received_at)
    if ours:
        return ParsedMessage(chat_id, message_id, CHANNEL, "us", at, words, media, change)
    touch = None
    if not change:
        is_ad = text(referral, "source").upper() == "ADS" or bool(text(referral, "ad_id"))
        touch = link_touch(settings.links, text(referral, "ref"), at, is_ad=is_ad)
    extra = {
        "ref": text(referral, "ref"),
        "ref_source": text(referral, "source"),
        "ad_id": text(referral, "ad_id"),
        "ad_headline": text(referral, "ads_context_data", "ad_title"),
        "button": text(postback, "payload"),
    }
    return ParsedMessage(
        chat_id=chat_id,
        message_id=message_id,
        channel=CHANNEL,
        at=at,
        text=words,
        media=media,
        change=change,
        lead=ParsedLead(
            messengers=((CHANNEL, chat_id),),
            utm=dict(touch.utm) if touch else {},
            click_ids=dict(touch.click_ids) if touch else {},
            extra={key: value for key, value in extra.items() if value},
            touch=touch,
        ),
        hints=hints(words, region),
    )


def _media(message: Tree) -> tuple[Media, ...]:
    found = []
    for attachment in items(message, "attachments"):
        kind, payload = text(attachment, "type"), part(attachment, "payload")
        name = text(payload, "title") or ("" if kind in _KINDS else kind[:50])
        found.append(Media(_KINDS.get(kind, "other"), url=text(payload, "url"), name=name))
    story = text(message, "reply_to", "story", "url")
    if story:
        found.append(Media("story", url=story))
    if is_true(message, "is_unsupported") and not found:
        found.append(Media("other", name="unsupported"))
    return tuple(found)
