"""What hangs on a contact or a deal: the list that is no index, so nothing in it is late."""

from typing import Any

from connectors.base import Draft, Kind
from connectors.errors import PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.payloads import KEY_PROPERTY, TEXT_PROPERTY, TYPES, key_of, kind_of, mark
from connectors.hubspot.records import linked_ids, lowest, next_page, properties_of, record_id, results_of

PAGE = 500
BATCH = 100


class Links:
    def __init__(self, api: HubSpotApi) -> None:
        self._api = api

    async def of(self, kind: Kind, id_: str, to: Kind) -> tuple[str, ...]:
        """Ids of the records of kind `to` linked to this one; none when it does not exist (any more)."""
        if not id_:
            return ()
        ids: list[str] = []
        after = ""
        path = self._api.paths.associations(TYPES[kind], id_, TYPES[to])
        while True:
            params = {"limit": str(PAGE)} | ({"after": after} if after else {})
            try:
                answer = await self._api.call(f"read links of {kind}", "GET", path, writes=False, params=params)
            except PermanentError:
                return await self._with_record(kind, id_, to)
            ids += [str(item["toObjectId"]) for item in results_of(answer) if item.get("toObjectId")]
            after = next_page(answer)
            if not after:
                return tuple(dict.fromkeys(ids))

    async def _with_record(self, kind: Kind, id_: str, to: Kind) -> tuple[str, ...]:
        params = {"associations": TYPES[to]}
        path = self._api.paths.record(TYPES[kind], id_)
        try:
            record = await self._api.call(f"read {kind} with links", "GET", path, writes=False, params=params)
        except PermanentError:
            return ()
        return linked_ids(record, TYPES[to])

    async def find_ours(self, draft: Draft, parent: Kind, parent_id: str) -> str | None:
        """Lowest id of what hangs on the parent and has our key, or our mark in its text."""
        kind = kind_of(draft)
        ids = await self.of(parent, parent_id, kind)
        ours = [record_id(record) for record in await self._read(kind, ids) if _is_ours(record, draft)]
        return lowest(filter(None, ours))

    async def _read(self, kind: Kind, ids: tuple[str, ...]) -> list[dict[str, Any]]:
        properties = [KEY_PROPERTY[kind], *filter(None, [TEXT_PROPERTY.get(kind)])]
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), BATCH):
            inputs = [{"id": id_} for id_ in ids[start : start + BATCH]]
            body = {"properties": properties, "propertiesWithHistory": [], "inputs": inputs}
            path = self._api.paths.batch(TYPES[kind], "read")
            found += results_of(await self._api.call(f"read {kind}s", "POST", path, writes=False, json=body))
        return found


def _is_ours(record: dict[str, Any], draft: Draft) -> bool:
    kind = kind_of(draft)
    properties = properties_of(record)
    return properties.get(KEY_PROPERTY[kind], "").lower() == key_of(draft) or mark(draft.key) in properties.get(
        TEXT_PROPERTY.get(kind, ""), ""
    )
