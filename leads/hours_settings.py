"""Working hours as they are written in YAML."""

import re
from datetime import date
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from leads.holiday_dates import holiday_countries

DAY_NAMES = {
    name: number
    for number, names in enumerate(
        (
            ("mon", "monday", "пн", "понедельник"),
            ("tue", "tuesday", "вт", "вторник"),
            ("wed", "wednesday", "ср", "среда"),
            ("thu", "thursday", "чт", "четверг"),
            ("fri", "friday", "пт", "пятница"),
            ("sat", "saturday", "сб", "суббота"),
            ("sun", "sunday", "вс", "воскресенье"),
        )
    )
    for name in names
}
_EVERY_DAY = ("daily", "all", "*", "every day", "ежедневно")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s*(?:\.\.|—|–|\s-\s)\s*(\d{4}-\d{2}-\d{2}))?")
MINUTES_A_DAY = 1_440


def parse_days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `sat,sun`, `пн-пт`, `daily` -> weekday numbers, Monday 0. Raises ValueError."""
    plain = text.strip().lower()
    if plain in _EVERY_DAY:
        return tuple(range(7))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", re.sub(r"\s*[-–—]\s*", "-", plain)):
        first, dash, last = part.partition("-")
        if first not in DAY_NAMES or (dash and last not in DAY_NAMES):
            raise ValueError(f'"{part}" is not a day: write mon, tue, wed, thu, fri, sat, sun, mon-fri or daily')
        start = DAY_NAMES[first]
        length = (DAY_NAMES[last] - start) % 7 if dash else 0  # fri-mon goes over the weekend
        found.update((start + step) % 7 for step in range(length + 1))
    return tuple(sorted(found))


def parse_time(value: Any) -> int:
    """`09:30` -> 570 minutes after midnight; `24:00` is the end of the day. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        # 9 is nine o'clock; YAML 1.1 reads 18:00 without quotes as the number 1080 (base 60), which is our minutes.
        minutes = value * 60 if value <= 24 else value
    else:
        match = _TIME.fullmatch(str(value).strip())
        if match is None or int(match[2]) > 59:
            raise ValueError(f'"{value}" is not a time: write it like "09:00"')
        minutes = int(match[1]) * 60 + int(match[2])
    if not 0 <= minutes <= MINUTES_A_DAY:
        raise ValueError(f'"{value}" is not a time of a day: between "00:00" and "24:00"')
    return minutes


Minutes = Annotated[int, BeforeValidator(parse_time)]


class Span(BaseModel):
    """Hours on some weekdays. `to` before `from` goes on past midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    days: str = Field("mon-fri", description="mon-fri, sat,sun, пн-пт or daily")
    start: Minutes = Field(540, alias="from", description='first working minute, local time: "09:00"')
    end: Minutes = Field(1_080, alias="to", description='first minute after work, local time: "18:00"')

    @field_validator("days")
    @classmethod
    def _days_are_days(cls, value: str) -> str:
        parse_days(value)
        return value

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.start == self.end:
            raise ValueError('"from" and "to" are the same; for the whole day write from "00:00" to "24:00"')
        return self


class DateRange(BaseModel):
    """Whole days, both ends included, in the time zone of whom they belong to."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    first: date = Field(alias="from", description="first day")
    last: date = Field(alias="to", description="last day, included")
    why: str = Field("", description="shown in the reason of an assignment")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """`2026-12-01` or `2026-12-01..2026-12-14`."""
        if isinstance(value, date):
            return {"from": value, "to": value}
        if isinstance(value, str):
            match = _RANGE.fullmatch(value.strip())
            if match is None:
                raise ValueError(f'"{value}" is no date or range: write 2026-12-01 or 2026-12-01..2026-12-14')
            return {"from": match[1], "to": match[2] or match[1]}
        return value

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError('"to" is before "from"')
        return self

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def check_timezone(name: str) -> str:
    """Raises ValueError for a zone that is not in the IANA list; "" is "as the hub's"."""
    if name:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f'"{name}" is not a time zone: write it like Europe/Moscow') from None
    return name


class Hours(BaseModel):
    """Working hours: one span written flat, or a list of spans."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    timezone: str = Field("", description="IANA name such as Europe/Moscow; empty: the hub's")
    spans: tuple[Span, ...] = Field(description="when work goes on")
    holidays: str = Field("", description="country code whose public holidays are days off: RU")
    days_off: tuple[DateRange, ...] = Field((), description="more days off")
    days_on: tuple[DateRange, ...] = Field((), description="working days although a weekend or a holiday")

    @model_validator(mode="before")
    @classmethod
    def _flat_or_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"spans": value}
        if isinstance(value, dict):
            flat = {key: value[key] for key in ("days", "from", "to", "start", "end") if key in value}
            if flat and "spans" not in value:
                return {**{key: item for key, item in value.items() if key not in flat}, "spans": [flat]}
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return check_timezone(value)

    @field_validator("spans")
    @classmethod
    def _has_spans(cls, value: tuple[Span, ...]) -> tuple[Span, ...]:
        if not value:
            raise ValueError("no hours at all: nobody would ever work")
        return value

    @field_validator("holidays")
    @classmethod
    def _country_is_known(cls, value: str) -> str:
        code = value.strip().upper()
        if code and code not in holiday_countries():
            raise ValueError(f'holidays of "{value}" are not known: write a country code such as RU or KZ')
        return code
