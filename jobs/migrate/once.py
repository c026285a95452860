"""Writes beside the moved records, each made once: kept as sent before, as done after; what is unknown is looked up."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from connectors.base import Draft, Hint
from connectors.errors import ConnectorError, PermanentError, TooEarlyError, UnknownOutcomeError
from jobs.migrate.moving import LEASE_WAIT_S
from jobs.migrate.opening import Ready
from jobs.sync.beside import under_lease
from store import cursors
from store.leases import Held, assert_held
from store.sync_keys import chunks

SHOWN: Final = 10
Found = TypeVar("Found")


@dataclass(slots=True)
class Besides:
    """`before`: by an earlier run. `unknown`: the next run finds out. `examples`: of what was refused. `error`: why it
    ended early."""

    before: int = 0
    unknown: int = 0
    refused: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    error: str = ""

    @property
    def finished(self) -> bool:
        return not self.error and not self.unknown

    def refuse(self, id: str, error: PermanentError) -> None:
        self.refused += 1
        self.show(id, error)

    def show(self, id: str, error: ConnectorError, what: str = "") -> None:
        """`what`: the kind of entry around the record `id`."""
        example = {"id": id, "why": error.message} | ({"what": what} if what else {})
        if len(self.examples) < SHOWN and example not in self.examples:
            self.examples.append(example)


async def exclusively(ready: Ready, lease: str, work: Callable[[Held], Awaitable[bool]], tally: Besides) -> None:
    if await under_lease(lease, ready.db, ready.clock, work, LEASE_WAIT_S) is None:
        tally.error = f'another process is at "{lease}"'


async def keep(ready: Ready, held: Held, states: Mapping[str, dict[str, Any]]) -> None:
    """The state of each write by its name: "sent" and "at", "done" and "id", or "" for nothing. Some hundreds in a
    transaction: leads are accepted between them."""

    def work(conn: Connection, some: dict[str, dict[str, Any]]) -> None:
        assert_held(conn, held)
        cursors.save_all(conn, some)

    for names in chunks(states):
        await ready.db.write(partial(work, some={name: states[name] for name in names}))


async def kept_states(ready: Ready, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = {}
    for some in chunks(set(names)):
        kept |= await ready.db.read(cursors.load_all, some)
    return kept


async def look_up(ready: Ready, draft: Draft, sent_at: datetime) -> str | None:
    """Id of what a try of then has written, None for nothing. Waits until a look-up proves something."""
    there: str | None = await when_certain(ready, partial(ready.new_target.find_created, draft, Hint(sent_at)), sent_at)
    return there


async def when_certain(ready: Ready, look: Callable[[], Awaitable[Found]], sent_at: datetime) -> Found:
    """What `look` finds of writes of then or before, once what it does not find will not come any more."""
    clock, wait_s = ready.clock, max(ready.look_again_s, default=0.0)
    passed = (clock.now() - sent_at).total_seconds()
    if 0 <= passed < wait_s:
        await clock.sleep(wait_s - passed)
    try:
        return await ready.ask_new(look)
    except TooEarlyError as error:
        await clock.sleep(error.wait_s)
        return await ready.ask_new(look)


async def create(ready: Ready, draft: Draft) -> str | None:
    """None: it may be there. What raises has written nothing."""
    try:
        made: str = await ready.new_target.create(draft)
    except UnknownOutcomeError:
        return None
    return made
