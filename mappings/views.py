"""What an expression may look at: one lead and everything known about it when it is written to a CRM."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from leads.calls import Call
from leads.records import UTM_KEYS, Lead, Touch

TIME_PARTS: Final = ("year", "month", "day", "hour", "minute", "weekday")
"""What may be read of a time. `weekday` is 1 for Monday to 7 for Sunday."""

_CLICKS: Final = {"gclid": "gclid", "yclid": "yclid", "fbclid": "fbclid", "ym_uid": "_ym_uid"} | {
    "client_id": "client_id",
    "roistat_visit": "roistat_visit",
}
_UTM: Final = dict.fromkeys(UTM_KEYS, "text")
_TOUCH: Final = {
    **dict.fromkeys(("channel", "source", "referrer", "landing_page"), "text"),
    "at": "time",
    **_UTM,
    **dict.fromkeys(_CLICKS, "text"),
    "utm": "map",
    "click_ids": "map",
}

_CALL: Final = {
    **dict.fromkeys(("direction", "line", "line_title", "extension", "employee", "disposition"), "text"),
    "recording_url": "text",
    "ring_s": "number",
    "talk_s": "number",
    "started_at": "time",
}

Parts = Mapping[str, "str | Mapping[str, str]"]
"""Each part with its kind, or with parts of its own."""
Names = Mapping[str, Parts | str]

NAMES: Final[Names] = {
    "lead": {
        **dict.fromkeys(("id", "name", "phone", "email", "comment", "form", "company", "source"), "text"),
        **dict.fromkeys(("page_url", "referrer", "lead_uid", "external_id", "link"), "text"),
        "phones": "list",
        "emails": "list",
        "messengers": "list",
        "flags": "list",
        "received_at": "time",
        **_UTM,
        **dict.fromkeys(_CLICKS, "text"),
        "utm": "map",
        "click_ids": "map",
        "extra": "map",
        "call": _CALL,
    },
    "person": {"id": "text", "name": "text", "phones": "list", "emails": "list"},
    "first_touch": _TOUCH,
    "last_touch": _TOUCH,
    "source": {"name": "text", "type": "text", "title": "text"},
    "route": {"name": "text"},
    "now": "time",
    "hub": {"locale": "text", "timezone": "text", "public_url": "text"},
    "connection": {"name": "text", "type": "text", "title": "text"},
    "assigned": {"id": "text", "name": "text", "reason": "text"},
    "repeat": {"number": "number", "days": "number"},
    "task": {"due_at": "time"},
}
"""Top-level names, and of each its parts with their kinds, or its own kind."""

RECORD_NAMES: Final[Names] = {"left": "map", "right": "map"}
"""What an expression about records kept equal may read: `left.city`, `right["Город"]`."""


@dataclass(frozen=True, slots=True)
class Hub:
    """`locale` is ru or en; `timezone` an IANA name: times are shown in it. `region`: of phones without a country."""

    locale: str = "en"
    timezone: str = "UTC"
    public_url: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A source or a connection as config.yaml names it."""

    name: str = ""
    type: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Who is responsible, by the CRM's id, and why, in the reader's words."""

    id: str = ""
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Repeat:
    """`number` counts this person's enquiries within the last `days` days, this one included."""

    number: int = 1
    days: int = 30


@dataclass(frozen=True, slots=True)
class Known:
    """The person as known so far, all enquiries together."""

    id: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a mapping or a condition may look at. `due_at` is when the call task is due."""

    lead: Lead
    now: datetime
    hub: Hub = field(default_factory=Hub)
    source: Named = field(default_factory=Named)
    connection: Named = field(default_factory=Named)
    route: str = ""
    person: Known = field(default_factory=Known)
    first_touch: Touch | None = None
    last_touch: Touch | None = None
    assigned: Assigned = field(default_factory=Assigned)
    repeat: Repeat = field(default_factory=Repeat)
    due_at: datetime | None = None


class View:
    """Named parts of one record, and nothing else of it: no methods, no private attributes."""

    __slots__ = ("memo", "parts", "record")

    def __init__(self, parts: Mapping[str, object], record: object = None) -> None:
        self.parts = parts
        self.record = record
        self.memo = ""  # the record in words, once a filter has made them

    def __bool__(self) -> bool:
        return self.record is not None

    def __str__(self) -> str:
        raise TypeError("a whole record is not a text")


def variables(facts: Facts, due_at: datetime | None = None) -> dict[str, object]:
    """`facts` as the names of the expression language. Times are in the hub's zone; `due_at` is the task's."""
    due_at = facts.due_at or due_at
    zone = ZoneInfo(facts.hub.timezone) if facts.hub.timezone != "UTC" else UTC
    hub, person, assigned = facts.hub, facts.person, facts.assigned
    return {
        "lead": lead_view(facts.lead, zone, hub.public_url),
        "person": View(
            {"id": person.id, "name": person.name, "phones": person.phones, "emails": person.emails}, person
        ),
        "first_touch": touch_view(facts.first_touch, zone),
        "last_touch": touch_view(facts.last_touch, zone),
        "source": _named_view(facts.source, facts.lead.source),
        "route": View({"name": facts.route}, facts.route or None),
        "now": facts.now.astimezone(zone),
        "hub": View({"locale": hub.locale, "timezone": hub.timezone, "public_url": hub.public_url}, hub),
        "connection": _named_view(facts.connection),
        "assigned": View(
            {"id": assigned.id, "name": assigned.name, "reason": assigned.reason}, assigned if assigned.id else None
        ),
        "repeat": View({"number": facts.repeat.number, "days": facts.repeat.days}, facts.repeat),
        "task": View({"due_at": due_at.astimezone(zone) if due_at else ""}, due_at),
    }


def lead_view(lead: Lead, zone: tzinfo = UTC, public_url: str = "") -> View:
    """A lead. `phone` and `email` are the first ones; what is absent is empty."""
    utm, clicks = lead.utm, lead.click_ids
    parts: dict[str, object] = {
        "id": lead.id,
        "name": lead.name,
        "phone": lead.phones[0] if lead.phones else "",
        "phones": lead.phones,
        "email": lead.emails[0] if lead.emails else "",
        "emails": lead.emails,
        "comment": lead.comment,
        "form": lead.form,
        "company": lead.company,
        "source": lead.source,
        "page_url": lead.page_url,
        "referrer": lead.referrer,
        "lead_uid": lead.lead_uid,
        "external_id": lead.external_id,
        "link": f"{public_url.rstrip('/')}/leads/{lead.id}" if public_url else "",
        "messengers": tuple(f"{vendor}: {sender}" for vendor, sender in lead.messengers),
        "flags": lead.flags,
        "received_at": lead.received_at.astimezone(zone),
        "utm": utm,
        "click_ids": clicks,
        "extra": lead.extra,
        "call": _call_parts(lead.call, zone),
    }
    for name in UTM_KEYS:
        parts[name] = utm.get(name, "")
    for name, key in _CLICKS.items():
        parts[name] = clicks.get(key, "")
    return View(parts, lead)


def touch_view(touch: Touch | None, zone: tzinfo = UTC) -> View:
    """A touch; without one all parts are empty and the view itself is false."""
    if touch is None:
        return _NO_TOUCH
    parts: dict[str, object] = {
        "at": touch.at.astimezone(zone),
        "channel": touch.channel,
        "source": touch.source,
        "referrer": touch.referrer,
        "landing_page": touch.landing_page,
        "utm": touch.utm,
        "click_ids": touch.click_ids,
    }
    for name in UTM_KEYS:
        parts[name] = touch.utm.get(name, "")
    for name, key in _CLICKS.items():
        parts[name] = touch.click_ids.get(key, "")
    return View(parts, touch)


def _call_parts(call: Call | None, zone: tzinfo) -> Mapping[str, object]:
    """Nothing, which is false, for a lead that is no call."""
    if call is None:
        return {}
    parts: dict[str, object] = {
        name: getattr(call, name) or ("" if kind == "text" else 0) for name, kind in _CALL.items()
    }
    parts["started_at"] = call.started_at.astimezone(zone) if call.started_at else ""
    return parts


def _named_view(named: Named, name: str = "") -> View:
    own = named.name or name
    return View({"name": own, "type": named.type, "title": named.title or own}, named if own else None)


def _empty(kinds: Parts) -> View:
    blanks: dict[str, object] = {"list": (), "map": {}, "number": 0}
    return View({name: blanks.get(kind, "") if isinstance(kind, str) else {} for name, kind in kinds.items()})


_NO_TOUCH: Final = _empty(_TOUCH)
EMPTY: Final[Mapping[str, object]] = {
    name: "" if isinstance(kinds, str) else _empty(kinds) for name, kinds in NAMES.items()
}
"""Stands for a name that the caller did not give: every part of it is empty."""
