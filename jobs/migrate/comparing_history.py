"""What happened around the records, compared: both CRMs read again, each entry of the old one looked for in the new."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connectors.histories import Entry, EntryKind, Histories, Part, together
from connectors.records import RecordObject
from jobs.migrate.entries import Entries, mark_of, own_of
from jobs.migrate.history import HistoryTally, Sides
from jobs.migrate.once import SHOWN, kept_states
from jobs.migrate.opening import Ready
from jobs.migrate.originals import Copy, Originals, originals_of

PARTS_OF: Final[Mapping[EntryKind, Part]] = {"note": "notes", "task": "tasks", "call": "calls"}


async def compare_histories(ready: Ready, tallies: Iterable[HistoryTally]) -> None:
    """Sets `kinds` of each. Raises ConnectorError."""
    old, new = ready.histories, ready.new_histories
    if old is None or new is None:
        return
    originals = {one.object: one for one in originals_of(ready)}
    for tally in tallies:
        await _Comparing(ready, originals[tally.object], tally, old, new).all()


class _Comparing:
    def __init__(self, ready: Ready, whose: Originals, tally: HistoryTally, old: Histories, new: Histories) -> None:
        self._ready, self._whose, self._tally, self._old, self._new = ready, whose, tally, old, new
        self._entries = Entries(ready, whose)

    async def all(self) -> None:
        after = ""
        while some := await self._whose.some(after):
            after = list(some)[-1]
            await self._some({id: copy for id, copy in some.items() if copy})

    async def _some(self, moved: Mapping[str, Copy]) -> None:
        kinds = list({copy.object for copy in moved.values()})
        wanted = [[copy.id for copy in moved.values() if copy.object == kind] for kind in kinds]
        olds, *lists = await together(
            (
                self._read(self._old, self._whose.object, list(moved)),
                *(self._read(self._new, kind, ids) for kind, ids in zip(kinds, wanted, strict=True)),
            )
        )
        news = {Copy(kind, id): some for kind, found in zip(kinds, lists, strict=True) for id, some in found.items()}
        names = [self._whose.note_name(id) for id in moved]
        names += [self._entries.name(one) for entries in olds.values() for one in own_of(entries)]
        kept = await kept_states(self._ready, names)
        for id, copy in moved.items():
            there = {one.id for one in news.get(copy, ())}
            self._one(id, copy, olds.get(id, ()), there, kept)

    async def _read(self, crm: Histories, about: RecordObject, ids: list[str]) -> dict[str, tuple[Entry, ...]]:
        return await self._ready.ask(lambda: crm.of(about, ids), of_new=crm is self._new)

    def _one(
        self, id: str, copy: Copy, entries: Sequence[Entry], there: set[str], kept: Mapping[str, Mapping[str, Any]]
    ) -> None:
        note = kept.get(self._whose.note_name(id), {})
        told: Mapping[str, Sequence[str]] = note.get("told", {})
        by_earlier_version = note.get("state") == "done" and "told" not in note
        for one in entries:
            state = kept.get(self._entries.name(one), {}) if one.id else {}
            own = state.get("state") == "done"
            if own and state["on"] != list(copy):
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
