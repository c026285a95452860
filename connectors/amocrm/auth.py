"""amoCRM's OAuth: where a person consents, and the two exchanges of the token endpoint."""

import asyncio
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from connectors.amocrm.settings import CALLS_PER_S, AmocrmOAuth, AmocrmSettings
from connectors.base import Opening, Rate
from connectors.errors import AuthError, RateLimitedError, UnknownOutcomeError
from connectors.http import VendorHttp, retry_after_s, unreadable
from connectors.limits import Limiter
from connectors.oauth import Token, token_from_answer
from leads.clock import Clock

EXCHANGE_PATH = "/oauth2/access_token"
FLOOD_S = 300.0
VENDOR_HOSTS = {".kommo.com": "https://www.kommo.com", ".amocrm.com": "https://www.amocrm.ru"}
DEFAULT_CONSENT = "https://www.amocrm.ru"


class TokenEndpoint:
    """Asks `{account}/oauth2/access_token`.

    A refusal is JSON with status 400 or 401. A 403 or a page in HTML is the flood block of the
    whole address and says nothing about the token (issues 434 and 563 of the vendor's PHP client).
    """

    def __init__(
        self,
        settings: AmocrmSettings,
        clock: Clock,
        limiter: Limiter,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "leadhub",
    ) -> None:
        self._oauth = oauth_of(settings)
        self._clock = clock
        self._limiter = limiter
        self._http = VendorHttp(
            base_url=settings.base_url,
            clock=clock,
            limiter=limiter,
            interpret=self._interpret,
            transport=transport,
            user_agent=user_agent,
            secrets=[self._oauth.client_secret.get_secret_value()],
        )

    async def refresh(self, old: Token) -> Token:
        grant = {"grant_type": "refresh_token", "refresh_token": old.get("refresh_token", "")}
        return await self._ask("refresh token", grant, old)

    async def exchange(self, code: str) -> Token:
        return await self._ask("exchange code", {"grant_type": "authorization_code", "code": code}, None)

    async def close(self) -> None:
        await self._http.close()

    async def _ask(self, operation: str, grant: dict[str, str], old: Token | None) -> Token:
        body = {
            "client_id": self._oauth.client_id,
            "client_secret": self._oauth.client_secret.get_secret_value(),
            "redirect_uri": self._oauth.redirect_uri,
            **grant,
        }
        # Without a turn of the limiter: whoever needs the token may hold one already.
        answer = await self._http.send(operation, "POST", EXCHANGE_PATH, writes=True, json=body)
        try:
            return token_from_answer(answer, self._clock.now(), old)
        except ValueError as exc:
            raise UnknownOutcomeError(str(exc), operation, 200) from exc

    def _interpret(self, operation: str, response: httpx.Response, writes: bool) -> Any:
        status = response.status_code
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if status == 429 or (answer is None and 300 <= status < 500) or status == 403:
            wait_s = retry_after_s(response, self._clock.now()) or (1.0 if status == 429 else FLOOD_S)
            self._limiter.pause(wait_s)
            raise RateLimitedError("the token endpoint is closed for now", operation, status, retry_after_s=wait_s)
        if status == 200 and isinstance(answer, dict):
            return answer
        if 400 <= status < 500:
            hint = answer.get("hint") if isinstance(answer, dict) else None
            raise AuthError(f"refused: {hint}" if isinstance(hint, str) else "refused", operation, status)
        raise unreadable(operation, response, writes=writes)


def authorize_url(settings: AmocrmSettings, state: str) -> str:
    """Where the account's administrator consents; the code comes back to `redirect_uri` and lives 20 minutes."""
    host = urlsplit(settings.base_url).hostname or ""
    if host.endswith(".amocrm.ru"):
        base = DEFAULT_CONSENT
    else:
        base = next((url for suffix, url in VENDOR_HOSTS.items() if host.endswith(suffix)), settings.base_url)
    query = {"client_id": oauth_of(settings).client_id, "state": state, "mode": "popup"}
    return f"{base}/oauth?{urlencode(query)}"


async def exchange_code(opening: Opening, code: str, extra: dict[str, str]) -> dict[str, Any]:
    """The token pair for a consent code. `extra` are the other parameters of the redirect.

    `referer` names the account that consented and could have been made up by anybody: it is
    only compared with the configured account, never called. The caller stores the answer.
    """
    settings = opening.settings
    assert isinstance(settings, AmocrmSettings)
    referer = extra.get("referer", "")
    ours = urlsplit(settings.base_url)
    if referer and (urlsplit(referer).netloc or referer).lower() not in (ours.netloc.lower(), ours.hostname):
        raise AuthError("the consent is from another account than base_url names", "exchange code")
    limiter = Limiter(Rate(CALLS_PER_S), opening.clock)
    endpoint = TokenEndpoint(settings, opening.clock, limiter, opening.transport, opening.user_agent)
    try:
        return await endpoint.exchange(code)
    finally:
        await asyncio.shield(endpoint.close())


def oauth_of(settings: AmocrmSettings) -> AmocrmOAuth:
    if settings.oauth is None:
        raise AuthError("this connection uses a fixed access token, not OAuth", "auth")
    return settings.oauth
