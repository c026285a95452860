"""Reading our deals back in bulk: by id, and all that bear our key in a span of time."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any

from connectors.base import FoundDeal
from connectors.errors import AuthError, PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.objects import Objects
from connectors.hubspot.records import (
    found_records,
    has_source,
    linked_ids,
    lowest,
    next_page,
    properties_of,
    record_id,
    results_of,
    when,
)

LINKS_BATCH = 1000
PAGE = 200
MAX_RESULTS = 10_000
"""A search gives no more; paging past it is refused, so it is anchored anew at the last date seen."""
MAX_SINGLE = 200
"""How many of the deals that a batch left out (merged or deleted) are asked for one by one."""
PROPERTIES = (
    "leadhub_external_id",
    "leadhub_source",
    "description",
    "hubspot_owner_id",
    "createdate",
    "hs_merged_object_ids",
)


class DealReader:
    def __init__(self, api: HubSpotApi, objects: Objects) -> None:
        self._api = api
        self._objects = objects

    async def read_back(self, deal_ids: Iterable[str], since: datetime, until: datetime) -> list[FoundDeal]:
        wanted = list(dict.fromkeys(deal_ids))
        records = await self._objects.read_many("deal", wanted, PROPERTIES)
        merged_into = {old: id_ for id_, record in records.items() for old in _merged(record)}
        missing = [id_ for id_ in wanted if id_ not in records and id_ not in merged_into]
        for id_ in missing[:MAX_SINGLE]:
            record = await self._one(id_)
            if record is not None:
                records.setdefault(record_id(record), record)
                merged_into[id_] = record_id(record)
        async for record in self._ours(since, until):
            records.setdefault(record_id(record), record)
        contacts = await self._contacts(list(records))
        found = [_deal(id_, record, contacts.get(id_, ())) for id_, record in records.items()]
        found = [deal for deal in found if deal.id in wanted or deal.id not in merged_into.values()]
        # A deal that users merged is still the deal that we delivered: it is reported under the id that we know.
        for old, new in merged_into.items():
            if old in wanted and new in records and old != new:
                found.append(_deal(old, records[new], contacts.get(new, ())))
        return found

    async def _one(self, id_: str) -> dict[str, Any] | None:
        """Answers with the new record when `id_` was merged into another."""
        params = {"properties": ",".join(PROPERTIES), "associations": "contacts"}
        try:
            return await self._api.call(
                "read deal", "GET", self._api.paths.record("deals", id_), writes=False, params=params
            )
        except PermanentError:
            return None

    async def _ours(self, since: datetime, until: datetime) -> AsyncIterator[dict[str, Any]]:
        """Every deal with our key created in [since, until), by the search index (late by seconds)."""
        start, end = _millis(since), _millis(until)
        seen: set[str] = set()
        while True:
            after, read, last = "", 0, start
            while True:
                body = _window(start, end, after)
                try:
                    answer = await self._api.search("find our deals", "deals", body)
                except (PermanentError, AuthError) as error:
                    if error.status == 401:
                        raise
                    return  # the account has no such property: nothing of ours can be found by it
                for record in found_records(answer, "find our deals"):
                    read += 1
                    created = when(properties_of(record).get("createdate") or record.get("createdAt"))
                    last = max(last, _millis(created)) if created else last
                    if record_id(record) and record_id(record) not in seen:
                        seen.add(record_id(record))
                        yield record
                after = next_page(answer)
                if not after or read + PAGE > MAX_RESULTS:
                    break
            if not after or last <= start:
                return
            start = last

    async def _contacts(self, deal_ids: list[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for some in chunks(deal_ids, LINKS_BATCH):
            path = self._api.paths.associations_batch("deals", "contacts", "read")
            body = {"inputs": [{"id": id_} for id_ in some]}
            try:
                answer = await self._api.call("read links of deals", "POST", path, writes=False, json=body)
            except PermanentError:
                found.update(await self._contacts_one_by_one(some))
                continue
            for item in results_of(answer):
                links = item.get("to")
                ids = (
                    [str(link.get("toObjectId")) for link in links if isinstance(link, dict)]
                    if isinstance(links, list)
                    else []
                )
                found[record_id(item.get("from"))] = tuple(ids)
        return found

    async def _contacts_one_by_one(self, deal_ids: list[str]) -> dict[str, tuple[str, ...]]:
        records = await asyncio.gather(*(self._one(id_) for id_ in deal_ids))
        return {id_: linked_ids(record, "contacts") for id_, record in zip(deal_ids, records, strict=True) if record}


def chunks(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _merged(record: dict[str, Any]) -> list[str]:
    return [old for old in properties_of(record).get("hs_merged_object_ids", "").split(";") if old]


def _deal(id_: str, record: dict[str, Any], contact_ids: tuple[str, ...]) -> FoundDeal:
    properties = properties_of(record)
    contact_ids = contact_ids or linked_ids(record, "contacts")
    return FoundDeal(
        id=id_,
        key=properties.get("leadhub_external_id", ""),
        has_contact=bool(contact_ids),
        has_source=has_source(properties),
        responsible=properties.get("hubspot_owner_id", ""),
        contact_id=lowest(contact_ids) or "",
    )


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _window(start: int, end: int, after: str) -> dict[str, Any]:
    """Dates in a search are epoch milliseconds as text."""
    filters = [
        {"propertyName": "leadhub_external_id", "operator": "HAS_PROPERTY"},
        {"propertyName": "createdate", "operator": "GTE", "value": str(start)},
        {"propertyName": "createdate", "operator": "LT", "value": str(end)},
    ]
    body: dict[str, Any] = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "createdate", "direction": "ASCENDING"}],
        "properties": [*PROPERTIES],
        "limit": PAGE,
    }
    return {**body, "after": after} if after else body
