"""amoCRM's sandbox as a scene: with the paid filters, without them, and as a server that has the essentials only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from connectors.amocrm import AmocrmClient, AmocrmSettings
from connectors.base import Opening
from connectors.records import RecordObject
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultLayer, SandboxRequest, SandboxResponse
from tests.connectors.records.scene import AheadClock, Scene
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

ENTITY = {"contact": "contacts", "company": "companies", "deal": "leads"}
CODES = {"phones": "PHONE", "emails": "EMAIL", "website": "WEB", "position": "POSITION"}


class EssentialAmocrm(AmocrmSandbox):
    """No filters, no events, no lists of links, no changes of many records at once."""

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        parts = request.path.removeprefix("/api/v4/").split("/")
        bulk_links = len(parts) == 2 and parts[1] in ("links", "link", "unlink")
        bulk_change = request.method == "PATCH" and len(parts) == 1
        if bulk_links or bulk_change or parts[0] == "events":
            return SandboxResponse(404, {"title": "Not Found", "status": 404})
        return super().handle(request)


class AmocrmScene:
    def __init__(self, client: AmocrmClient, box: AmocrmSandbox, layer: FaultLayer, clock: AheadClock) -> None:
        self.target, self.port = client, client.records()
        self.box, self.layer, self.clock = box, layer, clock
        self.many, self.user = 520, "1010103"
        self.spoiled = {"responsible": "999"}
        self.has_main = True

    def put(self, object: RecordObject, /, **values: Any) -> str:
        return self.box.put(ENTITY[object], item_of(values))

    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None:
        self.box.edit(ENTITY[object], id, item_of(values))

    def remove(self, object: RecordObject, id: str) -> None:
        self.box.remove(ENTITY[object], id)

    def merge(self, object: RecordObject, survivor: str, loser: str) -> None:
        self.box.merge(ENTITY[object], survivor, loser)

    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None:
        self.box.connect(ENTITY[object], id, ENTITY[to], to_id, off=off)

    def count(self, object: RecordObject) -> int:
        return sum(not row["is_deleted"] for row in self.box.stores[ENTITY[object]].records.values())

    def lose_answer(self, object: RecordObject, operation: str) -> None:
        method = {"create": "POST", "update": "PATCH"}[operation]
        self.layer.faults.append(Fault("reset_after", f"{method} /api/v4/{ENTITY[object]}", times=1))

    def later(self, seconds: float = 10.0) -> None:
        self.clock.forward(seconds)


def item_of(values: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for name, value in values.items():
        if name in CODES:
            texts = value if isinstance(value, tuple) else (value,)
            custom = item.setdefault("custom_fields_values", [])
            custom.append({"field_code": CODES[name], "values": [{"value": text} for text in texts]})
        elif name == "price":
            item["price"] = int(value)
        elif name == "responsible":
            item["responsible_user_id"] = int(value)
        elif name == "tags":
            item["_embedded"] = {"tags": [{"name": tag} for tag in value]}
        elif isinstance(value, datetime):
            item[name] = int(value.timestamp())
        else:
            item["name" if name == "title" else name] = value
    return item


@asynccontextmanager
async def amocrm(box_type: type[AmocrmSandbox] = AmocrmSandbox, *, filters: bool = True) -> AsyncIterator[Scene]:
    clock = AheadClock()
    box = box_type(clock, rate=None, filters=filters)
    layer = FaultLayer(box, clock)
    async with serve(layer, path="/amocrm") as url:
        settings = {"base_url": url, "access_token": "sandbox", "rate": {"calls": 1000}}
        client = AmocrmClient(Opening("amo", AmocrmSettings.model_validate(settings), clock, MemoryTokens()))
        try:
            yield AmocrmScene(client, box, layer, clock)
        finally:
            await client.close()


def amocrm_without_filters() -> Any:
    return amocrm(filters=False)


def essential_amocrm() -> Any:
    return amocrm(EssentialAmocrm, filters=False)
