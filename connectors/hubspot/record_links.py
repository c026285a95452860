"""Links between HubSpot's records, many in one request."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.links import Links
from connectors.hubspot.payloads import TYPES
from connectors.hubspot.record_values import PRIMARY
from connectors.hubspot.records import next_page, results_of
from connectors.records import LinkChange, RecordObject, Written

PRIMARIES: Final = frozenset({1, 2, 5, 6})


class RecordLinks:
    def __init__(self, api: HubSpotApi, links: Links) -> None:
        self._api = api
        self._links = links
        self._no_batch: set[str] = set()

    async def of(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        if "read" not in self._no_batch:
            try:
                return await self._batch(object, ids, to)
            except Refusal as error:
                if error.status in (404, 405):
                    self._no_batch.add("read")
        found = await asyncio.gather(*(self._links.of(_kind(object), id, _kind(to)) for id in ids))
        return {id: linked for id, linked in zip(ids, found, strict=True) if linked}

    async def _batch(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for id, links in (await self.batch(TYPES[_kind(object)], ids, TYPES[_kind(to)])).items():
            if links is None:  # the list of this record alone has all
                found[id] = await self._links.of(_kind(object), id, _kind(to))
            elif links:
                links.sort(key=lambda one: not _is_primary(one))
                found[id] = tuple(dict.fromkeys(str(one["toObjectId"]) for one in links))
        return found

    async def batch(self, type_: str, ids: Sequence[str], to: str) -> dict[str, list[dict[str, Any]] | None]:
        """By the vendor's names of types: id -> its links, None where they are more than one page."""
        path = self._api.paths.associations_batch(type_, to, "read")
        operation, body = f"read {to} of {type_}", {"inputs": [{"id": id} for id in ids]}
        answer = await self._api.call(operation, "POST", path, writes=False, json=body)
        if not isinstance(answer.get("results"), list):
            raise RetryableError("no results in the answer", operation, 200)
        for error in answer.get("errors") or ():
            if isinstance(error, dict) and error.get("category") not in ("OBJECT_NOT_FOUND", "VALIDATION_ERROR"):
                raise RetryableError("the answer is not complete", operation, 207)
        found: dict[str, list[dict[str, Any]] | None] = {}
        for item in results_of(answer):
            id = str((item.get("from") or {}).get("id") or "")
            links = [one for one in item.get("to") or () if isinstance(one, dict) and one.get("toObjectId")]
            found[id] = None if next_page(item) else links
        return found

    async def change(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        """All of one kind in one request; where that tells of errors, one by one, since each may be repeated."""
        groups: dict[tuple[RecordObject, bool, bool], list[int]] = {}
        for index, change in enumerate(changes):
            primary = change.main and bool(PRIMARY.get((object, change.to), (0, 0))[1])
            groups.setdefault((change.to, change.remove, primary and not change.remove), []).append(index)
        results = [Written(change.id) for change in changes]
        for (to, remove, primary), indexes in groups.items():
            some = [changes[index] for index in indexes]
            written = await self._group(object, to, some, remove=remove, primary=primary)
            for index, result in zip(indexes, written, strict=True):
                results[index] = result
        return results

    async def _group(
        self, object: RecordObject, to: RecordObject, changes: list[LinkChange], *, remove: bool, primary: bool
    ) -> list[Written]:
        verb = "archive" if remove else "create" if primary else "associate/default"
        if len(changes) > 1 and verb not in self._no_batch:
            path = self._api.paths.associations_batch(TYPES[_kind(object)], TYPES[_kind(to)], verb)
            inputs = [_input(object, change, primary=primary) for change in changes]
            try:
                answer = await self._api.call(f"link {object}", "POST", path, writes=True, json={"inputs": inputs})
                if not answer.get("errors") and answer.get("status", "COMPLETE") == "COMPLETE":
                    return [Written(change.id) for change in changes]
            except Refusal as error:
                if error.status in (404, 405):
                    self._no_batch.add(verb)
        return list(await asyncio.gather(*(self._one(object, change, primary=primary) for change in changes)))

    async def _one(self, object: RecordObject, change: LinkChange, *, primary: bool) -> Written:
        root = self._api.paths.associations(TYPES[_kind(object)], change.id, TYPES[_kind(change.to)])
        operation = f"link {object}"
        try:
            if change.remove:
                await self._api.call(operation, "DELETE", f"{root}/{change.to_id}", writes=True)
            elif primary:
                types = _types(object, change.to, primary=True)
                await self._api.call(operation, "PUT", f"{root}/{change.to_id}", writes=True, json=types)
            else:
                type_ = TYPES[_kind(change.to)]
                path = f"{root.removesuffix(type_)}default/{type_}/{change.to_id}"
                await self._api.call(operation, "PUT", path, writes=True)
        except PermanentError as error:
            if change.remove and (error.gone or error.status == 404):
                return Written(change.id)
            gone = error.gone or error.status == 404
            return Written(change.id, error=PermanentError(error.message, operation, error.status, gone=gone))
        except AuthError:
            raise
        except ConnectorError as error:
            return Written(change.id, error=error)
        return Written(change.id)


def _input(object: RecordObject, change: LinkChange, *, primary: bool) -> dict[str, Any]:
    if change.remove:
        return {"from": {"id": change.id}, "to": [{"id": change.to_id}]}
    pair: dict[str, Any] = {"from": {"id": change.id}, "to": {"id": change.to_id}}
    return {**pair, "types": _types(object, change.to, primary=True)} if primary else pair


def _types(object: RecordObject, to: RecordObject, *, primary: bool) -> list[dict[str, Any]]:
    plain, first = PRIMARY[object, to]
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": first if primary and first else plain}]


def _is_primary(link: dict[str, Any]) -> bool:
    types = link.get("associationTypes") or ()
    return any(isinstance(one, dict) and one.get("typeId") in PRIMARIES for one in types)


def _kind(object: RecordObject) -> Any:
    return object
