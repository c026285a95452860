"""What a WhatsApp message says: its words, its media, and the people in its contact cards."""

from typing import Final, Literal

from connectors.chats import own_phone
from connectors.events import Media
from connectors.trees import Tree, items, part, text

_FILES: Final[dict[str, Literal["image", "sticker", "audio", "video", "file"]]] = {
    "image": "image",
    "sticker": "sticker",
    "audio": "audio",
    "voice": "audio",
    "video": "video",
    "document": "file",
}
_WORDS: Final = frozenset(("text", "button", "interactive", "order"))


def words_of(message: Tree) -> str:
    """The text, the caption, the title of the button that was pressed, or what was ordered."""
    kind = text(message, "type")
    match kind:
        case "text":
            return text(message, "text", "body")
        case "button":
            return text(message, "button", "text")
        case "interactive":
            answer = part(message, "interactive", text(message, "interactive", "type"))
            return text(answer, "title") or text(answer, "body")
        case "order":
            lines = [
                text(message, "order", "text"),
                *(_ordered(item) for item in items(part(message, "order"), "product_items")),
            ]
            return "\n".join(filter(None, lines))
        case _:
            return text(message, kind, "caption") if kind else ""


def _ordered(item: Tree) -> str:
    price = " ".join(filter(None, (text(item, "item_price"), text(item, "currency"))))
    line = f"{text(item, 'product_retailer_id')} × {text(item, 'quantity') or '1'}"
    return f"{line}, {price}" if price else line


def media_of(message: Tree) -> tuple[Media, ...]:
    """Files by their id: Meta's links live for five minutes and want the token."""
    kind = text(message, "type")
    if kind in _FILES:
        file = part(message, kind)
        return (Media(_FILES[kind], id=text(file, "id"), name=text(file, "filename")),)
    if kind == "location":
        place = part(message, "location")
        where = f"{text(place, 'latitude')},{text(place, 'longitude')}"
        name = ", ".join(filter(None, (text(place, "name"), text(place, "address"))))
        return (Media("location", url=f"https://maps.google.com/?q={where}", name=name),)
    if kind == "contacts":
        return tuple(Media("contact", name=_card(card)) for card in items(message, "contacts"))
    return () if kind in _WORDS or not kind else (Media("other", name=kind[:50]),)


def own_contact(message: Tree) -> tuple[str, ...]:
    """Phones that the person shared as his own, by the button that asks for them."""
    asked = text(message, "origin") == "contact_request"
    return tuple(
        number
        for card in items(message, "contacts")
        if asked or text(card, "origin") == "contact_request"
        for number in _numbers(card)
    )


def phones_of_cards(message: Tree) -> tuple[str, ...]:
    """E.164 phones of all contact cards."""
    return tuple(number for card in items(message, "contacts") for number in _numbers(card))


def _numbers(card: Tree) -> list[str]:
    found = (own_phone(text(phone, "wa_id")) or own_phone(text(phone, "phone")) for phone in items(card, "phones"))
    return [number for number in found if number]


def _card(card: Tree) -> str:
    numbers = _numbers(card) or [text(phone, "phone") for phone in items(card, "phones")]
    return ", ".join(filter(None, (text(card, "name", "formatted_name"), *numbers)))
