"""Creates of one kind of record: alone at once, together when they wait for their turn, sorted out when refused."""

from dataclasses import dataclass
from typing import Final

from connectors.amocrm.api import AmocrmApi, RefusedError
from connectors.amocrm.payloads import Body
from connectors.amocrm.records import created_ids, error_text, errors_by_request, refused_fields
from connectors.errors import ConnectorError, PermanentError, UnknownOutcomeError
from connectors.http import CALL_LOG, CallRecord
from connectors.limits import Batcher

ROUNDS = 5
"""How often a record may be sent again because others in its request were refused; then it goes alone."""


@dataclass(frozen=True, slots=True)
class _SentAgain:
    """Nothing was saved because of others in the same request: take another turn, perhaps alone."""

    alone: bool


@dataclass(frozen=True, slots=True)
class _Item:
    body: Body
    log: list[CallRecord] | None
    """Where the calls of this record's attempt are noted: a request for many is a call of each."""


_Answer = str | _SentAgain


class Writer:
    """POSTs records to one collection, at most `max_batch` in a request. One bad record rejects the whole
    request at amoCRM, so the good ones are sent again without it."""

    def __init__(self, api: AmocrmApi, operation: str, collection: str, path: str, *, max_batch: int) -> None:
        self._api: Final = api
        self._operation: Final = operation
        self._collection: Final = collection
        self._path: Final = path
        self._batcher: Batcher[_Item, _Answer] = Batcher(
            api.limiter, self._send, max_batch=max_batch, operation=operation
        )
        self._alone: Batcher[_Item, _Answer] = Batcher(api.limiter, self._send, max_batch=1, operation=operation)
        self._together = max_batch > 1

    async def create(self, body: Body) -> str:
        """The id of the new record. Raises the outcomes of `connectors.errors`; `fields` named as in the draft."""
        item = _Item(body, CALL_LOG.get())
        alone = not self._together
        for _ in range(ROUNDS):
            answer = await (self._alone if alone else self._batcher).call(item)
            if isinstance(answer, str):
                return answer
            alone = alone or answer.alone
        answer = await self._alone.call(item)
        assert isinstance(answer, str)
        return answer

    async def _send(self, items: list[_Item]) -> list[_Answer | ConnectorError]:
        calls: list[CallRecord] = []
        outer = CALL_LOG.set(calls)
        try:
            return await self._post([item.body for item in items])
        finally:
            CALL_LOG.reset(outer)
            for item in items:
                if item.log is not None:
                    item.log.extend(calls)

    async def _post(self, bodies: list[Body]) -> list[_Answer | ConnectorError]:
        path, rows = self._path, [body.json for body in bodies]
        if len(bodies) == 1 and bodies[0].path:
            path = bodies[0].path
            rows = [{name: value for name, value in rows[0].items() if name != "entity_id"}]
        try:
            answer = await self._api.post(self._operation, path, rows, has_turn=True)
        except PermanentError as error:
            return self._sort_out(bodies, error)
        lost = UnknownOutcomeError("no id in the answer", self._operation, 200)
        return [found or lost for found in created_ids(answer, self._collection, len(bodies))]

    def _sort_out(self, bodies: list[Body], error: PermanentError) -> list[_Answer | ConnectorError]:
        by_index = errors_by_request(error.answer) if isinstance(error, RefusedError) else {}
        if len(bodies) == 1:
            errors = [item for items in by_index.values() for item in items]
            return [self._refusal(bodies[0], errors, error)]
        if not any(index < len(bodies) for index in by_index):
            # The whole request is refused and nobody named. Where the path for many does not exist, stop using it.
            self._together = self._together and error.status not in (404, 405)
            return [_SentAgain(alone=True)] * len(bodies)
        return [
            self._refusal(body, by_index[index], error) if index in by_index else _SentAgain(alone=False)
            for index, body in enumerate(bodies)
        ]

    def _refusal(self, body: Body, errors: list[dict[str, object]], error: PermanentError) -> PermanentError:
        fields = refused_fields(errors, body.origins)
        text = error_text(errors) if errors else error.message
        gone = (error.gone and bool(body.path)) or any(
            name in fields for name in ("contact_id", "deal_id", "company_id")
        )
        return RefusedError(text, self._operation, error.status, fields=fields, gone=gone, answer=errors)
