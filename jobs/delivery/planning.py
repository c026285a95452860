"""What is to be written for one lead: mapping, responsible user, repeat policy of its route."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, select

from connectors.base import CallDraft, DealState, Disposition, Draft, Kind, Metadata, NoteDraft, TaskDraft
from jobs.delivery.drafts import Drafts, Dropped, Hold
from jobs.delivery.progress import Progress
from jobs.delivery.resolve import Resolved, resolve
from jobs.intake.routing import Route, Router
from jobs.metadata import MetadataCache
from leads import assignment, attribution
from leads.assignment import AssignFacts, AssignSettings, CrmUserRef, Decision
from leads.call_text import call_line
from leads.callbacks import is_missed
from leads.calls import Call
from leads.clock import Clock
from leads.hours import Schedule, add_working_minutes, schedule_of
from leads.ids import new_id
from leads.regions import NOWHERE, place_of
from leads.repeats import Deal, NewDeal, NoteOnOpen, RepeatPolicy, decide_repeat
from mappings.checker import ExpressionError
from mappings.engine import DraftedTask, build
from mappings.expressions import compile_condition
from mappings.schema import LeadMapping
from mappings.views import Assigned, Facts, Hub, Known, Named, Repeat, variables
from store import assignments, missed_calls
from store.assignments import Choice, LoadFacts
from store.db import Database
from store.delivery_records import Claimed
from store.leases import Held
from store.person_leads import count_person_leads
from store.tables import t_assignment, t_link

NO_POLICY = RepeatPolicy()
ONE_TASK = timedelta(days=1)
"""So long a task to call back does for later missed calls, too: one that nobody did by then rings for none of them."""


@dataclass(frozen=True, slots=True)
class CallRules:
    """What a source of calls says of its colleagues: extension or login -> CRM user, and when to call back."""

    extensions: Mapping[str, str] = field(default_factory=dict)
    callback_within: timedelta = timedelta(minutes=15)


NO_CALLS = CallRules()


@dataclass(frozen=True, slots=True)
class Planning:
    """What all deliveries of one connection share. `mappings`: route name -> its mapping; "" the preset."""

    db: Database
    clock: Clock
    router: Router
    hub: Hub
    connection: Named
    sources: Mapping[str, Named]
    mappings: Mapping[str, LeadMapping]
    metadata: MetadataCache
    calls: Mapping[str, CallRules] = field(default_factory=dict)
    """Source -> its rules for calls."""
    creates: frozenset[Kind] = frozenset()
    """What the CRM can be given."""

    def plan(self, held: Held, claimed: Claimed) -> "LeadPlan":
        return LeadPlan(self, held, claimed)


class LeadPlan:
    """Keeps `jobs.delivery.drafts.Planner` for one claimed delivery."""

    def __init__(self, shared: Planning, held: Held, claimed: Claimed) -> None:
        self._shared = shared
        self._held = held
        self._claimed = claimed
        self._route: Route | None = shared.router.named(claimed.route)
        self._resolved: Resolved | None = None

    @property
    def _policy(self) -> RepeatPolicy:
        return self._route.settings.repeat if self._route else NO_POLICY

    @property
    def _assign(self) -> AssignSettings | None:
        return self._route.settings.assign if self._route else None

    def repeat_mode(self, deal: DealState | None) -> str:
        state = Deal.NONE if deal is None else Deal.CLOSED if deal.closed else Deal.OPEN
        updated = deal.updated_at if deal else None
        decision = decide_repeat(
            self._policy, state, self._claimed.person.last_lead_at, self._claimed.lead.received_at, updated
        )
        match decision:
            case NewDeal():
                return "new"
            case NoteOnOpen():
                return "note"
            case _:
                return "reopen"

    def reopen_to(self) -> tuple[str, str]:
        if self._resolved is None:
            return "", ""
        return self._resolved.deal.pipeline, self._resolved.deal.stage

    async def callback_tasks(self, deal_id: str) -> list[str]:
        call = self._claimed.lead.call
        if call is None or not is_missed(call):
            return []
        found = await self._shared.db.read(missed_calls.tasks_of, self._held.name, call.client)
        since = self._shared.clock.now() - ONE_TASK
        return [task.id for task in found if task.deal_id == deal_id and task.since > since]

    # --- the responsible user -----------------------------------------------------------------

    async def user_for(self, deal: DealState | None) -> tuple[str, str]:
        answered_by = self._answered_by()
        settings = self._assign or (_only(answered_by) if answered_by else None)
        if settings is None:
            return "", ""
        made = await self._shared.db.read(self._made_before)
        if made is not None:
            return made
        metadata, _ = await self._shared.metadata.get()
        now = self._shared.clock.now()
        decided: list[Decision] = []

        def decide(loads: LoadFacts) -> Choice:
            decision = self._decide(settings, metadata, loads, now)
            decided[:] = [decision]
            return Choice(
                user_id=decision.user_id,
                reason=assignment.explain(decision, self._shared.hub.locale),
                data={
                    "reason": decision.reason,
                    "params": dict(decision.params),
                    "considered": [list(one) for one in decision.considered],
                },
                state=assignment.state_to_json(decision.state),
            )

        choice = await self._shared.db.write(
            assignments.assign,
            held=self._held,
            pool=f"{self._held.name}/{self._route.name if self._route else ''}",
            assignment_id=new_id(self._shared.clock),
            delivery_id=self._claimed.id,
            lead_id=self._claimed.lead.id,
            person_id=self._claimed.person.id,
            since=now - settings.load_window,
            now=now,
            decide=decide,
        )
        if decided[0].hold_until is not None:
            raise Hold(decided[0].hold_until, choice.reason)
        return choice.user_id, choice.reason

    def _answered_by(self) -> str:
        """The colleague who took the call: as the source's `extensions` name him, else the vendor's own word."""
        call = self._claimed.lead.call
        return self._colleague(call) if call is not None and call.answered else ""

    def _colleague(self, call: Call) -> str:
        known = self._shared.calls.get(self._claimed.lead.source, NO_CALLS).extensions
        return known.get(call.extension) or known.get(call.employee) or call.employee

    def _made_before(self, conn: Connection) -> tuple[str, str] | None:
        """The turn that an earlier try of this delivery took; a held one is decided anew."""
        query = select(t_assignment.c.user_id, t_assignment.c.reason, t_assignment.c.data).where(
            t_assignment.c.delivery_id == self._claimed.id, t_assignment.c.connection == self._held.name
        )
        row = conn.execute(query.order_by(t_assignment.c.at.desc()).limit(1)).first()
        return None if row is None or row.data.get("reason") == "hold" else (row.user_id, row.reason)

    def _decide(self, settings: AssignSettings, metadata: Metadata, loads: LoadFacts, now: datetime) -> Decision:
        lead = self._claimed.lead
        facts = AssignFacts(
            now=now,
            users=_users(metadata),
            load=loads.load,
            previous_user=loads.previous_user,
            answered_by=self._answered_by(),
            place=place_of(lead.phones[0]) if lead.phones else NOWHERE,
            matches=partial(self._matches, self._facts(now)),
            timezone=self._shared.hub.timezone,
        )
        return assignment.decide(settings, assignment.state_from_json(loads.state), facts)

    @staticmethod
    def _matches(facts: Facts, condition: str) -> bool:
        """A rule's condition; one that fails on this lead does not apply to it."""
        try:
            return compile_condition(condition)(variables(facts))
        except ExpressionError:
            return False

    # --- what is written ------------------------------------------------------------------------

    async def drafts(self, progress: Progress) -> Drafts:
        shared, lead = self._shared, self._claimed.lead
        now = shared.clock.now()
        metadata, directory = await shared.metadata.get()
        mapping = shared.mappings.get(self._claimed.route) or shared.mappings[""]
        number, company_id = 1, ""
        company_key = _company_key(lead.company)
        if progress.step("contact").id or company_key:
            number, company_id = await shared.db.read(self._known, company_key=company_key)
        call, rules = lead.call, shared.calls.get(lead.source, NO_CALLS)
        within = rules.callback_within if call else mapping.due
        due_at = add_working_minutes(self._schedule(), now, within.total_seconds() / 60)
        name = await self._user_name(progress.user)
        why = progress.user_reason.removeprefix(f"{name or progress.user}: ")  # the text names him already
        facts = replace(
            self._facts(now),
            assigned=Assigned(progress.user, name, why),
            repeat=Repeat(number, self._policy.within.days),
            due_at=due_at,
        )
        drafted = build(mapping, facts)
        person = progress.person or self._claimed.person.id
        keys: dict[Any, str] = {"contact": person, "deal": lead.id, "company": company_key}
        resolved = resolve(drafted, directory, keys=keys, responsible=progress.user)
        self._resolved = resolved
        with_task = progress.mode == "new" or self._policy.task
        if call is not None:  # there is somebody to call back only when nobody talked
            with_task = call.direction == "in" and not call.answered
        return Drafts(
            contact=resolved.contact,
            deal=resolved.deal,
            note=partial(self._note, resolved, progress),
            task=partial(self._task, drafted.task if with_task else None, due_at, progress),
            call=partial(self._call, call, progress, metadata) if call and self._logs_calls else None,
            company=resolved.company,
            company_id=company_id,
            dropped=resolved.dropped,
            labels={key: label for key, (label, _) in resolved.names.items()},
        )

    def _note(self, resolved: Resolved, progress: Progress, deal_id: str, dropped: tuple[Dropped, ...]) -> Draft:
        text = resolved.note(dropped)
        return NoteDraft(f"{self._claimed.lead.id}-note", text, deal_id, progress.step("contact").id)

    @property
    def _logs_calls(self) -> bool:
        return "call" in self._shared.creates

    def _call(self, call: Call, progress: Progress, metadata: Metadata, deal_id: str, user: str) -> Draft:
        """Of the colleague who talked, or dialled, whoever the deal belongs to."""
        lead = self._claimed.lead
        spoke = call.answered or call.direction == "out"
        colleague = assignment.resolve_user(self._colleague(call), _users(metadata)) if spoke else None
        return CallDraft(
            key=f"{lead.id}-call",
            deal_id=deal_id,
            contact_id=progress.step("contact").id,
            direction="out" if call.direction == "out" else "in",
            phone=call.client,
            line=call.line,
            started_at=call.started_at or lead.received_at,
            talk_s=call.talk_s or 0,
            ring_s=call.ring_s or 0,
            disposition=cast(Disposition, call.disposition),
            recording_url=call.recording_url,
            responsible=colleague.id if colleague is not None and colleague.active else user,
            employee=call.employee or call.extension,
            text=call_line(call, self._shared.hub.locale),
        )

    def _task(
        self, task: DraftedTask | None, due_at: datetime, progress: Progress, deal_id: str, user: str
    ) -> Draft | None:
        if task is None:
            return None
        key = f"{self._claimed.lead.id}-task"
        return TaskDraft(key, task.text, due_at, deal_id, progress.step("contact").id, user)

    def without(self, draft: Draft, refused: tuple[str, ...], *, bare: bool) -> tuple[Draft, tuple[Dropped, ...]]:
        assert self._resolved is not None
        left, dropped = self._resolved.without(draft, refused, bare=bare)
        return left, (*dropped, *self._resolved.demanded(refused))

    def _known(self, conn: Connection, company_key: str) -> tuple[int, str]:
        """How many leads of this person there were within the window, this one included; the company's record."""
        received = self._claimed.lead.received_at
        number = count_person_leads(conn, self._claimed.person.id, received - self._policy.within, received)
        query = select(t_link.c.vendor_id).where(
            t_link.c.connection == self._held.name, t_link.c.kind == "company", t_link.c.our_id == company_key
        )
        company = conn.execute(query).scalar() if company_key else None
        return max(1, number), company or ""

    def _schedule(self) -> Schedule | None:
        settings = self._assign
        return schedule_of(settings.hours, self._shared.hub.timezone) if settings and settings.hours else None

    async def _user_name(self, user_id: str) -> str:
        if not user_id:
            return ""
        metadata, _ = await self._shared.metadata.get()
        return next((user.name for user in metadata.users if user.id == user_id), "")

    def _facts(self, now: datetime) -> Facts:
        shared, claimed = self._shared, self._claimed
        lead, person = claimed.lead, claimed.person
        first = attribution.touch_from_json(person.first_touch) if person.first_touch else None
        return Facts(
            lead=lead,
            now=now,
            hub=shared.hub,
            source=shared.sources.get(lead.source, Named(lead.source, title=lead.source)),
            connection=shared.connection,
            route=claimed.route,
            person=Known(person.id, person.name or lead.name, lead.phones, lead.emails),
            first_touch=first,
            last_touch=lead.touch,
        )


def _users(metadata: Metadata) -> list[CrmUserRef] | None:
    """None where they could not be read."""
    if "users" not in metadata.known:
        return None
    return [CrmUserRef(user.id, user.name, user.email, user.active) for user in metadata.users]


def _only(user: str) -> AssignSettings:
    return AssignSettings.model_validate({"strategy": "fixed", "users": [user]})


def _company_key(name: str) -> str:
    """The same company written a little differently is one; "" for none."""
    plain = " ".join(name.casefold().replace("«", "").replace("»", "").replace('"', "").split())
    return f"company-{hashlib.sha256(plain.encode()).hexdigest()[:24]}" if plain else ""
