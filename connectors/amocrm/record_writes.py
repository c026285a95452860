"""Writes of many records to amoCRM: one bad record rejects the whole request and saves nothing, so it is sorted out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.amocrm.account import AccountFields
from connectors.amocrm.api import AmocrmApi, RefusedError
from connectors.amocrm.payloads import KEY_FIELD
from connectors.amocrm.record_values import TOGETHER, Fields, RecordBody, refused_keys, to_body
from connectors.amocrm.records import Row, created_ids, error_text, errors_by_request, moment, rows_of
from connectors.errors import ConnectorError, PermanentError, UnknownOutcomeError
from connectors.records import RecordObject, Written

ROUNDS: Final = 8
"""So often the rest is sent again without what was refused; then each record goes alone."""
SINGLE_ROUNDS: Final = 12


@dataclass(slots=True)
class Item:
    """One record on its way. `id` "" is to be made. What is refused of it moves from `values` to `left_out`."""

    values: dict[str, Any]
    id: str = ""
    key: str = ""
    links: dict[RecordObject, tuple[str, ...]] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    written: Written | None = None


class Writes:
    """Creates and changes of one account's records."""

    def __init__(self, api: AmocrmApi) -> None:
        self._api = api
        self._no_batch: set[str] = set()

    async def write(
        self, object: RecordObject, entity: str, items: Sequence[Item], fields: Fields, book: AccountFields
    ) -> list[Written]:
        """All of them new, or none."""
        await self._sort_out(_Job(object, entity, fields, book), list(items))
        return [item.written or Written(item.id) for item in items]

    async def _sort_out(self, job: "_Job", items: list[Item]) -> None:
        """Until each is written or refused. Raises for what fails as a whole."""
        for _ in range(ROUNDS if len(items) > 1 else SINGLE_ROUNDS):
            bodies = self._bodies(job, items)
            items = [item for item in items if item.written is None]
            if not items:
                return
            try:
                await self._send(job, items, bodies)
                return
            except PermanentError as error:
                named = self._refuse(job, items, bodies, error)
            items = [item for item in items if item.written is None]
            if not named and len(items) > 1:
                break
        if len(items) > 1:
            await self._each_alone(job, items)
        elif items:
            items[0].written = Written(items[0].id, error=PermanentError("refused again and again", job.operation))

    def _bodies(self, job: "_Job", items: list[Item]) -> list[RecordBody]:
        """Of those that have anything to be sent; the others are done, or refused before they are sent."""
        fields = Fields(job.fields.infos, job.book.of(job.entity), job.fields.zone)
        bodies = []
        for item in items:
            try:
                body = to_body(item.values, job.object, fields, key=item.key, links=item.links, kinds=item.kinds)
            except PermanentError as error:
                item.written = Written(item.id, error=error)
                continue
            if item.id and not body.json:
                item.written = Written(item.id, left_out=item.left_out)
                continue
            bodies.append(body)
        return bodies

    async def _send(self, job: "_Job", items: list[Item], bodies: list[RecordBody]) -> None:
        path, making = f"/api/v4/{job.entity}", not items[0].id
        rows = [{**body.json, "request_id": str(order)} for order, body in enumerate(bodies)]
        if making:
            answer = await self._api.post(job.operation, path, rows)
            ids = created_ids(answer, job.entity, len(items))
            for item, id in zip(items, ids, strict=True):
                lost = UnknownOutcomeError("no id in the answer", job.operation, 200)
                item.written = Written(id, left_out=item.left_out) if id else Written(error=lost)
            return
        if len(items) == 1:
            answer = await self._api.change(job.operation, f"{path}/{items[0].id}", bodies[0].json)
            items[0].written = _changed(items[0], answer if isinstance(answer, dict) else {}, job.operation)
            return
        if job.entity in self._no_batch:
            await self._each_alone(job, items)
            return
        rows = [{"id": int(item.id), **row} for item, row in zip(items, rows, strict=True)]
        try:
            answer = await self._api.change(job.operation, path, rows)
        except PermanentError as error:
            if error.status not in (404, 405):
                raise
            self._no_batch.add(job.entity)
            await self._each_alone(job, items)
            return
        told = {str(row.get("id")): row for row in rows_of(answer, job.entity) or []}
        for item in items:
            item.written = _changed(item, told.get(item.id), job.operation)

    async def _each_alone(self, job: "_Job", items: list[Item]) -> None:
        results = await asyncio.gather(*(self._sort_out(job, [item]) for item in items), return_exceptions=True)
        for item, result in zip(items, results, strict=True):
            if isinstance(result, ConnectorError):
                item.written = Written(item.id, error=result)
            elif isinstance(result, BaseException):
                raise result

    def _refuse(self, job: "_Job", items: list[Item], bodies: list[RecordBody], error: PermanentError) -> bool:
        """Takes out what a refusal names: a field that can be done without, else its record. False: nobody is named."""
        by_index = errors_by_request(error.answer) if isinstance(error, RefusedError) else {}
        if len(items) == 1 and not by_index.get(0):
            by_index = {0: [each for errors in by_index.values() for each in errors]}
        named = {index: errors for index, errors in by_index.items() if index < len(items) and errors}
        if len(items) == 1 and not named:
            gone = error.gone or (bool(items[0].id) and error.status == 404)
            told = PermanentError(error.message, job.operation, error.status, fields=error.fields, gone=gone)
            items[0].written = Written(items[0].id, left_out=items[0].left_out, error=told)
            return True
        for index, errors in named.items():
            self._without(job, items[index], bodies[index], errors, error)
        return bool(named)

    def _without(self, job: "_Job", item: Item, body: RecordBody, errors: list[Row], error: PermanentError) -> None:
        text = error_text(errors)
        keys = refused_keys(errors, body.origins, job.object)
        if KEY_FIELD in keys:
            job.book.block(job.entity, [KEY_FIELD])
        dropped = False
        for key in dict.fromkeys(each for name in keys for each in TOGETHER.get(name, (name,))):
            if key in item.values:
                del item.values[key]
                dropped = True
                item.left_out[key] = text
            elif item.links.pop(key, None):  # type: ignore[call-overload]  # a key of values is no object
                dropped = True
                item.left_out[key] = text
        if not dropped and KEY_FIELD not in keys:
            gone = "id" in keys
            item.written = Written(
                item.id, error=PermanentError(text, job.operation, error.status, fields=keys, gone=gone)
            )


@dataclass(frozen=True, slots=True)
class _Job:
    object: RecordObject
    entity: str
    fields: Fields
    book: AccountFields

    @property
    def operation(self) -> str:
        return f"write {self.entity}"


def _changed(item: Item, row: Any, operation: str) -> Written:
    if not isinstance(row, dict):
        error: ConnectorError = UnknownOutcomeError("the answer leaves the record out", operation, 200)
        return Written(item.id, left_out=item.left_out, error=error)
    return Written(item.id, modified_at=moment(row.get("updated_at")), left_out=item.left_out)
