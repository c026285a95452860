"""A record's history as the text of one note: in order of time, with who and when, short enough for any CRM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from connectors.activities import cut
from connectors.histories import Entry
from connectors.records import RecordObject

NOTE_CHARS: Final = 10_000
"""HubSpot takes 65,536 of HTML, where one character may become six; Bitrix24's column as many bytes; amoCRM does not
say. This many fit in all of them."""
ENTRY_CHARS: Final = 4_000
ROOM: Final = 300
"""For the first lines and our mark."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
KINDS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("note", ""): ("note", "примечание"),
    ("task", ""): ("task", "задача"),
    ("file", ""): ("file", "файл"),
    ("call", "in"): ("incoming call", "входящий звонок"),
    ("call", "out"): ("outgoing call", "исходящий звонок"),
    ("call", ""): ("call", "звонок"),
    ("message", "in"): ("incoming message", "входящее сообщение"),
    ("message", "out"): ("outgoing message", "исходящее сообщение"),
    ("message", ""): ("message", "сообщение"),
    ("letter", "in"): ("incoming e-mail", "входящее письмо"),
    ("letter", "out"): ("outgoing e-mail", "исходящее письмо"),
    ("letter", ""): ("e-mail", "письмо"),
    ("meeting", ""): ("meeting", "встреча"),
}
OBJECTS: Final[Mapping[RecordObject, tuple[str, str]]] = {
    "company": ("company", "компания"),
    "contact": ("contact", "контакт"),
    "deal": ("deal", "сделка"),
    "lead": ("lead", "лид"),
}


class Told(NamedTuple):
    text: str
    cut: bool
    """Some of its entries are not whole."""


@dataclass(frozen=True, slots=True)
class Teller:
    """`crm`: how the old CRM is called; `users`: its user id -> name."""

    crm: str
    locale: str
    zone: ZoneInfo
    users: Mapping[str, str]

    def note(self, about: RecordObject, id: str, entries: Sequence[Entry]) -> Told:
        """Of those that fit."""
        whole = [self._entry(one) for one in in_order(entries)]
        lines = [cut(line, ENTRY_CHARS) for line in whole]
        kind = self._word(OBJECTS[about])
        head = self._word(
            (
                f"History from {self.crm}: {kind} {id}, times in {self.zone.key}",
                f"История из {self.crm}: {kind} {id}, время по поясу {self.zone.key}",
            )
        )
        part = self._word(
            (
                f"An entry that ends in … is longer in {self.crm}.",
                f"Запись, которая кончается на …, в {self.crm} длиннее.",
            )
        )
        shortened = lines != whole
        return Told("\n".join([head, *([part] if shortened else []), *lines]), shortened)

    def first_that_fit(self, entries: Sequence[Entry]) -> list[Entry]:
        """So many of the oldest as one note holds; at least one."""
        room, ordered = NOTE_CHARS - ROOM, in_order(entries)
        for count, one in enumerate(ordered):
            room -= len(cut(self._entry(one), ENTRY_CHARS)) + 1
            if room < 0:
                return ordered[:count]
        return ordered

    def own(self, one: Entry, *, dated: bool, signed: bool, assigned: bool) -> str:
        """The words of a note, task or call of its own, with what the new CRM does not keep of it: when and by whom it
        was made, whose task it is."""
        when = "" if dated or one.at is None else self._when(one.at)
        told = [when, "" if signed else self._name(one.author)]
        if one.kind != "task":
            return "\n".join(filter(None, [" · ".join(filter(None, told)), one.text]))
        told.append(self._whose(one) if not assigned else "")
        more = ", ".join(filter(None, told))  # below: the first line is the title
        return f"{one.text}\n({more})" if more else one.text

    def _whose(self, one: Entry) -> str:
        return f"{self._word(('of', 'ответственный'))} {self._name(one.responsible)}" if one.responsible else ""

    def _entry(self, one: Entry) -> str:
        what = self._word(KINDS[one.kind, one.direction])
        parts = [self._when(one.at), self._name(one.author), what]
        details = [one.phone]
        if one.kind == "call":
            details.append(f"{one.seconds} {self._word(('s', 'с'))}")
        details.append(one.text)
        if one.kind == "task":
            state = self._word(("done", "выполнена") if one.done else ("open", "не выполнена"))
            due = f"{self._word(('due', 'срок'))} {self._when(one.due_at)}" if one.due_at else ""
            details.append(f"({', '.join(filter(None, [due, state, self._whose(one)]))})")
        details.append(one.link)
        head = " · ".join(filter(None, parts))
        rest = " ".join(filter(None, details))
        return f"{head}: {rest}" if rest else head

    def _when(self, at: datetime | None) -> str:
        if at is None:
            return self._word(("no date", "без даты"))
        form = "%d.%m.%Y %H:%M" if self.locale == "ru" else "%Y-%m-%d %H:%M"
        return at.astimezone(self.zone).strftime(form)

    def _name(self, user: str) -> str:
        if user and user not in self.users:
            return f"{self._word(('user', 'пользователь'))} {user}"
        return self.users.get(user, "")

    def _word(self, words: tuple[str, str]) -> str:
        return words[1] if self.locale == "ru" else words[0]


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda one: (one.at or LONG_AGO, one.kind, one.text))
