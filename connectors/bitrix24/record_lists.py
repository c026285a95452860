"""Lists of Bitrix24's records by windows of ids, many in one batch: what changes while they are read cannot be lost."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from connectors.bitrix24.answers import MethodMissingError
from connectors.bitrix24.faces import classic_record, item_name
from connectors.bitrix24.payloads import TYPE_IDS, Entity, moment
from connectors.bitrix24.persons import number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import when
from connectors.errors import PermanentError, RetryableError
from leads.clock import Clock

PAGE: Final = 50
WINDOWS: Final = 24
"""Commands of one request; with the first page's two it stays well below the most that a batch may have."""
SHARE: Final = 0.8
"""Of a page that a window is meant to hold."""
ASK_AGAIN_S: Final = 600.0
TESTED_S: Final = 3600.0
ZONE: Final = timedelta(hours=26)
"""More than any two zones are apart: asked for where the portal's filter of times is seen to count in another one."""

Rows = list[dict[str, Any]]


class Found(NamedTuple):
    rows: Rows
    cursor: str


class RecordLists:
    """Rows come with classic names. `where` is operator and classic name -> value, as `>=DATE_MODIFY`."""

    def __init__(self, portal: Portal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock
        self._items_until = float("-inf")
        self._margins: dict[Entity, tuple[timedelta, float]] = {}

    async def changed(self, entity: Entity, since: datetime | None, select: Sequence[str], cursor: str) -> Found:
        """Ordered by id: a record that changes meanwhile stays where it is."""
        if since is None:
            return await self.walk(entity, {}, select, cursor)
        at = since.replace(microsecond=0)
        where = {">=DATE_MODIFY": moment(at - await self._margin(entity))}
        found = await self.walk(entity, where, select, cursor)
        return Found([row for row in found.rows if (when(row.get("DATE_MODIFY")) or at) >= at], found.cursor)

    async def walk(self, entity: Entity, where: Mapping[str, Any], select: Sequence[str], cursor: str) -> Found:
        """The cursor is "LAST:WIDTH:TOP": ids up to LAST are read, TOP is the highest there was. Width 0 is page by
        page, for a list that does not keep to what it is asked. PermanentError for a cursor that it did not make."""
        if not cursor:
            return await self._first(entity, where, select)
        parts = cursor.split(":")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            raise PermanentError("no such place in the list", f"crm.{entity}.list")
        last, width, top = map(int, parts)
        if not width:
            rows = await self.page(entity, {**where, ">ID": last}, select)
            return _on(rows, last)
        return await self._windows(entity, where, select, last, width, top)

    async def page(
        self, entity: Entity, where: Mapping[str, Any], select: Sequence[str], order: Mapping[str, str] | None = None
    ) -> Rows:
        """At most 50 rows, by ascending id unless `order` says otherwise; nothing is counted."""
        order = order or {"ID": "ASC"}
        if self._clock.monotonic() >= self._items_until:
            params = {"filter": dict(where), "select": list(select), "order": dict(order), "start": -1}
            try:
                answer = await self._portal.call(f"crm.{entity}.list", params)
                return _rows(f"crm.{entity}.list", answer.result)
            except MethodMissingError:
                self._items_until = self._clock.monotonic() + ASK_AGAIN_S
        return await self.items(entity, where, ("*", "UF_*"), order)

    async def items(
        self, entity: Entity, where: Mapping[str, Any], select: Sequence[str], order: Mapping[str, str] | None = None
    ) -> Rows:
        """The same of `crm.item.list`, which alone tells all contacts of a deal."""
        params = {
            "entityTypeId": TYPE_IDS[entity],
            "useOriginalUfNames": "Y",
            "filter": {_renamed(entity, name): value for name, value in where.items()},
            "select": [one if "*" in one else item_name(entity, one) for one in select],
            "order": {item_name(entity, name): way for name, way in (order or {"ID": "ASC"}).items()},
            "start": -1,
        }
        result = (await self._portal.call("crm.item.list", params)).result
        found = result.get("items") if isinstance(result, dict) else result
        rows = found if isinstance(found, list) else None
        return _rows("crm.item.list", rows and [classic_record(entity, row) for row in rows if isinstance(row, dict)])

    async def these(self, entity: Entity, ids: Sequence[str], select: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By id, 50 in a command and the commands in one request."""
        wanted = [id for id in dict.fromkeys(ids) if id.isascii() and id.isdecimal()]
        chunks = [wanted[start : start + PAGE] for start in range(0, len(wanted), PAGE)]
        pages = await asyncio.gather(
            *(self.page(entity, {"@ID": [number(id) for id in one]}, select) for one in chunks)
        )
        found = {str(row["ID"]): row for page in pages for row in page}
        if not found.keys() <= set(wanted):  # the filter is not kept to: what is left out may be there all the same
            ones = await asyncio.gather(*(self.page(entity, {"ID": number(id)}, select) for id in wanted))
            found = {str(row["ID"]): row for page in ones for row in page if str(row["ID"]) in wanted}
        return found

    async def count(self, entity: Entity) -> int | None:
        try:
            answer = await self._portal.call(f"crm.{entity}.list", {"select": ["ID"], "start": 0})
        except PermanentError:
            return None
        return answer.total

    # --- windows ------------------------------------------------------------------------------------------------

    async def _first(self, entity: Entity, where: Mapping[str, Any], select: Sequence[str]) -> Found:
        rows, newest = await asyncio.gather(
            self.page(entity, {**where, ">ID": 0}, select), self.page(entity, where, ["ID"], {"ID": "DESC"})
        )
        top = max((int(row["ID"]) for row in (*rows, *newest)), default=0)
        if len(rows) < PAGE:
            return Found(rows, "")
        last = max(int(row["ID"]) for row in rows)
        width = max(int(SHARE * PAGE), int(SHARE * (last - int(rows[0]["ID"]) + 1)))
        return Found(rows, f"{last}:{width if last < top else 0}:{top}")

    async def _windows(
        self, entity: Entity, where: Mapping[str, Any], select: Sequence[str], last: int, width: int, top: int
    ) -> Found:
        """Ids are dense or sparse as people delete: a window that comes full may hold more, so it ends the page."""
        starts = [last + width * number for number in range(WINDOWS) if last + width * number < top]
        pages = await asyncio.gather(
            *(self.page(entity, {**where, ">ID": start, "<=ID": start + width}, select) for start in starts)
        )
        found: Rows = []
        for start, rows in zip(starts, pages, strict=True):
            if any(not start < int(row["ID"]) <= start + width for row in rows):
                return Found(found, f"{start}:0:{top}")  # a list that does not know one of the bounds
            found += rows
            if len(rows) >= PAGE and width > PAGE:
                following = max(int(row["ID"]) for row in rows)
                return Found(found, f"{following}:{max(PAGE, width // 2)}:{top}" if following < top else "")
        end = starts[-1] + width if starts else top
        if len(found) < len(starts) * PAGE * SHARE / 2:
            width *= 2
        return Found(found, f"{end}:{width}:{top}" if end < top else "")

    async def _margin(self, entity: Entity) -> timedelta:
        """Classic filters may count times in the user's zone: the newest record must be found by its own time."""
        known, until = self._margins.get(entity, (timedelta(0), float("-inf")))
        if self._clock.monotonic() < until:
            return known
        newest = await self.page(entity, {}, ("ID", "DATE_MODIFY"), {"DATE_MODIFY": "DESC"})
        at = when(newest[0].get("DATE_MODIFY")) if newest else None
        if at is None:
            return ZONE if newest else timedelta(0)
        asked = {"ID": number(str(newest[0]["ID"])), ">=DATE_MODIFY": moment(at)}
        margin = timedelta(0) if await self.page(entity, asked, ("ID", "DATE_MODIFY")) else ZONE
        self._margins[entity] = (margin, self._clock.monotonic() + TESTED_S)
        return margin


def _on(rows: Rows, last: int) -> Found:
    fresh = [row for row in rows if int(row["ID"]) > last]
    following = max((int(row["ID"]) for row in fresh), default=0)
    return Found(fresh, f"{following}:0:{following}" if fresh and len(rows) >= PAGE else "")


def _renamed(entity: Entity, name: str) -> str:
    bare = name.lstrip("!<>=%@")
    return name[: len(name) - len(bare)] + item_name(entity, bare)


def _rows(method: str, rows: Any) -> Rows:
    if not isinstance(rows, list):
        raise RetryableError("the answer holds no list", method, 200)
    found = [row for row in rows if isinstance(row, dict)]
    if any(not str(row.get("ID", "")).isdecimal() for row in found):
        raise RetryableError("a row has no id", method, 200)
    return found
