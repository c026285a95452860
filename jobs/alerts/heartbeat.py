"""The dead man's switch: somebody outside is pinged while all is well and speaks up when the pings stop."""

import logging
from collections.abc import Callable

import httpx

from leads.clock import Clock

log = logging.getLogger(__name__)

EVERY_S = 60.0
TIMEOUT_S = 10.0


class Heartbeat:
    """Asks for `url` every `every_s` while `alive()`. The URL is a secret: it is never logged."""

    def __init__(
        self,
        url: str,
        alive: Callable[[], bool],
        clock: Clock,
        *,
        every_s: float = EVERY_S,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "leadhub",
    ) -> None:
        self._url = url
        self._alive = alive
        self._clock = clock
        self._every_s = every_s
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=TIMEOUT_S,
            headers={"User-Agent": user_agent},
            follow_redirects=True,
            trust_env=False,
        )
        self.heard: bool | None = None
        """Whether the last ping was answered; None before the first."""

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self.beat()
                await self._clock.sleep(self._every_s)
        finally:
            await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def beat(self) -> bool:
        """One ping, unless the hub is not well: then silence is the message."""
        if not self._alive():
            log.error("heartbeat withheld: the hub is not well", extra={"event": "heartbeat.withheld"})
            return False
        try:
            answer = await self._client.get(self._url)
            heard, why = answer.status_code < 400, f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            heard, why = False, type(error).__name__
        if heard is not (self.heard is not False):  # lost and regained: one line each
            event = "heartbeat.back" if heard else "heartbeat.lost"
            log.log(logging.INFO if heard else logging.WARNING, "heartbeat", extra={"event": event, "error": why})
        self.heard = heard
        return heard
