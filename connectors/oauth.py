"""OAuth access tokens of one connection: refreshed ahead of time, one refresh at a time, stored before use."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from connectors.errors import CANNOT_OPEN, NOT_SIGNED_IN, AuthError, ConnectorError, RetryableError, UnknownOutcomeError
from connectors.tokens import TokenStore
from leads.clock import Clock
from leads.sealed import CannotUnseal

log = logging.getLogger(__name__)

AHEAD_SHARE = 0.25
AHEAD_MAX_S = 3600.0
AHEAD_UNKNOWN_S = 300.0
"""A token is renewed when this share of its life is left, at most AHEAD_MAX_S; AHEAD_UNKNOWN_S if its life is unknown.
Early, because a refresh whose reply is lost may have spent the refresh token: until the old access token runs out,
leads still flow and a person has time to sign in again."""
TRY_AGAIN_S = 30.0
"""After a refresh ahead of time failed, the token that still works is used for so long before the next try."""
RACE_WAIT_S = 1.0
"""How long the winner of a refresh race may need from the vendor's answer to the stored token."""
STORE_AGAIN_S = 0.25
"""A pair that could not be stored is tried again so often, well within RACE_WAIT_S: who refreshes next waits for it."""
CLOSE_WAIT_S = 5.0

REPEATS = 2
"""A call that gets a 401 is sent so often again, each time with a newer token."""

Token = dict[str, Any]
"""`access_token`, `refresh_token`, `expires_at` and `obtained_at` (unix seconds), plus what the vendor adds."""
Refresh = Callable[[Token], Awaitable[Token]]
"""Old token -> new one. AuthError when the vendor refuses the refresh token, and only then."""
Answer = TypeVar("Answer")


class Bearer(Protocol):
    """Where a connection gets its access token from."""

    async def access_token(self) -> str: ...

    async def refused(self, old: str) -> str:
        """After a 401 to `old`: another token to try once, or AuthError."""
        ...

    async def close(self) -> None: ...


class FixedToken:
    """A token from the settings: nothing can be done when it is refused."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access_token(self) -> str:
        return self._token

    async def refused(self, old: str) -> str:
        raise AuthError("the access token is refused", "token", 401)

    async def close(self) -> None:
        return None


class OAuthTokens:
    """A token pair kept in a TokenStore.

    One refresh at a time, over all processes (`TokenStore.exclusively`). The refresh runs in
    a task of its own: a caller that is cancelled must not take a new, not yet stored pair along.
    """

    def __init__(self, tokens: TokenStore, refresh: Refresh, clock: Clock, *, name: str = "") -> None:
        self._tokens = tokens
        self._refresh = refresh
        self._clock = clock
        self._name = name
        self._token: Token | None = None
        self._unsaved: Token | None = None
        self._storing: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[str] | None = None
        self._not_ahead_before = float("-inf")

    async def access_token(self) -> str:
        """A token that should work. Raises AuthError when there is none, RetryableError when it cannot be had now."""
        if self._unsaved is not None:
            raise RetryableError("the new token is not stored yet", "token")
        if self._token is None:
            self._token = await self._load()
        token = self._token
        left_s = seconds_left(token, self._clock.now())
        if left_s is None or left_s > ahead_s(token):
            return str(token["access_token"])
        if left_s > 0 and self._clock.monotonic() < self._not_ahead_before:
            return str(token["access_token"])
        try:
            return await self._renewed(str(token["access_token"]))
        except ConnectorError as error:
            if left_s <= 0 or self._unsaved is not None:
                raise
            self._not_ahead_before = self._clock.monotonic() + TRY_AGAIN_S
            fields = {"event": "oauth.refresh_failed", "connection": self._name, "error": str(error), "left_s": left_s}
            log.warning("token refresh failed ahead of time", extra=fields)
            return str(token["access_token"])

    async def refused(self, old: str) -> str:
        """A newer token after the vendor answered 401 to `old`; raises AuthError when the refresh is refused too."""
        current = self._token
        if self._unsaved is None and current is not None and current["access_token"] != old:
            return str(current["access_token"])
        return await self._renewed(old)

    async def close(self) -> None:
        """Waits for a refresh under way, and a while for a store that is away: the new pair must reach it."""
        if self._renewal is not None and not self._renewal.done():
            await asyncio.wait([self._renewal])
        if self._storing is not None:
            await asyncio.wait([self._storing], timeout=CLOSE_WAIT_S)
            self._storing.cancel()

    async def _renewed(self, old: str) -> str:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._renew(old))
            self._renewal.add_done_callback(_collect)
        return await asyncio.shield(self._renewal)

    async def _renew(self, old: str) -> str:
        async with _store_errors(), self._tokens.exclusively():
            if self._unsaved is not None:
                raise RetryableError("the new token is not stored yet", "token")
            stored = await self._load()
            left_s = seconds_left(stored, self._clock.now())
            if stored["access_token"] != old and (left_s is None or left_s > 0):
                self._token = stored  # another process was first
                return str(stored["access_token"])
            if not stored.get("refresh_token"):
                raise AuthError("the access token is refused and there is no refresh token", "token", 401)
            return await self._exchange(stored)

    async def _exchange(self, stored: Token) -> str:
        try:
            fresh = await self._refresh(stored)
        except UnknownOutcomeError as error:
            # The pair may be spent. The next call tries it once more and then knows.
            raise RetryableError("no answer to the token refresh", "token", error.status) from error
        except AuthError:
            newer = await self._newer_than(stored)
            if newer is None:
                raise
            self._token = newer
            return str(newer["access_token"])
        return await self._keep(fresh, stored)

    async def _keep(self, fresh: Token, used: Token) -> str:
        """Stores, then uses. A pair that cannot be stored now is stored as soon as that works, whoever owns us then."""
        try:
            await self._tokens.save(fresh)
        except Exception:
            self._unsaved = fresh
            self._storing = asyncio.get_running_loop().create_task(self._keep_later(fresh, used))
            raise
        self._token = fresh
        return str(fresh["access_token"])

    async def _keep_later(self, fresh: Token, used: Token) -> None:
        """By comparing instead of the lock: its next holder may be waiting for this very pair."""
        log.warning("a new token waits to be stored", extra={"event": "oauth.not_stored", "connection": self._name})
        while True:
            await self._clock.sleep(STORE_AGAIN_S)
            try:
                ours = await self._tokens.replace(fresh, used)
            except Exception as error:  # whatever it is, there is nothing better to do than to try again
                log.debug("still not stored", extra={"event": "oauth.not_stored", "error": type(error).__name__})
                continue
            self._token, self._unsaved = fresh if ours else None, None
            return

    async def _newer_than(self, used: Token) -> Token | None:
        """What the store holds if somebody refreshed in spite of the lock: a lost race is not a dead token."""
        for wait_s in (0.0, RACE_WAIT_S):
            if wait_s:
                await self._clock.sleep(wait_s)
            stored = await self._load()
            if stored.get("refresh_token") != used.get("refresh_token"):
                return stored
        return None

    async def _load(self) -> Token:
        async with _store_errors():
            token = await self._tokens.load()
        if not token or not token.get("access_token"):
            raise AuthError(f"{NOT_SIGNED_IN}: run `leadhub auth {self._name or 'CONNECTION'}`", "token")
        return token


async def authorised(bearer: Bearer, send: Callable[[str], Awaitable[Answer]]) -> Answer:
    """`send(access token)`; after a 401 (which does no work) again with a newer token, and once more after that.

    One repeat is not enough: while a slow call is on its way another process may renew, and that ends our newer one.
    """
    token = await bearer.access_token()
    for _ in range(REPEATS):
        try:
            return await send(token)
        except AuthError as error:
            if error.status != 401:
                raise
            token = await bearer.refused(token)
    return await send(token)


def token_from_answer(answer: Any, now: datetime, previous: Token | None = None) -> Token:
    """A token endpoint's JSON as we store it; raises ValueError when it holds no token.

    `previous` supplies what the answer leaves out (a refresh token that stays the same, vendor extras).
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
        raise ValueError("no access token in the answer")
    token = {**(previous or {}), **answer, "obtained_at": now.timestamp()}
    token.pop("expires_at", None)
    lifetime = token.pop("expires_in", None)
    if isinstance(lifetime, int | float | str) and str(lifetime).replace(".", "", 1).isdigit():
        token["expires_at"] = now.timestamp() + float(lifetime)
    return token


def seconds_left(token: Token, now: datetime) -> float | None:
    """Until `token` runs out, by our clock; None when it does not say."""
    expires_at = token.get("expires_at")
    return None if expires_at is None else float(expires_at) - now.timestamp()


def ahead_s(token: Token) -> float:
    """How long before its end `token` is renewed."""
    if token.get("obtained_at") is None or token.get("expires_at") is None:
        return AHEAD_UNKNOWN_S
    life_s = float(token["expires_at"]) - float(token["obtained_at"])
    return min(AHEAD_MAX_S, max(0.0, life_s) * AHEAD_SHARE)


def _collect(task: asyncio.Task[str]) -> None:
    """Takes the error of a refresh that nobody waits for any more, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def _store_errors() -> AsyncIterator[None]:
    """A store that fails (database away) happens before anything was sent to the vendor: the call may be repeated.

    One that cannot be opened stays so until a person gives the key back or signs in again.
    """
    try:
        yield
    except ConnectorError:
        raise
    except CannotUnseal as exc:
        raise AuthError(CANNOT_OPEN, "token") from exc
    except Exception as exc:
        raise RetryableError(f"the token store failed ({type(exc).__name__})", "token") from exc
