"""What was written in a conversation since the last note -> the text of the next one.

Messages come in any order, more than once, and are edited or deleted afterwards; which of them the earlier notes
told of is known by their keys, not by time, so that one that comes late is told all the same.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from leads.normalize import clean_text

NOTE_MAX = 8_000  # characters; every CRM takes so many, and nobody reads more at once
QUOTE_MAX = 120  # characters of a deleted message that an earlier note has in full
INDENT = "    "  # in front of further lines of one message: it cannot pass itself off as two


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture, voice message or file; `kind` and the rest as of `connectors.events.Media`."""

    kind: str
    url: str = ""
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """One event of one message; fields as of `connectors.events.ParsedMessage`.

    `at` is the vendor's time, or when the event came if the vendor gives none.
    """

    message_id: str
    at: datetime
    author: str = "client"
    text: str = ""
    media: tuple[Attachment, ...] = ()
    change: str = ""
    author_name: str = ""

    @property
    def key(self) -> str:
        """The same for a repeat of the event, another for every further change of the message."""
        match self.change:
            case "":
                return self.message_id
            case "deleted":
                return f"{self.message_id}#deleted"
            case _:
                content = repr((self.at.astimezone(UTC), self.text, self.media))
                return f"{self.message_id}#edited:{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:16]}"

    def to_json(self) -> dict[str, Any]:
        """For the store: `from_json` gives the same event back."""
        values = {name: value for name, value in asdict(self).items() if value not in ("", ())}
        return {**values, "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "MessageEvent":
        values = {
            name: data[name] for name in ("message_id", "author", "text", "change", "author_name") if name in data
        }
        media = tuple(Attachment(**one) for one in data.get("media", ()))
        return cls(at=datetime.fromisoformat(data["at"]), media=media, **values)


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of a note in one language. `correction` and `removal` take `{time}`."""

    title: str
    client: str
    us: str
    edited: str
    deleted: str
    correction: str
    removal: str
    date_format: str
    kinds: Mapping[str, str] = field(hash=False)


RU = Labels(
    title="Переписка",
    client="Клиент",
    us="Мы",
    edited="изменено",
    deleted="удалено",
    correction="исправление сообщения {time}",
    removal="удаление сообщения {time}",
    date_format="%d.%m.%Y",
    kinds={
        "image": "фото",
        "audio": "аудио",
        "video": "видео",
        "file": "файл",
        "location": "место",
        "contact": "контакт",
        "sticker": "стикер",
        "poll": "опрос",
        "story": "история",
        "dice": "кубик",
        "game": "игра",
        "checklist": "список дел",
        "other": "вложение",
    },
)
EN = Labels(
    title="Conversation",
    client="Client",
    us="We",
    edited="edited",
    deleted="deleted",
    correction="correction of {time}",
    removal="{time} was deleted",
    date_format="%d %b %Y",
    kinds={
        "image": "photo",
        "audio": "audio",
        "video": "video",
        "file": "file",
        "location": "place",
        "contact": "contact",
        "sticker": "sticker",
        "poll": "poll",
        "story": "story",
        "dice": "dice",
        "game": "game",
        "checklist": "checklist",
        "other": "attachment",
    },
)


def labels_of(locale: str) -> Labels:
    """Locale "ru", else English."""
    return RU if locale.startswith("ru") else EN


@dataclass(frozen=True, slots=True)
class Note:
    """`text` is "" when there is nothing to tell. `keys` are to be kept with the note; `more` asks for the next one."""

    text: str = ""
    keys: frozenset[str] = frozenset()
    more: bool = False


def direct_link(attachment: Attachment) -> str:
    """The vendor's own link, which may die soon."""
    return attachment.url


def note_of(
    events: Iterable[MessageEvent],
    noted: Collection[str] = frozenset(),
    *,
    labels: Labels,
    zone: tzinfo,
    channel: str = "",
    link: Callable[[Attachment], str] = direct_link,
    max_chars: int = NOTE_MAX,
) -> Note:
    """What `events`, all those stored of one conversation, tell that `noted`, the keys of earlier notes, do not.

    `channel` is the messenger's name for the heading. What a bot wrote is left out.
    """
    messages: dict[str, set[MessageEvent]] = {}
    for event in events:
        messages.setdefault(event.message_id, set()).add(event)
    keys: set[str] = set()
    told: list[tuple[tuple[Any, ...], _Told]] = []
    for message_id, known in messages.items():
        fresh = frozenset(event.key for event in known) - frozenset(noted)
        if not fresh:
            continue
        line = _tell(known, noted, labels, zone)
        if line is None:
            keys |= fresh
        else:
            told.append(((line.at, *_numeric(message_id)), _Told(line, fresh)))
    told.sort(key=lambda pair: pair[0])

    shown: list[str] = []
    size, day = 0, ""
    for _, one in told:
        date = one.line.at.astimezone(zone).strftime(labels.date_format)
        heading = "" if date == day else _heading(date, labels, channel, is_first=not shown)
        rendered = one.line.render(labels, zone, link)
        piece = "\n".join(filter(None, (heading, rendered)))
        if shown and size + 1 + len(piece) > max_chars:
            return Note("\n".join(shown), frozenset(keys), more=True)
        shown.append(clean_text(piece, max_chars))
        size += len(shown[-1]) + (1 if size else 0)
        keys |= one.keys
        day = date
    return Note("\n".join(shown), frozenset(keys))


def _numeric(message_id: str) -> tuple[int, str]:
    """Most vendors count their messages: of two in one second the lower number came first."""
    counted = message_id.isascii() and message_id.isdigit() and len(message_id) < 40
    return (int(message_id) if counted else 0, message_id)


def _heading(date: str, labels: Labels, channel: str, *, is_first: bool) -> str:
    if not is_first:
        return date
    return f"{labels.title}: {channel}, {date}" if channel else f"{labels.title}, {date}"


# --- one message ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """What the note says of one message; `mark` is what happened to it."""

    at: datetime
    author: str
    author_name: str
    text: str
    media: tuple[Attachment, ...] = ()
    mark: str = ""

    def render(self, labels: Labels, zone: tzinfo, link: Callable[[Attachment], str]) -> str:
        """`14:02 Анна (изменено): текст`, further lines indented."""
        ours = self.author != "client"
        who = clean_text(" ".join(self.author_name.split()), 80) or (labels.us if ours else labels.client)
        mark = f" ({self.mark})" if self.mark else ""
        said = [*self.text.splitlines(), *(_shown(one, labels, link) for one in self.media)]
        first, *others = said or [""]
        lead = f"{_clock(self.at, zone)} {'→ ' if ours else ''}{who}{mark}: {first}"
        return "\n".join((lead.rstrip(), *(f"{INDENT}{line}" for line in others)))


@dataclass(frozen=True, slots=True)
class _Told:
    line: _Line
    keys: frozenset[str]


def _tell(known: Collection[MessageEvent], noted: Collection[str], labels: Labels, zone: tzinfo) -> _Line | None:
    """The line of one message that has something new, or None: a bot's, an empty one, a change that changes nothing."""
    ordered = sorted(known, key=_place)
    contents = [event for event in ordered if event.change != "deleted" and (event.text or event.media)]
    if not contents:
        return None
    first, last = contents[0], contents[-1]
    if first.author == "bot":
        return None
    removal = next((event for event in ordered if event.change == "deleted"), None)
    before = [event for event in contents if event.key in noted]
    name = next((event.author_name for event in reversed(contents) if event.author_name), "")
    time = _clock(first.at, zone)
    if not before:
        changed = _content(first) != _content(last) or first.change == "edited"
        mark = labels.deleted if removal else labels.edited if changed else ""
        return _Line(first.at, first.author, name, last.text, last.media, mark)
    if removal is not None:
        if removal.key in noted:
            return None
        quote = clean_text(" ".join(before[-1].text.split()), QUOTE_MAX)
        return _Line(removal.at, first.author, name, quote, before[-1].media, labels.removal.format(time=time))
    if _content(last) == _content(before[-1]):
        return None
    return _Line(last.at, first.author, name, last.text, last.media, labels.correction.format(time=time))


def _place(event: MessageEvent) -> tuple[Any, ...]:
    """The message itself before its changes, these by time; a total order by content alone."""
    return (
        event.change != "",
        event.at,
        repr((event.change, event.text, event.media, event.author, event.author_name)),
    )


def _content(event: MessageEvent) -> tuple[Any, ...]:
    return (event.text, event.media)


def _shown(attachment: Attachment, labels: Labels, link: Callable[[Attachment], str]) -> str:
    kind = labels.kinds.get(attachment.kind, attachment.kind)
    name = clean_text(" ".join(attachment.name.split()), 100)
    return " ".join(filter(None, (f"[{kind}: {name}]" if name else f"[{kind}]", link(attachment))))


def _clock(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
