"""HubSpot's sandbox as a scene, each exchange held against the vendor's schemas; and with the essentials only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connectors.base import Opening
from connectors.hubspot import HubSpotClient, HubSpotSettings
from connectors.records import RecordObject
from connectors.sandbox.base import Fault, FaultLayer
from tests.connectors.hubspot.conftest import CheckedSandbox, MemoryTokens
from tests.connectors.records.scene import AheadClock, Scene
from tests.support.vendor_server import serve

TYPE = {"contact": "contacts", "company": "companies", "deal": "deals"}
NAMES = {
    "first_name": "firstname",
    "last_name": "lastname",
    "title": "dealname",
    "price": "amount",
    "responsible": "hubspot_owner_id",
    "name": "name",
    "website": "domain",
}
LAG_S = 5.0


class HubSpotScene:
    def __init__(self, client: HubSpotClient, box: CheckedSandbox, layer: FaultLayer, clock: AheadClock) -> None:
        self.target, self.port = client, client.records()
        self.box, self.layer, self.clock = box, layer, clock
        self.many, self.user = 450, "80510102"
        self.spoiled = {"responsible": "999"}
        self.has_main = False

    def put(self, object: RecordObject, /, **values: Any) -> str:
        given = properties_of(values)
        if object == "deal":
            given = {"dealstage": "appointmentscheduled", "pipeline": "default", **given}
        return str(self.box.records.create(TYPE[object], given, [])["id"])

    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None:
        records = self.box.records
        records.update(TYPE[object], records.get(TYPE[object], id), properties_of(values))

    def remove(self, object: RecordObject, id: str) -> None:
        self.box.records.archive(TYPE[object], id)

    def merge(self, object: RecordObject, survivor: str, loser: str) -> None:
        self.box.records.merge(TYPE[object], survivor, loser)

    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None:
        if off:
            self.box.records.unlink(TYPE[object], id, TYPE[to], to_id)
        else:
            self.box.records.link(TYPE[object], id, TYPE[to], to_id)

    def count(self, object: RecordObject) -> int:
        return len(self.box.records.live[TYPE[object]])

    def lose_answer(self, object: RecordObject, operation: str) -> None:
        batch = self.box.batch_endpoints
        match = f"{TYPE[object]}/batch/{operation}" if batch else TYPE[object]
        method = "POST" if batch or operation == "create" else "PATCH"
        self.layer.faults.append(Fault("reset_after", f"{method} /crm/objects/2026-03/{match}", times=1))
        if not batch:  # the batch is asked for first and refused
            self.layer.faults.insert(0, Fault("slow", "/batch/", delay_s=0.0))

    def later(self, seconds: float = 10.0) -> None:
        self.clock.forward(seconds)


def properties_of(values: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if name == "phones":
            found |= dict(zip(("phone", "mobilephone"), value, strict=False))
        elif name == "emails":
            found["email"] = value[0]
        else:
            found[NAMES[name]] = value
    return found


@asynccontextmanager
async def hubspot(*, essential: bool = False) -> AsyncIterator[Scene]:
    clock = AheadClock()
    box = CheckedSandbox(clock, rate=None, search_lag_s=LAG_S)
    box.batch_endpoints = not essential
    layer = FaultLayer(box, clock)
    async with serve(layer, path="/hubspot") as url:
        settings = HubSpotSettings.model_validate(
            {"base_url": url, "access_token": "sandbox", "rate": {"calls": 1000, "per_s": 1}}
        )
        client = HubSpotClient.open(Opening(name="hs", settings=settings, clock=clock, tokens=MemoryTokens()))
        try:
            yield HubSpotScene(client, box, layer, clock)
        finally:
            await client.close()
    assert box.problems == []


def essential_hubspot() -> Any:
    return hubspot(essential=True)
