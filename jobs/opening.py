"""One connection opened beside the running hub, for a question or two."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
from pydantic import BaseModel

from connectors.base import Opening, Target
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from connectors.registry import CONNECTORS
from jobs.config import Settings
from jobs.secret import secret_keys
from leads.clock import Clock
from store.db import Database
from store.sealing import Sealer
from store.tokens import StoredTokens

Answer = TypeVar("Answer")
WAITS_S = (1.0, 2.0, 5.0)
"""Between the tries of one question: the hub beside us uses up the vendor's rate, too."""
LONGEST_WAIT_S = 60.0


def opening_of(
    settings: Settings,
    name: str,
    db: Database,
    clock: Clock,
    *,
    own: BaseModel | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Opening:
    """`own` instead of the connection's settings as configured. KeyError when there is no such connection."""
    tokens = StoredTokens(db, Sealer(secret_keys(settings)), name, clock)
    return Opening(name, own or settings.connections[name].settings, clock, tokens, transport)


@asynccontextmanager
async def opened(kind: str, opening: Opening) -> AsyncIterator[Target]:
    """`kind` is the connection's type. Its tokens are shared with the hub through the database."""
    target = CONNECTORS[kind].open(opening)
    try:
        yield target
    finally:
        await target.close()


async def patiently(ask: Callable[[], Awaitable[Answer]], clock: Clock) -> Answer:
    """`ask()`, which must be safe to repeat, again after failures that may pass. Raises the last ConnectorError."""
    for wait_s in WAITS_S:
        try:
            return await ask()
        except (AuthError, PermanentError):
            raise
        except RateLimitedError as error:
            await clock.sleep(min(LONGEST_WAIT_S, max(wait_s, error.retry_after_s)))
        except ConnectorError:
            await clock.sleep(wait_s)
    return await ask()
