"""Links between amoCRM's records: many in one request where the account offers that, else record by record."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from connectors.amocrm.api import PAGE_ROWS, AmocrmApi
from connectors.amocrm.payloads import number
from connectors.amocrm.record_values import ENTITY
from connectors.amocrm.records import Row, rows_of
from connectors.errors import ConnectorError, PermanentError
from connectors.records import LinkChange, RecordObject, Written

IDS_PER_CALL: Final = 50
PAGES: Final = 40


class RecordLinks:
    def __init__(self, api: AmocrmApi) -> None:
        self._api = api
        self._no_bulk: set[tuple[str, str]] = set()

    async def of(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]] | None:
        """None where the account has no list of links for many records: then the records themselves tell."""
        entity = ENTITY[object]
        if ("links", entity) in self._no_bulk:
            return None
        found: dict[str, list[Row]] = defaultdict(list)
        try:
            for start in range(0, len(ids), IDS_PER_CALL):
                asked = [("filter[entity_id][]", one) for one in ids[start : start + IDS_PER_CALL]]
                path = f"/api/v4/{entity}/links"
                async for page in _pages(self._api, f"read links of {entity}", path, asked):
                    for row in page:
                        found[str(row.get("entity_id"))].append(row)
        except PermanentError:
            self._no_bulk.add(("links", entity))
            return None
        if not set(found) <= set(ids):  # the filter is ignored
            self._no_bulk.add(("links", entity))
            return None
        return {id: _ids(rows, ENTITY[to]) for id, rows in found.items() if _ids(rows, ENTITY[to])}

    async def change(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        results: list[Written] = [Written(change.id) for change in changes]
        for verb, remove in (("link", False), ("unlink", True)):
            indexes = [index for index, change in enumerate(changes) if change.remove is remove]
            written = await self._many(ENTITY[object], verb, [changes[index] for index in indexes])
            for index, result in zip(indexes, written, strict=True):
                results[index] = result
        return results

    async def _many(self, entity: str, verb: str, changes: list[LinkChange]) -> list[Written]:
        if len(changes) > 1 and (verb, entity) not in self._no_bulk:
            rows = [{"entity_id": number(change.id, "id"), **_row(change)} for change in changes]
            try:
                await self._api.post(f"{verb} {entity}", f"/api/v4/{entity}/{verb}", rows)
                return [Written(change.id) for change in changes]
            except PermanentError as error:
                if error.status in (404, 405):
                    self._no_bulk.add((verb, entity))
        return list(await asyncio.gather(*(self._one(entity, verb, change) for change in changes)))

    async def _one(self, entity: str, verb: str, change: LinkChange) -> Written:
        try:
            await self._api.post(f"{verb} {entity}", f"/api/v4/{entity}/{change.id}/{verb}", [_row(change)])
        except PermanentError as error:
            if change.remove and error.status in (400, 404, 422):
                return Written(change.id)  # what is not there, or not linked, needs no parting
            gone = error.gone or error.status in (400, 404)
            return Written(change.id, error=PermanentError(error.message, error.operation, error.status, gone=gone))
        except ConnectorError as error:
            return Written(change.id, error=error)
        return Written(change.id)


def _row(change: LinkChange) -> dict[str, Any]:
    row: dict[str, Any] = {"to_entity_id": number(change.to_id, "to_id"), "to_entity_type": ENTITY[change.to]}
    return {**row, "metadata": {"is_main": True}} if change.main and change.to == "contact" else row


def _ids(rows: Sequence[Row], entity: str) -> tuple[str, ...]:
    linked = [row for row in rows if row.get("to_entity_type") == entity and row.get("to_entity_id")]
    return tuple(dict.fromkeys(str(row["to_entity_id"]) for row in sorted(linked, key=lambda row: not _is_main(row))))


def _is_main(row: Row) -> bool:
    metadata = row.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("main_contact") or metadata.get("is_main"))


async def _pages(api: AmocrmApi, operation: str, path: str, params: list[tuple[str, str]]) -> Any:
    """Links have no id of their own, so that `AmocrmApi.pages` would drop them."""
    last: list[Row] = []
    for page in range(1, PAGES + 1):
        answer = await api.get(operation, path, [*params, ("limit", str(PAGE_ROWS)), ("page", str(page))])
        rows = rows_of(answer, "links")
        if rows is None:
            raise PermanentError("the answer is no list of links", operation, 200)
        if not rows or rows == last:
            return
        yield rows
        if len(rows) < PAGE_ROWS:
            return
        last = rows
