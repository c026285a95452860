"""Calls to one amoCRM account: the token put on, the answer read, the outcome raised."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.amocrm.records import Row, has_next, rows_of
from connectors.errors import AuthError, NoRightsError, PermanentError, RateLimitedError, RetryableError
from connectors.http import VendorHttp, is_page, names_record, parse_json, retry_after_s, unreadable
from connectors.limits import Limiter
from connectors.oauth import Bearer, authorised
from leads.clock import Clock

PAGE_ROWS = 250
FLOOD_S = 300.0
"""A 403 that is no JSON is the vendor's block against floods: nothing may leave for five minutes."""
STREAK_MAX_S = 60.0
ALIVE_S = 60.0
"""A page instead of an answer, so shortly after an answer: it is this address that is not there, not the account."""
NEEDED = ("find contact", "create contact", "create deal")
"""Without these no lead gets there: a page instead of their answer is waited out, however alive the account is."""
READ_TIMEOUT_S = 30.0
"""Hosts far away see slow answers daily (issue 371 of the vendor's PHP client)."""

Params = list[tuple[str, str]]


@dataclass(eq=False)
class RefusedError(PermanentError):
    """A 400 or 422 with the vendor's answer, which names the refused records and paths; of one record its errors."""

    answer: Any = field(default=None, repr=False)


class AmocrmApi:
    """`get`, `post` and `patch` with the outcomes of `connectors.errors`; all share the account's limiter."""

    def __init__(
        self,
        *,
        base_url: str,
        clock: Clock,
        limiter: Limiter,
        transport: httpx.AsyncBaseTransport | None,
        user_agent: str,
        secrets: list[str],
    ) -> None:
        self.base_url = base_url
        self.limiter = limiter
        self.clock = clock
        self.bearer: Bearer | None = None
        self._streak = 0
        self._blocked_until = float("-inf")
        self._answered_at = float("-inf")
        self.http = VendorHttp(
            base_url=base_url,
            clock=clock,
            limiter=limiter,
            interpret=self._interpret,
            transport=transport,
            read_timeout_s=READ_TIMEOUT_S,
            user_agent=user_agent,
            secrets=secrets,
        )

    async def get(self, operation: str, path: str, params: Params | None = None) -> Any:
        """The JSON, None for 204."""
        return await self._call(operation, "GET", path, writes=False, params=params)

    async def get_one(self, operation: str, path: str, params: Params | None = None) -> Row | None:
        """One record; None when it is unknown, which is a 204 for some kinds and a 404 for others."""
        try:
            answer = await self.get(operation, path, params)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise
        if answer is not None and not (isinstance(answer, dict) and answer.get("id")):
            raise RetryableError("the answer is no record", operation, 200)
        return answer

    async def pages(
        self,
        operation: str,
        path: str,
        collection: str,
        params: Params | None = None,
        *,
        max_pages: int,
        page_rows: int = PAGE_ROWS,
    ) -> AsyncIterator[list[Row]]:
        """Pages of a list until the vendor names no next one; a page that comes twice ends it too."""
        last: list[Row] = []
        for page in range(1, max_pages + 1):
            asked = [*(params or []), ("limit", str(page_rows)), ("page", str(page))]
            answer = await self.get(operation, path, asked)
            rows = rows_of(answer, collection)
            if rows is None:
                raise RetryableError("the answer is no list", operation, 200)
            if not rows or rows == last:
                return
            yield [row for row in rows if row.get("id")]
            if not has_next(answer):
                return
            last = rows

    async def post(self, operation: str, path: str, json: Any, *, has_turn: bool = False) -> Any:
        """A create: an answer that cannot be trusted is an unknown outcome. `has_turn`: the caller holds a turn."""
        return await self._call(operation, "POST", path, writes=True, has_turn=has_turn, json=json)

    async def patch(self, operation: str, path: str, json: Any) -> Any:
        """Sets what it names and nothing else, so that repeating it is safe: failures count as those of a read."""
        return await self._call(operation, "PATCH", path, writes=False, json=json)

    async def change(self, operation: str, path: str, json: Any) -> Any:
        """A PATCH that must not leave once the connection is somebody else's: a lost answer is an unknown outcome."""
        return await self._call(operation, "PATCH", path, writes=True, json=json)

    async def close(self) -> None:
        if self.bearer is not None:
            await self.bearer.close()
        await self.http.close()

    async def _call(
        self, operation: str, method: str, path: str, *, writes: bool, has_turn: bool = False, **kwargs: Any
    ) -> Any:
        blocked_s = self._blocked_until - self.clock.monotonic()
        if blocked_s > 0:  # said at once: a lead that waited for its turn so long could not say what it waits for
            raise RateLimitedError("blocked as a flood", operation, 403, retry_after_s=blocked_s)
        send = self.http.send if has_turn else self.http.call

        async def once(token: str) -> Any:
            headers = {"Authorization": f"Bearer {token}"}
            return await send(operation, method, path, writes=writes, headers=headers, **kwargs)

        assert self.bearer is not None
        return await authorised(self.bearer, once)

    def _interpret(self, operation: str, response: httpx.Response, writes: bool) -> Any:
        """Section "Errors" of the fact sheet in NOTES.md, status by status."""
        status = response.status_code
        if status in (200, 201, 202, 204):
            self._streak = 0
            if status in (202, 204) or not response.content:
                self._answered_at = self.clock.monotonic()
                return None
            answer = parse_json(operation, response, writes=writes)
            self._answered_at = self.clock.monotonic()
            if not isinstance(answer, dict | list):
                raise unreadable(operation, response, writes=writes)
            return answer
        if status == 429:
            raise self.too_fast(operation, response)
        if status == 403 and _json(response) is None:
            raise self.flood(operation, status)
        if status in (401, 402, 403):
            what = {401: "the access token is refused", 402: "the account is not paid", 403: "no rights for this"}
            raise (NoRightsError if status == 403 else AuthError)(what[status], operation, status)
        if is_page(response) and not self._is_absent(operation, response.request.url.path):
            raise unreadable(operation, response, writes=writes)
        if status in (400, 422):
            raise RefusedError("refused", operation, status, answer=_json(response))
        if 400 <= status < 500 and status not in (408, 425, 499):
            text = "not found" if status == 404 else "refused"
            raise PermanentError(text, operation, status, gone=status == 404)
        raise unreadable(operation, response, writes=writes)

    def _is_absent(self, operation: str, path: str) -> bool:
        """Whether a page with a 4xx means that there is no such address, and not that the account is away: renamed,
        or behind a gateway that does not find it."""
        alive = self.clock.monotonic() - self._answered_at <= ALIVE_S
        return alive and operation not in NEEDED and not names_record(path)

    def too_fast(self, operation: str, response: httpx.Response) -> RateLimitedError:
        """Pauses everything as long as told by header or body; untold, a second, doubling with each refusal."""
        body = _json(response)
        told = [retry_after_s(response, self.clock.now()) or 0.0]
        if isinstance(body, dict) and isinstance(body.get("retry_after"), int | float):
            told.append(float(body["retry_after"]))
        self._streak += 1
        wait_s = max(told) or min(STREAK_MAX_S, 2.0 ** (self._streak - 1))
        self.limiter.pause(wait_s)
        return RateLimitedError("too many requests", operation, response.status_code, retry_after_s=wait_s)

    def flood(self, operation: str, status: int) -> RateLimitedError:
        self.limiter.pause(FLOOD_S)
        self._blocked_until = self.clock.monotonic() + FLOOD_S
        return RateLimitedError("blocked as a flood", operation, status, retry_after_s=FLOOD_S)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
