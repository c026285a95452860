"""A Bitrix24 portal of our own on loopback, and a client that talks to it over real HTTP."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.base import Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.sandbox.base import Fault, FaultKind, FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from leads.clock import SystemClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve


@dataclass
class Portal:
    sandbox: Bitrix24Sandbox
    layer: FaultLayer
    url: str
    open: Callable[..., Bitrix24Client]

    def fail(self, kind: FaultKind, match: str = "", times: int = 1, delay_s: float = 0.2) -> None:
        self.layer.faults.append(Fault(kind, match, times=times, delay_s=delay_s))

    def methods(self) -> list[str]:
        """Methods of all requests so far, in order."""
        return [path.rpartition("/")[2] for _, _, path in self.layer.requests]


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    clock = SystemClock()
    sandbox = Bitrix24Sandbox(clock)
    layer = FaultLayer(sandbox, clock)
    opened: list[Bitrix24Client] = []
    async with serve(layer, path="/bitrix24") as url:

        def open_client(**settings: Any) -> Bitrix24Client:
            tokens = settings.pop("tokens", None) or MemoryTokens()
            if "oauth" not in settings:
                settings.setdefault("webhook_url", f"{url}/rest/1/sandbox/")
            opening = Opening("b24", Bitrix24Settings.model_validate(settings), clock, tokens)
            client = Bitrix24Client(opening)
            opened.append(client)
            return client

        yield Portal(sandbox, layer, url, open_client)
        for client in opened:
            await client.close()
