"""Creates: one by itself when nothing else waits, up to 100 in one request when there is a queue."""

from dataclasses import dataclass
from typing import Any

from connectors.base import Kind
from connectors.errors import ConnectorError, RateLimitedError, UnknownOutcomeError
from connectors.hubspot.answers import Refusal, refusal
from connectors.hubspot.api import HubSpotApi, SendAlone
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES
from connectors.hubspot.records import properties_of, record_id, results_of
from connectors.limits import Batcher

MAX_BATCH = 100
NOTHING_DONE = ("VALIDATION_ERROR", "CONFLICT", "OBJECT_ALREADY_EXISTS", "OBJECT_NOT_FOUND", "MISSING_SCOPES")


@dataclass(frozen=True, slots=True)
class Row:
    body: dict[str, Any]
    key: str


class Creates:
    """One queue per kind of record."""

    def __init__(self, api: HubSpotApi) -> None:
        self._api = api
        self._batches = True
        self._queues = {kind: self._queue(kind) for kind in TYPES}

    async def create(self, kind: Kind, row: Row) -> str:
        """The new record's id. Raises Refusal for a 4xx and for a row that a batch refused."""
        try:
            return await self._queues[kind].call(row)
        except SendAlone:
            pass
        async with self._api.limiter.turn():
            return await self._single(kind, row)

    def _queue(self, kind: Kind) -> Batcher[Row, str]:
        async def send(rows: list[Row]) -> list[str | ConnectorError]:
            if len(rows) == 1:
                return [await self._single(kind, rows[0])]
            if self._batches:
                return await self._batch(kind, rows)
            try:
                first: str | ConnectorError = await self._single(kind, rows[0])
            except ConnectorError as error:
                first = error
            return [first, *(SendAlone("no batches here", f"create {kind}") for _ in rows[1:])]

        return Batcher(self._api.limiter, send, max_batch=MAX_BATCH, operation=f"create {kind}")

    async def _single(self, kind: Kind, row: Row) -> str:
        operation = f"create {kind}"
        path = self._api.paths.objects(TYPES[kind])
        answer = await self._api.send(operation, "POST", path, writes=True, json=row.body)
        id_ = record_id(answer)
        if not id_:
            raise UnknownOutcomeError("no id in the answer", operation, 200)
        return id_

    async def _batch(self, kind: Kind, rows: list[Row]) -> list[str | ConnectorError]:
        """A distinct trace id in every row makes the rows independent of each other: a bad one sinks only itself."""
        operation = f"create {kind}s"
        traces = [f"lh{number}" for number in range(len(rows))]
        inputs = [{**row.body, "objectWriteTraceId": trace} for row, trace in zip(rows, traces, strict=True)]
        path = self._api.paths.batch(TYPES[kind], "create")
        try:
            answer = await self._api.send(operation, "POST", path, writes=True, json={"inputs": inputs})
        except Refusal as error:
            self._batches = self._batches and error.status not in (404, 405)
            return [SendAlone("refused as a batch", operation, error.status)] * len(rows)
        return sort_out(answer, rows, traces, KEY_PROPERTY[kind], operation)


def sort_out(
    answer: dict[str, Any], rows: list[Row], traces: list[str], key_property: str, operation: str
) -> list[str | ConnectorError]:
    """An outcome for every row, matched by trace id or key, never by position: what is not told is unknown."""
    made: dict[str, str] = {}
    for record in results_of(answer):
        for name in (str(record.get("objectWriteTraceId") or ""), properties_of(record).get(key_property, "").lower()):
            if name and record_id(record):
                made[name] = record_id(record)
    failed: dict[str, ConnectorError] = {}
    nameless: list[ConnectorError] = []
    for item in answer.get("errors") or []:
        error = row_error(operation, item) if isinstance(item, dict) else None
        if error is None:
            continue
        named = traces_in(item)
        failed.update(dict.fromkeys(named, error))
        if not named:
            nameless.append(error)
    unknown: ConnectorError = UnknownOutcomeError("the answer does not tell about this record", operation, 207)
    left = [
        trace
        for row, trace in zip(rows, traces, strict=True)
        if not ({trace, row.key} & made.keys() or trace in failed)
    ]
    if len(left) == 1 and len(nameless) == 1:
        failed[left[0]] = nameless[0]
    return [
        made.get(trace) or made.get(row.key) or failed.get(trace) or unknown
        for row, trace in zip(rows, traces, strict=True)
    ]


def traces_in(item: dict[str, Any]) -> list[str]:
    context = item.get("context")
    told = context.get("objectWriteTraceId") if isinstance(context, dict) else None
    if isinstance(told, str):
        return [told]
    return [str(one) for one in told] if isinstance(told, list) else []


def row_error(operation: str, item: dict[str, Any]) -> ConnectorError:
    category = str(item.get("category") or "").upper()
    if "RATE_LIMIT" in category:
        return RateLimitedError("rate limit", operation, 207)
    error = refusal(operation, 207, item)
    if category in NOTHING_DONE or error.fields or "already" in error.text:
        return error
    return UnknownOutcomeError(category or "an error without a category", operation, 207)
