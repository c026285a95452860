"""Links between Bitrix24's records: contacts of deals and leads, companies of contacts, the company of a deal."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.bitrix24.answers import MethodMissingError
from connectors.bitrix24.persons import number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.record_lists import PAGE, RecordLists
from connectors.bitrix24.records import text
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.records import LinkChange, RecordObject, Written

ONE: Final[Mapping[RecordObject, str]] = {"contact": "CONTACT_ID", "company": "COMPANY_ID"}
SEVERAL: Final[Mapping[tuple[RecordObject, RecordObject], str]] = {
    ("deal", "contact"): "CONTACT_IDS",
    ("lead", "contact"): "CONTACT_IDS",
    ("contact", "company"): "COMPANY_IDS",
}
"""Links of which a record may have several; a deal and a lead have one company."""


class RecordLinks:
    def __init__(self, portal: Portal, lists: RecordLists) -> None:
        self._portal = portal
        self._lists = lists

    async def of(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        if to not in ONE:
            return {}
        several = SEVERAL.get((object, to))
        if several is None:
            rows = await self._lists.these(object, ids, ("ID", ONE[to]))
            return {id: (linked,) for id, row in rows.items() if (linked := text(row.get(ONE[to])))}
        chunks = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
        found = await asyncio.gather(*(self._several(object, chunk, to, several) for chunk in chunks))
        return {id: linked for part in found for id, linked in part.items() if linked}

    async def _several(
        self, object: RecordObject, ids: Sequence[str], to: RecordObject, name: str
    ) -> dict[str, tuple[str, ...]]:
        """In one command by `crm.item.list`; where that does not tell, record by record in one batch."""
        try:
            where = {"@ID": [number(id) for id in ids]}
            rows = await self._lists.items(object, where, ("ID", ONE[to], name))
        except PermanentError:
            rows = []
        told = {str(row["ID"]): row for row in rows if isinstance(row.get(name), list) and str(row["ID"]) in ids}
        found = {id: _main_first(text(row.get(ONE[to])), row[name]) for id, row in told.items()}
        silent = [id for id in ids if id not in told]
        alone = await asyncio.gather(*(self._alone(object, id, to) for id in silent))
        return found | dict(zip(silent, alone, strict=True))

    async def _alone(self, object: RecordObject, id: str, to: RecordObject) -> tuple[str, ...]:
        try:
            answer = await self._portal.call(f"crm.{object}.{to}.items.get", {"id": number(id)})
        except MethodMissingError:
            rows = await self._lists.these(object, [id], ("ID", ONE[to]))
            return tuple(filter(None, (text(row.get(ONE[to])) for row in rows.values())))
        except PermanentError:
            return ()  # there is no such record
        rows_ = [row for row in answer.result if isinstance(row, dict)] if isinstance(answer.result, list) else []
        rows_.sort(key=lambda row: (row.get("IS_PRIMARY") not in ("Y", True), _sort_of(row)))
        return tuple(dict.fromkeys(filter(None, (text(row.get(ONE[to])) for row in rows_))))

    async def change(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        return list(await asyncio.gather(*(self._safely(object, change) for change in changes)))

    async def _safely(self, object: RecordObject, change: LinkChange) -> Written:
        try:
            return await self._change(object, change)
        except AuthError:
            raise
        except PermanentError as error:
            gone = error.gone or not getattr(error, "code", "x")
            if change.remove and gone:
                return Written(change.id)
            return Written(change.id, error=PermanentError(error.message, error.operation, error.status, gone=gone))
        except ConnectorError as error:
            return Written(change.id, error=error)

    async def _change(self, object: RecordObject, change: LinkChange) -> Written:
        name = ONE[change.to]
        if (object, change.to) not in SEVERAL:
            if change.remove and (await self.of(object, [change.id], change.to)).get(change.id) != (change.to_id,):
                return Written(change.id)
            fields = {name: 0 if change.remove else number(change.to_id)}
            await self._portal.call(f"crm.{object}.update", {"id": number(change.id), "fields": fields}, writes=True)
            return Written(change.id)
        verb = "delete" if change.remove else "add"
        fields = {name: number(change.to_id)} | ({"IS_PRIMARY": "Y"} if change.main and not change.remove else {})
        params = {"id": number(change.id), "fields": fields}
        try:
            await self._portal.call(f"crm.{object}.{change.to}.{verb}", params, writes=True)
        except MethodMissingError:
            await self._whole(object, change)
        return Written(change.id)

    async def _whole(self, object: RecordObject, change: LinkChange) -> None:
        """A portal without the methods for one link: the whole set is written anew."""
        held = (await self.of(object, [change.id], change.to)).get(change.id, ())
        rest = [id for id in held if id != change.to_id]
        ids = rest if change.remove else [change.to_id, *rest] if change.main else [*rest, change.to_id]
        name = SEVERAL[object, change.to]
        fields: dict[str, Any] = {name: [number(id) for id in ids]}
        await self._portal.call(f"crm.{object}.update", {"id": number(change.id), "fields": fields}, writes=True)


def _main_first(main: str, ids: Sequence[Any]) -> tuple[str, ...]:
    texts = [text(id) for id in ids if text(id)]
    return tuple(dict.fromkeys([*([main] if main in texts else []), *texts]))


def _sort_of(row: Mapping[str, Any]) -> int:
    sort = str(row.get("SORT") or "0")
    return int(sort) if sort.isdecimal() else 0
