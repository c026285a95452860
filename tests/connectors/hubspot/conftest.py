"""A HubSpot client on a sandbox over real HTTP; every exchange is held against HubSpot's schemas."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.base import Opening
from connectors.hubspot import HubSpotClient, HubSpotSettings
from connectors.sandbox.base import FaultLayer, SandboxRequest, SandboxResponse
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import Clock, SystemClock
from tests.connectors.hubspot.schemas import exchange_problems
from tests.support.vendor_server import serve


class MemoryTokens:
    """A TokenStore for one process."""

    def __init__(self, token: dict[str, Any] | None = None) -> None:
        self.token = token
        self.saved: list[dict[str, Any]] = []

    async def load(self) -> dict[str, Any] | None:
        return self.token

    async def save(self, token: dict[str, Any]) -> None:
        self.token = token
        self.saved.append(token)

    async def replace(self, token: dict[str, Any], used: dict[str, Any]) -> bool:
        await self.save(token)
        return True

    def exclusively(self) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def alone() -> AsyncIterator[None]:
            yield

        return alone()


class CheckedSandbox(HubSpotSandbox):
    """Keeps what does not fit the schemas, and every request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.problems: list[str] = []
        self.requests: list[SandboxRequest] = []
        self.refused = 0
        self.no_search = 0
        """The status that every search is answered with; 0: it is there."""

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        self.requests.append(request)
        if self.no_search and request.path.endswith("/search"):
            return SandboxResponse(self.no_search, {"status": "error", "message": "not for you"})
        response = super().handle(request)
        self.refused += response.status == 429
        self.problems += exchange_problems(request, response)
        return response

    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


@dataclass
class Account:
    sandbox: CheckedSandbox
    faults: FaultLayer
    url: str
    tokens: MemoryTokens = field(default_factory=MemoryTokens)
    clients: list[HubSpotClient] = field(default_factory=list)

    def client(self, clock: Clock | None = None, **settings: Any) -> HubSpotClient:
        if "oauth" not in settings:
            settings.setdefault("access_token", "sandbox")
        given = HubSpotSettings.model_validate({"base_url": self.url, **settings})
        opening = Opening(name="hs", settings=given, clock=clock or self.sandbox.clock, tokens=self.tokens)
        client = HubSpotClient.open(opening)
        self.clients.append(client)
        return client


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = CheckedSandbox(SystemClock(), rate=None, search_lag_s=0.0)
    layer = FaultLayer(sandbox, sandbox.clock)
    async with serve(layer, path="/hubspot") as url:
        account = Account(sandbox, layer, url)
        yield account
        for client in account.clients:
            await client.close()
    assert sandbox.problems == []


@pytest.fixture
def client(account: Account) -> HubSpotClient:
    return account.client()
