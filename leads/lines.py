"""Our own numbers: which one was called tells what the caller had seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from leads.attribution import channel
from leads.calls import Call
from leads.records import Touch


@dataclass(frozen=True, slots=True)
class Line:
    """What a number stands for. `title` as people call it; `utm` has keys of `records.UTM_KEYS`, without empty ones."""

    title: str = ""
    utm: Mapping[str, str] = field(default_factory=dict)


Lines = Mapping[str, Line]
"""Number in E.164 -> what it stands for."""


def titled(call: Call, lines: Lines) -> Call:
    """The call with the title of the number that was called, or from which we called; unknown numbers have none."""
    line = lines.get(call.line)
    return replace(call, line_title=line.title) if line else call


def touch_by(call: Call, lines: Lines, at: datetime) -> Touch | None:
    """Only who calls us has seen the number somewhere; a number without UTM tells nothing of where."""
    line = lines.get(call.line)
    if line is None or call.direction != "in" or not line.utm:
        return None
    touch = Touch(at=call.started_at or at, utm=dict(line.utm))
    return replace(touch, channel=channel(touch, "line"))
