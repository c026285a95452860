"""What happened around each moved record, as one note in the new CRM: written once, whatever is interrupted."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from connectors.base import Hint, NoteDraft
from connectors.errors import ConnectorError, PermanentError, TooEarlyError, UnknownOutcomeError
from connectors.histories import Entry, Histories
from connectors.records import RecordObject
from jobs.migrate.model import Step
from jobs.migrate.moving import LEASE_WAIT_S
from jobs.migrate.opening import Ready
from jobs.migrate.telling import Teller, in_order
from jobs.opening import patiently
from jobs.sync.beside import under_lease
from jobs.sync.looking import gently
from leads.merge import OTHER
from store import cursors, sync_listing, sync_pairs
from store.leases import Held, assert_held

AT_ONCE: Final = 50
SHOWN: Final = 10


@dataclass(slots=True)
class HistoryTally:
    """One kind of record. `before`: notes that an earlier run wrote; `changed`: of those, whose history is another by
    now. `cut`: notes that do not hold all of it. `unknown`: the next run finds out. `error`: why it ended early."""

    object: RecordObject
    written: int = 0
    entries: int = 0
    cut: int = 0
    before: int = 0
    changed: int = 0
    unknown: int = 0
    refused: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    error: str = ""

    @property
    def finished(self) -> bool:
        return not self.error and not self.unknown


@dataclass(frozen=True, slots=True)
class _Note:
    """What is to be written for one old record. `sent_at`: when an earlier try was sent, its outcome unknown."""

    id: str
    draft: NoteDraft
    digest: str
    entries: int
    cut: bool
    sent_at: datetime | None = None


async def move_histories(ready: Ready) -> list[HistoryTally]:
    """Empty where the old CRM's history cannot be read. A step whose sync somebody else holds says so as its error."""
    histories = ready.histories
    if histories is None:
        return []
    done = []
    for step in ready.move.steps:
        tally = HistoryTally(step.object)
        work = partial(_Histories(ready, step, histories, tally).work)
        if await under_lease(step.sync, ready.db, ready.clock, work, LEASE_WAIT_S) is None:
            tally.error = f'another process is at "{step.sync}"'
        done.append(tally)
        if tally.error:
            break
    return done


class _Histories:
    def __init__(self, ready: Ready, step: Step, histories: Histories, tally: HistoryTally) -> None:
        self._ready, self._step, self._read, self._tally = ready, step, histories, tally
        self._new = ready.target(step)
        hub = ready.move.settings.hub
        self._teller = Teller(ready.old_title, hub.locale, hub.zone, ready.old_users)

    async def work(self, held: Held) -> bool:
        after, unknown = "", []
        try:
            while ids := await self._some(after):
                unknown += await self._batch(held, ids)
                after = ids[-1]
            if unknown:  # looked up when the CRM shows whatever it is still working on
                self._tally.unknown = 0
                for start in range(0, len(unknown), AT_ONCE):
                    await self._batch(held, unknown[start : start + AT_ONCE], again=True)
        except ConnectorError as error:
            self._tally.error = str(error)
        return True

    async def _some(self, after: str) -> list[str]:
        step, chosen = self._step, self._ready.chosen
        if chosen is not None:
            return sorted(id for id in chosen.get(step.object, ()) if id > after)[:AT_ONCE]
        return await self._ready.db.read(
            lambda conn: sync_listing.some_paired(conn, step.sync, step.source, AT_ONCE, after)
        )

    async def _batch(self, held: Held, ids: Sequence[str], *, again: bool = False) -> list[str]:
        """Returns the records of which it is not known whether their note was written."""
        ready, step = self._ready, self._step
        pairs = await ready.db.read(lambda conn: sync_pairs.partners(conn, step.sync, step.source, ids))
        moved = [id for id in ids if id in pairs and pairs[id].on(OTHER[step.source])]
        found = await patiently(lambda: self._read.of(step.object, moved), ready.clock)
        kept = await ready.db.read(lambda conn: cursors.load_all(conn, [self._name(id) for id in moved]))
        notes = []
        for id in moved:
            entries, state = found.get(id, ()), kept.get(self._name(id), {})
            if state.get("state") == "done":
                if not again:
                    self._tally.before += 1
                    self._tally.changed += state.get("digest") != digest_of(entries)
            elif entries or state.get("state") == "sent":
                notes.append(self._note(id, pairs[id].on(OTHER[step.source]), entries, state))
        notes = [one for one in notes if not await self._found(held, one) and one.entries]
        if not notes:
            return []
        sent_at = ready.clock.now()
        await self._keep(held, {one.id: _state("sent", one, at=sent_at) for one in notes})
        outcomes: dict[str, dict[str, Any]] = {}
        unknown: list[str] = []
        stopped: list[ConnectorError] = []
        try:
            works = [partial(self._write, one, outcomes, unknown, stopped) for one in notes]
            await gently(works, self._new.can.parallel)
        finally:
            await self._keep(held, outcomes)
        if stopped:
            raise stopped[0]
        return unknown

    def _note(self, id: str, partner: str, entries: Sequence[Entry], state: Mapping[str, Any]) -> _Note:
        about = self._step.object
        told = self._teller.note(about, id, entries)
        key = f"history-{self._ready.move.name}-{about}-{id}"
        sent_at = datetime.fromisoformat(state["at"]) if state.get("state") == "sent" else None
        draft = NoteDraft(key, told.text, "", on=(about, partner))
        return _Note(id, draft, digest_of(entries), len(entries), told.left_out > 0, sent_at)

    async def _found(self, held: Held, one: _Note) -> bool:
        """Whether a try of which nothing is known has written it. Waits until a look-up proves something."""
        if one.sent_at is None:
            return False
        clock, wait_s = self._ready.clock, max(self._new.look_again_s, default=0.0)
        passed = (clock.now() - one.sent_at).total_seconds()
        if 0 <= passed < wait_s:
            await clock.sleep(wait_s - passed)
        hint = Hint(one.sent_at)
        look = partial(self._ready.new_target.find_created, one.draft, hint)
        try:
            there = await patiently(look, clock)
        except TooEarlyError as error:
            await clock.sleep(error.wait_s)
            there = await patiently(look, clock)
        if there is None:
            return False
        await self._keep(held, {one.id: _state("done", one, id=there)})
        self._count(one)
        return True

    async def _write(
        self, one: _Note, outcomes: dict[str, dict[str, Any]], unknown: list[str], stopped: list[ConnectorError]
    ) -> None:
        if stopped:
            outcomes[one.id] = {"state": ""}
            return
        try:
            made = await patiently(partial(self._create, one.draft), self._ready.clock)
        except PermanentError as error:
            outcomes[one.id] = _state("refused", one)
            self._tally.refused += 1
            if len(self._tally.examples) < SHOWN:
                self._tally.examples.append({"id": one.id, "why": error.message})
        except ConnectorError as error:
            outcomes[one.id] = {"state": ""}
            stopped.append(error)
        else:
            if made is None:
                unknown.append(one.id)
                self._tally.unknown += 1
                return
            outcomes[one.id] = _state("done", one, id=made)
            self._count(one)

    async def _create(self, draft: NoteDraft) -> str | None:
        """None: it may be there. What raises has written nothing."""
        try:
            made: str = await self._ready.new_target.create(draft)
        except UnknownOutcomeError:
            return None
        return made

    def _count(self, one: _Note) -> None:
        self._tally.written += 1
        self._tally.entries += one.entries
        self._tally.cut += one.cut

    def _name(self, id: str) -> str:
        return f"migrate:{self._step.sync}:history:{id}"

    async def _keep(self, held: Held, states: Mapping[str, dict[str, Any]]) -> None:
        def work(conn: Connection) -> None:
            assert_held(conn, held)
            for id, state in states.items():
                cursors.save(conn, self._name(id), state)

        if states:
            await self._ready.db.write(work)


def digest_of(entries: Sequence[Entry]) -> str:
    return hashlib.sha256(repr(in_order(entries)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _state(state: str, one: _Note, *, at: datetime | None = None, id: str = "") -> dict[str, Any]:
    found = {"state": state, "digest": one.digest, "id": id}
    return found if at is None else {**found, "at": at.isoformat()}
