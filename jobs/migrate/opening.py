"""Both CRMs of a move opened: the old one to be read only, the dictionary made where it is missing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.activities import Activities
from connectors.base import Metadata, Target
from connectors.errors import ConnectorError
from connectors.histories import Histories
from connectors.records import RecordObject, RecordPort
from connectors.registry import CONNECTORS
from jobs.audit import slowed
from jobs.migrate.dictionary import dictionary_text, write_new
from jobs.migrate.guarding import ReadOnly
from jobs.migrate.model import Move, Step
from jobs.migrate.proposing import Proposal, propose
from jobs.migrate.sampling import Sampled, choose
from jobs.opening import WAITS_S, Transport, no_transport, opened, opening_of, patiently
from jobs.sync.model import End, Sync, blame
from jobs.sync.opening import Opened, account_for, read_sync
from leads.clock import Clock
from leads.merge import OTHER
from mappings.live_names import unknown_names
from mappings.pairs import NotCarried
from mappings.problems import MappingError, Problem
from store import cursors, leases
from store.db import Database

Answer = TypeVar("Answer")
NEEDED: Final = frozenset({"users", "pipelines", "fields"})


@dataclass(frozen=True, slots=True)
class House(Opened):
    """One CRM of the move. `reader`: the only way to its records, for the old one. `known`: what it is made of."""

    reader: RecordPort | None = None
    known: Metadata = field(default_factory=Metadata)

    def port(self) -> RecordPort:
        return self.reader or Opened.port(self)

    async def metadata(self) -> Metadata:
        return self.known


@dataclass(slots=True)
class Ready:
    """A move that can begin. `made`: dictionaries that were not there before; `chosen`: of a sample."""

    move: Move
    db: Database
    clock: Clock
    syncs: dict[str, Sync] = field(default_factory=dict)
    proposals: dict[RecordObject, Proposal] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)
    chosen: Mapping[RecordObject, Any] | None = None
    old_leads: int = 0
    """Bitrix24's classic leads. `jobs.migrate.leads` moves those that are open."""
    old_port: RecordPort | None = None
    histories: Histories | None = None
    """Reads what happened around the old CRM's records; None: it cannot be read."""
    activities: Activities | None = None
    new_histories: Histories | None = None
    """Write that into the new CRM, and read it there; None: it cannot be written."""
    old_title: str = ""
    old_users: Mapping[str, str] = field(default_factory=dict)
    new_target: Any = None

    async def ask(self, call: Callable[[], Awaitable[Answer]], *, of_new: bool) -> Answer:
        """As `patiently`; the error names the CRM of the two that was asked."""
        try:
            return await patiently(call, self.clock)
        except ConnectorError as error:
            blame(_called(self.move, self.move.target if of_new else self.move.source), error)
            raise

    async def ask_old(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await self.ask(call, of_new=False)

    async def ask_new(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await self.ask(call, of_new=True)

    @property
    def look_again_s(self) -> tuple[float, ...]:
        """How long after a write of unknown outcome the new CRM is looked into."""
        return self.target(self.move.steps[0]).look_again_s

    @property
    def leads_stay(self) -> bool:
        """A sample leaves leads for later; a sync that keeps them equal needs no move."""
        return bool(self.old_leads) and (self.chosen is not None or self.move.leads_synced)

    @property
    def leads_move(self) -> bool:
        return bool(self.old_leads) and not self.leads_stay

    def sync(self, step: Step) -> Sync:
        return self.syncs[step.sync]

    def source(self, step: Step) -> End:
        return self.sync(step).end(step.source)

    def target(self, step: Step) -> End:
        return self.sync(step).end(OTHER[step.source])

    def user_for(self, step: Step, user: str) -> str:
        """The user of the new CRM, by the dictionary; "" where it names nobody."""
        pairs, to = self.sync(step).mapping.pairs, OTHER[step.source]
        pair = next((one for one in pairs if one.type == "user" and one.name == "responsible"), None)
        if pair is None or not user:
            return ""
        try:
            found = pair.carry({pair.end(step.source).key: user}, to)
        except NotCarried:
            return ""
        return str(found.get(pair.end(to).key) or "")


@asynccontextmanager
async def opened_move(
    move: Move, db: Database, clock: Clock, transport: Transport = no_transport
) -> AsyncIterator[Ready]:
    """Raises CannotSync, ConnectorError, mappings.problems.MappingError, OSError for a dictionary."""
    async with AsyncExitStack() as stack:
        ready = Ready(move, db, clock)
        ends: dict[str, House] = {}
        for name in (move.source, move.target):
            configured = move.settings.connections[name]
            connector, now = CONNECTORS[configured.type], clock.now()
            busy = await db.read(leases.held_by_another, name=name, now=now)
            opening = opening_of(
                move.settings,
                name,
                db,
                clock,
                own=slowed(connector, configured.settings) if busy else configured.settings,
                transport=transport(configured.type),
                read_only=name == move.source,
            )
            target = await stack.enter_async_context(opened(configured.type, opening))
            end = Opened(name, connector, target, configured.settings)
            reader = ReadOnly(end.port()) if name == move.source else None
            known = await _known(ready, target, of_new=name == move.target)
            ends[name] = House(name, connector, target, configured.settings, reader, known)
        old = ends[move.source]
        new = ends[move.target]
        if old.connector.histories and new.connector.histories and new.connector.activities:
            ready.histories = old.connector.histories(old.target)
            ready.activities = new.connector.activities(new.target)
            ready.new_histories = new.connector.histories(new.target)
        ready.old_title, ready.new_target = old.connector.title, new.target
        ready.old_users = {one.id: one.name for one in old.known.users}
        if move.sample:
            ready.chosen = await _sample(ready, old.port())
            ends[move.source] = replace(old, reader=Sampled(old.port(), ready.chosen))
        await _dictionaries(ready, ends)
        for step in move.steps:
            ready.syncs[step.sync] = await patiently(partial(read_sync, move.settings, step.sync, ends), clock)
        problems: list[Problem] = []
        for step in move.steps:
            problems += unknown_names(ready.syncs[step.sync].mapping, None if step.own else "stage")
        if problems:
            raise MappingError(problems)  # a mistyped stage would be the first one, for thousands of deals
        ready.old_port = old.port()
        ready.old_leads = await _leads(ready, old.port())
        yield ready


def _called(move: Move, name: str) -> str:
    return f'{CONNECTORS[move.settings.connections[name].type].title} "{name}"'


async def _known(ready: Ready, target: Target, *, of_new: bool) -> Metadata:
    """With users and stages, if they can be had at all: what a vendor refuses for a moment is asked for again."""
    known = await ready.ask(target.metadata, of_new=of_new)
    for wait_s in WAITS_S:
        if known.known >= NEEDED:
            break
        await ready.clock.sleep(wait_s)
        known = await ready.ask(target.metadata, of_new=of_new)
    return known


async def _dictionaries(ready: Ready, ends: Mapping[str, House]) -> None:
    move = ready.move
    old, new = ends[move.source], ends[move.target]
    types = old.connector.name, new.connector.name
    for step in move.steps:
        if not step.own:
            continue
        left, right = [
            await ready.ask(partial(account_for, move.settings, step.object, end, end.port()), of_new=end is new)
            for end in (old, new)
        ]
        proposal = propose(step.object, left, right, types)
        ready.proposals[step.object] = proposal
        path = move.dictionary(step.object)
        text = dictionary_text(proposal, types, (move.source, move.target), move.settings.hub.locale)
        if write_new(path, text):
            ready.made.append(path)


async def _leads(ready: Ready, port: RecordPort) -> int:
    """Raises ConnectorError: leads that cannot be counted are not taken for none."""
    if "lead" not in port.capabilities.objects:
        return 0
    return await ready.ask_old(partial(port.count, "lead")) or 0


# --- the sample -----------------------------------------------------------------------------------------------------


async def _sample(ready: Ready, port: RecordPort) -> Mapping[RecordObject, Any]:
    """Chosen once and remembered, so that running it again is about the same records."""
    move, name = ready.move, f"migrate:{ready.move.name}:sample"
    kept = await ready.db.read(cursors.load, name) or {}
    if kept.get("size") == move.sample:
        return dict(kept["ids"])
    chosen = await choose(port, move.sample, ready.ask_old)
    await ready.db.write(cursors.save, name, {"size": move.sample, "ids": chosen})
    return chosen
