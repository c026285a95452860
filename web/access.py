"""Who may use the JSON API: a bearer token, of which only the SHA-256 is kept."""

import contextlib
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from jobs.hub import Hub
from store import users
from store.db import StoreUnavailable

BEARER = HTTPBearer(auto_error=False, description="A token made with `leadhub token create NAME`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


class TokenGate:
    """A dependency: the name of the caller's token, or 401."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, credentials: Credentials) -> str:
        if credentials is None:
            raise _refused("send Authorization: Bearer and a token made with `leadhub token create NAME`")
        digest = users.digest(credentials.credentials)
        found = await self._hub.db.read(users.find_token, digest)
        if found is None:
            raise _refused("the token is not known")
        now = self._hub.clock.now()
        if users.is_stale(found, now):
            with contextlib.suppress(StoreUnavailable):  # reading still works, and that is what was asked
                await self._hub.db.write(users.mark_used, digest, now)
        return found.name


def _refused(why: str) -> HTTPException:
    return HTTPException(401, why, headers={"WWW-Authenticate": "Bearer"})
