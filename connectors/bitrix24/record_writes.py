"""Writes of many records to Bitrix24: commands that leave together, each with an outcome of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.base import CompanyDraft
from connectors.bitrix24.account import Account
from connectors.bitrix24.answers import MethodMissingError, RefusedError
from connectors.bitrix24.payloads import TYPE_IDS, Entity, record_id
from connectors.bitrix24.persons import number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.record_values import Infos, completed, keys_of, link_fields, to_fields
from connectors.bitrix24.refusals import refused_fields
from connectors.bitrix24.rows import Rows
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.records import RecordObject, Written

ROUNDS: Final = 8
QUIETLY: Final = {"REGISTER_SONET_EVENT": "N"}


@dataclass(slots=True)
class Item:
    """One record on its way. `held`: as it is, where its lists have to be compared."""

    values: dict[str, Any]
    id: str = ""
    key: str = ""
    links: dict[RecordObject, tuple[str, ...]] = field(default_factory=dict)
    held: Mapping[str, Any] | None = None
    left_out: dict[str, str] = field(default_factory=dict)


class Writes:
    def __init__(self, portal: Portal, rows: Rows, account: Account) -> None:
        self._portal = portal
        self._rows = rows
        self._account = account
        self.labels: Mapping[str, str] = {}

    async def create(self, object: RecordObject, items: Sequence[Item], infos: Infos) -> list[Written]:
        return await self._all(items, lambda item: self._create(object, item, infos))

    async def update(self, object: RecordObject, items: Sequence[Item], infos: Infos) -> list[Written]:
        return await self._all(items, lambda item: self._update(object, item, infos))

    async def delete(self, entity: Entity, ids: Sequence[str]) -> list[Written]:
        return await self._all([Item({}, id=id) for id in ids], lambda item: self._delete(entity, item))

    async def _all(self, items: Sequence[Item], work: Callable[[Item], Awaitable[Written]]) -> list[Written]:
        """What failed for all of them alike is raised: it was the request that failed."""
        results = await asyncio.gather(*(self._safely(item, work) for item in items))
        errors = [result.error for result in results]
        first = errors[0] if errors else None
        alike = all(type(error) is type(first) for error in errors)
        if first is not None and alike and not isinstance(first, PermanentError):
            raise first
        return results

    async def _safely(self, item: Item, work: Callable[[Item], Awaitable[Written]]) -> Written:
        try:
            return await work(item)
        except AuthError:
            raise
        except ConnectorError as error:
            return Written(item.id, left_out=item.left_out, error=error)

    async def _create(self, object: RecordObject, item: Item, infos: Infos) -> Written:
        self._check_stage(object, item)
        method = f"crm.{object}.add"
        for _ in range(ROUNDS):
            fields = completed(to_fields(item.values, object, infos), object, item.key)
            fields |= link_fields(object, item.links)
            try:
                answer = await self._portal.call(method, {"fields": fields, "params": QUIETLY}, writes=True)
            except RefusedError as refused:
                # Robots and checks after the save tell errors about records that exist: not believed unseen.
                there = await self._rows.by_key(object, item.key) if item.key else None
                if there:
                    return Written(there, left_out=item.left_out)
                if not self._without(object, item, refused):
                    return Written(left_out=item.left_out, error=_told(refused))
                continue
            made = record_id(answer.result)
            if not made:
                raise UnknownOutcomeError("no id in the answer", method, 200)
            return Written(made, left_out=item.left_out)
        return Written(error=PermanentError("refused again and again", method))

    async def _update(self, object: RecordObject, item: Item, infos: Infos) -> Written:
        self._check_stage(object, item)
        method = f"crm.{object}.update"
        await self._move(object, item)
        for _ in range(ROUNDS):
            fields = to_fields(item.values, object, infos, item.held)
            if not fields:
                return Written(item.id, left_out=item.left_out)
            params = {"id": number(item.id), "fields": fields, "params": QUIETLY}
            try:
                await self._portal.call(method, params, writes=True)
            except RefusedError as refused:
                if refused.gone or not self._without(object, item, refused):
                    return Written(item.id, left_out=item.left_out, error=_told(refused))
                continue
            return Written(item.id, left_out=item.left_out)
        return Written(item.id, error=PermanentError("refused again and again", method))

    async def _move(self, object: RecordObject, item: Item) -> None:
        """Into another pipeline: the classic update leaves a deal where it is, `crm.item.update` does not."""
        pipeline, stage = item.values.get("pipeline"), item.values.get("stage")
        if object != "deal" or not pipeline or item.held is None:
            return
        if str(item.held.get("CATEGORY_ID") or "0") == str(pipeline):
            return
        fields = {"categoryId": number(str(pipeline)), **({"stageId": stage} if stage else {})}
        params = {"entityTypeId": TYPE_IDS["deal"], "id": number(item.id), "fields": fields}
        await self._portal.call("crm.item.update", params, writes=True)

    async def _delete(self, entity: Entity, item: Item) -> Written:
        try:
            await self._portal.call(f"crm.{entity}.delete", {"id": number(item.id)}, writes=True)
        except MethodMissingError:
            params = {"entityTypeId": TYPE_IDS[entity], "id": number(item.id)}
            try:
                await self._portal.call("crm.item.delete", params, writes=True)
            except RefusedError as refused:
                return Written(item.id) if refused.gone else Written(item.id, error=_told(refused))
        except RefusedError as refused:
            return Written(item.id) if refused.gone else Written(item.id, error=_told(refused))
        return Written(item.id)

    def _check_stage(self, object: RecordObject, item: Item) -> None:
        """A stage that the portal does not have would be dropped in silence, so it is told instead."""
        stage = item.values.get("stage")
        if object not in ("deal", "lead") or not stage:
            return
        category = str(item.values.get("pipeline") or (item.held or {}).get("CATEGORY_ID") or "0")
        if self._account.stage_missing(object, category, str(stage)):
            for key in ("stage", "pipeline"):
                if item.values.pop(key, None) is not None:
                    item.left_out[key] = "the portal has no such stage"

    def _without(self, object: RecordObject, item: Item, refused: RefusedError) -> bool:
        """Takes out what the refusal is about; False when that is nothing that can be done without."""
        own = {key: value for key, value in item.values.items() if key.isupper()}
        names = refused_fields(refused.text, CompanyDraft("", "", fields=own), self.labels)
        dropped = keys_of(names, item.values, object)
        for key in dropped:
            del item.values[key]
            item.left_out[key] = refused.message
        found = bool(dropped)
        links: tuple[tuple[str, RecordObject], ...] = (("contact_id", "contact"), ("company_id", "company"))
        for name, to in links:
            if name in names and to in item.links:
                del item.links[to]
                item.left_out[to] = refused.message
                found = True
        return found


def _told(refused: RefusedError) -> PermanentError:
    return PermanentError(refused.message, refused.operation, refused.status, fields=refused.fields, gone=refused.gone)
