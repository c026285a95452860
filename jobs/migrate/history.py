"""What happened around each moved record as one note in the new CRM, and its open tasks; each written once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from connectors.base import NoteDraft, TaskDraft
from connectors.errors import ConnectorError, PermanentError
from connectors.histories import Entry, Histories, is_refusal
from connectors.records import RecordObject
from jobs.migrate.model import Step
from jobs.migrate.once import Besides, create, exclusively, keep, look_up
from jobs.migrate.opening import Ready
from jobs.migrate.telling import ENTRY_CHARS, Teller, in_order
from jobs.opening import patiently
from jobs.sync.looking import gently
from leads.merge import OTHER
from store import cursors, sync_listing, sync_pairs
from store.leases import Held

AT_ONCE: Final = 50


@dataclass(slots=True, kw_only=True)
class HistoryTally(Besides):
    """Notes of one kind of record. `changed`: of those of an earlier run, whose history is another by now. `cut`: that
    do not hold all of it. `tasks`: open ones made; `tasks_left`: open ones that stand in the note alone."""

    object: RecordObject
    written: int = 0
    entries: int = 0
    cut: int = 0
    changed: int = 0
    tasks: int = 0
    tasks_left: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """A note or task that is to be written for one old record. `name`: where its state is kept. `sent_at`: when an
    earlier try was sent, its outcome unknown."""

    name: str
    id: str
    draft: NoteDraft | TaskDraft
    digest: str
    entries: int = 0
    cut: bool = False
    sent_at: datetime | None = None


async def move_histories(ready: Ready) -> list[HistoryTally]:
    """Empty where the old CRM's history cannot be read. A step whose sync somebody else holds says so as its error."""
    histories = ready.histories
    if histories is None:
        return []
    done = []
    for step in ready.move.steps:
        tally = HistoryTally(object=step.object)
        await exclusively(ready, step.sync, _Histories(ready, step, histories, tally).work, tally)
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
        return await self._ready.db.read(sync_listing.some_paired, step.sync, step.source, AT_ONCE, after)

    async def _batch(self, held: Held, ids: Sequence[str], *, again: bool = False) -> list[str]:
        """Returns the records of which it is not known whether all was written."""
        ready, step = self._ready, self._step
        pairs = await ready.db.read(sync_pairs.partners, step.sync, step.source, ids)
        moved = [id for id in ids if id in pairs and pairs[id].on(OTHER[step.source])]
        found = await patiently(lambda: self._read.of(step.object, moved), ready.clock)
        open_tasks = {one.id for some in found.values() for one in some if one.kind == "task" and not one.done}
        names = [*(self._name("history", id) for id in moved), *(self._name("task", id) for id in open_tasks)]
        kept = await ready.db.read(cursors.load_all, names)
        pieces: list[_Piece] = []
        for id in moved:
            entries, partner = found.get(id, ()), pairs[id].on(OTHER[step.source])
            state = kept.get(self._name("history", id), {})
            if state.get("state") == "done":
                if not again:
                    self._tally.before += 1
                    self._tally.changed += state.get("digest") != digest_of(entries)
            elif entries or state.get("state") == "sent":
                pieces.append(self._note(id, partner, entries, state))
            pieces += self._tasks(id, partner, entries, kept, count=not again)
        pieces = [
            one
            for one in pieces
            if not await self._found(held, one) and (one.entries or isinstance(one.draft, TaskDraft))
        ]
        if not pieces:
            return []
        sent_at = ready.clock.now()
        await keep(self._ready, held, {one.name: _state("sent", one, at=sent_at) for one in pieces})
        outcomes: dict[str, dict[str, Any]] = {}
        unknown: list[str] = []
        stopped: list[ConnectorError] = []
        try:
            works = [partial(self._write, one, outcomes, unknown, stopped) for one in pieces]
            await gently(works, self._new.can.parallel)
        finally:
            await keep(self._ready, held, outcomes)
        if stopped:
            raise stopped[0]
        return list(dict.fromkeys(unknown))

    def _note(self, id: str, partner: str, entries: Sequence[Entry], state: Mapping[str, Any]) -> _Piece:
        about, name = self._step.object, self._name("history", id)
        told = self._teller.note(about, id, entries)
        draft = NoteDraft(f"history-{self._ready.move.name}-{about}-{id}", told.text, "", on=(about, partner))
        return _Piece(name, id, draft, digest_of(entries), len(entries), told.left_out > 0, _sent_at(state))

    def _tasks(
        self, id: str, partner: str, entries: Sequence[Entry], kept: Mapping[str, Mapping[str, Any]], *, count: bool
    ) -> Iterator[_Piece]:
        """Of the open ones those that have a due date and somebody to do them."""
        about = self._step.object
        for one in entries:
            if one.kind != "task" or one.done:
                continue
            name, whose = self._name("task", one.id), self._ready.user_for(self._step, one.responsible)
            state = kept.get(name, {})
            if state.get("state") == "done":
                continue
            if one.due_at is None or not whose or not one.id or not one.text:
                self._tally.tasks_left += count
                continue
            key, on = f"task-{self._ready.move.name}-{about}-{one.id}", (about, partner)
            draft = TaskDraft(key, one.text[:ENTRY_CHARS], one.due_at, "", responsible=whose, on=on, to_call=False)
            yield _Piece(name, id, draft, digest_of([one]), sent_at=_sent_at(state))

    async def _found(self, held: Held, one: _Piece) -> bool:
        """Whether a try of which nothing is known has written it."""
        there = await look_up(self._ready, one.draft, one.sent_at) if one.sent_at else None
        if there is None:
            return False
        await keep(self._ready, held, {one.name: _state("done", one, id=there)})
        self._count(one)
        return True

    async def _write(
        self, one: _Piece, outcomes: dict[str, dict[str, Any]], unknown: list[str], stopped: list[ConnectorError]
    ) -> None:
        if stopped:
            outcomes[one.name] = {"state": ""}
            return
        try:
            made = await patiently(partial(create, self._ready, one.draft), self._ready.clock)
        except ConnectorError as error:
            if isinstance(one.draft, TaskDraft) and is_refusal(error):  # it stands in the note all the same
                outcomes[one.name] = _state("refused", one)
                self._tally.tasks_left += 1
            elif isinstance(error, PermanentError):
                outcomes[one.name] = _state("refused", one)
                self._tally.refuse(one.id, error)
            else:
                outcomes[one.name] = {"state": ""}
                stopped.append(error)
        else:
            if made is None:
                unknown.append(one.id)
                self._tally.unknown += 1
                return
            outcomes[one.name] = _state("done", one, id=made)
            self._count(one)

    def _count(self, one: _Piece) -> None:
        if isinstance(one.draft, TaskDraft):
            self._tally.tasks += 1
            return
        self._tally.written += 1
        self._tally.entries += one.entries
        self._tally.cut += one.cut

    def _name(self, what: Literal["history", "task"], id: str) -> str:
        return f"migrate:{self._step.sync}:{what}:{id}"


def digest_of(entries: Sequence[Entry]) -> str:
    return hashlib.sha256(repr(in_order(entries)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _sent_at(state: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(state["at"]) if state.get("state") == "sent" else None


def _state(state: str, one: _Piece, *, at: datetime | None = None, id: str = "") -> dict[str, Any]:
    found = {"state": state, "digest": one.digest, "id": id}
    return found if at is None else {**found, "at": at.isoformat()}
