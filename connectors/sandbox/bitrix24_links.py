"""Links of the Bitrix24 sandbox's records: one at a time, or as a set."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_saving import Records, Refused
from connectors.sandbox.bitrix24_timeline import Params, fields_of, param

LINKED: Final = (("deal", "contact"), ("lead", "contact"), ("contact", "company"))
Methods = dict[str, Callable[[Params], Any]]


class RecordLinks:
    """`crm.deal.contact.add` and its kind. A change of links leaves the modification time as it is."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def methods(self) -> Methods:
        found: Methods = {}
        for entity, to in LINKED:
            found[f"crm.{entity}.{to}.add"] = partial(self._add, entity, to)
            found[f"crm.{entity}.{to}.delete"] = partial(self._delete, entity, to)
            found[f"crm.{entity}.{to}.items.get"] = partial(self._get, entity, to)
        return found

    def join(self, entity: str, record_id: str, to: str, to_id: str, *, main: bool = False) -> None:
        record = self._records.record(entity, record_id)
        self._records.record(to, to_id)
        rest = [each for each in record.get(f"{to.upper()}_IDS") or () if each != to_id]
        held = list(record.get(f"{to.upper()}_IDS") or ())
        self._set(entity, record_id, to, [to_id, *rest] if main else held if to_id in held else [*rest, to_id])

    def part(self, entity: str, record_id: str, to: str, to_id: str) -> bool:
        held = self._records.record(entity, record_id).get(f"{to.upper()}_IDS") or []
        self._set(entity, record_id, to, [each for each in held if each != to_id])
        return to_id in held

    def _set(self, entity: str, record_id: str, to: str, ids: list[str]) -> None:
        values = {f"{to.upper()}_IDS": ids, f"{to.upper()}_ID": next(iter(ids), "0")}
        self._records.boxes[entity].change(record_id, values)

    def _add(self, entity: str, to: str, params: Params) -> bool:
        fields = fields_of(params)
        to_id = as_id(fields.get(f"{to.upper()}_ID"))
        self.join(entity, as_id(param(params, "id")), to, to_id, main=fields.get("IS_PRIMARY") == "Y")
        return True

    def _delete(self, entity: str, to: str, params: Params) -> bool:
        to_id = as_id(fields_of(params).get(f"{to.upper()}_ID"))
        if not self.part(entity, as_id(param(params, "id")), to, to_id):
            raise Refused(400, "", "Not found")
        return True

    def _get(self, entity: str, to: str, params: Params) -> list[dict[str, Any]]:
        record = self._records.record(entity, param(params, "id"))
        return [
            {f"{to.upper()}_ID": int(each), "SORT": (order + 1) * 10, "ROLE_ID": 0, "IS_PRIMARY": "N" if order else "Y"}
            for order, each in enumerate(record.get(f"{to.upper()}_IDS") or ())
        ]
