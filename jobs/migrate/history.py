"""What happened around each moved record in the new CRM: notes, tasks and calls of its own, the rest in one note."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from connectors.activities import Activities, Made
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.histories import Entry, Histories, is_refusal
from connectors.records import RecordObject
from jobs.migrate.entries import Entries, Piece, Sorted, own_of, state_of
from jobs.migrate.once import Besides, exclusively, keep, kept_states, when_certain
from jobs.migrate.opening import Ready
from jobs.migrate.originals import AT_ONCE, Copies, Originals, originals_of
from store.leases import Held


@dataclass(slots=True)
class Sides:
    """Entries of one kind, as both CRMs show them. `old`: in the old one; of these in the new one `own`: as its own,
    `noted`: in a note that gathers, `absent`: not, with the old records of some."""

    old: int = 0
    own: int = 0
    noted: int = 0
    absent: int = 0
    absent_ids: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class HistoryTally(Besides):
    """What this run wrote around one kind of record. `made`: notes, tasks and calls of their own; `written`: notes that
    gather the rest, of `entries`; `cut`: of all these, those that do not hold all. `declined`: entries that the new CRM
    refused as its own, so that they stand in the note. `changed`: written before, and different in the old CRM by now.
    `tasks_left`: open tasks that stand in a note alone. `kinds`: kind of entry -> what both CRMs show."""

    object: RecordObject
    made: dict[str, int] = field(default_factory=dict)
    written: int = 0
    entries: int = 0
    cut: int = 0
    declined: int = 0
    changed: int = 0
    tasks_left: int = 0
    kinds: dict[str, Sides] = field(default_factory=dict)


async def move_histories(ready: Ready) -> list[HistoryTally]:
    """Empty where the old CRM's history cannot be read. What somebody else is at says so as its error.

    Deals first: what the old CRM shows on several records is written once, on the first of them.
    """
    histories, activities = ready.histories, ready.activities
    if histories is None or activities is None:
        return []
    done: list[HistoryTally] = []
    for whose in reversed(originals_of(ready)):
        tally = HistoryTally(object=whose.object)
        await exclusively(ready, whose.lease, _Histories(ready, whose, histories, activities, tally).work, tally)
        done.insert(0, tally)
        if tally.error:
            break
    return done


class _Batch(NamedTuple):
    """`found`: what stands around the old ones."""

    some: Copies
    found: Mapping[str, Sequence[Entry]]


class _Histories:
    def __init__(
        self, ready: Ready, whose: Originals, histories: Histories, activities: Activities, tally: HistoryTally
    ) -> None:
        self._ready, self._whose, self._read, self._tally = ready, whose, histories, tally
        self._new = activities
        self._entries = Entries(ready, whose)

    async def work(self, held: Held) -> bool:
        unknown: list[str] = []
        reading = asyncio.create_task(self._next(""))
        try:
            while (batch := await reading).some:
                reading = asyncio.create_task(self._next(list(batch.some)[-1]))  # while this one is written
                unknown += await self._batch(held, batch)
            if unknown:  # looked up when the CRM shows whatever it is still working on
                self._tally.unknown = 0
                for start in range(0, len(unknown), AT_ONCE):
                    some = await self._whose.these(unknown[start : start + AT_ONCE])
                    await self._batch(held, await self._with_history(some), again=True)
        except ConnectorError as error:
            self._tally.error = str(error)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return True

    async def _next(self, after: str) -> _Batch:
        return await self._with_history(await self._whose.some(after))

    async def _with_history(self, some: Copies) -> _Batch:
        ids = [id for id, copy in some.items() if copy]
        if not ids:
            return _Batch(some, {})
        return _Batch(some, await self._ready.ask_old(lambda: self._read.of(self._whose.object, ids)))

    async def _batch(self, held: Held, batch: _Batch, *, again: bool = False) -> list[str]:
        """Returns the records of which it is not known whether all was written."""
        ready, found = self._ready, batch.found
        moved = {id: copy for id, copy in batch.some.items() if copy}
        names = [self._whose.note_name(id) for id in moved]
        names += [self._entries.name(one) for entries in found.values() for one in own_of(entries)]
        kept = await kept_states(ready, names)
        sorted_ = Sorted()
        for id, copy in moved.items():
            self._entries.sort(id, copy, found.get(id, ()), kept, sorted_)
        if not again:
            self._tally.before += sorted_.before
            self._tally.changed += sorted_.changed
        pieces = sorted_.pieces
        unknown = await self._settle(held, pieces)
        rest = {id: [*sorted_.rest.get(id, ()), *self._declined(pieces, id)] for id in moved}
        if not again:
            tasks = (one for entries in rest.values() for one in entries if one.kind == "task" and not one.done)
            self._tally.tasks_left += sum(1 for _ in tasks)
        states = {id: kept.get(self._whose.note_name(id), {}) for id in moved}
        left = list(moved)
        while left:  # much goes into several notes
            notes = [one for id in left if (one := self._entries.note(id, moved[id], rest[id], states[id]))]
            unknown += await self._settle(held, notes)
            left = [one.id for one in notes if one.there]
            states |= {one.id: state_of("done", one) for one in notes if one.there}
        return list(dict.fromkeys(unknown))

    @staticmethod
    def _declined(pieces: Sequence[Piece], id: str) -> list[Entry]:
        return [one.entry for one in pieces if one.id == id and one.declined and one.entry is not None]

    async def _settle(self, held: Held, pieces: Sequence[Piece]) -> list[str]:
        """Writes what is not there. Returns the records of what may be there."""
        hidden = await self._find(held, [one for one in pieces if one.sent_at is not None])
        left = [one for one in pieces if not one.there and one.name not in hidden]
        for one in left:  # what it was when it was sent can be one of its own, what it is now can not
            one.declined = not one.again
        await keep(self._ready, held, {one.name: state_of("refused", one) for one in left if one.declined})
        unknown = [one.id for one in pieces if one.name in hidden]
        unknown += await self._send(held, [one for one in left if one.again and (one.entry or one.telling)])
        self._tally.unknown += len(unknown)
        return unknown

    async def _find(self, held: Held, pieces: Sequence[Piece]) -> set[str]:
        """Which of the tries of which nothing is known have written it. Returns the names of those of which that cannot
        be seen, since the new CRM does not show its lists."""
        if not pieces:
            return set()
        sent_at = max(one.sent_at for one in pieces if one.sent_at is not None)
        look = partial(self._new.find, [one.sent for one in pieces], sent_at)
        try:
            found = await when_certain(self._ready, look, sent_at)
        except ConnectorError as error:
            if not is_refusal(error):
                raise
            self._tally.show(pieces[0].id, error)
            return {one.name for one in pieces}
        there = [one for one in pieces if one.activity.key in found]
        for one in there:
            one.there = found[one.activity.key]
            one.telling = one.sent_telling
            self._count(one)
        await keep(self._ready, held, {one.name: state_of("done", one) for one in there})
        return set()

    async def _send(self, held: Held, todo: Sequence[Piece]) -> list[str]:
        """Each is kept before and after. Returns the records of what may be there."""
        if not todo:
            return []
        sent_at = self._ready.clock.now()
        await keep(self._ready, held, {one.name: state_of("sent", one, at=sent_at) for one in todo})
        made = await self._write(todo)
        states: dict[str, dict[str, Any]] = {}
        unknown: list[str] = []
        stopped: ConnectorError | None = None
        for one in todo:
            outcome = made[one.name]
            if isinstance(outcome, str):
                one.there = outcome
                states[one.name] = state_of("done", one)
                self._count(one)
            elif isinstance(outcome, UnknownOutcomeError):
                unknown.append(one.id)
            elif is_refusal(outcome):
                one.declined = True
                states[one.name] = state_of("refused", one)
                self._refuse(one, outcome)
            else:
                states[one.name] = state_of("", one)
                stopped = stopped or outcome
        await keep(self._ready, held, states)
        if stopped is not None:
            raise stopped
        return unknown

    async def _write(self, pieces: Sequence[Piece]) -> dict[str, Made]:
        """What failed without having been written goes again, a few times."""
        left, made = list(pieces), dict[str, Made]()

        async def attempt() -> None:
            answers = await self._new.write([one.activity for one in left])
            made.update(zip((one.name for one in left), answers, strict=True))
            left[:] = [one for one in left if _may_go_again(made[one.name])]
            for one in left:
                error = made[one.name]
                assert isinstance(error, ConnectorError)
                raise error

        with contextlib.suppress(ConnectorError):  # it stands in `made`
            await self._ready.ask_new(attempt)
        return made

    def _refuse(self, one: Piece, error: ConnectorError) -> None:
        self._tally.show(one.id, error, one.activity.kind if one.entry is not None else "")
        if one.entry is not None:
            self._tally.declined += 1
        else:
            self._tally.refused += 1

    def _count(self, one: Piece) -> None:
        self._tally.cut += one.cut
        if one.entry is not None:
            self._tally.made[one.activity.kind] = self._tally.made.get(one.activity.kind, 0) + 1
        else:
            self._tally.written += 1
            self._tally.entries += len(one.telling)


def _may_go_again(outcome: Made) -> bool:
    return isinstance(outcome, ConnectorError) and not isinstance(
        outcome, AuthError | PermanentError | UnknownOutcomeError
    )
