"""Wake-ups between processes: another one took a lead in, or a person pressed retry."""

import logging
import sqlite3
from collections.abc import Callable

from leads.clock import Clock
from store.admin import sqlite_path
from store.engines import ALIVE
from store.intake import CHANNEL

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""SQLite tells nobody; asking whether its file changed costs microseconds."""
RECONNECT_S = 2.0


async def listen(
    url: str, wake: Callable[[list[str]], None], clock: Clock, ours: Callable[[int], bool] = lambda _backend: False
) -> None:
    """Calls `wake` with names of connections ([]: any) whenever something may have become due, until cancelled.

    `ours`: whether this process id of PostgreSQL writes for us. Who writes here wakes whom it concerns himself.
    """
    path = sqlite_path(url)
    if path is not None:
        await _watch_file(str(path), wake, clock)
        return
    from psycopg import Error  # its library takes 10 MB, which a hub on SQLite can do without

    told = False  # once, however long the database is away

    def listening(names: list[str]) -> None:
        nonlocal told
        told = False
        wake(names)

    while True:
        try:
            await _listen_postgres(url, listening, ours)
        except Error as error:
            if not told:
                log.info("no wake-ups", extra={"event": "wakeups.lost", "error": type(error).__name__})
            told = True
        await clock.sleep(RECONNECT_S)


async def _watch_file(path: str, wake: Callable[[list[str]], None], clock: Clock) -> None:
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1, isolation_level=None)
    try:
        seen = 0
        while True:
            try:
                (version,) = conn.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                version = seen
            if version != seen:
                seen = version
                wake([])
            await clock.sleep(LOOK_S)
    finally:
        conn.close()


async def _listen_postgres(url: str, wake: Callable[[list[str]], None], ours: Callable[[int], bool]) -> None:
    from psycopg import AsyncConnection

    async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=5, **ALIVE) as conn:
        await conn.execute(f"LISTEN {CHANNEL}")
        wake([])  # what happened while nobody listened
        async for notice in conn.notifies():
            if not ours(notice.pid):
                wake([name for name in notice.payload.split(",") if name])
