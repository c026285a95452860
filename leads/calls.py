"""One call out of all its events, whatever their order, however often each came and whichever are missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

RANKS = {"": 0, "ringing": 1, "talking": 2, "ended": 3}
NEVER_TALKED = {"in": "missed", "out": "no_answer"}
BEST_FIRST = ("answered", "voicemail", "busy", "failed", "missed", "no_answer")
"""When final events of several legs disagree: that somebody talked outweighs all else."""

ENDED_WAIT = timedelta(seconds=30)
"""The last event may be lost: so long after the hang-up the call is judged by what is known."""
RINGING_WAIT = timedelta(minutes=10)
TALKING_WAIT = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class CallEvent:
    """What one event tells of a call; fields as of `connectors.events.ParsedCall`, "" and None where it is silent."""

    event: str = ""
    event_id: str = ""
    state: str = ""
    direction: str = ""
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
    disposition: str = ""
    recording_id: str = ""
    recording_url: str = ""
    command_id: str = ""

    def to_json(self) -> dict[str, Any]:
        return _plain(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CallEvent":
        return cls(**_read(cls, data))


@dataclass(frozen=True, slots=True)
class Call:
    """`disposition` is "" while nobody can say it. `extension` and `employee` are who talked, else who rang last.

    `line` is our number; `line_title` what it stands for, where the source's `lines` say so. `goes_on`: a phone hung
    up, and after it another one began to do this.
    """

    state: str = ""
    direction: str = ""
    client: str = ""
    line: str = ""
    line_title: str = ""
    extension: str = ""
    employee: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_s: int | None = None
    talk_s: int | None = None
    disposition: str = ""
    recording_id: str = ""
    recording_url: str = ""
    command_id: str = ""
    goes_on: str = ""

    @property
    def final(self) -> bool:
        return bool(self.disposition)

    @property
    def answered(self) -> bool:
        return self.disposition == "answered"

    def to_json(self) -> dict[str, Any]:
        return _plain(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Call":
        return cls(**_read(cls, data))


def call_of(events: Iterable[CallEvent]) -> Call:
    """The call as all these events tell it."""
    known = sorted(set(events), key=_place)
    finals = [one for one in known if one.disposition]
    disposition = next((name for name in BEST_FIRST if any(one.disposition == name for one in finals)), "")
    telling = [one for one in finals if one.disposition == disposition]
    others = [one for one in reversed(known) if one not in telling]
    by_trust = [*reversed(telling), *others]
    talked = [one for one in by_trust if one.disposition == "answered" or one.state == "talking"]
    answered_at = min((one.answered_at for one in known if one.answered_at), default=None)
    who = talked if disposition in ("answered", "") and talked else by_trust
    return Call(
        state=max((one.state for one in known), key=RANKS.__getitem__, default=""),
        goes_on="" if disposition else _goes_on(known),
        direction=_direction(by_trust),
        client=_number(one.client for one in by_trust),
        line=_number(one.line for one in by_trust),
        extension=_first(one.extension for one in who) or _first(one.extension for one in by_trust),
        employee=_first(one.employee for one in who) or _first(one.employee for one in by_trust),
        started_at=_started(known),
        answered_at=answered_at,
        ended_at=max((one.ended_at for one in known if one.ended_at), default=None),
        ring_s=max((one.ring_s for one in known if one.ring_s is not None), default=None),
        talk_s=max((one.talk_s for one in known if one.talk_s is not None), default=None),
        disposition=disposition,
        recording_id=_first(one.recording_id for one in by_trust),
        recording_url=_first(one.recording_url for one in by_trust),
        command_id=_first(one.command_id for one in by_trust),
    )


def judged(call: Call, idle: timedelta) -> Call:
    """A call without its last event, `idle` after the last one that came: judged by what is known, or left open."""
    if call.final or idle < _wait(call):
        return call
    answered = call.answered_at is not None and call.talk_s is None
    talked = bool(call.talk_s) or answered or "talking" in (call.state, call.goes_on)
    disposition = "answered" if talked else NEVER_TALKED.get(call.direction, "failed")
    return replace(call, state="ended", goes_on="", disposition=disposition)


def waits_until(call: Call, last_event_at: datetime) -> datetime | None:
    """When `judged` will have something to say; None when the call is final."""
    if call.final:
        return None
    return last_event_at + _wait(call)


def _wait(call: Call) -> timedelta:
    return {"ended": ENDED_WAIT, "talking": TALKING_WAIT}.get(call.goes_on or call.state, RINGING_WAIT)


def _goes_on(known: Sequence[CallEvent]) -> str:
    """`known` as they happened."""
    last = next((one for one in reversed(known) if one.state == "ended" and one.at and one.extension), None)
    if last is None or last.at is None:
        return ""
    others = [one for one in known if one.extension not in ("", last.extension) and one.at and one.at >= last.at]
    return next((one.state for one in reversed(others) if one.state in ("ringing", "talking")), "")


def _place(event: CallEvent) -> tuple[Any, ...]:
    """A total order by content alone: time of the vendor, then state, then whatever tells two apart."""
    at = event.at or event.ended_at or event.answered_at or event.started_at
    return (at is None, at.timestamp() if at else 0.0, RANKS[event.state], event.event_id, str(event.to_json()))


def _started(known: Sequence[CallEvent]) -> datetime | None:
    """As told, else reckoned back from the talk and the hang-up: they may be all that came yet."""
    told = [at for one in known if (at := one.started_at or (one.at if one.state == "ringing" else None))]
    return min(told or [at for one in known if (at := _reckoned(one))], default=None)


def _reckoned(one: CallEvent) -> datetime | None:
    if one.state != "ended" or not (end := one.ended_at or one.at):
        return one.answered_at or one.at
    return end - timedelta(seconds=(one.talk_s or 0) + (one.ring_s or 0))


def _direction(by_trust: Sequence[CallEvent]) -> str:
    said = [one.direction for one in by_trust if one.direction]
    return next((one for one in said if one != "internal"), said[0] if said else "")


def _number(texts: Iterable[str]) -> str:
    """A whole number before a part of one."""
    said = [text for text in texts if text]
    return next((text for text in said if text.startswith("+")), said[0] if said else "")


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


_NAMES = {of: tuple(one.name for one in fields(of)) for of in (CallEvent, Call)}


def _plain(one: CallEvent | Call) -> dict[str, Any]:
    """What is known of it; without the copies that `asdict` makes of each value."""
    values = ((name, getattr(one, name)) for name in _NAMES[type(one)])
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values
        if value not in ("", None)
    }


def _read(of: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    known = _NAMES[of]
    return {
        name: datetime.fromisoformat(value) if name == "at" or name.endswith("_at") else value
        for name, value in data.items()
        if name in known
    }
