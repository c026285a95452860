"""Whose history a move carries over: records of one kind in the old CRM, each with its copy in the new one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from connectors.records import DealIds, RecordObject
from jobs.migrate.model import Step
from jobs.migrate.opening import Ready
from leads.merge import OTHER
from store import cursors, moved_leads, sync_listing, sync_pairs
from store.moved_leads import WHOLE

AT_ONCE: Final = 100
"""Records. What happened around so many is on its way at once."""


class Copy(NamedTuple):
    """A record of the new CRM."""

    object: RecordObject
    id: str


Copies = dict[str, Copy | None]
"""Old id -> the new record, None for what has none."""


class Originals(Protocol):
    """`step`: whose dictionary knows their users. `lease`: of who writes beside them."""

    @property
    def object(self) -> RecordObject: ...

    @property
    def step(self) -> Step: ...

    @property
    def lease(self) -> str: ...

    def note_name(self, id: str) -> str:
        """Where the state of the notes that gather is kept."""
        ...

    async def some(self, after: str) -> Copies:
        """The next ones in order of their ids."""
        ...

    async def these(self, ids: Sequence[str]) -> Copies: ...


def originals_of(ready: Ready) -> list[Originals]:
    found: list[Originals] = [_Records(ready, step) for step in ready.move.steps]
    return [*found, _Leads(ready)] if ready.leads_move else found


def lead_name(ready: Ready, what: str, id: str = "") -> str:
    return moved_leads.name_of(ready.move.source, ready.move.target, what, id)


def leads_lease(ready: Ready) -> str:
    return f"migrate-{ready.move.name}-lead"


async def copy_of_lead(ready: Ready, id: str) -> Copy:
    """`id`: as the new CRM told it of the deal that was made."""
    target = ready.new_target
    return Copy(*(await target.record_of(id))) if isinstance(target, DealIds) else Copy("deal", id)


@dataclass(frozen=True, slots=True)
class _Records:
    """Those that a sync has paired."""

    ready: Ready
    step: Step

    @property
    def object(self) -> RecordObject:
        return self.step.object

    @property
    def lease(self) -> str:
        return self.step.sync

    def note_name(self, id: str) -> str:
        return f"migrate:{self.step.sync}:history:{id}"

    async def some(self, after: str) -> Copies:
        ready, step = self.ready, self.step
        if ready.chosen is not None:
            ids = sorted(id for id in ready.chosen.get(step.object, ()) if id > after)[:AT_ONCE]
        else:
            ids = await ready.db.read(sync_listing.some_paired, step.sync, step.source, AT_ONCE, after)
        return await self.these(ids)

    async def these(self, ids: Sequence[str]) -> Copies:
        step = self.step
        pairs = await self.ready.db.read(sync_pairs.partners, step.sync, step.source, ids)
        partners = {id: pairs[id].on(OTHER[step.source]) if id in pairs else "" for id in ids}
        return {id: Copy(step.object, partner) if partner else None for id, partner in partners.items()}


@dataclass(frozen=True, slots=True)
class _Leads:
    """Those that became what an enquiry becomes in the new CRM."""

    ready: Ready

    @property
    def object(self) -> RecordObject:
        return "lead"

    @property
    def step(self) -> Step:
        return next(one for one in self.ready.move.steps if one.object == "deal")

    @property
    def lease(self) -> str:
        return leads_lease(self.ready)

    def note_name(self, id: str) -> str:
        return lead_name(self.ready, "note", id)

    async def some(self, after: str) -> Copies:
        start = lead_name(self.ready, WHOLE)
        return await self._copies(await self.ready.db.read(cursors.some_of, start, AT_ONCE, after))

    async def these(self, ids: Sequence[str]) -> Copies:
        names = {lead_name(self.ready, WHOLE, id): id for id in ids}
        kept = await self.ready.db.read(cursors.load_all, list(names))
        return await self._copies({names[name]: state for name, state in kept.items()})

    async def _copies(self, states: Mapping[str, Mapping[str, Any]]) -> Copies:
        """An earlier version did not keep of which kind the new record is."""
        return {
            id: Copy(*state["on"]) if "on" in state else await copy_of_lead(self.ready, state["id"])
            for id, state in states.items()
        }
