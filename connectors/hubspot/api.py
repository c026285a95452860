"""Calls to one HubSpot account: token, the two rate limits, and what a refusal means for them."""

import logging
from datetime import datetime
from typing import Any

from connectors.base import Opening, Rate
from connectors.errors import ConnectorError, RetryableError, UnknownOutcomeError
from connectors.http import VendorHttp
from connectors.hubspot.answers import Interpreter, Refusal, Throttled, is_no_address
from connectors.hubspot.auth import bearer_for
from connectors.hubspot.paths import Paths
from connectors.hubspot.settings import HubSpotSettings
from connectors.limits import Limiter
from connectors.oauth import authorised

log = logging.getLogger(__name__)

BURST = Rate(calls=100, per_s=10.0)
"""The smallest account (fact sheet, section 3); 190 to 250 with larger ones, by settings."""
OAUTH_BURST = Rate(calls=110, per_s=10.0)
SEARCH_RATE = Rate(calls=5, per_s=1.0)
"""Of the whole account and outside the burst window."""


def rate_of(settings: HubSpotSettings) -> Rate:
    if settings.rate is not None:
        return Rate(calls=settings.rate.calls, per_s=settings.rate.per_s)
    return BURST if settings.oauth is None else OAUTH_BURST


class SendAlone(ConnectorError):
    """A batch was refused as a whole, nothing was done: this one is to be asked for by itself."""


class HubSpotApi:
    """`call` and `search` wait for a turn, `send` is for who holds one (a Batcher)."""

    def __init__(self, opening: Opening, settings: HubSpotSettings) -> None:
        self.paths = Paths(settings.api_version)
        self._nowhere: set[str] = set()
        """Addresses of writes and searches that no version knows, so that each is tried but once."""
        self.clock = opening.clock
        self._interpreter = Interpreter(opening.clock)
        self.limiter = Limiter(rate_of(settings), opening.clock)
        self.search_limiter = Limiter(SEARCH_RATE, opening.clock)
        secrets = [settings.access_token, settings.client_secret, settings.oauth and settings.oauth.client_secret]
        self._http = VendorHttp(
            base_url=settings.base_url,
            clock=opening.clock,
            limiter=self.limiter,
            interpret=self._interpreter,
            transport=opening.transport,
            user_agent=opening.user_agent,
            secrets=[secret.get_secret_value() for secret in secrets if secret],
        )
        self._bearer = bearer_for(opening, settings, self._http, self.paths)

    def server_time(self, no_older_s: float) -> datetime | None:
        """HubSpot's clock now, by its last answer."""
        return self._http.server_time(no_older_s)

    async def call(self, operation: str, method: str, path: str, *, writes: bool, **kwargs: Any) -> dict[str, Any]:
        """One request when its turn comes: the answer's object ({} for 204)."""
        async with self.limiter.turn():
            return await self.send(operation, method, path, writes=writes, **kwargs)

    async def send(
        self, operation: str, method: str, path: str, *, writes: bool, limiter: Limiter | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """One request now. A 401 did no work: it is repeated once, with a newer token where there is one."""

        async def at(address: str) -> dict[str, Any]:
            async def with_token(token: str) -> dict[str, Any]:
                headers = {"Authorization": f"Bearer {token}"}
                answer = await self._http.send(operation, method, address, writes=writes, headers=headers, **kwargs)
                return answer if isinstance(answer, dict) else {}

            return await authorised(self._bearer, with_token)

        try:
            try:
                return await at(path)
            except Refusal as refused:
                other = self.paths.other()
                elsewhere = other.same(path)
                if not elsewhere or elsewhere in self._nowhere or not is_no_address(refused):
                    raise
                try:
                    answer = await at(elsewhere)
                except Refusal as again:
                    if is_no_address(again):
                        if method == "POST":  # what is read by GET names records without end
                            self._nowhere.add(elsewhere)
                        raise refused from None
                    self._move_to(other)
                    raise
                self._move_to(other)
                return answer
        except Refusal as refused:
            if self._interpreter.believes(refused, path):
                raise
            kind = UnknownOutcomeError if writes else RetryableError
            raise kind("a page instead of an answer", operation, refused.status) from None
        except Throttled as error:
            self._pause(error, limiter or self.limiter)
            raise

    def _move_to(self, paths: Paths) -> None:
        """Versions come and go (fact sheet, section 1): leads must not wait until somebody sets `api_version`."""
        if paths != self.paths:
            log.warning("other paths are used", extra={"event": "hubspot.other_paths", "version": paths.version})
            self.paths = paths

    async def search(self, operation: str, type_: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.search_limiter.turn():
            return await self.send_search(operation, type_, body)

    async def send_search(self, operation: str, type_: str, body: dict[str, Any]) -> dict[str, Any]:
        """A search by who holds a turn of `search_limiter`. It reads, although it is a POST."""
        path = self.paths.search(type_)
        return await self.send(operation, "POST", path, writes=False, limiter=self.search_limiter, json=body)

    def _pause(self, error: Throttled, limiter: Limiter) -> None:
        for one in (self.limiter, self.search_limiter) if error.everything else (limiter,):
            one.pause(error.retry_after_s, slow_down=error.slow_down)

    async def close(self) -> None:
        await self._bearer.close()
        await self._http.close()
