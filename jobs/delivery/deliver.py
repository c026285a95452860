"""One claimed delivery: look up or write each record in turn, and say how it ended.

The order is contact, company, deal, note, task: what a manager needs to call comes first.
How each is written once is in `jobs.delivery.writing`.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.base import CompanyDraft, ContactDraft, DealState, Kind
from connectors.errors import ConnectorError, NoRightsError, PermanentError
from connectors.recorded import CompletesTasks
from jobs.delivery.companies import Companies
from jobs.delivery.drafts import Drafts, Dropped
from jobs.delivery.lesser import enrich
from jobs.delivery.progress import kind_of
from jobs.delivery.writing import Writing

log = logging.getLogger(__name__)

FIND_COMPANY_S = 5.0
"""A lead does not wait longer than this to learn whether its company is in the CRM already."""


@dataclass(slots=True)
class Result:
    """What was written. `created` False: the lead joined an existing deal."""

    record_id: str
    contact_id: str
    company_id: str = ""
    created: bool = True
    dropped: tuple[Dropped, ...] = ()
    looked_up: bool = False
    resent: bool = False
    arrived_at: datetime | None = None
    enriched: bool = True
    """False: what the person is reached by is still to be added to the contact."""
    links: tuple[tuple[str, str, str], ...] = ()


@dataclass(slots=True)
class Run(Writing):
    """Carries one claimed delivery as far as it goes. Raises ConnectorError, LookLater, Hold, LostLease."""

    companies: Companies = field(default_factory=Companies)
    arrived_at: datetime | None = None
    enriched: bool = True
    extra: tuple[Kind, ...] = ()
    """Of note and task what is owed."""
    _links: list[tuple[str, str, str]] = field(default_factory=list)

    async def deliver(self) -> Result:
        try:
            return await self._deliver()
        except PermanentError as error:
            if not (error.gone and self._forget_contact()):
                raise
            return await self._anew()

    async def _deliver(self) -> Result:
        lead, progress = self.claimed.lead, self.progress
        contact_id = await self._known_contact()
        if not progress.mode:
            existing = await self._existing_deal(contact_id) if contact_id else None
            progress.mode = self.planner.repeat_mode(existing)
            if progress.mode != "new" and existing is not None:
                progress.deal_id, progress.user = existing.id, existing.responsible
            else:
                progress.user, progress.user_reason = await self.planner.user_for(existing)
        drafts = await self.planner.drafts(progress)
        self._drop(drafts.dropped)
        self._next = ("deal",) if progress.mode == "new" else ()
        if not contact_id:
            contact_id = await self._contact(drafts.contact)
        self._link("contact", progress.person or self.claimed.person.id, contact_id)
        company_id = drafts.company_id
        if progress.mode == "new":
            if drafts.company is not None and not company_id:
                company_id = await self._company(drafts.company)
            if drafts.company is not None and company_id:
                self._link("company", drafts.company.key, company_id)
            deal = dataclasses.replace(drafts.deal, contact_id=contact_id, company_id=company_id)
            deal_id = await self._ensure(deal)
            self.arrived_at = self.clock.now()
            self._link("deal", lead.id, deal_id)
        else:
            deal_id = progress.deal_id
            if progress.mode == "reopen" and not progress.step("note").id and not await self._reopened(deal_id):
                progress.mode, progress.deal_id = "new", ""
                return await self._anew()
        if not await self._extras(drafts, deal_id) and progress.mode != "new":
            # The CRM takes nothing on the open deal: a deal of its own, else the enquiry would be nowhere.
            progress.mode, progress.deal_id = "new", ""
            return await self._anew()
        if progress.found_contact:
            await self._enrich(contact_id, drafts.contact)
        return self._result(deal_id)

    async def _anew(self) -> Result:
        """Another way; what was left out on the first is not left out any more."""
        self._dropped.clear()
        self._links.clear()
        return await self._deliver()

    def _result(self, deal_id: str) -> Result:
        steps = self.progress.steps
        return Result(
            record_id=deal_id,
            contact_id=steps["contact"].id,
            company_id=next((vendor_id for kind, _, vendor_id in self._links if kind == "company"), ""),
            created=self.progress.mode == "new",
            dropped=tuple(self._dropped),
            looked_up=self.looked_up,
            resent=any(step.repeats for step in steps.values()),
            arrived_at=self.arrived_at,
            enriched=self.enriched,
            links=self.links,
        )

    @property
    def in_crm(self) -> bool:
        """A deal of its own was made; what is missing is the note or the task."""
        return self.arrived_at is not None and self.progress.mode == "new"

    def without_extras(self, why: str) -> Result:
        """The outcome when note or task cannot be written for now: the lead is in the CRM, they are owed."""
        assert self.in_crm
        self._drop(tuple(Dropped(kind, "", why) for kind in self.extra if not self.progress.step(kind).id))
        return dataclasses.replace(
            self._result(self.progress.step("deal").id), enriched=not self.progress.found_contact
        )

    async def write_extras(self, deal_id: str) -> Drafts:
        """Of a lead that was delivered: note and task, unless they are there. As it would be drafted today."""
        drafts = await self.planner.drafts(self.progress)
        self._drop(drafts.dropped)
        for draft in (drafts.contact, drafts.deal):
            step = self.progress.step(kind_of(draft))
            self._drop(self.planner.without(draft, tuple(step.refused), bare=step.bare)[1])
        await self._extras(drafts, deal_id)
        return drafts

    async def late_contact(self, drafts: Drafts) -> str:
        """Of a lead that was delivered without: offered whole once more, unless the person has one by now.

        Empty when it is refused again.
        """
        self._offer_whole("contact")
        made = await self._known_contact() or await self._contact(drafts.contact)
        self._link("contact", self.progress.person or self.claimed.person.id, made)
        return made

    async def late_company(self, drafts: Drafts) -> str:
        """As `late_contact`."""
        self._offer_whole("company")
        made = drafts.company_id or (await self._company(drafts.company) if drafts.company else "")
        if drafts.company is not None:
            self._link("company", drafts.company.key, made)
        return made

    @property
    def links(self) -> tuple[tuple[str, str, str], ...]:
        """(kind, our id, vendor's id) of what is known by now."""
        return tuple(self._links)

    async def _extras(self, drafts: Drafts, deal_id: str) -> bool:
        """Call, note and task; False when the deal shows nothing of this lead. A call on an open deal needs no note."""
        task = drafts.task(deal_id, self.progress.user)
        self.extra = ("note",) if task is None else ("note", "task")
        made = await self._made_before(deal_id) if task is not None else ()
        self._next = ("note",) if made else self.extra
        told = await self._ensure_extra(drafts.call(deal_id, self.progress.user)) if drafts.call else ""
        if not told or self.progress.mode == "new" or self._dropped:
            told = await self._ensure_extra(drafts.note(deal_id, tuple(self._dropped))) or told
        if told:
            self.arrived_at = self.arrived_at or self.clock.now()
        if task is not None and not await self._shares(made):
            await self._ensure_extra(task)
        return bool(told)

    async def _made_before(self, deal_id: str) -> Sequence[str]:
        """Tasks that earlier missed calls of the client made on this deal: while one is open it does for all."""
        step = self.progress.step("task")
        return () if step.id or step.unknown else await self.planner.callback_tasks(deal_id)

    async def _shares(self, made: Sequence[str]) -> bool:
        """Where it cannot be known which is open there is one task too many: better than none."""
        if not isinstance(self.target, CompletesTasks):
            return False
        with contextlib.suppress(PermanentError, NoRightsError):
            for task_id in made:
                if await self.target.task_is_open(task_id):
                    self.progress.step("task").id = task_id
                    return True
        return False

    async def _company(self, draft: CompanyDraft) -> str:
        """The company's record; leads of one company that are delivered at the same time make it once."""
        async with self.companies.turn(draft.key):
            made = self.companies.made.get(draft.key) or await self._found_company(draft)
            made = made or await self._ensure_extra(draft)
            if made:
                self.companies.made[draft.key] = made
            return made

    async def _found_company(self, draft: CompanyDraft) -> str:
        """One of that name that people keep in the CRM already; "" when that cannot be said at once."""
        step = self.progress.step("company")
        if not step.id and not step.unknown and draft.name:
            with contextlib.suppress(ConnectorError, TimeoutError):
                async with asyncio.timeout(FIND_COMPANY_S):
                    step.id = await self.target.find_company(draft.name) or ""
        return step.id

    async def _known_contact(self) -> str:
        """The person's contact in this CRM: remembered, made by this delivery, or found there; "" when new."""
        step = self.progress.step("contact")
        if step.id or step.unknown:
            return step.id
        self.progress.person = self.claimed.person.id
        if self.claimed.person.contact_id:
            step.id = self.claimed.person.contact_id
            self.progress.found_contact = True
            return step.id
        lead = self.claimed.lead
        if not (lead.phones or lead.emails):
            return ""
        found = await self.target.find_contact(lead.phones, lead.emails, self.claimed.person.id)
        if found:
            step.id = found
            self.progress.found_contact = True
        return step.id

    async def _existing_deal(self, contact_id: str) -> DealState | None:
        """The deal that a repeat may join: the one of the person's last lead while it is open, else what the CRM says.

        Ours is asked by its id first, because lists by contact may lag behind writes.
        """
        last = self.claimed.person.last_deal_id
        try:
            if last:
                ours = await self.target.deal_state(last)
                if ours is not None and not ours.closed:
                    return ours
            return await self.target.open_deal(contact_id)
        except NoRightsError:
            return None  # what we may not see we cannot join

    async def _reopened(self, deal_id: str) -> bool:
        try:
            await self.target.reopen_deal(deal_id, *self.planner.reopen_to())
        except (PermanentError, NoRightsError) as error:
            fields = {"event": "deal.not_reopened", "lead_id": self.claimed.lead.id, "error": str(error)}
            log.info("a closed deal stays closed, a new one follows", extra=fields)
            return False
        return True

    def _forget_contact(self) -> bool:
        """The remembered contact was deleted or merged in the CRM: look again, once."""
        step = self.progress.step("contact")
        if not (self.progress.found_contact and self.claimed.person.contact_id):
            return False
        step.id = ""
        self.progress.found_contact = False
        self.progress.mode = ""
        person = dataclasses.replace(self.claimed.person, contact_id="")
        self.claimed = dataclasses.replace(self.claimed, person=person)
        return True

    async def _contact(self, draft: ContactDraft) -> str:
        """Empty when the CRM takes none, whatever is left out: the deal comes all the same, its note says who it is."""
        try:
            return await self._ensure(draft)
        except PermanentError as error:
            if error.gone:
                raise
            self._drop((Dropped("contact", "", str(error)),))
            return ""

    async def _enrich(self, contact_id: str, draft: ContactDraft) -> None:
        """New phones and e-mails go to the contact that was there; a failure here never costs the lead."""
        try:
            await enrich(self.target, contact_id, draft, self.planner.without)
        except (PermanentError, NoRightsError) as error:
            self._drop((Dropped("contact", "", str(error), optional=True),))
        except ConnectorError:
            self.enriched = False

    def _link(self, kind: str, our_id: str, vendor_id: str) -> None:
        if vendor_id:
            self._links.append((kind, our_id, vendor_id))
