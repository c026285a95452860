"""How the contract suite meets each vendor: its sandbox, its settings, where its records lie. One row per connector."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import connectors
from connectors.base import Capabilities, Connector, Hint, Kind, Opening, Target
from connectors.registry import CONNECTORS
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultKind, FaultLayer, VendorSandbox
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import Clock, SystemClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve


@dataclass(frozen=True)
class Vendor:
    """`sandbox` makes one without limits and lag; `settings` is what config.yaml would say of it at that address.

    `rows`: kind -> attribute of the sandbox that holds its records. `create`: kind -> part of "METHOD /path" of the
    request that makes one. `hide_users` takes away the right to list users; `delete_contact` and `close_deal` do what
    a person does in the CRM.
    """

    sandbox: Callable[[Clock], VendorSandbox]
    settings: Callable[[str], dict[str, Any]]
    rows: Mapping[Kind, str]
    create: Mapping[Kind, str]
    hide_users: Callable[["Connected"], object]
    delete_contact: Callable[[Any, str], object]
    close_deal: Callable[[Any, str], object]


VENDORS: Final[Mapping[str, Vendor]] = {
    "amocrm": Vendor(
        sandbox=lambda clock: AmocrmSandbox(clock, rate=None),
        settings=lambda url: {"base_url": url, "access_token": "sandbox", "rate": {"calls": 1000}},
        rows={
            "contact": "contacts",
            "company": "companies",
            "deal": "deals",
            "note": "notes",
            "task": "tasks",
            "call": "calls",
        },
        create={
            "contact": "POST /api/v4/contacts",
            "company": "POST /api/v4/companies",
            "deal": "POST /api/v4/leads",
            "note": "POST /api/v4/leads",
            "task": "POST /api/v4/tasks",
            "call": "POST /api/v4/leads",
        },
        hide_users=lambda crm: setattr(crm.box, "admin", False),
        delete_contact=lambda box, id_: box.contacts.pop(id_),
        close_deal=lambda box, id_: box.deals[id_].update(status_id=143),
    ),
    "bitrix24": Vendor(
        sandbox=lambda clock: Bitrix24Sandbox(clock, rate=None),
        settings=lambda url: {"webhook_url": f"{url}/rest/1/sandbox/", "rate": {"calls": 1000}},
        rows={
            "contact": "contacts",
            "company": "companies",
            "deal": "deals",
            "note": "comments",
            "task": "activities",
            "call": "activities",
        },
        create={
            "contact": "crm.contact.add",
            "company": "crm.company.add",
            "deal": "crm.deal.add",
            "note": "crm.timeline.comment.add",
            "task": "crm.activity.todo.add",
            "call": "crm.activity.add",
        },
        hide_users=lambda crm: crm.box.without.add("user.get"),
        delete_contact=lambda box, id_: box.contacts.pop(id_),
        close_deal=lambda box, id_: box.deals[id_].update(STAGE_ID="LOSE", STAGE_SEMANTIC_ID="F", CLOSED="Y"),
    ),
    "hubspot": Vendor(
        sandbox=lambda clock: HubSpotSandbox(clock, rate=None, search_lag_s=0.0),
        settings=lambda url: {"base_url": url, "access_token": "sandbox", "rate": {"calls": 1000, "per_s": 1}},
        rows={
            "contact": "contacts",
            "company": "companies",
            "deal": "deals",
            "note": "notes",
            "task": "tasks",
            "call": "calls",
        },
        create={
            "contact": "POST /crm/objects/2026-03/contacts",
            "company": "POST /crm/objects/2026-03/companies",
            "deal": "POST /crm/objects/2026-03/deals",
            "note": "POST /crm/objects/2026-03/notes",
            "task": "POST /crm/objects/2026-03/tasks",
            "call": "POST /crm/objects/2026-03/calls",
        },
        hide_users=lambda crm: crm.fail("500", "/crm/owners/", times=-1),
        delete_contact=lambda box, id_: box.records.archive("contacts", id_),
        close_deal=lambda box, id_: box.deals[id_]["properties"].update(dealstage="closedlost"),
    ),
}
"""A connector that is not here fails `test_every_connector_is_in_the_contract`."""


@dataclass
class Connected:
    """One open connection with its sandbox behind real HTTP."""

    connector: Connector
    vendor: Vendor
    target: Target
    box: Any
    layer: FaultLayer
    url: str
    clock: Clock = field(default_factory=SystemClock)

    @property
    def capabilities(self) -> Capabilities:
        return self.connector.capabilities(self.connector.settings.model_validate(self.vendor.settings(self.url)))

    def rows(self, kind: Kind) -> dict[str, Any]:
        return dict(getattr(self.box, self.vendor.rows[kind]))

    def fail(self, kind: FaultKind, match: str = "", times: int = 1) -> None:
        self.layer.faults.append(Fault(kind, match, times=times, delay_s=0.1))

    def mend(self) -> None:
        self.layer.faults.clear()

    def hint(self, contact_id: str = "", deal_id: str = "") -> Hint:
        return Hint(self.clock.now(), contact_id, deal_id, ("+79161234567",), ("ivan@example.ru",))

    def another(self) -> Target:
        """The same account as another process sees it, which remembers nothing; whoever asks for it closes it."""
        return opened(self.connector, self.vendor.settings(self.url), self.clock)

    def notes(self) -> str:
        folder = Path(connectors.__path__[0]) / self.connector.name
        return (folder / "NOTES.md").read_text(encoding="utf-8")


def opened(connector: Connector, settings: dict[str, Any], clock: Clock) -> Target:
    return connector.open(Opening(connector.name, connector.settings.model_validate(settings), clock, MemoryTokens()))


@asynccontextmanager
async def connected(name: str) -> AsyncIterator[Connected]:
    connector, vendor, clock = CONNECTORS[name], VENDORS[name], SystemClock()
    box = vendor.sandbox(clock)
    layer = FaultLayer(box, clock)
    async with serve(layer, path=f"/{name}") as url:
        target = opened(connector, vendor.settings(url), clock)
        try:
            yield Connected(connector, vendor, target, box, layer, url, clock)
        finally:
            await target.close()
