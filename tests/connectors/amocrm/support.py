"""An open amoCRM connection against the sandbox over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.amocrm import AmocrmClient, AmocrmSettings
from connectors.base import ContactDraft, DealDraft, Hint, Opening
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultKind, FaultLayer
from leads.clock import Clock, SystemClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

IVAN = ContactDraft("person-1", "Иван Иванов", ("+79161234567",), ("ivan@example.ru",))


def deal(contact_id: str, key: str = "lead-1", **more: Any) -> DealDraft:
    return DealDraft(key, "Заявка с сайта", contact_id=contact_id, source="site", **more)


@dataclass
class Connected:
    crm: AmocrmClient
    box: AmocrmSandbox
    layer: FaultLayer
    url: str
    clock: Clock

    def fail(self, kind: FaultKind, match: str, **more: Any) -> Fault:
        fault = Fault(kind, match, **{"times": 1, "delay_s": 0.05, **more})
        self.layer.faults.append(fault)
        return fault

    def hint(self, contact_id: str = "", deal_id: str = "") -> Hint:
        return Hint(self.clock.now(), contact_id, deal_id)

    def paths(self, start: int = 0) -> list[str]:
        return [f"{method} {path}" for _, method, path in self.layer.requests[start:]]


@asynccontextmanager
async def connected(*, settings: dict[str, Any] | None = None, **sandbox: Any) -> AsyncIterator[Connected]:
    """The client with a pace that no test waits for, the sandbox without its limit unless `rate` is given."""
    clock = SystemClock()
    box = AmocrmSandbox(clock, **{"rate": None, **sandbox})
    layer = FaultLayer(box, clock)
    async with serve(layer, path="/amocrm") as url:
        given = {"base_url": url, "access_token": "sandbox", "rate": {"calls": 1000}, **(settings or {})}
        opening = Opening("sales", AmocrmSettings.model_validate(given), clock, MemoryTokens())
        crm = AmocrmClient(opening)
        try:
            yield Connected(crm, box, layer, url, clock)
        finally:
            await crm.close()
