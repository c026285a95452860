"""Reading and changing one record by its id; asking several questions at once."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from connectors.base import Kind
from connectors.errors import PermanentError, RetryableError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.payloads import TYPES
from connectors.hubspot.records import record_id, results_of, whole

MAX_BATCH = 100

Question = Coroutine[Any, Any, str | None]


class Objects:
    def __init__(self, api: HubSpotApi) -> None:
        self._api = api

    async def read(
        self, kind: Kind, id_: str, names: Iterable[str], *, archived: bool = False
    ) -> dict[str, Any] | None:
        return await self._read(TYPES[kind], f"read {kind}", id_, names, archived=archived)

    async def _read(
        self, type_: str, operation: str, id_: str, names: Iterable[str], *, archived: bool = False
    ) -> dict[str, Any] | None:
        params = {"properties": ",".join(dict.fromkeys(names))} | ({"archived": "true"} if archived else {})
        path = self._api.paths.record(type_, id_)
        try:
            return await self._api.call(operation, "GET", path, writes=False, params=params)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise

    async def read_many(self, kind: Kind, ids: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Id -> record, of those that are there; a merged one comes under its new id or not at all."""
        return await self.read_typed(TYPES[kind], ids, names)

    async def read_typed(self, type_: str, ids: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The same by the vendor's name of a type."""
        wanted, properties = list(dict.fromkeys(ids)), list(dict.fromkeys(names))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MAX_BATCH):
            for record in await self._read_batch(type_, wanted[start : start + MAX_BATCH], properties):
                found[record_id(record)] = record
        return found

    async def _read_batch(self, type_: str, ids: list[str], names: list[str]) -> list[dict[str, Any]]:
        body = {"properties": names, "propertiesWithHistory": [], "inputs": [{"id": id_} for id_ in ids]}
        operation = f"read {type_}"
        try:
            path = self._api.paths.batch(type_, "read")
            answer = await self._api.call(operation, "POST", path, writes=False, json=body)
        except PermanentError:
            one_by_one = await asyncio.gather(*(self._read(type_, operation, id_, names) for id_ in ids))
            return [record for record in one_by_one if record is not None]
        if not whole(answer):
            raise RetryableError("the answer is not complete", operation, 207)
        return results_of(answer)

    async def update(self, kind: Kind, id_: str, properties: Mapping[str, str]) -> None:
        path = self._api.paths.record(TYPES[kind], id_)
        try:
            await self._api.call(f"update {kind}", "PATCH", path, writes=True, json={"properties": dict(properties)})
        except Refusal as error:
            error.gone = error.gone or error.status == 404
            raise


async def first_of(questions: list[Question]) -> str | None:
    """Asks all at once and takes the first hit in the order given; what was asked after it does not matter then."""
    tasks = [asyncio.ensure_future(question) for question in questions]
    try:
        for task in tasks:
            found = await task
            if found:
                return found
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
