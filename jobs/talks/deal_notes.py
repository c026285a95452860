"""What comes later about a lead: its payment, what was found out about its call -> a note on its deal, once.

Whose it is may not be known yet (the payment is quicker than the form, the analysis quicker than the call): then it
waits, is looked at again, and after a while is shown to people.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection

from connectors.events import ParsedLead, ParsedPayment
from connectors.paying import PaymentRules
from jobs.talks.payment_text import insight_note, payment_note
from leads.clock import Clock
from leads.identity import EMAIL, EXTERNAL, MESSENGER, PHONE
from store import deal_notes, errands, events
from store.conversations import keys_told
from store.deal_notes import Known, Move
from store.errands import Settlement
from store.events import Arrival
from store.intake import Accepted

TakeLeads = Callable[[Sequence[ParsedLead]], list[Accepted]]
PAYMENT = TypeAdapter(ParsedPayment)
RANKS = {"pending": 0, "canceled": 1, "succeeded": 2, "refunded": 3}
"""A state that came late moves no deal back."""
NAMES_OF_IDS = ("deal_id", "lead_id", "lead_uid", "order_id", "client_reference_id")
"""Under which a shop hands a payment the id of a lead, an order or a deal."""
WAITS = timedelta(days=1)
FIRST_LOOK, LONGEST_LOOK = timedelta(seconds=30), timedelta(minutes=15)
AT_ONCE = 4
"""In one transaction: on SQLite everybody who writes waits for it."""
NO_PAYER = "nobody known pays this: no lead has this phone, e-mail or order"
NO_CALL = "no call with this id is known"
NO_DEAL = "the lead goes to no CRM"


@dataclass(frozen=True, slots=True)
class DealNotes:
    """Works inside a transaction that its caller holds. `titles`: source -> how people call it."""

    clock: Clock
    titles: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, PaymentRules] = field(default_factory=dict)
    locale: str = "en"
    zone: tzinfo = UTC

    def take(self, conn: Connection, fresh: Sequence[Arrival], take_leads: TakeLeads) -> tuple[str, ...]:
        """Of new events; returns the connections where something became due."""
        due: dict[str, None] = {}
        for one in fresh:
            if one.kind == "payment":
                found = self._payment(conn, one, take_leads)
            elif one.kind == "errand" and one.data["kind"] in errands.LOCAL:
                found = self._insight(conn, one.source, one.data.get("data", {}), one.key, one.id)
            else:
                continue
            due |= dict.fromkeys(found)
        return tuple(due)

    def match_waiting(self, conn: Connection, enough: Callable[[], bool]) -> tuple[bool, tuple[str, ...]]:
        """What waited for its deal is looked at again: (whether more waits, connections where something became due).

        `enough` is asked after each whether the others had better wait for another transaction.
        """
        due: dict[str, None] = {}
        waiting = self.waiting(conn)
        looked_at = 0
        for row in waiting:
            if looked_at and enough():
                break
            looked_at += 1
            due |= dict.fromkeys(self.match(conn, row))
        return looked_at < len(waiting) or looked_at == AT_ONCE, tuple(due)

    def waiting(self, conn: Connection) -> list[Any]:
        """Those whose time it is, oldest first, at most AT_ONCE."""
        return errands.due_locally(conn, self.clock.now(), limit=AT_ONCE)

    def match(self, conn: Connection, row: Any) -> tuple[str, ...]:
        """One of `waiting` is looked at again; returns the connections where something became due."""
        now = self.clock.now()
        told = self._tell_payment if row.kind == "payment" else self._tell_insight
        why, lead_id, names = told(conn, row.source, row.data, row.created_at, row.key)
        if not why:
            settled = Settlement("done", now, lead_ids=(lead_id,))
        elif now - row.age_from >= WAITS:
            settled = Settlement("dead", now, last_error=why)
        else:
            settled = Settlement("ready", now, self._later(row), last_error=why)
        errands.settle_locally(conn, row.id, settled)
        return names

    def put_off(self, conn: Connection, row: Any, fault: Exception) -> None:
        """One that a fault of ours keeps from being told: tried again for as long as it takes, told of (jobs.watch)."""
        why = f"{errands.FAILED_AT_IT}: {type(fault).__name__}"
        settled = Settlement("ready", self.clock.now(), self._later(row), error_kind=errands.FAULT, last_error=why)
        errands.settle_locally(conn, row.id, settled)

    def _later(self, row: Any) -> datetime:
        wait: timedelta = min(FIRST_LOOK * 2 ** min(row.attempts, 10), LONGEST_LOOK)
        return self.clock.now() + wait

    # --- payments -----------------------------------------------------------------------------------------------

    def _payment(self, conn: Connection, one: Arrival, take_leads: TakeLeads) -> tuple[str, ...]:
        data, at = one.data["payment"], one.received_at
        payment = PAYMENT.validate_python(data)
        rules = self.rules.get(one.source, PaymentRules())
        moves = any(change.on == payment.status for change in rules.stages)
        if payment.status not in rules.notes and not moves:
            return ()
        key = state_key(payment)
        made: tuple[str, ...] = ()
        why, _, names = self._tell_payment(conn, one.source, data, at, key)
        if why == NO_PAYER and rules.unknown == "lead" and payment.lead is not None:
            uid = payment.lead.lead_uid or f"payment:{payment.payment_id}"
            made = take_leads([replace(payment.lead, lead_uid=uid)])[0].connections
            why, _, names = self._tell_payment(conn, one.source, data, at, key)
        if why:
            errands.wait_locally(conn, one.id, one.source, "payment", key, data, at, why)
        return (*made, *names)

    def _tell_payment(
        self, conn: Connection, source: str, data: dict[str, Any], at: datetime, key: str
    ) -> tuple[str, str, tuple[str, ...]]:
        """(why it must wait or "", lead, connections)."""
        payment = PAYMENT.validate_python(data)
        subject = f"payment:{source}:{payment.payment_id}"
        told = keys_told(conn, subject)
        if key in told:
            return "", "", ()
        known = self._payer(conn, source, payment)
        # A refund often names nothing but its payment: then it goes where the payment went.
        deals = deal_notes.deals_of(conn, known) if known else deal_notes.deals_told(conn, subject)
        if known is None and not deals:
            return NO_PAYER, "", ()
        if not deals:
            return NO_DEAL, "", ()
        rules = self.rules.get(source, PaymentRules())
        text = ""
        if payment.status in rules.notes:
            text = payment_note(payment, self.titles.get(source, source), at, self.locale, self.zone)
        late = self._outranked(conn, source, payment)
        moves = {} if late else {name: to for name in deals if (to := _move(rules, payment.status, name)) is not None}
        names = deal_notes.tell(conn, self.clock, subject, key, text, deals, moves)
        lead_id = next(iter(deals.values()))
        if known is not None and not told:
            deal_notes.touch(conn, self.clock, known, lead_id, payment.at or at, source)
        return "", lead_id, names

    def _payer(self, conn: Connection, source: str, payment: ParsedPayment) -> Known | None:
        """By the order first: it names the very lead. Else the person's newest."""
        named = [payment.order_id, payment.payment_id]
        if payment.lead is not None:
            named += [payment.lead.extra.get(name, "") for name in NAMES_OF_IDS] + [payment.lead.lead_uid]
        ids = [one for name in named if name for one in (name, f"order:{name}")]
        known = deal_notes.lead_of_ids(conn, ids, tuple(self.titles) or (source,))
        if known is not None or payment.lead is None:
            return known
        lead = payment.lead
        keys = [
            *([(EXTERNAL, lead.external_id)] if lead.external_id else []),
            *((PHONE, phone) for phone in lead.phones),
            *((f"{MESSENGER}:{vendor}", sender) for vendor, sender in lead.messengers),
            *((EMAIL, address) for address in lead.emails),
        ]
        return deal_notes.person_of_keys(conn, keys)

    def _outranked(self, conn: Connection, source: str, payment: ParsedPayment) -> bool:
        rows = events.events_of(conn, source, "payment", payment.payment_id)
        states = [row.data["payment"]["status"] for row in rows]
        return any(RANKS.get(state, 0) > RANKS[payment.status] for state in states)

    # --- calls --------------------------------------------------------------------------------------------------

    def _insight(
        self, conn: Connection, source: str, data: dict[str, Any], key: str, errand_id: str
    ) -> tuple[str, ...]:
        now = self.clock.now()
        why, _, names = self._tell_insight(conn, source, data, now, key)
        if why:
            errands.wait_locally(conn, errand_id, source, "call_insight", key, data, now, why)
        return names

    def _tell_insight(
        self, conn: Connection, source: str, data: dict[str, Any], at: datetime, key: str
    ) -> tuple[str, str, tuple[str, ...]]:
        call_id = str(data.get("call_id", ""))
        known = deal_notes.lead_of_call(conn, call_id)
        if known is None:
            return NO_CALL, "", ()
        deals = deal_notes.deals_of(conn, known)
        if not deals:
            return NO_DEAL, "", ()
        text = insight_note(data, self.titles.get(source, source), self.locale)
        subject, tags = f"call:{known.lead_id}", [tag.strip() for tag in str(data.get("tags", "")).split(",")]
        names = deal_notes.tell(
            conn, self.clock, subject, f"{source}:{key}", text, deals, {}, tags=[tag for tag in tags if tag]
        )
        return "", known.lead_id, names


def state_key(payment: ParsedPayment) -> str:
    """The same for every event that tells of this state; each refund in part is a state of its own."""
    refund = f":{payment.amount}" if payment.status == "refunded" and payment.amount is not None else ""
    return f"{payment.payment_id}:{payment.status}{refund}"


def _move(rules: PaymentRules, status: str, connection: str) -> Move | None:
    """Where the deal in this connection moves; a line that names the connection counts before one that does not."""
    found = [one for one in rules.stages if one.on == status and one.connection in ("", connection)]
    found.sort(key=lambda one: one.connection == "")
    return Move(found[0].pipeline, found[0].stage) if found else None
