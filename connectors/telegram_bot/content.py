"""What a Telegram message carries beside its text."""

from typing import Final, Literal

from connectors.chats import own_phone
from connectors.events import Media
from connectors.trees import Tree, items, part, text
from leads.normalize import clean_text, person_name

# fmt: off
_ENVELOPE: Final = frozenset((
    "message_id", "from", "chat", "date", "edit_date", "message_thread_id", "business_connection_id",
    "sender_chat", "sender_boost_count", "sender_business_bot", "sender_tag", "is_topic_message",
    "is_automatic_forward", "is_from_offline", "is_paid_post", "has_protected_content", "has_media_spoiler",
    "show_caption_above_media", "reply_to_message", "reply_to_story", "reply_to_checklist_task_id",
    "external_reply", "quote", "forward_origin", "forward_from", "forward_from_chat", "forward_date",
    "forward_from_message_id", "forward_sender_name", "forward_signature", "via_bot", "author_signature",
    "media_group_id", "entities", "caption_entities", "link_preview_options", "reply_markup", "effect_id",
    "paid_star_count", "direct_messages_topic", "suggested_post_info",
))
# fmt: on
"""Keys that say how a message came, not what it says."""

# fmt: off
_SERVICE: Final = frozenset((
    "pinned_message", "write_access_allowed", "connected_website", "message_auto_delete_timer_changed",
    "users_shared", "chat_shared", "chat_background_set", "boost_added", "proximity_alert_triggered",
    "successful_payment", "refunded_payment", "forum_topic_created", "forum_topic_edited", "forum_topic_closed",
    "forum_topic_reopened", "passport_data", "direct_message_price_changed", "paid_message_price_changed",
))
# fmt: on
"""What Telegram puts into a chat by itself: nobody wrote it."""


def says_something(message: Tree) -> bool:
    """Somebody wrote or sent something, be it of a kind that we do not know."""
    return any(key not in _ENVELOPE and key not in _SERVICE for key in message)


def media_of(message: Tree) -> tuple[Media, ...]:
    """Everything sent with one message, files by their `file_id`."""
    found: list[Media] = []
    sizes = items(message, "photo")
    if sizes:
        largest = max(enumerate(sizes), key=lambda pair: (_number(pair[1], "width"), pair[0]))[1]
        found.append(Media("image", id=text(largest, "file_id")))
    for key, kind in _FILES.items():
        file = part(message, key)
        if file and not (key == "document" and "animation" in message):  # an animation comes as both
            name = text(file, "file_name") or text(file, "title")
            found.append(Media(kind, id=text(file, "file_id"), name=name))
    place = part(message, "venue", "location") or part(message, "location")
    if place:
        title = " ".join(filter(None, (text(message, "venue", "title"), text(message, "venue", "address"))))
        where = f"{text(place, 'latitude')},{text(place, 'longitude')}"
        found.append(Media("location", url=f"https://maps.google.com/?q={where}", name=title))
    card = part(message, "contact")
    if card:
        number = text(card, "phone_number")
        name = person_name(f"{text(card, 'first_name')} {text(card, 'last_name')}")
        found.append(Media("contact", name=", ".join(filter(None, (name, own_phone(number) or number)))))
    for what, names in _THINGS.items():
        if thing := part(message, what):
            name = " ".join(filter(None, (text(thing, one) for one in names)))
            found.append(Media(what, id=text(thing, "file_id"), name=name))
    if found or any(key in message for key in ("text", "caption", "web_app_data")):
        return tuple(found)
    unknown = sorted(key for key in message if key not in _ENVELOPE and key not in _SERVICE)
    return (Media("other", name=clean_text(unknown[0], 50)),) if unknown else ()


_THINGS: Final[dict[Literal["sticker", "poll", "dice", "game", "checklist", "story"], tuple[str, ...]]] = {
    "sticker": ("emoji",),
    "poll": ("question",),
    "dice": ("emoji", "value"),
    "game": ("title",),
    "checklist": ("title",),
    "story": (),
}
"""What it is called by."""
_FILES: Final[dict[str, Literal["audio", "video", "file"]]] = {
    "voice": "audio",
    "audio": "audio",
    "video": "video",
    "video_note": "video",
    "animation": "video",
    "document": "file",
}


def _number(tree: Tree, key: str) -> int:
    value = tree.get(key)
    return value if isinstance(value, int) else 0
