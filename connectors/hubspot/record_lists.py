"""Lists of HubSpot's records: changes by the search, which lags and ends at 10,000; everything by the plain list."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from connectors.errors import AuthError, PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import TYPES
from connectors.hubspot.record_values import MODIFIED
from connectors.hubspot.records import found_records, next_page, properties_of, record_id, when
from connectors.records import LINKS, RecordObject

PAGE: Final = 100
SEARCHED: Final = 200
BODY_CHARS: Final = 2_800
"""A search body of more than 3,000 characters is refused: then only ids are asked for, and the records by id."""
ARCHIVE_PAGES: Final = 20
NO_SEARCH: Final = (403, 404, 405)
"""Answers of accounts and proxies that offer no search: then the plain list is read to its end."""
SEARCH_AGAIN_S: Final = 900.0


class Found(NamedTuple):
    records: list[dict[str, Any]]
    cursor: str


class Lists:
    """Cursors are text: "l:AFTER" of the plain list, "s:MS" of the search, "t:MS:ID" inside of one millisecond.

    "w:MS:AFTER" of the plain list where there is no search.
    """

    def __init__(self, api: HubSpotApi, objects: Objects) -> None:
        self._api = api
        self._objects = objects
        self._searches_from = float("-inf")

    async def changed(
        self, object: RecordObject, since: datetime | None, cursor: str, properties: Sequence[str]
    ) -> Found:
        """Raises PermanentError for a cursor that it did not make."""
        if not cursor:
            cursor = "l:" if since is None else f"s:{int(since.timestamp() * 1000)}"
        kind, _, rest = cursor.partition(":")
        if kind == "l":
            return await self.plain(object, rest, properties, with_links=True)
        numbers = rest.split(":")
        if kind == "w" and len(numbers) == 2 and numbers[0].isdecimal():
            return await self._walk(object, int(numbers[0]), numbers[1], properties)
        if not all(one.isdecimal() for one in numbers) or (kind, len(numbers)) not in (("s", 1), ("t", 2)):
            raise PermanentError("no such place in the list", f"list {TYPES[_kind(object)]}")
        if kind == "s":
            return await self._since(object, int(numbers[0]), properties)
        return await self._inside(object, int(numbers[0]), int(numbers[1]), properties)

    async def plain(self, object: RecordObject, after: str, properties: Sequence[str], *, with_links: bool) -> Found:
        """By id, 100 a call, without the limits of the search."""
        type_ = TYPES[_kind(object)]
        params = {"limit": str(PAGE), "properties": ",".join(properties)} | ({"after": after} if after else {})
        if with_links and LINKS[object]:
            params["associations"] = ",".join(TYPES[_kind(to)] for to in LINKS[object])
        answer = await self._api.call(
            f"list {type_}", "GET", self._api.paths.objects(type_), writes=False, params=params
        )
        following = next_page(answer)
        return Found(found_records(answer, f"list {type_}"), f"l:{following}" if following else "")

    async def archived(self, object: RecordObject, since: datetime) -> list[dict[str, Any]]:
        """What is in the recycle bin since then. The bin has no order of time: a large one is not read to its end."""
        type_, found, after = TYPES[_kind(object)], list[dict[str, Any]](), ""
        for _ in range(ARCHIVE_PAGES):
            params = {"limit": str(PAGE), "archived": "true"} | ({"after": after} if after else {})
            path = self._api.paths.objects(type_)
            answer = await self._api.call(f"list deleted {type_}", "GET", path, writes=False, params=params)
            records = found_records(answer, f"list deleted {type_}")
            found += [one for one in records if one.get("archived") and _archived_at(one) >= since]
            after = next_page(answer)
            if not after:
                break
        return found

    async def _since(self, object: RecordObject, ms: int, properties: Sequence[str]) -> Found:
        """Each page begins at the last one's time instead of an offset: what changes meanwhile would move them all."""
        if self._api.clock.monotonic() < self._searches_from:
            return await self._walk(object, ms, "", properties)
        name = MODIFIED[object]
        body = {
            "filterGroups": [{"filters": [{"propertyName": name, "operator": "GTE", "value": str(ms)}]}],
            "sorts": [{"propertyName": name, "direction": "ASCENDING"}],
        }
        try:
            records = await self._search(object, body, properties)
        except (AuthError, PermanentError) as error:
            if error.status not in NO_SEARCH:
                raise
            found = await self._walk(object, ms, "", properties)  # the same refusal, if it is not only the search
            self._searches_from = self._api.clock.monotonic() + SEARCH_AGAIN_S
            return found
        if len(records) < SEARCHED:
            return Found(records, "")
        last = max((_ms(record, name) for record in records), default=ms)
        return Found(records, f"s:{last}" if last > ms else f"t:{ms}:0")

    async def _walk(self, object: RecordObject, ms: int, after: str, properties: Sequence[str]) -> Found:
        """Everything is listed, and what was modified since then is told."""
        found = await self.plain(object, after, properties, with_links=True)
        records = [one for one in found.records if _ms(one, MODIFIED[object]) >= ms]
        return Found(records, f"w:{ms}:{found.cursor.removeprefix('l:')}" if found.cursor else "")

    async def _inside(self, object: RecordObject, ms: int, id: int, properties: Sequence[str]) -> Found:
        """An import gives thousands of records one time: those go by id."""
        filters = [
            {"propertyName": MODIFIED[object], "operator": "EQ", "value": str(ms)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": str(id)},
        ]
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        records = await self._search(object, {"filterGroups": [{"filters": filters}], "sorts": sorts}, properties)
        ids = [int(record_id(record)) for record in records if record_id(record).isdecimal()]
        return Found(records, f"t:{ms}:{max(ids)}" if len(records) >= SEARCHED and ids else f"s:{ms + 1}")

    async def _search(
        self, object: RecordObject, body: dict[str, Any], properties: Sequence[str]
    ) -> list[dict[str, Any]]:
        type_ = TYPES[_kind(object)]
        asked = {**body, "properties": list(properties), "limit": SEARCHED}
        short = len(json.dumps(asked)) > BODY_CHARS
        if short:
            asked["properties"] = [MODIFIED[object]]
        answer = await self._api.search(f"list changed {type_}", type_, asked)
        records = [record for record in found_records(answer, f"list changed {type_}") if record_id(record)]
        if not short:
            return records
        whole = await self._objects.read_many(_kind(object), map(record_id, records), properties)
        return [whole.get(record_id(record), record) for record in records]

    async def count(self, object: RecordObject) -> int | None:
        type_ = TYPES[_kind(object)]
        body = {"filterGroups": [], "properties": ["hs_object_id"], "limit": 1}
        total = (await self._api.search(f"count {type_}", type_, body)).get("total")
        return total if isinstance(total, int) else None


def _ms(record: dict[str, Any], name: str) -> int:
    at = when(properties_of(record).get(name) or record.get("updatedAt"))
    return 0 if at is None else round(at.timestamp() * 1000)


def _archived_at(record: dict[str, Any]) -> datetime:
    at = when(record.get("archivedAt") or record.get("updatedAt"))
    return at or datetime.max.replace(tzinfo=UTC)


def _kind(object: RecordObject) -> Any:
    return object
