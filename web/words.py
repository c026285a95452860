"""The console's texts in Russian and English, with numbers, times and plural forms as the reader writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from html import escape
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from markupsafe import Markup

from jobs.alerts.words import Raw, Style
from jobs.catalog import Entry, of_number, texts

FOLDER = Path(__file__).parent / "locale"
LOCALES = ("ru", "en")
_PLACES = {
    "leadhub leads list": "/leads?status=owed",
    "leadhub leads retry --all-failed": "/leads?status=failed",
    "leadhub sync conflicts list": "/syncs",
    "leadhub sync status": "/syncs",
}
"""What an alert tells to type, and where the console shows the same."""


def catalog(locale: str) -> Mapping[str, Entry]:
    return texts(FOLDER, locale)


class ConsoleStyle(Style):
    """Texts of alerts as they stand in the console: where the console itself shows it, a link, not a command."""

    def where(self, path: str, command: str) -> Raw:
        place, text = _PLACES.get(command), "here"
        if place is None and self.leads_to(path):
            place, text = path, "here_lead"
        if place is None:
            return super().where(path, command)
        return Raw(f'<a href="{escape(place)}">{catalog(self.locale)[text]}</a>')

    def leads_to(self, path: str) -> bool:
        return path.startswith("/leads/")


@dataclass(frozen=True, slots=True)
class Words:
    """`words("key", n=3)` is the text; values are put in as they are: the template escapes the whole."""

    locale: str
    zone: tzinfo
    now: datetime

    @property
    def style(self) -> Style:
        return ConsoleStyle(locale=self.locale, zone=self.zone)

    def __call__(self, key: str, **values: Any) -> str:
        entry = of_number(catalog(self.locale)[key], self.locale, values)
        return entry.format(**{name: self._shown(value) for name, value in values.items()})

    def has(self, key: str) -> bool:
        return key in catalog(self.locale)

    def known(self, group: str, key: str) -> str:
        """The text of `group.key`, else the key itself: an unknown code is shown, not hidden."""
        full = f"{group}.{key}"
        return self(full) if self.has(full) else key

    def _shown(self, value: Any) -> str:
        return self.number(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=self.locale))

    def seconds(self, value: float | None) -> str:
        """`0,21 с`, `2.4 s`, `6 min`; a dash for nothing measured."""
        if value is None:
            return "–"
        if value >= 60:
            return self.duration(value)
        pattern = "0.00" if value < 1 else "0.0"
        return self("seconds", value=str(format_decimal(value, pattern, locale=self.locale)))

    def duration(self, value: float) -> str:
        return self.style.duration(value)

    def age(self, since: datetime) -> str:
        return self.duration((self.now - since).total_seconds())

    def time(self, at: datetime, *, seconds: bool = False) -> str:
        """`14:02`, with the day when that is not today."""
        return self.style.time(at, self.now, seconds=seconds)

    def full_time(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        day = format_date(local.date(), "d MMMM y", locale=self.locale)
        return f"{day}, {local:%H:%M:%S} ({local:%Z})"

    def day(self, day: date) -> str:
        """`вторник, 24 ноября`, `Tuesday, 24 November`."""
        pattern = "EEEE, d MMMM" if day.year == self.now.astimezone(self.zone).year else "EEEE, d MMMM y"
        return str(format_date(day, pattern, locale=self.locale))


def markup(html: str) -> Markup:
    """HTML that our own code made, with every value in it escaped."""
    return Markup(html)  # noqa: S704  # see the docstring
