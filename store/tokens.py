"""Vendors' OAuth tokens, sealed; one refresher at a time over all processes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from leads.clock import Clock
from leads.ids import new_id
from store import leases
from store.db import Database, StoreUnavailable
from store.prepared import Prepared
from store.sealing import Sealer
from store.tables import t_token

REFRESH_LEASE_S = 12.0
RENEW_S = 3.0
"""The lock is renewed for as long as a refresh takes: one that ends before lets a second refresh kill the
first, and one that a killed process leaves behind must not keep the connection waiting for long."""
WAIT_S = 0.2


_STORED = Prepared(select(t_token).where(t_token.c.connection == bindparam("of_connection")))


async def passed(_name: str) -> None:
    """Nobody watches where we are."""


class StoredTokens:
    """The tokens of one connection; what `connectors.base.TokenStore` asks for."""

    def __init__(
        self,
        db: Database,
        sealer: Sealer,
        connection: str,
        clock: Clock,
        checkpoint: Callable[[str], Awaitable[None]] = passed,
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._connection = connection
        self._clock = clock
        self._checkpoint = checkpoint
        self._local = asyncio.Lock()

    async def load(self) -> dict[str, Any] | None:
        """Raises CannotUnseal, StoreUnavailable."""

        def work(conn: Connection) -> Any:
            return _STORED.first(conn, {"of_connection": self._connection})

        row = await self._db.write(work)  # on the writer, so that it sees the newest commit of any process
        if row is None:
            return None
        token = self._opened(row)
        if not self._sealer.is_newest(row.key_id):
            await self._db.write(self._seal_anew, row=row, values=self._sealed(token))
        return token

    @staticmethod
    def _seal_anew(conn: Connection, row: Any, values: dict[str, Any]) -> None:
        """Of what was read only: who refreshes does not wait for readers, and his pair is the newer one."""
        as_read = (t_token.c.connection == row.connection) & (t_token.c.sealed == row.sealed)
        conn.execute(update(t_token).where(as_read).values(**values))

    async def save(self, token: dict[str, Any]) -> None:
        """Durable when it returns."""
        await self._checkpoint("refreshing")
        await self._db.write(self._put, values=self._sealed(token))

    async def replace(self, token: dict[str, Any], used: dict[str, Any]) -> bool:
        """Stores `token` if what is stored has the refresh token of `used`, or its own; False otherwise."""
        values = self._sealed(token)
        expected = (used.get("refresh_token"), token.get("refresh_token"))

        def work(conn: Connection) -> bool:
            query = select(t_token).where(t_token.c.connection == self._connection).with_for_update()
            row = conn.execute(query).first()
            if row is None or self._opened(row).get("refresh_token") not in expected:
                return False
            self._put(conn, values)
            return True

        return await self._db.write(work)

    def _sealed(self, token: dict[str, Any]) -> dict[str, Any]:
        key_id, sealed = self._sealer.seal(json.dumps(token).encode(), about=self._connection)
        return {"key_id": key_id, "sealed": sealed, "updated_at": self._clock.now()}

    def _opened(self, row: Any) -> dict[str, Any]:
        token: dict[str, Any] = json.loads(self._sealer.open(row.key_id, row.sealed, about=self._connection))
        return token

    def _put(self, conn: Connection, values: dict[str, Any]) -> None:
        changed = conn.execute(update(t_token).where(t_token.c.connection == self._connection).values(**values))
        if changed.rowcount == 0:
            conn.execute(insert(t_token).values(connection=self._connection, **values))

    async def forget(self) -> None:
        await self._db.write(lambda conn: conn.execute(delete(t_token).where(t_token.c.connection == self._connection)))

    @contextlib.asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        """One at a time, here and in every other process; a holder that died is waited out."""
        async with self._local:
            held = await self._take()
            renewing = asyncio.create_task(self._renew(held))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                now = self._clock.now()
                await self._db.write(leases.release, held, now)

    async def _take(self) -> leases.Held:
        name, owner = f"refresh:{self._connection}", new_id(self._clock)
        while True:
            now = self._clock.now()
            take = partial(leases.take, name=name, owner=owner, now=now, ttl_s=REFRESH_LEASE_S)
            held = await self._db.write(take)
            if held is not None:
                return held
            await self._clock.sleep(WAIT_S)

    async def _renew(self, held: leases.Held) -> None:
        while True:
            await self._clock.sleep(RENEW_S)
            renew = partial(leases.renew, held=held, now=self._clock.now(), ttl_s=REFRESH_LEASE_S)
            # Lost or not, the call is under way: there is nothing better to do than to store what it brings.
            with contextlib.suppress(StoreUnavailable, leases.LostLease):
                await self._db.write(renew)
