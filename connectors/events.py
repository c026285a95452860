"""What a door may make of a request: a lead, an event of a call, a message, a payment, something to be fetched.

Empty fields say nothing; an id that is longer than an index takes is kept by its hash. Events may come in any order,
twice or not at all, so each stands for itself; `leads.calls` and `leads.conversations` make the call and the
conversation of all of them.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from leads.calls import Call
from leads.records import Touch

CallState = Literal["", "ringing", "talking", "ended"]
Direction = Literal["", "in", "out", "internal"]
Disposition = Literal["", "answered", "missed", "no_answer", "busy", "failed", "voicemail"]
"""`missed`: incoming, and nobody talked; `no_answer`: the same of an outgoing call."""


KEY_MAX_BYTES = 1_000
"""Of an id: with it goes at most another one into a key of ours, and PostgreSQL's indexes take 2,704 bytes."""


def short_key(text: str) -> str:
    """An id as it is kept: what is longer than any vendor's own, by its hash, so that it stays the same one."""
    if len(text) * 4 <= KEY_MAX_BYTES:
        return text
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= KEY_MAX_BYTES else hashlib.sha256(encoded).hexdigest()


def _shorten(event: Any, *names: str) -> None:
    for name in names:
        text = getattr(event, name)
        if len(text) * 4 > KEY_MAX_BYTES:
            object.__setattr__(event, name, short_key(text))


@dataclass(frozen=True, slots=True)
class ParsedLead:
    """A `leads.records.Lead` that has no id, source and time yet; fields mean the same there."""

    lead_uid: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    messengers: tuple[tuple[str, str], ...] = ()
    external_id: str = ""
    company: str = ""
    comment: str = ""
    form: str = ""
    page_url: str = ""
    referrer: str = ""
    utm: dict[str, str] = field(default_factory=dict)
    click_ids: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    call: Call | None = None
    touch: Touch | None = None
    browser_first_touch: Touch | None = None

    def __post_init__(self) -> None:
        _shorten(self, "lead_uid", "external_id")
        if self.messengers and any(len(text) * 4 > KEY_MAX_BYTES for pair in self.messengers for text in pair):
            short = tuple((short_key(vendor), short_key(sender)) for vendor, sender in self.messengers)
            object.__setattr__(self, "messengers", short)


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """One event of one call.

    `call_id` is the vendor's id of the whole call, never of a leg. `client` and `line` are numbers in E.164 where
    they can be read so, else as they were sent; `client` is "" when hidden. `extension` and `employee` (login,
    e-mail or name as the vendor knows it) are who rings, or of an event with `answered` who talked. Seconds are
    whole ones. `lead` is what is known of the client beside the number: name, UTM, click ids, e-mail.
    """

    call_id: str
    event: str = ""
    event_id: str = ""
    state: CallState = ""
    direction: Direction = ""
    client: str = ""
    line: str = ""
    extension: str = ""
    employee: str = ""
    at: datetime | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_s: int | None = None
    talk_s: int | None = None
    disposition: Disposition = ""
    recording_id: str = ""
    recording_url: str = ""
    command_id: str = ""
    lead: ParsedLead | None = None
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _shorten(self, "call_id", "event_id", "client", "line", "command_id")


MediaKind = Literal[
    "image",
    "sticker",
    "audio",
    "video",
    "file",
    "location",
    "contact",
    "poll",
    "story",
    "dice",
    "game",
    "checklist",
    "other",
]


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, voice message or file: `url` where the vendor gives one, else its `id` for fetching."""

    kind: MediaKind
    url: str = ""
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """One message of one conversation.

    `chat_id` is the vendor's id of the conversation inside the source. `author`: `client`, `us` (a colleague or
    our own echo) or `bot`. `change` says that it edits or deletes the message `message_id`. `lead` is who writes,
    with every event of the client: messenger id, name, phone and e-mail only where the vendor proves them his
    own, and the touch that brought him. `hints` are phones and e-mails that merely stand in the text.
    """

    chat_id: str
    message_id: str
    channel: str
    author: Literal["client", "us", "bot"] = "client"
    at: datetime | None = None
    text: str = ""
    media: tuple[Media, ...] = ()
    change: Literal["", "edited", "deleted"] = ""
    author_name: str = ""
    lead: ParsedLead | None = None
    hints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _shorten(self, "chat_id", "message_id")

    @property
    def is_touch_only(self) -> bool:
        """Nothing was said: the chat was merely opened by a link. A touch to remember, no enquiry yet."""
        return not (self.text or self.media or self.change)


@dataclass(frozen=True, slots=True)
class ParsedUndelivered:
    """A message of ours that the vendor had taken and could not deliver after all. `message_id` is the vendor's."""

    message_id: str
    why: str

    def __post_init__(self) -> None:
        _shorten(self, "message_id")


@dataclass(frozen=True, slots=True)
class ParsedPayment:
    """A payment or order whose state changed. `payment_id` names it through all its states; `lead` is who pays."""

    payment_id: str
    event_id: str
    status: Literal["pending", "succeeded", "canceled", "refunded"]
    amount: Decimal | None = None
    currency: str = ""
    order_id: str = ""
    description: str = ""
    at: datetime | None = None
    lead: ParsedLead | None = None

    def __post_init__(self) -> None:
        _shorten(self, "payment_id", "event_id")


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that the request only names and the vendor has to be asked for. `key` makes repeats of it one."""

    kind: str
    key: str
    data: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _shorten(self, "key")
