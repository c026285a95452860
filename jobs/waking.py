"""Waiting: for a wake-up or the next due time, and for a database that is away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, NoReturn, TypeVar

from leads.clock import Clock
from store.db import StoreUnavailable

Result = TypeVar("Result")

STORE_RETRY_S: Final = 0.5


async def woken(event: asyncio.Event, within_s: float) -> bool:
    """Whether it was set within the time."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def in_rounds(wake: asyncio.Event, once: Callable[[], Awaitable[float]]) -> NoReturn:
    """Calls `once` for ever. It returns for how long nothing can happen by itself; `wake` cuts that short."""
    while True:
        wake.clear()
        wait_s = await once()
        if wait_s > 0:
            await woken(wake, wait_s)


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at once; when one fails, or we are cancelled, the others end as well."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def stored(write: Callable[[], Awaitable[Result]], clock: Clock) -> Result:
    """What is known already is told also when the database is away for a while."""
    while True:
        try:
            return await write()
        except StoreUnavailable:
            await clock.sleep(STORE_RETRY_S)
