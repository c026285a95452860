"""What one CRM account is made of, remembered for a while: no lead waits for it longer than a moment."""

import asyncio
import contextlib
import logging

from connectors.base import Metadata, Target
from connectors.errors import ConnectorError
from connectors.limits import FRESH, PRIORITY, RETRY
from jobs.delivery.resolve import Directory
from leads.clock import Clock

log = logging.getLogger(__name__)

FRESH_FOR_S = 900.0
RETRY_S = 60.0
READ_WAIT_S = 60.0
FIRST_WAIT_S = 5.0
"""A lead waits so long for the first reading: names of pipelines and stages cannot be understood without."""


class MetadataCache:
    """Reads anew when it is old or was found to be wrong; what was read before serves meanwhile."""

    def __init__(self, target: Target, clock: Clock, name: str) -> None:
        self._target = target
        self._clock = clock
        self._name = name
        self._metadata = Metadata()
        self._directory = Directory(self._metadata)
        self._read_at: float | None = None
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Begins to read ahead, so that the first lead does not wait."""
        self._begin()

    async def get(self) -> tuple[Metadata, Directory]:
        self._begin()
        if self._read_at is None and self._reading is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_WAIT_S):
                    await asyncio.shield(self._reading)
        return self._metadata, self._directory

    def _begin(self) -> None:
        now = self._clock.monotonic()
        old = self._read_at is None or now - self._read_at > FRESH_FOR_S
        if old and now - self._tried_at > RETRY_S and self._reading is None:
            self._tried_at = now
            self._reading = asyncio.create_task(self._read())

    def expire(self) -> None:
        """What is remembered turned out to be wrong: read anew at the next use."""
        if self._read_at is not None:
            self._read_at = self._clock.monotonic() - FRESH_FOR_S - 1
            self._tried_at = min(self._tried_at, self._clock.monotonic() - RETRY_S + 5.0)

    async def read_anew(self) -> Metadata:
        """Reads now and waits for it, for a while; what was read before stays if that fails."""
        if self._reading is None:
            self._tried_at = self._clock.monotonic()
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait({self._reading}, timeout=READ_WAIT_S)
        return self._metadata

    async def _read(self) -> None:
        # The first time every lead waits for it. Later nobody does: in the middle of a backlog it must take
        # no fresh lead's place in the limit.
        PRIORITY.set(FRESH if self._read_at is None else RETRY)
        try:
            metadata = await self._target.metadata()
        except ConnectorError as error:
            log.warning(
                "account not read",
                extra={"event": "metadata.failed", "connection": self._name, "error": str(error)},
            )
            return
        finally:
            self._reading = None
        self._metadata = metadata
        self._directory = Directory(metadata)
        self._read_at = self._clock.monotonic()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
