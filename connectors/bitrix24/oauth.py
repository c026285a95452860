"""Signing in to a portal with an application: consent link, code -> tokens, refresh (fact sheet, section 1)."""

from typing import Any
from urllib.parse import urlencode

import httpx

from connectors.base import Opening, Rate
from connectors.bitrix24.answers import NO_ACCESS
from connectors.bitrix24.settings import Bitrix24OAuth, Bitrix24Settings
from connectors.errors import AuthError, ConnectorError, RateLimitedError, RetryableError
from connectors.http import VendorHttp, parse_json, retry_after_s, unreadable
from connectors.limits import Limiter
from connectors.oauth import Token, token_from_answer
from leads.clock import Clock

FLOOD_S = 30.0
_REFUSED = set(NO_ACCESS) | {"INVALID_REQUEST", "WRONG_CLIENT", "EXPIRED_TOKEN"}
_FLOOD = {"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "TOO_MANY_REQUESTS", "SLOW_DOWN"}


def authorize_url(settings: Bitrix24Settings, state: str) -> str:
    """Where an administrator of the portal agrees. The code that comes back lives 30 seconds."""
    if settings.oauth is None:
        raise ValueError("this connection uses a webhook: there is nothing to sign in to")
    return f"{settings.site()}/oauth/authorize/?{urlencode({'client_id': settings.oauth.client_id, 'state': state})}"


async def exchange_code(opening: Opening, code: str, extra: dict[str, str]) -> dict[str, Any]:
    """Tokens for the code of the redirect, stored and returned. `extra` holds its other parameters (domain, member_id).

    Raises AuthError when the code is refused (it may be older than 30 s).
    """
    endpoint = TokenEndpoint(opening)
    try:
        token = await endpoint.ask({"grant_type": "authorization_code", "code": code}, previous=None)
    finally:
        await endpoint.close()
    for name in ("member_id", "domain"):
        if extra.get(name) and not token.get(name):
            token[name] = extra[name]
    async with opening.tokens.exclusively():
        await opening.tokens.save(token)
    return token


class TokenEndpoint:
    """`GET {server}/oauth/token/`: a server of its own with limits of its own."""

    def __init__(self, opening: Opening) -> None:
        settings = opening.settings
        assert isinstance(settings, Bitrix24Settings)
        if settings.oauth is None:
            raise ValueError("this connection uses a webhook: there are no tokens to ask for")
        self._oauth: Bitrix24OAuth = settings.oauth
        self._clock: Clock = opening.clock
        self._http = VendorHttp(
            base_url=settings.oauth.server,
            clock=opening.clock,
            limiter=Limiter(Rate(calls=4), opening.clock),
            interpret=self._interpret,
            transport=opening.transport,
            user_agent=opening.user_agent,
            secrets=settings.secrets(),
        )

    async def refresh(self, token: Token) -> Token:
        """A new pair for the old one. AuthError only when the refresh token is refused."""
        grant = {"grant_type": "refresh_token", "refresh_token": str(token["refresh_token"])}
        return await self.ask(grant, previous=token)

    async def ask(self, grant: dict[str, str], *, previous: Token | None) -> Token:
        secret = self._oauth.client_secret.get_secret_value()
        params = {"client_id": self._oauth.client_id, "client_secret": secret, **grant}
        self._http.secrets += [value for name, value in grant.items() if name in ("code", "refresh_token")]
        # Tokens come back in the body: what is kept of it must not hold them (`redact` knows their names).
        answer = await self._http.call("oauth.token", "GET", "/oauth/token/", writes=True, params=params)
        return token_from_answer(answer, self._clock.now(), previous)

    async def close(self) -> None:
        await self._http.close()

    def _interpret(self, operation: str, response: httpx.Response, writes: bool) -> Any:
        body = parse_json(operation, response, writes=writes)
        if not isinstance(body, dict):
            raise unreadable(operation, response, writes=writes)
        if body.get("error"):
            raise self._refusal(operation, str(body["error"]).upper(), response, writes)
        if not response.is_success or not body.get("access_token") or not body.get("refresh_token"):
            raise unreadable(operation, response, writes=writes)
        return body

    def _refusal(self, operation: str, code: str, response: httpx.Response, writes: bool) -> ConnectorError:
        status = response.status_code
        if code in _FLOOD or status == 429:
            wait_s = retry_after_s(response, self._clock.now()) or FLOOD_S
            return RateLimitedError(code, operation, status, retry_after_s=wait_s)
        if code in _REFUSED:
            return AuthError(f"{NO_ACCESS.get(code, 'the authorization was refused')} ({code})", operation, status)
        if status >= 500:
            return unreadable(operation, response, writes=writes)
        if 400 <= status < 500:
            return AuthError(f"the token request was refused ({code})", operation, status)
        return RetryableError(code, operation, status)
