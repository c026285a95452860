"""Writes of many records to HubSpot: a distinct trace id in every row makes the rows independent of each other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.hubspot.answers import Refusal, existing_id, holder_of
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.record_values import (
    Infos,
    associations,
    completed,
    keys_of,
    read_value,
    to_properties,
)
from connectors.hubspot.records import properties_of, record_id, results_of, when
from connectors.hubspot.writes import row_error, traces_in
from connectors.records import RecordObject, Written

ROUNDS: Final = 12

Answer = dict[str, Any] | ConnectorError


@dataclass(slots=True)
class Item:
    """One record on its way. `id` "" is to be made. What is refused of it moves from `values` to `left_out`."""

    values: dict[str, Any]
    id: str = ""
    key: str = ""
    links: dict[RecordObject, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    written: Written | None = None
    sent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """`stage`: pipeline and stage for new deals that name none."""

    object: RecordObject
    infos: Infos
    stage: tuple[str, str] = ("", "")

    @property
    def type_(self) -> str:
        return TYPES[self.object]  # type: ignore[index]  # there are no leads here

    @property
    def key_property(self) -> str:
        return KEY_PROPERTY[self.object]  # type: ignore[index]  # the same


class Writes:
    def __init__(self, api: HubSpotApi, book: PropertyBook) -> None:
        self._api = api
        self._book = book
        self._no_batch: set[str] = set()

    async def write(self, job: Job, items: Sequence[Item]) -> list[Written]:
        """All of them new, or none. Raises what fails as a whole before anything was written."""
        for number in range(ROUNDS):
            left = [item for item in items if item.written is None]
            if not left:
                break
            for item in left:
                item.sent = self._properties(job, item)
                if item.id and not item.sent:
                    item.written = Written(item.id, left_out=item.left_out)
            left = [item for item in left if item.written is None]
            sent_at = self._api.clock.monotonic()
            try:
                answers = await self._send(job, left) if left else []
            except ConnectorError as error:
                if number == 0:
                    raise
                answers = [error] * len(left)
            for item, answer in zip(left, answers, strict=True):
                await self._settle(job, item, answer, sent_at)
        again = PermanentError("refused again and again", f"write {job.type_}")
        return [item.written or Written(item.id, error=again) for item in items]

    def _properties(self, job: Job, item: Item) -> dict[str, str]:
        properties = to_properties(item.values, job.object, job.infos)
        if item.id:
            return properties
        properties = completed(properties, job.object, job.stage)
        kind: Any = job.object
        if item.key and self._book.has_key(kind):
            properties[job.key_property] = item.key.lower()
        return properties

    async def _send(self, job: Job, items: Sequence[Item]) -> list[Answer]:
        making = not items[0].id
        verb = "create" if making else "update"
        if f"{verb} {job.type_}" not in self._no_batch:
            traces = [f"lh{number}" for number in range(len(items))]
            inputs = [
                {**_input(job, item), "objectWriteTraceId": trace} for item, trace in zip(items, traces, strict=True)
            ]
            path = self._api.paths.batch(job.type_, verb)
            try:
                answer = await self._api.call(f"{verb} {job.type_}", "POST", path, writes=True, json={"inputs": inputs})
                return _sorted(job, items, traces, answer)
            except Refusal as error:
                if error.status in (404, 405):
                    self._no_batch.add(f"{verb} {job.type_}")
        # Refused as a whole, which wrote nothing: each by itself says what is wrong with it.
        return list(await asyncio.gather(*(self._alone(job, item) for item in items)))

    async def _alone(self, job: Job, item: Item) -> Answer:
        paths = self._api.paths
        try:
            if item.id:
                body = {"properties": item.sent}
                path = paths.record(job.type_, item.id)
                return await self._api.call(f"update {job.type_}", "PATCH", path, writes=True, json=body)
            body = _input(job, item)
            path = paths.objects(job.type_)
            return await self._api.call(f"create {job.type_}", "POST", path, writes=True, json=body)
        except ConnectorError as error:
            if isinstance(error, AuthError):
                raise
            return error

    async def _settle(self, job: Job, item: Item, answer: Answer, sent_at: float) -> None:
        """Sets what became of it, or takes out what was refused and leaves it for the next round."""
        if not isinstance(answer, ConnectorError):
            item.written = _written(job, item, answer)
            return
        if not isinstance(answer, Refusal):
            item.written = Written(item.id, left_out=item.left_out, error=answer)
            return
        if not item.id and (there := existing_id(answer) or holder_of(answer, job.key_property)):
            item.written = Written(there, existed=True)
            return
        kind: Any = job.object
        if job.key_property in answer.fields and await self._book.refused(kind, [job.key_property], sent_at):
            return
        names = answer.fields or (("email",) if existing_id(answer) else ())
        dropped = keys_of(names, item.values, job.object)
        for key in dropped:
            del item.values[key]
            taken = key == "emails" and bool(existing_id(answer))
            item.left_out[key] = "another contact has this e-mail" if taken else answer.message
        about_links = answer.gone or "association" in answer.text.lower()
        if not dropped and not item.id and about_links and item.links:
            item.left_out |= dict.fromkeys(item.links, answer.message)
            item.links = {}
        elif not dropped:
            gone = bool(item.id) and (answer.gone or answer.status == 404)
            error = PermanentError(answer.message, answer.operation, answer.status, fields=answer.fields, gone=gone)
            item.written = Written(item.id, left_out=item.left_out, error=error)


def _input(job: Job, item: Item) -> dict[str, Any]:
    if item.id:
        return {"id": item.id, "properties": item.sent}
    return {"properties": item.sent, "associations": associations(job.object, item.links)}


def _sorted(job: Job, items: Sequence[Item], traces: Sequence[str], answer: dict[str, Any]) -> list[Answer]:
    """By trace id, key or id, never by position: what is not told is unknown."""
    made: dict[str, dict[str, Any]] = {}
    for record in results_of(answer):
        names = (record.get("objectWriteTraceId"), properties_of(record).get(job.key_property, "").lower())
        for name in (*names, f"id {record_id(record)}"):
            if name and record_id(record):
                made[str(name)] = record
    failed: dict[str, ConnectorError] = {}
    operation = f"write {job.type_}"
    for error in answer.get("errors") or []:
        if isinstance(error, dict):
            told = row_error(operation, error)
            context = error.get("context")
            ids = context.get("ids") if isinstance(context, dict) else None
            failed.update(dict.fromkeys([*traces_in(error), *(f"id {id}" for id in ids or ())], told))
    unknown = UnknownOutcomeError("the answer does not tell about this record", operation, 207)
    return [
        made.get(trace)
        or (made.get(f"id {item.id}") if item.id else made.get(item.key.lower()) if item.key else None)
        or failed.get(trace)
        or (failed.get(f"id {item.id}") if item.id else None)
        or unknown
        for item, trace in zip(items, traces, strict=True)
    ]


def _written(job: Job, item: Item, record: dict[str, Any]) -> Written:
    """A record that was merged away takes no changes: they went to its survivor, and its partner must know."""
    id = record_id(record)
    if not id:
        return Written(item.id, error=UnknownOutcomeError("no id in the answer", f"write {job.type_}", 200))
    if item.id and id != item.id:
        gone = PermanentError("merged into another record", f"update {job.type_}", 404, gone=True)
        return Written(item.id, error=gone)
    held = properties_of(record)
    told = {
        key: read_value({**item.sent, **held}, job.object, key, job.infos)
        for key in item.values
        if to_properties({key: item.values[key]}, job.object, job.infos).keys() <= item.sent.keys() | held.keys()
    }
    at = when(record.get("updatedAt"))
    return Written(id, values=told if held else None, modified_at=at, left_out=item.left_out)
