"""One connection opened beside the running hub, for a question or two."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from connectors.base import Opening, Target
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from connectors.registry import CONNECTORS
from jobs.alerts.causes import cause_of
from jobs.config.loading import Settings
from jobs.secret import secret_keys
from leads.clock import Clock
from store.db import Database
from store.sealing import Sealer
from store.tokens import StoredTokens

Answer = TypeVar("Answer")
Transport = Callable[[str], httpx.AsyncBaseTransport | None]
"""Vendor's name, or "s3" and "recordings" -> what to use instead of the network."""
WAITS_S = (1.0, 2.0, 5.0)
"""Between the tries of one question: the hub beside us uses up the vendor's rate, too."""
TRIES = len(WAITS_S) + 1
LONGEST_WAIT_S = 60.0


def no_transport(_name: str) -> None:
    """The network itself."""
    return


def opening_of(
    settings: Settings,
    name: str,
    db: Database,
    clock: Clock,
    *,
    own: BaseModel | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    read_only: bool = False,
) -> Opening:
    """`own` instead of the connection's settings as configured. KeyError when there is no such connection."""
    tokens = StoredTokens(db, Sealer(secret_keys(settings)), name, clock)
    own = own or settings.connections[name].settings
    return Opening(name, own, clock, tokens, transport, read_only=read_only)


@asynccontextmanager
async def opened(kind: str, opening: Opening) -> AsyncIterator[Target]:
    """`kind` is the connection's type. Its tokens are shared with the hub through the database."""
    target = CONNECTORS[kind].open(opening)
    try:
        yield target
    finally:
        await target.close()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ConnectorError) and not isinstance(error, (AuthError, PermanentError))


def only_told_to_wait(error: BaseException) -> bool:
    """Of what must not be repeated otherwise, and not for so long that the person at the keyboard would give up."""
    return isinstance(error, RateLimitedError) and error.retry_after_s <= LONGEST_WAIT_S


async def patiently(
    ask: Callable[[], Awaitable[Answer]],
    clock: Clock,
    *,
    silences: int = TRIES,
    may_pass: Callable[[BaseException], bool] = _may_pass,
) -> Answer:
    """`ask()`, safe to repeat after failures that `may_pass`, again after them. Raises the last ConnectorError.

    `silences`: so many tries when no answer comes, which takes half a minute each time.
    """

    def enough(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        silent = isinstance(error, ConnectorError) and cause_of(error) == "timeout"
        return state.attempt_number >= (silences if silent else TRIES)

    retrying = AsyncRetrying(
        sleep=clock.sleep,
        stop=enough,
        wait=_pause,
        retry=retry_if_exception(may_pass),
        reraise=True,
    )

    async def asked() -> Answer:  # tenacity awaits only what is declared async
        return await ask()

    return await retrying(asked)


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try: ours, or longer if the vendor says so. Also asked after the last one."""
    wait_s = WAITS_S[min(state.attempt_number, len(WAITS_S)) - 1]
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError):
        return min(LONGEST_WAIT_S, max(wait_s, error.retry_after_s))
    return wait_s
