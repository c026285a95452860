"""Batch endpoints of the sandbox account: at most 100 inputs, 207 when some of them fail."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.base import SandboxResponse
from connectors.sandbox.hubspot_errors import RefusedError, not_found
from connectors.sandbox.hubspot_records import Record, Records
from connectors.sandbox.hubspot_schema import SINGULAR, stamp
from leads.clock import Clock

MAX_INPUTS = 100
NO_BATCH_ID = {("contacts", "email")}
"""What a GET takes as idProperty and a batch write does not."""


class Batches:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def handle(self, type_: str, verb: str, body: Mapping[str, Any]) -> SandboxResponse:
        inputs = body["inputs"]
        if not 1 <= len(inputs) <= MAX_INPUTS:
            raise RefusedError(400, f"A batch has 1 to {MAX_INPUTS} inputs, not {len(inputs)}")
        ids = [str(item["id"]) for item in inputs if verb != "create"]
        if len(set(ids)) < len(ids):
            raise RefusedError(400, "Duplicate IDs found in batch input")
        match verb:
            case "read":
                return self._read(type_, body, ids)
            case "create":
                return self._create(type_, inputs)
            case "update":
                return self._each(inputs, lambda item: self._update(type_, item), 200)
            case "upsert":
                return self._each(inputs, lambda item: self._upsert(type_, item), 200)
            case "archive":
                for id_ in ids:
                    self._records.archive(type_, id_)
                return SandboxResponse(204)
        raise not_found("no such endpoint")

    def answer(self, results: list[Any], errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        now = stamp(self._clock.now())
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        return {**answer, "numErrors": len(errors), "errors": errors} if errors else answer

    def _read(self, type_: str, body: Mapping[str, Any], ids: list[str]) -> SandboxResponse:
        found: dict[str, Record] = {}
        missing = []
        for id_ in ids:
            record = self._records.find(type_, id_, str(body.get("idProperty") or ""))
            if record is None:
                missing.append(id_)
            else:
                found[record["id"]] = self._records.view(type_, record, body.get("properties") or [])
        if not missing:
            return SandboxResponse(200, self.answer(list(found.values())))
        name = SINGULAR[type_]
        text = f"Could not get some {name} objects, they may be deleted or not exist. Check that ids are valid."
        error = RefusedError(404, text, "OBJECT_NOT_FOUND").in_batch(ids=missing)
        return SandboxResponse(207, self.answer(list(found.values()), [error]))

    def _create(self, type_: str, inputs: list[Mapping[str, Any]]) -> SandboxResponse:
        """With a distinct trace id in every input the rows are independent, else it is all or nothing."""
        traces = {str(item.get("objectWriteTraceId") or "") for item in inputs}
        if "" not in traces and len(traces) == len(inputs):
            return self._each(inputs, lambda item: self._one(type_, item), 201)
        made: list[Record] = []
        try:
            for item in inputs:
                made.append(self._one(type_, item))  # noqa: PERF401 - what was made so far is undone on failure
        except RefusedError:
            for record in made:
                self._records.undo_create(type_, record["id"])
            raise
        return SandboxResponse(201, self.answer(made))

    def _one(self, type_: str, item: Mapping[str, Any]) -> Record:
        record = self._records.create(type_, item["properties"], item.get("associations") or [])
        return self._records.full(record)

    def _update(self, type_: str, item: Mapping[str, Any]) -> Record:
        name = str(item.get("idProperty") or "")
        if (type_, name) in NO_BATCH_ID:
            raise RefusedError(400, f"Unable to perform update by non-unique {type_} property domain")
        if str(item["id"]) in self._records.merged[type_]:
            raise not_found()
        record = self._records.get(type_, str(item["id"]), name)
        return self._records.full(self._records.update(type_, record, item["properties"]))

    def _upsert(self, type_: str, item: Mapping[str, Any]) -> Record:
        name, value = str(item.get("idProperty") or ""), str(item["id"])
        if not name or (type_, name) in NO_BATCH_ID:
            raise RefusedError(400, f"Unable to perform upsert by non-unique {type_} property domain")
        record = self._records.find(type_, value, name)
        if record is not None:
            return {**self._records.full(self._records.update(type_, record, item["properties"])), "new": False}
        created = self._records.create(type_, {**item["properties"], name: value}, [])
        return {**self._records.full(created), "new": True}

    def _each(
        self, inputs: list[Mapping[str, Any]], work: Callable[[Mapping[str, Any]], Record], status: int
    ) -> SandboxResponse:
        results, errors = [], []
        for item in inputs:
            trace = str(item.get("objectWriteTraceId") or "")
            try:
                record = work(item)
            except RefusedError as refused:
                if not trace:
                    raise
                errors.append(refused.in_batch(objectWriteTraceId=[trace]))
                continue
            results.append({**record, "objectWriteTraceId": trace} if trace else record)
        return SandboxResponse(207 if errors else status, self.answer(results, errors))
