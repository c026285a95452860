"""Open leads of a CRM that keeps leads beside deals: each becomes what an enquiry becomes in the new CRM, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from connectors.base import ContactDraft, DealDraft, Draft
from connectors.errors import ConnectorError, PermanentError
from connectors.records import Record, RecordObject
from jobs.migrate.model import Step
from jobs.migrate.once import Besides, create, exclusively, keep, look_up
from jobs.migrate.opening import Ready
from jobs.migrate.originals import copy_of_lead, lead_name, leads_lease
from jobs.opening import patiently
from leads.identity import Key
from leads.merge import OTHER
from leads.normalize import emails
from leads.phones import phones
from leads.records import UTM_KEYS
from store import cursors, sync_pairs
from store.leases import Held

FIELDS: Final = (
    *("title", "name", "phones", "emails", "company_name", "price", "comment", "source", "responsible", "closed"),
    *UTM_KEYS,
)


@dataclass(slots=True)
class LeadTally(Besides):
    """`closed`: those that became deals, which move by themselves, or are junk; they stay."""

    old: int = 0
    moved: int = 0
    closed: int = 0


async def move_leads(ready: Ready) -> LeadTally | None:
    """After contacts and firms. None where there are none to move: no such CRM, a sample, a sync that does it.

    What happened around them is moved by `jobs.migrate.history`.
    """
    if not ready.leads_move:
        return None
    tally = LeadTally()
    await exclusively(ready, leads_lease(ready), _Leads(ready, tally).work, tally)
    return tally


class _UnknownOutcome(Exception):
    """The next run finds out."""


class _Leads:
    def __init__(self, ready: Ready, tally: LeadTally) -> None:
        self._ready, self._tally = ready, tally
        self._steps: dict[RecordObject, Step] = {one.object: one for one in ready.move.steps}
        self._region = ready.move.settings.hub.default_region or ""

    async def work(self, held: Held) -> bool:
        ready, cursor = self._ready, ""
        assert ready.old_port is not None
        try:
            while True:
                page = await patiently(partial(ready.old_port.changed, "lead", None, FIELDS, cursor), ready.clock)
                await self._some(held, page.records)
                cursor = page.cursor
                if not cursor:
                    return True
        except ConnectorError as error:
            self._tally.error = str(error)
            return True

    async def _some(self, held: Held, records: Sequence[Record]) -> None:
        ready, tally = self._ready, self._tally
        tally.old += len(records)
        tally.closed += sum(bool(one.values.get("closed")) for one in records)
        todo = {one.id: one for one in records if not one.values.get("closed")}
        kept = await ready.db.read(cursors.load_all, [self._name("whole", id) for id in todo])
        done = {id for id in todo if kept.get(self._name("whole", id), {}).get("state") == "done"}
        tally.before += len(done)
        for id in done:
            del todo[id]
        partners = {about: await self._partners(list(todo), about) for about in ("contact", "company")}
        for id, record in todo.items():
            try:
                await self._one(held, record, partners["contact"].get(id, ""), partners["company"].get(id, ""))
            except _UnknownOutcome:
                tally.unknown += 1
            except PermanentError as error:
                tally.refuse(id, error)
            else:
                tally.moved += 1

    async def _one(self, held: Held, record: Record, contact: str, company: str) -> None:
        """The person and the deal, each looked up before it is written again."""
        values, key = record.values, f"lead-{self._ready.move.name}-{record.id}"
        whose = self._ready.user_for(self._steps["deal"], str(values.get("responsible") or ""))
        name, reached = str(values.get("name") or ""), (_texts(values, "phones"), _texts(values, "emails"))
        if not contact and (name or any(reached)):
            contact = await self._person(held, record.id, ContactDraft(f"{key}-person", name, *reached, whose, company))
        firm = str(values.get("company_name") or "") if not company else ""
        deal = DealDraft(
            key,
            str(values.get("title") or name or record.id),
            contact,
            company,
            whose,
            price=str(values.get("price") or ""),
            source=str(values.get("source") or ""),
            comment="\n".join(filter(None, [firm, str(values.get("comment") or "")])),
            utm={one: str(values[one]) for one in UTM_KEYS if values.get(one)},
            phones=reached[0],
            emails=reached[1],
            name=name,
        )
        made = await self._once(held, self._name("deal", record.id), deal)
        copy = await copy_of_lead(self._ready, made)
        await self._keep(held, self._name("whole", record.id), {"state": "done", "id": made, "on": list(copy)})

    async def _person(self, held: Held, id: str, draft: ContactDraft) -> str:
        """Whom both CRMs know already, by the old one's own index: the new one's may not show yet what was moved."""
        ready, step = self._ready, self._steps["contact"]
        assert ready.old_port is not None
        found = [phone for text in draft.phones for phone in phones(text, self._region).found]
        keys = [Key("phone", one) for one in found]
        keys += [Key("email", one) for text in draft.emails for one in emails(text).found]
        if keys:
            known = await patiently(partial(ready.old_port.find, "contact", keys), ready.clock)
            ids = list(dict.fromkeys(one for some in known.values() for one in some))
            pairs = await ready.db.read(sync_pairs.partners, step.sync, step.source, ids)
            for one in ids:
                if one in pairs and (partner := pairs[one].on(OTHER[step.source])):
                    return partner
        there = await patiently(
            partial(ready.new_target.find_contact, tuple(found) or draft.phones, draft.emails, draft.key), ready.clock
        )
        return there or await self._once(held, self._name("person", id), draft)

    async def _partners(self, ids: list[str], about: RecordObject) -> dict[str, str]:
        """Lead -> the new CRM's record of the contact or firm that it is linked to."""
        ready, step = self._ready, self._steps[about]
        assert ready.old_port is not None
        at_once, linked = ready.old_port.capabilities.link_batch, dict[str, tuple[str, ...]]()
        for start in range(0, len(ids), at_once):
            some = ids[start : start + at_once]
            linked |= await patiently(partial(ready.old_port.links, "lead", some, about), ready.clock)
        wanted = list({one for some in linked.values() for one in some})
        pairs = await ready.db.read(sync_pairs.partners, step.sync, step.source, wanted)
        found = {id: [pairs[one].on(OTHER[step.source]) for one in some if one in pairs] for id, some in linked.items()}
        return {id: next(filter(None, some), "") for id, some in found.items()}

    async def _once(self, held: Held, name: str, draft: Draft) -> str:
        """Raises _UnknownOutcome, PermanentError for a refusal, ConnectorError for what stops the move."""
        ready = self._ready
        state = await ready.db.read(cursors.load, name) or {}
        if state.get("state") == "done":
            return str(state["id"])
        if state.get("state") == "sent":
            there = await look_up(ready, draft, datetime.fromisoformat(state["at"]))
            if there is not None:
                await self._keep(held, name, {"state": "done", "id": there})
                return there
        await self._keep(held, name, {"state": "sent", "at": ready.clock.now().isoformat()})
        try:
            made = await patiently(partial(create, ready, draft), ready.clock)
        except ConnectorError:
            await self._keep(held, name, {"state": ""})
            raise
        if made is None:
            raise _UnknownOutcome
        await self._keep(held, name, {"state": "done", "id": made})
        return made

    async def _keep(self, held: Held, name: str, state: dict[str, Any]) -> None:
        await keep(self._ready, held, {name: state})

    def _name(self, what: str, id: str) -> str:
        return lead_name(self._ready, what, id)


def _texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = values.get(key) or ()
    return (found,) if isinstance(found, str) else tuple(map(str, found))
