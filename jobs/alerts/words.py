"""Numbers, times and sentences in the reader's language and zone, safe to put into HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from html import escape
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal

from jobs.catalog import Entry, of_number, texts

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
FOLDER = Path(__file__).parent / "locale"


def catalog(locale: str) -> Mapping[str, Entry]:
    """Of alerts, digest and fallback: keys begin with the kind of incident, those that end in `_over` tell its end."""
    return texts(FOLDER, locale)


@dataclass(frozen=True, slots=True)
class Raw:
    """HTML already: put in as it is."""

    html: str


@dataclass(frozen=True, slots=True)
class Style:
    """For whom a text is. `public_url` is the console's address as people reach it, or "".

    `actions`: the channel takes pressed buttons. `personal`: names and phones may stand in alerts.
    """

    locale: str = "en"
    zone: tzinfo = UTC
    public_url: str = ""
    personal: bool = False
    actions: bool = False

    def say(self, key: str, **values: Any) -> str:
        """The text `key` with escaped values; `n` picks the plural form and is written as a number."""
        entry = of_number(catalog(self.locale)[key], self.locale, values)
        return entry.format(**{name: self._shown(value) for name, value in values.items()})

    def has(self, key: str) -> bool:
        return key in catalog(self.locale)

    def time(self, at: datetime, now: datetime, *, seconds: bool = False) -> str:
        """`14:02`, or with the day when that is not today: `24.11 14:02`, `24 Nov 14:02`."""
        local, today = at.astimezone(self.zone), now.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        if local.date() == today.date():
            return clock
        pattern = "dd.MM" if self.locale == "ru" else "d MMM"
        return f"{format_date(local.date(), pattern, locale=self.locale)} {clock}"

    def at(self, at: datetime, now: datetime, *, seconds: bool = False) -> str:
        """`time` within a sentence: `в 14:02`, `24.11 в 14:02`; `at 14:02`, `on 24 Nov at 14:02`."""
        day, _, clock = self.time(at, now, seconds=seconds).rpartition(" ")
        if self.locale == "ru":
            return f"{day} в {clock}".strip()
        return f"on {day} at {clock}" if day else f"at {clock}"

    def duration(self, seconds: float) -> str:
        """`41 с`, `6 мин`, `3 ч 20 мин`, `2 дня`: two units at most, rounded down."""
        whole = max(0, int(seconds))
        if whole < MINUTE_S:
            return self.say("seconds", n=whole)
        if whole < HOUR_S:
            return self.say("minutes", n=whole // MINUTE_S)
        if whole < 2 * DAY_S:
            hours, minutes = whole // HOUR_S, whole % HOUR_S // MINUTE_S
            text = self.say("hours", n=hours)
            if not minutes or hours >= 10:
                return text
            return self.say("and_between", first=text, second=self.say("minutes", n=minutes))
        return self.say("days", n=whole // DAY_S)

    def day(self, day: date) -> str:
        """`вторник 24 ноября`, `Tuesday 24 November`."""
        return format_date(day, "EEEE d MMMM", locale=self.locale)

    def where(self, path: str, command: str) -> Raw:
        """A link into the console when it has a public address, else what to type."""
        if self.public_url:
            return Raw(escape(f"{self.public_url.rstrip('/')}{path}", quote=False))
        return Raw(f"<code>{escape(command, quote=False)}</code>")

    def leads_to(self, path: str) -> bool:
        """Whether `where` makes a link of that page."""
        return bool(self.public_url)

    def _shown(self, value: Any) -> str:
        if isinstance(value, Raw):
            return value.html
        if isinstance(value, int):
            return format_decimal(value, locale=self.locale)
        return escape(str(value), quote=False)
