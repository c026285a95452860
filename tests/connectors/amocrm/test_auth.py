"""OAuth against the sandbox: consent, single-use refresh, blocks that say nothing about the token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from connectors.amocrm import AmocrmClient, AmocrmSettings, exchange_code
from connectors.base import Opening
from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError
from connectors.http import CALL_LOG, CallRecord
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultLayer
from leads.clock import SystemClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

TOKENS = "POST /oauth2/access_token"


@dataclass
class Signed:
    crm: AmocrmClient
    box: AmocrmSandbox
    layer: FaultLayer
    opening: Opening
    tokens: MemoryTokens

    def expire(self) -> None:
        self.box.access_tokens = dict.fromkeys(self.box.access_tokens, 0.0)


@asynccontextmanager
async def signed_in(*, sign_in: bool = True, client_secret: str = "sandbox-secret") -> AsyncIterator[Signed]:
    clock = SystemClock()
    box = AmocrmSandbox(clock, rate=None)
    layer = FaultLayer(box, clock)
    async with serve(layer) as url:
        oauth = {"client_id": "sandbox-client", "client_secret": client_secret, "redirect_uri": box.redirect_uri}
        settings = AmocrmSettings.model_validate({"base_url": url, "oauth": oauth, "rate": {"calls": 1000}})
        tokens = MemoryTokens()
        opening = Opening("sales", settings, clock, tokens)
        if sign_in:
            await tokens.save(await exchange_code(opening, box.issue_code(), {}))
        crm = AmocrmClient(opening)
        try:
            yield Signed(crm, box, layer, opening, tokens)
        finally:
            await crm.close()


async def test_a_code_becomes_a_pair_that_works() -> None:
    async with signed_in() as x:
        await x.crm.ping()
        assert x.tokens.token is not None
        assert set(x.tokens.token) >= {"access_token", "refresh_token", "expires_at"}


async def test_a_code_works_once() -> None:
    async with signed_in(sign_in=False) as x:
        code = x.box.issue_code()
        await exchange_code(x.opening, code, {})
        with pytest.raises(AuthError, match="Authorization code has been revoked"):
            await exchange_code(x.opening, code, {})


async def test_a_consent_from_another_account_is_refused_and_never_called() -> None:
    """`referer` comes from the browser and may say anything."""
    async with signed_in(sign_in=False) as x:
        for referer in ("evil.example.com", "https://evil.example.com/", "acme.amocrm.ru.evil.example.com"):
            with pytest.raises(AuthError, match="another account"):
                await exchange_code(x.opening, x.box.issue_code(), {"referer": referer})
        assert x.layer.requests == []
        host = x.opening.settings.base_url.removeprefix("http://")  # type: ignore[attr-defined]
        assert (await exchange_code(x.opening, x.box.issue_code(), {"referer": host}))["access_token"]


async def test_before_signing_in_the_error_says_what_to_do() -> None:
    async with signed_in(sign_in=False) as x:
        with pytest.raises(AuthError, match="leadhub auth sales"):
            await x.crm.ping()


async def test_an_expired_token_is_refreshed_once_for_all_calls() -> None:
    async with signed_in() as x:
        x.expire()
        await asyncio.gather(*(x.crm.ping() for _ in range(10)))
        assert x.box.refreshes == 1
        assert x.tokens.token is not None
        assert x.tokens.token["refresh_token"] in x.box.refresh_tokens


async def test_two_open_clients_share_one_refresh() -> None:
    async with signed_in() as x:
        other = AmocrmClient(x.opening)
        x.expire()
        await asyncio.gather(x.crm.ping(), other.ping())
        await other.close()
        assert x.box.refreshes == 1


async def test_a_dead_refresh_token_is_an_auth_error() -> None:
    async with signed_in() as x:
        x.expire()
        x.box.refresh_tokens.clear()
        with pytest.raises(AuthError, match="Token has been revoked"):
            await x.crm.ping()


async def test_a_wrong_secret_is_an_auth_error_that_does_not_tell_it() -> None:
    async with signed_in(sign_in=False, client_secret="wrong-secret-value") as x:
        log: list[CallRecord] = []
        CALL_LOG.set(log)
        with pytest.raises(AuthError, match="client_secret") as caught:
            await exchange_code(x.opening, x.box.issue_code(), {})
        assert "wrong-secret-value" not in f"{caught.value}{log}"


@pytest.mark.parametrize("kind", ["html200", "502", "hang", "500_after", "reset"])
async def test_no_readable_answer_to_a_refresh_is_no_dead_token(kind: str) -> None:
    async with signed_in() as x:
        x.expire()
        x.layer.faults.append(Fault(kind, TOKENS, times=1, delay_s=0.05))  # type: ignore[arg-type]
        with pytest.raises(RetryableError):
            await x.crm.ping()
        if kind == "500_after":
            with pytest.raises(AuthError):  # the pair was spent, the answer lost: only now it is known
                await x.crm.ping()
        else:
            await x.crm.ping()


async def test_a_flood_block_of_the_token_endpoint_is_no_dead_token() -> None:
    """amocrm-api-php 434 and 563."""
    async with signed_in() as x:
        x.expire()
        original = x.box.handle

        def blocked(request):  # type: ignore[no-untyped-def]
            x.box.blocked = request.path == "/oauth2/access_token"
            return original(request)

        x.box.handle = blocked  # type: ignore[method-assign]
        with pytest.raises(RateLimitedError) as caught:
            await x.crm.ping()
        assert caught.value.retry_after_s == 300
        assert x.tokens.token is not None
        assert x.tokens.token["refresh_token"] in x.box.refresh_tokens


async def test_a_fixed_token_connection_has_nothing_to_exchange() -> None:
    settings = AmocrmSettings.model_validate({"base_url": "http://127.0.0.1:9", "access_token": "t"})
    with pytest.raises((AuthError, PermanentError)):
        await exchange_code(Opening("sales", settings, SystemClock(), MemoryTokens()), "code", {})
