"""OAuth against the sandbox: the code, the refresh, a token that runs out in the middle of the work."""

from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.base import ContactDraft, Opening
from connectors.errors import AuthError, RetryableError
from connectors.hubspot import HubSpotSettings, authorize_url, exchange_code
from connectors.sandbox.base import Fault
from tests.connectors.hubspot.conftest import Account

APP = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "redirect_uri": "https://hub.example.com/back"}


def opening(account: Account, **app: str) -> Opening:
    settings = HubSpotSettings.model_validate({"base_url": account.url, "oauth": {**APP, **app}})
    return Opening("hs", settings, account.sandbox.clock, account.tokens)


@pytest.fixture
async def signed_in(account: Account) -> Account:
    await exchange_code(opening(account), "sandbox-code", {})
    return account


def test_the_link_names_the_app_the_way_back_and_the_rights() -> None:
    settings = HubSpotSettings.model_validate({"oauth": APP})
    parts = urlsplit(authorize_url(settings, "state-1"))
    query = parse_qs(parts.query)
    assert (parts.netloc, parts.path) == ("app.hubspot.com", "/oauth/authorize")
    assert query["client_id"] == ["sandbox-client"]
    assert query["redirect_uri"] == ["https://hub.example.com/back"]
    assert query["state"] == ["state-1"]
    assert {"oauth", "crm.objects.deals.write"} <= set(query["scope"][0].split(" "))
    assert "sandbox-secret" not in parts.query


async def test_a_code_becomes_a_stored_pair_of_tokens(signed_in: Account) -> None:
    token = signed_in.tokens.token
    assert token is not None
    assert token["access_token"].startswith("sandbox-access")
    assert token["expires_at"] - token["obtained_at"] == pytest.approx(1800)
    grant = signed_in.sandbox.requests[-1]
    assert (grant.path, grant.query) == ("/oauth/2026-03/token", [])
    assert dict(grant.form())["redirect_uri"] == "https://hub.example.com/back"
    assert await signed_in.client(oauth=APP).create(ContactDraft(key="p-1", name="Иван")) in signed_in.sandbox.contacts


async def test_a_refused_code_is_an_auth_error_without_the_secret(account: Account) -> None:
    for given in ({"code": "wrong"}, {"code": "sandbox-code", "client_secret": "wrong-secret"}):
        code = given.pop("code")
        with pytest.raises(AuthError) as caught:
            await exchange_code(opening(account, **given), code, {})
        assert "secret" not in str(caught.value)
    assert account.tokens.saved == []


async def test_a_token_that_runs_out_is_renewed_and_the_call_repeated_once(signed_in: Account) -> None:
    client = signed_in.client(oauth=APP)
    await client.ping()
    signed_in.sandbox.tokens.expire()
    assert await client.create(ContactDraft(key="p-1", name="Иван")) in signed_in.sandbox.contacts
    assert [token["access_token"] for token in signed_in.tokens.saved] == ["sandbox-access-1", "sandbox-access-2"]
    assert signed_in.tokens.saved[1]["refresh_token"] == "sandbox-refresh-1"


async def test_a_revoked_grant_is_an_auth_error(signed_in: Account) -> None:
    client = signed_in.client(oauth=APP)
    signed_in.sandbox.tokens.expire()
    signed_in.sandbox.tokens.refresh.clear()
    with pytest.raises(AuthError):
        await client.ping()


@pytest.mark.parametrize("kind", ["500", "429", "html200", "reset"])
async def test_a_token_endpoint_in_trouble_is_no_dead_token(signed_in: Account, kind: str) -> None:
    client = signed_in.client(oauth=APP)
    signed_in.sandbox.tokens.expire()
    signed_in.faults.faults.append(Fault(kind, match="/oauth/", times=1))  # type: ignore[arg-type]
    with pytest.raises(RetryableError):
        await client.ping()
    client = signed_in.client(oauth=APP)
    await client.ping()


async def test_who_has_not_signed_in_is_told_how(account: Account) -> None:
    with pytest.raises(AuthError, match="leadhub auth hs"):
        await account.client(oauth=APP).ping()
