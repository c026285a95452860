"""A webhook of the Cloud API -> messages; 360dialog sends the same payloads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connectors.chats import hints, host_and_path, link_touch, own_phone
from connectors.doors import DoorSettings, Inbound, Parsed, ParsedLead
from connectors.events import ParsedMessage
from connectors.trees import Tree, items, moment, part, read_object, text
from connectors.whatsapp.content import media_of, own_contact, phones_of_cards, words_of
from connectors.whatsapp.failures import undelivered_of
from leads.normalize import person_name
from leads.records import Touch

CHANNEL = "whatsapp"
_SILENT = frozenset(("reaction", "system", "request_welcome", "ephemeral"))
"""Not a message: a smile on one, a changed number, an opened chat."""


def parse(settings: DoorSettings, inbound: Inbound, region: str) -> Parsed:
    """All messages and echoes of one request, and which of ours were not delivered. Raises Unreadable."""
    payload = read_object(inbound)
    made = messages_of(payload, settings.region or region, inbound.received_at)
    failed = (one for value in _values(payload) for one in undelivered_of(value))
    return Parsed(messages=tuple(made), undelivered=tuple(failed))


def _values(payload: Tree) -> list[Tree]:
    """Every level may hold several. 360dialog's older numbers send a bare value without `entry`."""
    found = [part(change, "value") for entry in items(payload, "entry") for change in items(entry, "changes")]
    return found or [payload]


def messages_of(payload: Tree, region: str, received_at: datetime) -> Iterator[ParsedMessage]:
    for value in _values(payload):
        ours = text(value, "metadata", "display_phone_number")
        for message in items(value, "messages"):
            made = _message(message, Person.of(message, items(value, "contacts")), ours, region, received_at)
            if made:
                yield made
        for message in items(value, "message_echoes"):
            made = _message(message, None, ours, region, received_at)
            if made:
                yield made


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes: `wa_id` is digits, "" for people who hide their number; `user_ids` are Meta's ids of him."""

    wa_id: str
    user_ids: tuple[str, ...]
    name: str
    username: str

    @classmethod
    def of(cls, message: Tree, contacts: list[Tree]) -> "Person":
        sender, user_id = text(message, "from").removeprefix("+"), text(message, "from_user_id")
        if not sender.isdecimal():  # an id of Meta where the number stood: its digits are no phone
            sender, user_id = "", user_id or sender
        known = [
            contact
            for contact in contacts
            if (sender and text(contact, "wa_id") == sender) or (user_id and text(contact, "user_id") == user_id)
        ]
        contact: Tree = known[0] if known else {}
        if not sender and not user_id and len(contacts) == 1:
            contact = contacts[0]
        wa_id = sender or text(contact, "wa_id")
        ids = (
            user_id or text(contact, "user_id"),
            text(message, "from_parent_user_id") or text(contact, "parent_user_id"),
        )
        return cls(
            wa_id if wa_id.isdecimal() else "",
            tuple(filter(None, ids)),
            person_name(text(contact, "profile", "name")),
            text(contact, "profile", "username"),
        )

    @property
    def chat_id(self) -> str:
        return self.wa_id or next(iter(self.user_ids), "")


def _message(
    message: Tree, person: Person | None, ours: str, region: str, received_at: datetime
) -> ParsedMessage | None:
    """`person` is None for an echo: what a colleague wrote in the app on the phone."""
    kind = text(message, "type")
    chat_id = person.chat_id if person else text(message, "to") or text(message, "to_user_id")
    message_id = text(message, "id")
    change: Literal["", "edited", "deleted"] = ""
    shown = message
    if kind in ("edit", "revoke"):
        message_id = text(message, kind, "original_message_id")
        change = "edited" if kind == "edit" else "deleted"
        shown = part(message, kind, "message")
    if kind in _SILENT or text(message, "group_id") or not chat_id or not message_id:
        return None
    at = moment(message.get("timestamp"), received_at)
    words = words_of(shown) if change != "deleted" else ""
    media = media_of(shown) if change != "deleted" else ()
    if person is None:
        return ParsedMessage(chat_id, message_id, CHANNEL, "us", at, words, media, change)
    proven = own_contact(shown)
    others = tuple(number for number in phones_of_cards(shown) if number not in proven)
    phone = own_phone(person.wa_id)
    touch = None if change else _touch(part(message, "referral"), at)
    return ParsedMessage(
        chat_id=chat_id,
        message_id=message_id,
        channel=CHANNEL,
        at=at,
        text=words,
        media=media,
        change=change,
        author_name=person.name,
        lead=ParsedLead(
            name=person.name,
            phones=tuple(dict.fromkeys((*((phone,) if phone else ()), *proven))),
            messengers=tuple((CHANNEL, key) for key in (person.wa_id, *person.user_ids) if key),
            utm=dict(touch.utm) if touch else {},
            click_ids=dict(touch.click_ids) if touch else {},
            extra=_extra(message, person, phone, ours),
            flags=("bad_phone",) if person.wa_id and not phone else (),
            touch=touch,
        ),
        hints=tuple(dict.fromkeys((*others, *hints(words, region)))),
    )


def _touch(referral: Tree, at: datetime) -> Touch:
    """The ad of a click-to-WhatsApp message; `ctwa_clid` is what conversions are sent back with."""
    click_id = text(referral, "ctwa_clid")
    return link_touch(
        {},
        "",
        at,
        referrer=text(referral, "source_url"),
        click_ids={"ctwa_clid": click_id} if click_id else {},
        is_ad=text(referral, "source_type") == "ad" or bool(click_id),
    )


def _extra(message: Tree, person: Person, phone: str, ours: str) -> dict[str, str]:
    referral = part(message, "referral")
    extra = {
        "username": person.username,
        "phone": "" if phone else person.wa_id,
        "our_number": ours,
        "ad_id": text(referral, "source_id"),
        "ad_type": text(referral, "source_type"),
        "ad_headline": text(referral, "headline"),
        "ad_text": text(referral, "body"),
        "ad_link": host_and_path(text(referral, "source_url")),
        "button": text(message, "button", "payload"),
    }
    return {key: value for key, value in extra.items() if value}
