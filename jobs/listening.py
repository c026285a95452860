"""Takes in what a source's vendor tells over a connection of our own, while the lease is ours."""

import logging
from dataclasses import dataclass
from functools import partial

from connectors.doors import Parsed
from connectors.errors import ConnectorError
from connectors.links import Listens
from jobs.errands import read_as
from jobs.intake import IntakeService, Source
from leads.clock import Clock
from store.db import Database
from store.leases import Held

log = logging.getLogger(__name__)

AGAIN_S = 30.0
"""After the vendor ended it: a token that was refused, or somebody else who listens."""


@dataclass(slots=True)
class Listening:
    """Keeps `jobs.source_worker.Part`."""

    source: Source
    link: Listens
    db: Database
    clock: Clock
    intake: IntakeService

    def wake(self) -> None:
        return

    def try_now(self) -> None:
        return

    async def run(self, held: Held) -> None:
        """What was told is stored before the next is asked for. Raises LostLease, StoreUnavailable."""
        while True:
            try:
                async for parsed in self.link.listen():
                    await self._take_in(parsed)
            except ConnectorError as error:
                fields = {"event": "source.not_listening", "source": self.source.name, "error": str(error)}
                log.warning("the source cannot be listened to", extra=fields)
            await self.clock.sleep(AGAIN_S)

    async def _take_in(self, parsed: Parsed) -> None:
        raw = read_as("listening", parsed)
        taken = await self.db.write(partial(self.intake.take_in, source=self.source, raw=raw, parsed=parsed))
        self.intake.wake(taken.due)
