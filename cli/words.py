"""What a command says in the hub's language: Russian or English side by side, numbers and times for people."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

from jobs.alerts.parts import cause_text
from jobs.alerts.words import Style
from mappings.problems import allowed, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.config.loading import Settings


@dataclass(frozen=True, slots=True)
class Words:
    """`words(english, russian)` is the one of the hub's locale."""

    style: Style
    zone_name: str = "UTC"
    vendors: Mapping[str, str] = field(default_factory=dict)
    """Connection -> how its vendor is called."""

    @classmethod
    def of(cls, settings: "Settings") -> "Words":
        from connectors.registry import CONNECTORS

        vendors = {name: CONNECTORS[one.type].title for name, one in settings.connections.items()}
        return cls(Style(locale=settings.hub.locale, zone=settings.hub.zone), settings.hub.timezone, vendors)

    def __call__(self, english: str, russian: str) -> str:
        return russian if self.style.locale == "ru" else english

    def count(self, number: int, english: tuple[str, str], russian: tuple[str, str, str]) -> str:
        """`2 leads`, `2 лида`: forms for 1 and more in English, for 1, 2 and 5 in Russian."""
        return f"{self.number(number)} {self.form(number, english, russian)}"

    def form(self, number: int, english: tuple[str, str], russian: tuple[str, str, str]) -> str:
        if self.style.locale != "ru":
            return english[0 if number == 1 else 1]
        ones, tens = number % 10, number % 100
        if ones == 1 and tens != 11:
            return russian[0]
        return russian[1 if 2 <= ones <= 4 and not 12 <= tens <= 14 else 2]

    def leads(self, number: int) -> str:
        return self.count(number, ("lead", "leads"), ("лид", "лида", "лидов"))

    def number(self, number: int) -> str:
        return f"{number:,}".replace(",", "\u00a0" if self.style.locale == "ru" else ",")

    def money(self, number: Decimal) -> str:
        """With two decimals."""
        shown = f"{number:,.2f}"
        return shown.replace(",", "\u00a0").replace(".", ",") if self.style.locale == "ru" else shown

    def seconds(self, value: float | None) -> str:
        """`0.21 s`, `6 min`; "—" for nothing measured."""
        if value is None:
            return "—"
        if value >= 60:
            return self.duration(value)
        digits = f"{value:.2f}" if value < 1 else f"{value:.1f}"
        return f"{digits.replace('.', ',')} с" if self.style.locale == "ru" else f"{digits} s"

    def duration(self, value: float) -> str:
        return self.style.duration(value)

    def time(self, at: datetime, now: datetime, *, seconds: bool = False) -> str:
        """`14:02`, with the day if that is not today."""
        return self.style.time(at, now, seconds=seconds)

    def day(self, day: date, today: date) -> str:
        """`Today, 24 Nov`, `24 Nov 2026`."""
        from babel.dates import format_date

        short = format_date(day, "d MMM", locale=self.style.locale).rstrip(".")
        if day == today:
            return f"{self('Today', 'Сегодня')}, {short}"
        return format_date(day, "d MMM" if day.year == today.year else "d MMM y", locale=self.style.locale).rstrip(".")

    def crm(self, connection: str) -> str:
        """`amoCRM "sales"`."""
        quoted = self(f'"{connection}"', f"«{connection}»")
        vendor = self.vendors.get(connection)
        return f"{vendor} {quoted}" if vendor else quoted

    def near(self, name: str, known: Iterable[str]) -> str:
        """What there is instead of `name`, and which of it may be meant."""
        there = list(known)
        if self.style.locale != "ru":
            return allowed(name, there, "there are")
        meant = nearest(name, there)
        return f"есть: {', '.join(there) or 'ничего'}." + (f" Может быть, «{meant}»?" if meant else "")

    def cause(self, text: str, who: str = "") -> str:
        """The text of an error in words. `who`: the other side, when it is not the CRM."""
        return unescape(cause_text(text, self.style, who)) or text


def console(*, stderr: bool = False) -> "Console":
    """Colours and live lines on a terminal; plain text of any width where it goes into a file or a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


def table(*titles: str) -> Any:
    """A table without lines around it; without titles, no line for them."""
    from rich.table import Table

    made = Table(
        box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(titles)
    )
    for title in titles:
        made.add_column(title, overflow="fold", no_wrap=True)
    return made
