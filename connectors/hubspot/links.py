"""What hangs on a contact or a deal: the list that is no index, so nothing in it is late."""

from datetime import datetime, timedelta
from typing import Any

from connectors.base import DealDraft, Draft, Kind
from connectors.errors import PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import KEY_PROPERTY, TEXT_PROPERTY, TYPES, key_of, kind_of, mark, title
from connectors.hubspot.records import linked_ids, lowest, next_page, properties_of, record_id, results_of, when

PAGE = 500
CLOCK_MARGIN = timedelta(seconds=5)


class Links:
    def __init__(self, api: HubSpotApi, objects: Objects) -> None:
        self._api = api
        self._objects = objects

    async def of(self, kind: Kind, id_: str, to: Kind) -> tuple[str, ...]:
        """Ids of the records of kind `to` linked to this one; none when it does not exist (any more).

        What hangs on a merged record hangs on the one that replaced it and is told by its id only.
        """
        return await self._listed(kind, id_, to) or await self._with_record(kind, id_, to) if id_ else ()

    async def _listed(self, kind: Kind, id_: str, to: Kind) -> tuple[str, ...]:
        ids: list[str] = []
        after = ""
        path = self._api.paths.associations(TYPES[kind], id_, TYPES[to])
        while True:
            params = {"limit": str(PAGE)} | ({"after": after} if after else {})
            try:
                answer = await self._api.call(f"read links of {kind}", "GET", path, writes=False, params=params)
            except PermanentError:
                return ()
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
        new_id = record_id(record)
        return linked_ids(record, TYPES[to]) or (
            await self._listed(kind, new_id, to) if new_id not in ("", id_) else ()
        )

    async def find_ours(
        self, draft: Draft, parent: Kind, parent_id: str, *, titled_since: datetime | None = None
    ) -> str | None:
        """Lowest id of what hangs on the parent and has our key, or our mark in its text.

        `titled_since`: the account takes neither key nor mark; so a deal of the same title made since then is ours.
        """
        kind = kind_of(draft)
        ids = await self.of(parent, parent_id, kind)
        names = [KEY_PROPERTY[kind], *filter(None, [TEXT_PROPERTY.get(kind)])]
        names += ["dealname", "createdate"] if titled_since else []
        records = await self._objects.read_many(kind, ids, names)
        return lowest(id_ for id_, record in records.items() if _is_ours(record, draft, titled_since))


def _is_ours(record: dict[str, Any], draft: Draft, titled_since: datetime | None) -> bool:
    kind = kind_of(draft)
    properties = properties_of(record)
    key, text = properties.get(KEY_PROPERTY[kind], "").lower(), properties.get(TEXT_PROPERTY.get(kind, ""), "")
    if key == key_of(draft) or mark(draft.key) in text:
        return True
    if titled_since is None or key or not isinstance(draft, DealDraft):
        return False
    made = when(properties.get("createdate") or record.get("createdAt"))
    return properties.get("dealname") == title(draft) and made is not None and made >= titled_since - CLOCK_MARGIN
