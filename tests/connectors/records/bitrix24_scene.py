"""Bitrix24's sandbox as a scene: as it is today, an old box, and a server without the classic face."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connectors.base import Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.records import RecordObject
from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from tests.connectors.records.scene import AheadClock, Scene
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

NAMES = {
    "first_name": "NAME",
    "last_name": "LAST_NAME",
    "title": "TITLE",
    "name": "TITLE",
    "price": "OPPORTUNITY",
    "responsible": "ASSIGNED_BY_ID",
}
MULTI = {"phones": "PHONE", "emails": "EMAIL"}


class Bitrix24Scene:
    def __init__(self, client: Bitrix24Client, box: Bitrix24Sandbox, layer: FaultLayer, clock: AheadClock) -> None:
        self.target, self.port = client, client.records()
        self.box, self.layer, self.clock = box, layer, clock
        self.many, self.user = 330, "7"
        self.spoiled = {"emails": ("это не адрес",)}
        self.has_main = True

    def put(self, object: RecordObject, /, **values: Any) -> str:
        return self.box.crm.save(object, fields_of(values))

    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None:
        self.box.crm.change(object, id, fields_of(values), pipeline_too=True)

    def remove(self, object: RecordObject, id: str) -> None:
        self.box.crm.boxes[object].remove(id)

    def merge(self, object: RecordObject, survivor: str, loser: str) -> None:
        gone = self.box.crm.record(object, loser)
        lists = {kind: [{**row, "ID": None} for row in gone.get(kind) or ()] for kind in MULTI.values()}
        self.box.crm.change(object, survivor, lists, pipeline_too=False)
        self.remove(object, loser)

    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None:
        links = self.box.crm.links
        if object == "deal" and to == "company":
            self.box.crm.boxes[object].change(id, {"COMPANY_ID": "0" if off else to_id})
        elif off:
            links.part(object, id, to, to_id)
        else:
            links.join(object, id, to, to_id)

    def count(self, object: RecordObject) -> int:
        return len(self.box.crm.boxes[object].records)

    def lose_answer(self, object: RecordObject, operation: str) -> None:
        verb = {"create": "add"}.get(operation, operation)
        method = f"crm.{object}.{verb}"
        match = f"crm.item.{verb}" if method in self.box.without else method
        self.layer.faults.append(Fault("reset_after", match, times=1))

    def later(self, seconds: float = 10.0) -> None:
        self.clock.forward(seconds)


def fields_of(values: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name in MULTI:
            fields[MULTI[name]] = [{"VALUE": text, "VALUE_TYPE": "WORK"} for text in value]
        else:
            fields[NAMES[name]] = value
    return fields


@asynccontextmanager
async def bitrix24(without: tuple[str, ...] = ()) -> AsyncIterator[Scene]:
    clock = AheadClock()
    box = Bitrix24Sandbox(clock, rate=None)
    box.without = {method for method in (*box.crm.methods, "batch") if method.startswith(without)} if without else set()
    layer = FaultLayer(box, clock)
    async with serve(layer, path="/bitrix24") as url:
        settings = {"webhook_url": f"{url}/rest/1/sandbox/", "rate": {"calls": 1000}}
        opening = Opening("b24", Bitrix24Settings.model_validate(settings), clock, MemoryTokens())
        client = Bitrix24Client(opening)
        try:
            yield Bitrix24Scene(client, box, layer, clock)
        finally:
            await client.close()


def old_bitrix24() -> Any:
    return bitrix24(("crm.item.",))


def new_bitrix24() -> Any:
    classic = tuple(
        f"crm.{object}.{verb}"
        for object in ("contact", "company", "deal", "lead")
        for verb in ("add", "get", "list", "update", "delete")
    )
    return bitrix24((*classic, "batch", "server.time"))
