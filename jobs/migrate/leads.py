"""Open leads of a CRM that keeps leads beside deals: each becomes what an enquiry becomes in the new CRM, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from connectors.base import ContactDraft, DealDraft, Draft
from connectors.errors import ConnectorError, PermanentError
from connectors.records import Record, RecordObject
from jobs.migrate.model import Step
from jobs.migrate.once import SHOWN, Besides, create, exclusively, keep, kept_states, look_up
from jobs.migrate.opening import Ready
from jobs.migrate.originals import AT_ONCE, Copy, copy_of_lead, lead_name, leads_lease
from leads.identity import Key
from leads.merge import OTHER, mark
from leads.normalize import emails
from leads.phones import phones
from leads.records import UTM_KEYS
from store import cursors, sync_pairs
from store.leases import Held
from store.moved_leads import WHOLE

FIELDS: Final = (
    *("title", "name", "phones", "emails", "company_name", "price", "comment", "source", "responsible", "closed"),
    *UTM_KEYS,
)


@dataclass(slots=True)
class LeadTally(Besides):
    """`closed`: before they could move, so that they stay: deals by now, which move by themselves, or junk.
    `closed_since`: moved, and closed in the old CRM after that, without a deal that the new one's follows; ids of some.
    """

    old: int = 0
    moved: int = 0
    closed: int = 0
    closed_since: int = 0
    closed_ids: list[str] = field(default_factory=list)


async def move_leads(ready: Ready) -> LeadTally | None:
    """After contacts and firms. None where there are none to move: no such CRM, a sample, a sync that does it.

    What happened around them is moved by `jobs.migrate.history`.
    """
    if not ready.leads_move:
        return None
    tally = LeadTally()
    await exclusively(ready, leads_lease(ready), _Leads(ready, tally).work, tally)
    return tally


async def finish_leads(ready: Ready) -> None:
    """Before the deals: what an earlier run has begun to make of leads is made, also of those that are closed by now,
    so that the deals that they became meet it."""
    if ready.leads_move:
        tally = LeadTally()
        await exclusively(ready, leads_lease(ready), _Leads(ready, tally).finish, tally)


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
                page = await ready.ask_old(partial(ready.old_port.changed, "lead", None, FIELDS, cursor))
                await self._some(held, page.records)
                cursor = page.cursor
                if not cursor:
                    break
            await self._became(held)
        except ConnectorError as error:
            self._tally.error = str(error)
        return True

    async def finish(self, held: Held) -> bool:
        ready, after = self._ready, ""
        assert ready.old_port is not None
        while begun := await ready.db.read(cursors.some_of, self._name("deal", ""), AT_ONCE, after):
            after = list(begun)[-1]
            ids = [id for id, state in begun.items() if state.get("state")]
            kept = await kept_states(ready, [self._name(WHOLE, id) for id in ids])
            if ids := [id for id in ids if self._name(WHOLE, id) not in kept]:
                there = await ready.ask_old(partial(ready.old_port.read, "lead", ids, FIELDS))
                await self._some(held, list(there.values()), finishing=True)
        return True

    async def _some(self, held: Held, records: Sequence[Record], *, finishing: bool = False) -> None:
        ready, tally = self._ready, self._tally
        tally.old += len(records)
        kept = await kept_states(ready, [self._name(WHOLE, one.id) for one in records])
        states = {one.id: kept.get(self._name(WHOLE, one.id), {"of": ""}) for one in records}
        before = {id: state for id, state in states.items() if "of" not in state}
        tally.before += len(before)
        await self._closed_since({one.id: before[one.id] for one in records if one.id in before and _closed(one)})
        left = [one for one in records if one.id not in before]
        todo = {one.id: one for one in left if finishing or not _closed(one)}
        tally.closed += len(left) - len(todo)
        made: dict[str, Copy] = {}
        partners = {about: await self._partners(list(todo), about) for about in ("contact", "company")}
        for id, record in todo.items():
            try:
                deal = await self._one(held, record, partners["contact"].get(id, ""), partners["company"].get(id, ""))
            except _UnknownOutcome:
                tally.unknown += 1
            except PermanentError as error:
                tally.refuse(id, error)
            else:
                tally.moved += 1
                made[id] = await copy_of_lead(ready, deal)
        await self._remember(held, made)

    async def _closed_since(self, closed: Mapping[str, Mapping[str, Any]]) -> None:
        step, tally = self._steps["deal"], self._tally
        deals = {id: str(state["id"]) for id, state in closed.items() if state.get("on", ("deal",))[0] == "deal"}
        followed = await self._ready.db.read(sync_pairs.partners, step.sync, OTHER[step.source], deals.values())
        left = [id for id in closed if deals.get(id) not in followed]
        tally.closed_since += len(left)
        tally.closed_ids += left[: SHOWN - len(tally.closed_ids)]

    async def _became(self, held: Held) -> None:
        """What happened around a lead goes to the copy of the deal that it has become before it could move."""
        ready, step, cursor = self._ready, self._steps["deal"], ""
        lead_of = ready.sync(step).lead_field(step.source)
        while lead_of:
            assert ready.old_port is not None
            page = await ready.ask_old(partial(ready.old_port.changed, "deal", None, (lead_of,), cursor))
            leads = {one.id: lead for one in page.records if (lead := str(one.values.get(lead_of) or "0")) != "0"}
            copies = await ready.db.read(sync_pairs.partners, step.sync, step.source, leads)
            kept = await kept_states(ready, [self._name(WHOLE, lead) for lead in leads.values()])
            states: dict[str, dict[str, Any]] = {}
            for id, pair in copies.items():
                if (name := self._name(WHOLE, leads[id])) not in kept:
                    copy = pair.on(OTHER[step.source])
                    states.setdefault(name, {"state": "done", "id": copy, "on": ["deal", copy], "of": id})
            await keep(ready, held, states)
            cursor = page.cursor
            if not cursor:
                return

    async def _remember(self, held: Held, made: Mapping[str, Copy]) -> None:
        """With the values of the deals as they are now: should the old CRM make deals of these leads, what nobody has
        changed in the new ones follows those."""
        step = self._steps["deal"]
        to, end, mapping = OTHER[step.source], self._ready.target(step), self._ready.sync(step).mapping
        ids, there = [copy.id for copy in made.values() if copy.object == "deal"], dict[str, Record]()
        for start in range(0, len(ids), end.can.read_batch):
            some = ids[start : start + end.can.read_batch]
            there |= await self._ready.ask_new(partial(end.port.read, "deal", some, mapping.keys(to)))
        states: dict[str, dict[str, Any]] = {}
        for id, copy in made.items():
            states[self._name(WHOLE, id)] = {"state": "done", "id": copy.id, "on": list(copy)}
            if copy.object == "deal" and copy.id in there:
                forms = mapping.comparables(there[copy.id].values, to)
                states[self._name(WHOLE, id)]["made"] = {name: mark(form) for name, form in forms.items()}
        await keep(self._ready, held, states)

    async def _one(self, held: Held, record: Record, contact: str, company: str) -> str:
        """The person and the deal, each looked up before it is written again. Returns what the deal is called."""
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
        return await self._once(held, self._name("deal", record.id), deal)

    async def _person(self, held: Held, id: str, draft: ContactDraft) -> str:
        """Whom both CRMs know already, by the old one's own index: the new one's may not show yet what was moved."""
        ready, step = self._ready, self._steps["contact"]
        assert ready.old_port is not None
        found = [phone for text in draft.phones for phone in phones(text, self._region).found]
        keys = [Key("phone", one) for one in found]
        keys += [Key("email", one) for text in draft.emails for one in emails(text).found]
        if keys:
            known = await ready.ask_old(partial(ready.old_port.find, "contact", keys))
            ids = list(dict.fromkeys(one for some in known.values() for one in some))
            pairs = await ready.db.read(sync_pairs.partners, step.sync, step.source, ids)
            for one in ids:
                if one in pairs and (partner := pairs[one].on(OTHER[step.source])):
                    return partner
        there = await ready.ask_new(
            partial(ready.new_target.find_contact, tuple(found) or draft.phones, draft.emails, draft.key)
        )
        return there or await self._once(held, self._name("person", id), draft)

    async def _partners(self, ids: list[str], about: RecordObject) -> dict[str, str]:
        """Lead -> the new CRM's record of the contact or firm that it is linked to."""
        ready, step = self._ready, self._steps[about]
        assert ready.old_port is not None
        at_once, linked = ready.old_port.capabilities.link_batch, dict[str, tuple[str, ...]]()
        for start in range(0, len(ids), at_once):
            some = ids[start : start + at_once]
            linked |= await ready.ask_old(partial(ready.old_port.links, "lead", some, about))
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
            made = await ready.ask_new(partial(create, ready, draft))
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


def _closed(one: Record) -> bool:
    return bool(one.values.get("closed"))


def _texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = values.get(key) or ()
    return (found,) if isinstance(found, str) else tuple(map(str, found))
