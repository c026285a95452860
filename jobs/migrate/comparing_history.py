"""What happened around the records, compared: both CRMs read again, each entry of the old one looked for in the new."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connectors.histories import Entry, EntryKind, Histories, Part, together
from jobs.migrate.entries import Entries, mark_of, own_of
from jobs.migrate.history import HistoryTally, Sides, kept_states, some_moved
from jobs.migrate.model import Step
from jobs.migrate.once import SHOWN
from jobs.migrate.opening import Ready
from jobs.opening import patiently

PARTS_OF: Final[Mapping[EntryKind, Part]] = {"note": "notes", "task": "tasks", "call": "calls"}


async def compare_histories(ready: Ready, tallies: Iterable[HistoryTally]) -> None:
    """Sets `kinds` of each. Raises ConnectorError."""
    old, new = ready.histories, ready.new_histories
    if old is None or new is None:
        return
    steps = {step.object: step for step in ready.move.steps}
    for tally in tallies:
        await _Comparing(ready, steps[tally.object], tally, old, new).all()


class _Comparing:
    def __init__(self, ready: Ready, step: Step, tally: HistoryTally, old: Histories, new: Histories) -> None:
        self._ready, self._step, self._tally, self._old, self._new = ready, step, tally, old, new
        self._entries = Entries(ready, step)

    async def all(self) -> None:
        after = ""
        while some := await some_moved(self._ready, self._step, after):
            after = list(some)[-1]
            await self._some({id: partner for id, partner in some.items() if partner})

    async def _some(self, moved: Mapping[str, str]) -> None:
        clock, about = self._ready.clock, self._step.object
        olds, news = await together(
            (
                patiently(lambda: self._old.of(about, list(moved)), clock),
                patiently(lambda: self._new.of(about, list(moved.values())), clock),
            )
        )
        names = [self._entries.note_name(id) for id in moved]
        names += [self._entries.name(one) for entries in olds.values() for one in own_of(entries)]
        kept = await kept_states(self._ready, names)
        for id, partner in moved.items():
            there = {one.id for one in news.get(partner, ())}
            self._one(id, partner, olds.get(id, ()), there, kept)

    def _one(
        self, id: str, partner: str, entries: Sequence[Entry], there: set[str], kept: Mapping[str, Mapping[str, Any]]
    ) -> None:
        note = kept.get(self._entries.note_name(id), {})
        told: Mapping[str, Sequence[str]] = note.get("told", {})
        by_earlier_version = note.get("state") == "done" and "told" not in note
        for one in entries:
            state = kept.get(self._entries.name(one), {}) if one.id else {}
            own = state.get("state") == "done"
            if own and state["on"] != [self._step.object, partner]:
                continue  # the old CRM shows it on several records
            sides = self._tally.kinds.setdefault(one.kind, Sides())
            sides.old += 1
            if own and self._is_there(one.kind, state["id"], there):
                sides.own += 1
            elif by_earlier_version or (mark_of(one) in told and self._is_there("note", told[mark_of(one)][1], there)):
                sides.noted += 1
            else:
                sides.absent += 1
                if len(sides.absent_ids) < SHOWN:
                    sides.absent_ids.append(id)

    def _is_there(self, kind: EntryKind, id: str, there: set[str]) -> bool:
        """What the new CRM does not show to us counts as it was answered."""
        return id in there or PARTS_OF[kind] in self._new.given.refused
