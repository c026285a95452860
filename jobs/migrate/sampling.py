"""A first part of a CRM, the same each time: some deals with their people and firms, then more of both."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from connectors.records import LINKS, Page, RecordObject, RecordPort, Stub, StubPage
from jobs.migrate.guarding import ReadOnly
from leads.identity import Key

Ask = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
Chosen = Mapping[RecordObject, Sequence[str]]
FIRST_TO_LAST: tuple[RecordObject, ...] = ("deal", "contact", "company")
"""Each with what it links to: the choice goes down the links."""


async def choose(port: RecordPort, size: int, ask: Ask) -> dict[RecordObject, list[str]]:
    """At least `size` of each kind where there are so many: the first ones, and whatever those are linked to."""
    chosen: dict[RecordObject, list[str]] = {one: [] for one in FIRST_TO_LAST}
    for about in FIRST_TO_LAST:
        listed = await _first(port, about, size, ask)
        ids = chosen[about]
        ids += [id for id in listed if id not in set(ids)][: max(0, size - len(ids))]
        at_once = port.capabilities.link_batch
        for to in LINKS[about]:
            known = set(chosen[to])
            for start in range(0, len(ids), at_once):
                some = ids[start : start + at_once]
                found = await ask(partial(port.links, about, some, to))
                for id in some:
                    new = [one for one in found.get(id, ()) if one not in known]
                    chosen[to] += new
                    known.update(new)
    return chosen


async def _first(port: RecordPort, about: RecordObject, size: int, ask: Ask) -> list[str]:
    ids: list[str] = []
    cursor = ""
    while len(ids) < size:
        page = await ask(partial(port.listing, about, cursor))
        ids += [stub.id for stub in page.stubs]
        cursor = page.cursor
        if not cursor:
            break
    return ids[:size]


class Sampled(ReadOnly):
    """Only the chosen records are there."""

    def __init__(self, port: RecordPort, chosen: Chosen) -> None:
        super().__init__(port)
        self._chosen = chosen

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        start, size = int(cursor or 0), self.capabilities.read_batch
        ids = self._of(object)[start : start + size]
        found = await self.read(object, ids, fields)
        records = [one for id, one in found.items() if one.id == id]
        if since is not None:
            records = [one for one in records if one.modified_at is None or one.modified_at >= since]
        return Page(tuple(records), str(start + size) if start + size < len(self._of(object)) else "")

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        page = await self.changed(object, None, (), cursor)
        stubs = tuple(Stub(one.id, one.modified_at) for one in page.records if not one.deleted)
        return StubPage(stubs, page.cursor)

    async def count(self, object: RecordObject) -> int | None:
        return len(self._of(object))

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        found, known = await self._port.find(object, keys), set(self._of(object))
        kept = {key: tuple(id for id in ids if id in known) for key, ids in found.items()}
        return {key: ids for key, ids in kept.items() if ids}

    async def deleted(self, object: RecordObject, since: datetime) -> Any:
        known = set(self._of(object))
        return tuple(one for one in await self._port.deleted(object, since) if one.id in known)

    def _of(self, object: RecordObject) -> Sequence[str]:
        return self._chosen.get(object, ())
