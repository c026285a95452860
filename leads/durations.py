"""Durations as people write them in YAML: 30d, 12h, 90s, 1h30m."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_UNIT_NAMES = {
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*")
MAX_S = 10 * 366 * 86_400  # ten years: longer is a slip of the keyboard


def parse_duration(text: str | float | timedelta) -> timedelta:
    """`1h30m` -> 90 minutes; a bare number is seconds.

    Raises ValueError with a text for the writer of the YAML: not a duration, negative, or above ten years.
    """
    if isinstance(text, timedelta):
        seconds = text.total_seconds()
    elif isinstance(text, int | float):
        seconds = float(text)
    else:
        seconds = _seconds(text)
    if not 0 <= seconds <= MAX_S:
        raise ValueError("a duration is between 0 and ten years")
    return timedelta(seconds=seconds)


def _seconds(text: str) -> float:
    plain = text.strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain):
        return float(plain)
    position, total = 0, 0.0
    while match := _PART.match(plain, position):
        unit = _UNIT_NAMES.get(match[2])
        if unit is None:
            break
        total += float(match[1]) * _UNITS_S[unit]
        position = match.end()
    if not plain or position != len(plain):
        raise ValueError(f'"{text}" is not a duration: write it like 90s, 15m, 12h, 30d or 1h30m')
    return total


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back, whole seconds: 90 minutes -> `1h30m`, nothing -> `0s`."""
    left = round(duration.total_seconds())
    parts = []
    for unit, size_s in _UNITS_S.items():
        if unit == "w":
            continue  # 14d is read more easily than 2w
        count, left = divmod(left, size_s)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _validate(value: Any) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, str | int | float | timedelta):
        raise ValueError("a duration is written like 90s, 15m, 12h or 30d")  # noqa: TRY004 - pydantic takes ValueError
    return parse_duration(value)


Duration = Annotated[timedelta, BeforeValidator(_validate), PlainSerializer(format_duration, when_used="json")]
"""For pydantic models: takes what `parse_duration` takes."""
