"""The three sandbox CRMs, each with a server of its own that outlives hubs and can itself be gone for a while."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultKind, FaultLayer, SandboxRequest
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import Clock
from tests.support.vendor_server import serve

CRM_OF = {"amo": "amocrm", "b24": "bitrix24", "hs": "hubspot"}
"""Connection -> vendor, in all these tests."""


class AckLosingLayer(FaultLayer):
    """With `lose_acks` the answer to every call that makes deals is lost after the work is done."""

    lose_acks = False
    acks_lost = 0

    def _pick(self, request: SandboxRequest) -> Fault | None:
        if self.lose_acks and makes_deals(request):
            self.acks_lost += 1
            return Fault("reset_after")
        return super()._pick(request)


def makes_deals(request: SandboxRequest) -> bool:
    path = request.path.rstrip("/").removesuffix(".json")
    if path.endswith("/batch"):
        return b"crm.deal.add" in request.body
    return request.method == "POST" and path.endswith(
        ("/api/v4/leads", "crm.deal.add", "/deals", "/deals/batch/create")
    )


@dataclass
class Crm:
    """One vendor at one address. `down` closes the port, so that connections are refused; `up` opens it again."""

    vendor: Any
    layer: AckLosingLayer
    url: str = ""
    _server: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def up(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._server = contextlib.AsyncExitStack()
        self.url = await self._server.enter_async_context(serve(self.layer, port=port))

    async def down(self) -> None:
        await self._server.aclose()

    @contextlib.contextmanager
    def failing(self, kind: FaultKind, **how: Any) -> Iterator[Fault]:
        """This fault is in the way while the block runs."""
        fault = Fault(kind, **how)
        self.layer.faults.append(fault)
        try:
            yield fault
        finally:
            self.layer.faults.remove(fault)


@dataclass
class Crms:
    """By connection name: `amo`, `b24`, `hs`."""

    by_name: dict[str, Crm]

    def __getitem__(self, name: str) -> Crm:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Crm]:
        return iter(self.by_name.values())

    def vendors(self) -> dict[str, Any]:
        return {name: crm.vendor for name, crm in self.by_name.items()}

    def connections(self, *, oauth_of: tuple[str, ...] = ()) -> str:
        """The `connections:` of a config.yaml. Rates far above the vendors': time is for other things here."""
        amo, b24, hs = (self.by_name[name].url for name in CRM_OF)
        client = "client_id: sandbox-client, client_secret: sandbox-secret"
        oauth = f'oauth: {{{client}, redirect_uri: "http://127.0.0.1:8080/oauth"}}'
        amo_key, hs_key = (oauth if name in oauth_of else "access_token: sandbox" for name in ("amo", "hs"))
        return f"""
connections:
  amo: {{type: amocrm, base_url: "{amo}", {amo_key}, rate: {{calls: 1000}}}}
  b24: {{type: bitrix24, webhook_url: "{b24}/rest/1/sandbox/", rate: {{calls: 1000}}}}
  hs: {{type: hubspot, base_url: "{hs}", {hs_key}, rate: {{calls: 10000}}}}
"""


@contextlib.asynccontextmanager
async def running_crms(clock: Clock, *, seed: int = 1, search_lag_s: float = 0.0) -> AsyncIterator[Crms]:
    """All three, without their rate limits."""
    rng = random.Random(seed)
    vendors = {
        "amo": AmocrmSandbox(clock, rate=None, search_lag_s=search_lag_s),
        "b24": Bitrix24Sandbox(clock, rate=None, operating_limit_s=None),
        "hs": HubSpotSandbox(clock, rate=None, search_lag_s=search_lag_s),
    }
    crms = Crms({name: Crm(vendor, AckLosingLayer(vendor, clock, rng)) for name, vendor in vendors.items()})
    await asyncio.gather(*(crm.up() for crm in crms))
    noise = logging.getLogger("uvicorn.error")  # it is told of every connection that a fault has cut
    level = noise.level
    noise.setLevel(logging.CRITICAL + 1)
    try:
        yield crms
    finally:
        await asyncio.gather(*(crm.down() for crm in crms))
        noise.setLevel(level)
