"""A TokenStore in memory that can fail, be slow and be shared by two holders, as two processes share a table."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from leads.sealed import CannotUnseal


class MemoryTokens:
    """`events` tells in which order things happened; `fail_saves` counts saves that are still to fail;
    `opens`: the key is there.
    """

    def __init__(self, token: dict[str, Any] | None = None) -> None:
        self.token = token
        self.fail_saves = 0
        self.opens = True
        self.events: list[str] = []
        self._lock = asyncio.Lock()

    async def load(self) -> dict[str, Any] | None:
        if not self.opens:
            raise CannotUnseal
        return dict(self.token) if self.token is not None else None

    async def save(self, token: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self._save(token)

    def _save(self, token: dict[str, Any]) -> None:
        if self.fail_saves:
            self.fail_saves -= 1
            raise OSError("disk full")
        self.token = dict(token)
        self.events.append(f"saved {token['access_token']}")

    async def replace(self, token: dict[str, Any], used: dict[str, Any]) -> bool:
        await asyncio.sleep(0)
        stored = (self.token or {}).get("refresh_token")
        if stored not in (used.get("refresh_token"), token.get("refresh_token")):
            return False
        self._save(token)
        return True

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        async with self._lock:
            yield
