"""Requests of `leadhub source test`: known by a mark that only this hub can make, and kept apart from real leads."""

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from connectors.doors import Inbound, Parsed, ParsedLead, Receipt, Refused, Reply, Unreadable, same_secret
from connectors.events import ParsedCall, ParsedMessage
from connectors.samples import NAME
from jobs.intake.events import lead_of_call, told_of_call
from jobs.intake.kept import raw_of
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from leads.calls import call_of, judged
from leads.clock import Clock
from leads.ids import new_id
from store.db import Database, StoreUnavailable
from store.intake import Acceptance, Intake
from store.sealing import derive

log = logging.getLogger(__name__)

HEADER = "x-leadhub-test"
FLAG = "test"
FRESH_S = 300
"""A mark that somebody overheard is good for so long, and then only for the same request once more."""
LONG_AGO = timedelta(days=1)
"""As if all events of a call had come that will ever come."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the mark says. `asks`: only whether the hub can be reached; `deliver`: the lead shall go to the CRMs.

    `remote_ip` is an address from which the source lets requests in: where they come from cannot be tried.
    `key` is the same for the same request.
    """

    asks: bool
    deliver: bool
    remote_ip: str
    key: str


def mark(key: str, source: str, inbound: Inbound, now: datetime, *, asks: bool = False, deliver: bool = False) -> str:
    """The header's value. `key` is a secret key of the hub."""
    head = f"t={int(now.timestamp())};asks={int(asks)};deliver={int(deliver)};ip={inbound.remote_ip}"
    return f"{head};v={_digest(key, source, head, inbound)}"


def read_mark(keys: Sequence[str], source: str, inbound: Inbound, now: datetime) -> Trial:
    """Raises Refused for a mark that this hub did not make for this request, or too long ago."""
    head, _, given = inbound.headers.get(HEADER, "").rpartition(";v=")
    right = [same_secret(given, _digest(key, source, head, inbound)) for key in keys]
    if not any(right):
        raise Refused("the mark of the test is not of this hub: it has another secret_key")
    told = dict(part.partition("=")[::2] for part in head.split(";"))
    if abs(now.timestamp() - int(told["t"])) > FRESH_S:
        raise Refused("the mark of the test is too old, or a clock is wrong")
    return Trial(told["asks"] == "1", told["deliver"] == "1", told["ip"], given)


def _digest(key: str, source: str, head: str, inbound: Inbound) -> str:
    parts = (source, head, inbound.method, inbound.path_tail, urlencode(inbound.query))
    signed = "\n".join(parts).encode("utf-8", "replace") + b"\n" + hashlib.sha256(inbound.body).digest()
    return hmac.digest(derive(key, "source test"), signed, "sha256").hex()


class Trials:
    """Answers such requests. The lead is stored as discarded, so that it is never owed to anybody."""

    def __init__(self, intake: IntakeService, db: Database, keys: Sequence[str], clock: Clock) -> None:
        self._intake = intake
        self._db = db
        self._keys = keys
        self._clock = clock
        self._store = Intake(clock)

    async def answer(self, source: Source, inbound: Inbound) -> Reply:
        """200 with what was made of it, or why nothing was."""
        try:
            trial = read_mark(self._keys, source.name, inbound, inbound.received_at)
        except Refused as refusal:
            return _said(refusal.status, error=refusal.reason)
        if trial.asks:
            return _said(200)
        inbound = replace(inbound, remote_ip=trial.remote_ip)
        try:
            source.door.verify(source.settings, inbound)
            parsed = source.door.parse(source.settings, inbound, self._intake.region)
        except Refused as refusal:
            return _said(refusal.status, error=refusal.reason)
        except Unreadable as problem:
            return _said(400, error=problem.reason)
        return await self._take(source, inbound, parsed, trial)

    async def _take(self, source: Source, inbound: Inbound, parsed: Parsed, trial: Trial) -> Reply:
        raw = raw_of(inbound)
        items = [
            self._kept_apart(
                self._intake.acceptance(source, inbound.received_at, raw, lead, new_id(self._clock)),
                f"t:{source.name}:{trial.key}:{number}",
                deliver=trial.deliver,
            )
            for number, lead in enumerate(leads_of(parsed))
        ]
        try:
            results = await self._db.write(self._store.accept, items) if items else []
        except StoreUnavailable:
            return _said(503, error="the database cannot be written; a real request would wait in the spool")
        self._intake.wake([name for result in results for name in result.connections])
        log.info("source tested", extra={"event": "source.tested", "source": source.name, "leads": len(results)})
        receipts = [Receipt(result.lead_id, result.duplicate) for result in results]
        reply = source.door.reply(source.settings, inbound, parsed, receipts[: len(parsed.leads)])
        made = {name: len(getattr(parsed, name)) for name in ("leads", "calls", "messages", "payments", "errands")}
        return _said(
            200,
            made={name: count for name, count in made.items() if count},
            leads=[receipt.lead_id for receipt in receipts],
            reply={"status": reply.status, "body": reply.body.decode("utf-8", "replace")},
        )

    @staticmethod
    def _kept_apart(item: Acceptance, key: str, *, deliver: bool) -> Acceptance:
        """Under a key of its own it neither is nor makes a repeat of a real lead."""
        item = replace(item, dedup_keys=(key,), duplicates_since=None)
        if deliver:
            return item
        unsent = tuple(replace(one, state="discarded") for one in item.deliveries)
        return replace(item, deliveries=unsent, status="discarded", status_why=FLAG)


def leads_of(parsed: Parsed) -> list[ParsedLead]:
    """What everything in a request would make, as leads: no call, conversation or payment is begun by a test."""
    found = [
        *parsed.leads,
        *(_of_call(call) for call in parsed.calls),
        *(_of_message(message) for message in parsed.messages),
        *(payment.lead or ParsedLead() for payment in parsed.payments),
    ]
    return [replace(lead, name=NAME, flags=tuple(dict.fromkeys((*lead.flags, FLAG)))) for lead in found]


def _of_call(call: ParsedCall) -> ParsedLead:
    event, about = told_of_call(call)
    return lead_of_call(call.call_id, judged(call_of([event]), LONG_AGO), about)


def _of_message(message: ParsedMessage) -> ParsedLead:
    lead = message.lead or ParsedLead()
    return replace(lead, comment=lead.comment or message.text)


def _said(status: int, **more: object) -> Reply:
    return Reply(status, json.dumps({"test": True, **more}, ensure_ascii=False).encode())
