"""Calls, messages, payments and errands: stored as they come; what is an enquiry becomes a lead in the same commit."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection

from connectors.doors import Parsed
from connectors.events import Errand, ParsedCall, ParsedLead, ParsedPayment
from jobs.calls.recordings import Recordings
from jobs.talks.conversations import MESSAGE, TalkKeeper, TalkRules
from jobs.talks.deal_notes import DealNotes
from jobs.talks.messages import MessageIntake, event_key, person_of
from leads.calls import Call, CallEvent
from leads.clock import Clock
from leads.ids import new_id
from leads.lines import Lines, titled, touch_by
from store import dialled, errands, events, missed_calls, outgoing
from store.events import Arrival, KnownCall, WaitingCall
from store.intake import Acceptance, Accepted, RawRequest
from store.outgoing import UNDELIVERED

NO_REQUEST = RawRequest("", "", {}, b"")
"""Of a lead that no request made: a call judged because its last event never came."""
JUDGED_AT_ONCE = 50

_LEAD = TypeAdapter(ParsedLead)
_PAYMENT = TypeAdapter(ParsedPayment)
_ERRAND = TypeAdapter(Errand)
_CALL_FIELDS = {one.name for one in fields(CallEvent)}

MakeAcceptance = Callable[[str, datetime, RawRequest, ParsedLead, str], Acceptance]
"""(source, received at, raw request, lead, id) -> how it is stored and where it goes."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the events of one request. `due`: connections and workers of sources where something is due.

    `leads` are the ids of those that are new; `fresh` is kind -> how many calls, conversations or payments nobody
    knew of before.
    """

    due: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    fresh: Mapping[str, int] = field(default_factory=dict)


class EventIntake:
    """Works inside a transaction that its caller holds."""

    def __init__(
        self,
        clock: Clock,
        accept: Callable[[Connection, Sequence[Acceptance]], list[Accepted]],
        acceptance: MakeAcceptance,
        lines: Mapping[str, Lines] | None = None,
        talks: Mapping[str, TalkRules] | None = None,
        notes: DealNotes | None = None,
        recorded: Recordings | None = None,
    ) -> None:
        """`lines`: source -> its own numbers; `talks`: source -> what it says of its conversations; `notes`: what is
        told on deals of payments and the like."""
        self._recorded = recorded
        self._clock = clock
        self._accept = accept
        self._acceptance = acceptance
        self._lines = lines or {}
        self.notes = notes or DealNotes(clock)
        self._messages = MessageIntake(clock, TalkKeeper(clock, talks or {}))

    def take(
        self,
        conn: Connection,
        source: str,
        received_at: datetime,
        raw: RawRequest,
        parsed: Parsed,
        flags: tuple[str, ...] = (),
        *,
        judge: bool = False,
    ) -> Taken:
        """Stores all events of a request; `flags` are given to leads of what nobody knew of before.

        `judge`: no event that came before waits for its turn, so calls whose last one is late are ended.
        """
        if parsed.messages:
            parsed = replace(parsed, messages=self._messages.without_echoes(conn, source, parsed.messages))
        arrivals = [*_of_calls(parsed), *_of_messages(parsed), *_of_payments(parsed), *_of_errands(parsed)]
        arrivals += _of_undelivered(parsed)
        fresh = events.append(
            conn,
            [Arrival(source, kind, key, event_key, received_at, data, raw) for kind, key, event_key, data in arrivals],
            self._clock,
        )
        keys = [(one.source, one.key) for one in fresh if one.kind == "call"]
        calls = events.fold_calls(conn, keys, self._clock, judge=judge)
        leads = [
            (call, flagged(lead, flags if call.is_new else ()))
            for call in calls
            if (lead := self._lead_of(conn, call)) is not None
        ]
        accepted = self._take_leads(conn, source, received_at, raw, [lead for _, lead in leads])
        for (call, _), result in zip(leads, accepted, strict=True):
            events.became_lead(conn, call.id, result.lead_id)
        called_back = missed_calls.refresh(conn, calls, self._clock.now())
        dialled.tie(conn, calls)
        fresh_calls = [call.id for call, _ in leads]
        recorded = self._recorded.take(conn, calls, fresh_calls, received_at) if self._recorded else []
        new = {(one.key, one.event_key) for one in fresh if one.kind == "message"}
        take_leads = partial(self._take_leads, conn, source, received_at, raw)
        accepted += self._messages.take(conn, source, received_at, parsed.messages, new, take_leads, flags)
        noted = self.notes.take(conn, fresh, lambda leads: take_leads([flagged(lead, flags) for lead in leads]))
        for one in fresh:
            if one.kind == UNDELIVERED:
                outgoing.not_delivered(conn, source, one.key, one.data["why"], self._clock.now())
        asked = [one for one in fresh if one.kind == "errand" and one.data["kind"] not in errands.LOCAL]
        workers = errands.owe(conn, asked)
        of_leads = (name for result in accepted for name in result.connections)
        due = dict.fromkeys([*of_leads, *noted, *workers, *recorded, *called_back])
        return Taken(
            due=tuple(due),
            leads=tuple(result.lead_id for result in accepted if not result.duplicate),
            fresh=Counter(
                [
                    *("call" for call in calls if call.is_new),
                    *(one.kind for one in fresh if one.kind not in ("call", "payment", UNDELIVERED)),
                    *("payment" for _ in new_payments(conn, fresh)),
                ]
            ),
        )

    def to_judge(self, conn: Connection) -> list[WaitingCall]:
        """Calls whose last event has not come in time, the longest due first."""
        return events.calls_to_judge(conn, self._clock.now(), limit=JUDGED_AT_ONCE)

    def judge(self, conn: Connection, due: Sequence[tuple[str, str]] | None = None) -> tuple[str, ...]:
        """Ends those of `to_judge`, or `due` (source, call id); returns the connections where something became due."""
        woken: dict[str, None] = {}
        due = [(one.source, one.key) for one in self.to_judge(conn)] if due is None else due
        calls = events.fold_calls(conn, due, self._clock, judge=True)
        for call in calls:
            lead = self._lead_of(conn, call)
            if lead is not None:
                (result,) = self._take_leads(conn, call.source, self._clock.now(), NO_REQUEST, [lead])
                events.became_lead(conn, call.id, result.lead_id)
                woken |= dict.fromkeys(result.connections)
        woken |= dict.fromkeys(missed_calls.refresh(conn, calls, self._clock.now()))
        return tuple(woken)

    def _take_leads(
        self, conn: Connection, source: str, received_at: datetime, raw: RawRequest, leads: Sequence[ParsedLead]
    ) -> list[Accepted]:
        if not leads:
            return []
        items = [self._acceptance(source, received_at, raw, lead, new_id(self._clock)) for lead in leads]
        return self._accept(conn, items)

    def _lead_of(self, conn: Connection, known: KnownCall) -> ParsedLead | None:
        """The enquiry that a call is, once it is over: every incoming one, and an outgoing one to somebody we know."""
        call = self._recorded.linked(known).call if self._recorded else known.call
        if not call.final or known.lead_id or call.direction == "internal":
            return None
        if call.direction == "out" and not person_of(conn, "phone", call.client):
            return None
        lines = self._lines.get(known.source, {})
        return by_line(lead_of_call(known.key, titled(call, lines), known.about), call, lines, known.received_at)


def new_payments(conn: Connection, fresh: Sequence[Arrival]) -> list[str]:
    """Keys of those of which no event had come before."""
    told = Counter((one.source, one.key) for one in fresh if one.kind == "payment")
    stored = {(source, key): events.events_of(conn, source, "payment", key) for source, key in told}
    return [key for (source, key), count in told.items() if len(stored[source, key]) == count]


def flagged(lead: ParsedLead, flags: tuple[str, ...]) -> ParsedLead:
    return replace(lead, flags=tuple(dict.fromkeys((*lead.flags, *flags)))) if flags else lead


def lead_of_call(key: str, call: Call, about: Mapping[str, Any]) -> ParsedLead:
    """`about`: what the events tell of the client, as `ParsedLead` fields."""
    lead = _LEAD.validate_python(about) if about else ParsedLead()
    phones = tuple(dict.fromkeys((*([call.client] if call.client.startswith("+") else []), *lead.phones)))
    flags = lead.flags if phones or lead.emails else tuple(dict.fromkeys((*lead.flags, "no_contact")))
    return replace(lead, lead_uid=f"call:{key}", phones=phones, flags=flags, call=call)


def by_line(lead: ParsedLead, call: Call, lines: Lines, at: datetime) -> ParsedLead:
    """With the UTM of the number that was called, unless somebody tracked the visit before the call."""
    touch = touch_by(call, lines, at)
    if touch is None or lead.utm or lead.click_ids or (lead.touch is not None and lead.touch.utm):
        return lead
    return replace(lead, utm=dict(touch.utm), touch=touch)


# --- what is kept of an event ------------------------------------------------------------------------------------

Kept = tuple[str, str, str, dict[str, Any]]
"""kind, key, what tells it from others of the same key, data"""


def _of_calls(parsed: Parsed) -> list[Kept]:
    kept: list[Kept] = []
    for one in parsed.calls:
        event, about = told_of_call(one)
        data: dict[str, Any] = {"call": event.to_json(), "extra": one.extra}
        if one.lead is not None:
            data["about"] = about
        kept.append(("call", one.call_id, one.event_id or _hash(data), data))
    return kept


def told_of_call(one: ParsedCall) -> tuple[CallEvent, dict[str, Any]]:
    """What an event tells of the call, and what of the client (as `ParsedLead` fields)."""
    event = CallEvent(**{name: getattr(one, name) for name in _CALL_FIELDS})
    return event, _about(one.lead) if one.lead is not None else {}


def _of_messages(parsed: Parsed) -> list[Kept]:
    return [
        ("message", one.chat_id, event_key(one), {"message": MESSAGE.dump_python(one, mode="json")})
        for one in parsed.messages
    ]


def _of_payments(parsed: Parsed) -> list[Kept]:
    return [
        ("payment", one.payment_id, one.event_id, {"payment": _PAYMENT.dump_python(one, mode="json")})
        for one in parsed.payments
    ]


def _of_undelivered(parsed: Parsed) -> list[Kept]:
    return [(UNDELIVERED, one.message_id, "failed", {"why": one.why}) for one in parsed.undelivered]


def _of_errands(parsed: Parsed) -> list[Kept]:
    return [("errand", one.key, one.kind, _ERRAND.dump_python(one, mode="json")) for one in parsed.errands]


def _about(lead: ParsedLead) -> dict[str, Any]:
    said: dict[str, Any] = _LEAD.dump_python(lead, mode="json")
    return {name: value for name, value in said.items() if value}


def _hash(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
