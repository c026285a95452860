"""Lists of amoCRM's records: what changed, by a filter where the account has that paid option, else by reading back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from connectors.amocrm.api import PAGE_ROWS, AmocrmApi, Params
from connectors.amocrm.records import Row, has_next, rows_of
from connectors.errors import PermanentError, RetryableError

TRUSTED_S: Final = 3600.0
"""A filter that has passed its test is tested again after so long: the option may end."""
TOMORROW: Final = timedelta(days=1)
NARROW_S: Final = 1
"""Whether `from` itself is included is not documented: a second more is asked for."""


class Rows(NamedTuple):
    rows: list[Row]
    cursor: str


class Lists:
    """One account's lists. Cursors are text: "t:FROM:PAGE" by time, "d:PAGE:SINCE" newest first, "i:PAGE" by id."""

    def __init__(self, api: AmocrmApi) -> None:
        self._api = api
        self._by_time: dict[str, tuple[bool, float]] = {}
        self._no_ids: set[str] = set()

    async def changed(self, entity: str, since: int | None, cursor: str, more: Params) -> Rows:
        """`since` in unix seconds. Raises PermanentError for a cursor that it did not make."""
        if not cursor:
            if await self._filters_by_time(entity):
                cursor = f"t:{max(1, since or 1)}:1"
            else:
                cursor = f"d:1:{since}" if since else "i:1"
        kind, *numbers = cursor.split(":")
        if kind not in ("t", "d", "i") or not all(one.isdecimal() for one in numbers):
            raise PermanentError("no such place in the list", f"list {entity}")
        if kind == "t":
            return await self._by_time_on(entity, int(numbers[0]), int(numbers[1]), more)
        if kind == "d":
            return await self._newest(entity, int(numbers[0]), int(numbers[1]), more)
        return await self.by_id(entity, int(numbers[0]), more)

    async def by_id(self, entity: str, page: int, more: Params) -> Rows:
        rows, following = await self._page(entity, page, [("order[id]", "asc"), *more])
        return Rows(rows, f"i:{page + 1}" if following else "")

    async def _by_time_on(self, entity: str, since: int, page: int, more: Params) -> Rows:
        """The next page begins at the last row's second: rows move to the end while they are read, and page 2
        would skip others for it."""
        asked = [("filter[updated_at][from]", str(since)), ("order[updated_at]", "asc")]
        rows, following = await self._page(entity, page, [*asked, *more])
        if any(_at(row) < since for row in rows):
            self._by_time[entity] = (False, self._api.clock.monotonic() + TRUSTED_S)
            return Rows([], f"d:1:{since}" if since > 1 else "i:1")
        if not rows or not following:
            return Rows(rows, "")
        last = max(map(_at, rows)) - NARROW_S
        return Rows(rows, f"t:{last}:1" if last > since else f"t:{since}:{page + 1}")

    async def _newest(self, entity: str, page: int, since: int, more: Params) -> Rows:
        """What is changed meanwhile moves to the front, so that a page shows rows twice rather than not at all."""
        rows, following = await self._page(entity, page, [("order[updated_at]", "desc"), *more])
        fresh = [row for row in rows if _at(row) >= since]
        in_order = [_at(row) for row in rows] == sorted(map(_at, rows), reverse=True)
        ended = not following or (in_order and len(fresh) < len(rows))
        return Rows(fresh, "" if ended else f"d:{page + 1}:{since}")

    async def _page(self, entity: str, page: int, params: Params) -> tuple[list[Row], bool]:
        asked = [*params, ("limit", str(PAGE_ROWS)), ("page", str(page))]
        answer = await self._api.get(f"list {entity}", f"/api/v4/{entity}", asked)
        rows = rows_of(answer, entity)
        if rows is None:
            raise RetryableError("the answer is no list", f"list {entity}", 200)
        return [row for row in rows if row.get("id")], has_next(answer)

    async def these(self, entity: str, ids: Sequence[str], more: Params) -> dict[str, Row] | None:
        """By the filter of ids, None where it does not work: rows that nobody asked for tell it."""
        if entity in self._no_ids:
            return None
        asked = [*(("filter[id][]", one) for one in ids), *more, ("limit", str(PAGE_ROWS))]
        try:
            answer = await self._api.get(f"read {entity}", f"/api/v4/{entity}", asked)
        except PermanentError:
            return None
        found = {str(row.get("id")): row for row in rows_of(answer, entity) or []}
        if not set(found) <= set(ids):
            self._no_ids.add(entity)
            return None
        return found

    async def _filters_by_time(self, entity: str) -> bool:
        """What was changed tomorrow is nothing, unless the filter is ignored."""
        known, until = self._by_time.get(entity, (False, float("-inf")))
        now = self._api.clock.monotonic()
        if now < until:
            return known
        tomorrow = int((self._api.clock.now() + TOMORROW).timestamp())
        asked = [("filter[updated_at][from]", str(tomorrow)), ("limit", "1")]
        try:
            rows = rows_of(await self._api.get(f"test the filter of {entity}", f"/api/v4/{entity}", asked), entity)
        except PermanentError:
            rows = None
        self._by_time[entity] = (rows == [], now + TRUSTED_S)
        return rows == []


def _at(row: Row) -> int:
    value = row.get("updated_at")
    return int(value) if isinstance(value, int | float) else 0
