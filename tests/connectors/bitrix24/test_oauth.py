"""An application instead of a webhook: sign-in, refresh, and what a refused token means."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.base import ContactDraft, Opening
from connectors.bitrix24 import Bitrix24Settings, authorize_url, exchange_code
from connectors.errors import AuthError, RetryableError
from connectors.http import CALL_LOG, CallRecord
from leads.clock import SystemClock
from tests.connectors.bitrix24.conftest import Portal
from tests.support.token_store import MemoryTokens

OAUTH = {"client_id": "local.sandbox", "client_secret": "sandbox-secret"}


def settings(portal: Portal, **more: Any) -> dict[str, Any]:
    return {"oauth": {**OAUTH, "server": portal.url, **more}, "base_url": portal.url}


def tokens(portal: Portal) -> MemoryTokens:
    access, refresh = portal.sandbox.authority.pair()
    now = SystemClock().now().timestamp()
    token = {"access_token": access, "refresh_token": refresh, "obtained_at": now, "expires_at": now + 3600}
    return MemoryTokens(token)


def test_the_consent_link_names_the_portal_and_the_application() -> None:
    given = Bitrix24Settings.model_validate({"oauth": OAUTH, "portal": "mycompany.bitrix24.ru"})
    link = urlsplit(authorize_url(given, "state-1"))
    assert (link.scheme, link.netloc, link.path) == ("https", "mycompany.bitrix24.ru", "/oauth/authorize/")
    assert parse_qs(link.query) == {"client_id": ["local.sandbox"], "state": ["state-1"]}


async def test_a_code_becomes_stored_tokens_that_work(portal: Portal) -> None:
    store = MemoryTokens()
    opening = Opening("b24", Bitrix24Settings.model_validate(settings(portal)), SystemClock(), store)
    token = await exchange_code(opening, portal.sandbox.authority.code(), {"domain": "portal.example.ru"})
    assert store.token == token
    assert token["member_id"]
    await portal.open(**settings(portal), tokens=store).ping()


async def test_a_code_that_is_used_twice_is_refused(portal: Portal) -> None:
    opening = Opening("b24", Bitrix24Settings.model_validate(settings(portal)), SystemClock(), MemoryTokens())
    code = portal.sandbox.authority.code()
    await exchange_code(opening, code, {})
    with pytest.raises(AuthError):
        await exchange_code(opening, code, {})


async def test_an_expired_token_is_refreshed_once_for_all_who_wait(portal: Portal) -> None:
    store = tokens(portal)
    client = portal.open(**settings(portal), tokens=store, max_batch=1)
    portal.sandbox.authority.expire()
    made = await asyncio.gather(*(client.create(ContactDraft(f"p{number}", "Имя")) for number in range(8)))
    assert len(set(made)) == 8
    assert portal.sandbox.authority.refreshes == 1
    assert store.token is not None
    assert store.token["access_token"] in portal.sandbox.authority.state.access


async def test_a_refused_refresh_stops_the_connection(portal: Portal) -> None:
    client = portal.open(**settings(portal), tokens=tokens(portal))
    portal.sandbox.authority.revoke()
    portal.fail("401", "/rest/")
    with pytest.raises(AuthError):
        await client.ping()


async def test_a_token_server_that_is_busy_or_broken_is_not_a_dead_token(portal: Portal) -> None:
    for kind in ("502", "500", "reset", "html200"):
        store = tokens(portal)
        client = portal.open(**settings(portal), tokens=store)
        portal.sandbox.authority.expire()
        portal.fail(kind, "/oauth/token")  # type: ignore[arg-type]  # all are kinds of faults
        with pytest.raises(RetryableError):
            await client.ping()
        await client.ping()


async def test_an_invalid_token_is_not_refreshed(portal: Portal) -> None:
    store = tokens(portal)
    client = portal.open(**settings(portal), tokens=store)
    portal.sandbox.authority.state.access.clear()
    with pytest.raises(AuthError):
        await client.ping()
    assert portal.sandbox.authority.refreshes == 0


async def test_no_token_reaches_what_is_kept_of_a_call(portal: Portal) -> None:
    store = tokens(portal)
    client = portal.open(**settings(portal), tokens=store)
    first = dict(store.token or {})
    portal.sandbox.authority.expire()
    log: list[CallRecord] = []
    CALL_LOG.set(log)
    await client.create(ContactDraft("p1", "Иван"))
    kept = " ".join(f"{call.url} {call.request} {call.answer}" for call in log)
    assert store.token is not None
    for secret in (first["access_token"], first["refresh_token"], store.token["access_token"], "sandbox-secret"):
        assert secret not in kept
    assert store.token["refresh_token"] not in kept
