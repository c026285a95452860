"""Saving records in the Bitrix24 sandbox: what is checked, what is dropped in silence, what is put in order."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

from connectors.sandbox.bitrix24_data import CURRENCIES, statuses
from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_records import FIELDS, LISTS, MULTI, READ_ONLY, TITLES, Box
from leads.clock import Clock

MULTIFIELD_CHARS = 250
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Refused(Exception):
    """An error answer of the vendor's."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.text = text


class Records:
    """All records, and the rules of saving one."""

    def __init__(self, clock: Clock, *, simple: bool, caller: str, zone: tzinfo) -> None:
        self.clock = clock
        self.simple = simple
        self.caller = caller
        self.zone = zone
        self.robots_fail = False
        """A robot fails after each save: the record is there and an error is told."""
        self.full = False
        """The portal's disk space is used up: no record is taken."""
        self.statuses = statuses()
        self.custom: dict[str, dict[str, dict[str, Any]]] = {entity: {} for entity in FIELDS}
        self.mandatory: set[str] = set()
        """Custom fields without which a record is refused (off unless enabled in the portal's REST settings)."""
        self.boxes = {entity: Box(entity, self.custom[entity]) for entity in FIELDS}
        self.multi_id = 0
        self.happened: Callable[[str, str, str], None] = lambda entity, action, record_id: None
        """Told of every record that is added, updated or deleted: (entity, ADD | UPDATE | DELETE, id)."""

    def now(self) -> str:
        return self.clock.now().astimezone(self.zone).isoformat(timespec="seconds")

    def record(self, entity: str, record_id: Any) -> dict[str, Any]:
        record = self.boxes[entity].records.get(as_id(record_id))
        if record is None:
            raise Refused(400, "", "Not found")
        return record

    def save(self, entity: str, fields: dict[str, Any]) -> str:
        if self.full:
            raise Refused(400, "", "Disk resource exhausted")
        box = self.boxes[entity]
        values = self._checked(entity, fields)
        if entity == "company" and not values.get("TITLE"):
            raise Refused(400, "", 'Поле "Название компании" обязательно для заполнения')
        for name in self.mandatory:
            if name in self.custom[entity] and not values.get(name):
                raise Refused(400, "CRM_FIELD_ERROR_REQUIRED", f'Поле "{name}" обязательно для заполнения')
        now = self.now()
        # Read-only and all others: classic methods show empties as null.
        record: dict[str, Any] = {name: None for name in box.types() if name not in MULTI}
        record |= {"ASSIGNED_BY_ID": self.caller, "OPENED": "Y", "DATE_CREATE": now, "DATE_MODIFY": now}
        record |= {"CREATED_BY_ID": self.caller, "MODIFY_BY_ID": self.caller}
        record |= values
        if entity == "deal":
            self._place_deal(record, values)
        if entity == "lead":
            self._place_lead(record, values)
        made = box.insert(record)
        if entity in ("lead", "deal") and not record.get("TITLE"):
            record["TITLE"] = f"{'Лид' if entity == 'lead' else 'Сделка'} #{made}"
        if entity == "lead" and self.simple and record.get("NAME"):
            self._convert(record)
        self.happened(entity, "ADD", made)
        if self.robots_fail:
            raise Refused(400, "", "Не удалось выполнить робота")
        return made

    def change(self, entity: str, record_id: str, fields: dict[str, Any], *, pipeline_too: bool) -> None:
        record = self.record(entity, record_id)
        values = self._checked(entity, fields, record)
        if entity == "deal":
            before = record["STAGE_ID"]
            category = str(values.get("CATEGORY_ID", record["CATEGORY_ID"])) if pipeline_too else record["CATEGORY_ID"]
            values["CATEGORY_ID"] = category if self._stages(category) else record["CATEGORY_ID"]
            stages = self._stages(values["CATEGORY_ID"])
            wanted = str(values.get("STAGE_ID") or before)
            fallback = before if before in stages else next(iter(stages))
            values["STAGE_ID"] = wanted if wanted in stages else fallback
            values |= self._stage_parts(values["STAGE_ID"], stages)
        if entity == "lead" and "STATUS_ID" in values:
            known = self._group("STATUS")
            values["STATUS_ID"] = values["STATUS_ID"] if values["STATUS_ID"] in known else record["STATUS_ID"]
            values["STATUS_SEMANTIC_ID"] = known[values["STATUS_ID"]] or "P"
        self.boxes[entity].change(record_id, {**values, "DATE_MODIFY": self.now(), "MODIFY_BY_ID": self.caller})
        self.happened(entity, "UPDATE", record_id)

    def remove(self, entity: str, record_id: str) -> None:
        self.boxes[entity].remove(record_id)
        self.happened(entity, "DELETE", record_id)

    def _checked(self, entity: str, fields: dict[str, Any], record: dict[str, Any] | None = None) -> dict[str, Any]:
        """Known, writable fields as they are stored; the rest is dropped without a word."""
        types = self.boxes[entity].types()
        values: dict[str, Any] = {}
        for name, value in fields.items():
            kind = types.get(name)
            if kind is None or (name in READ_ONLY):
                continue
            match kind:
                case "crm_multifield":
                    values[name] = self._multi(name, value, (record or {}).get(name, []))
                case "crm_contacts" | "crm_companies":
                    given = (
                        value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
                    )
                    values[name] = [as_id(each) for each in given if as_id(each) != "0"]
                case "user" | "crm_contact" | "crm_company" | "crm_category":
                    values[name] = as_id(value)
                case "double":
                    values[name] = _money(value)
                case "datetime" | "date":
                    if value in (None, "") or is_date(value):
                        values[name] = str(value or "")
                case "char":
                    values[name] = "Y" if value in ("Y", "y", "true") or value is True else "N"
                case "boolean":
                    values[name] = "1" if value in ("1", "Y") or value is True else "0"
                case "crm_currency":
                    if value not in CURRENCIES:
                        raise Refused(400, "", "Недопустимая валюта")
                    values[name] = value
                case _:
                    values[name] = "" if value is None else value if isinstance(value, list) else str(value)
        for several, one in LISTS.items():  # either of them replaces the set
            if several in values:
                values[one] = next(iter(values[several]), "0")
            elif one in values and several in types:
                values[several] = [values[one]] if values[one] not in ("", "0") else []
        return values

    def _multi(self, kind: str, given: Any, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without ID adds (an exact repeat is not stored twice); with ID changes, or deletes when VALUE is empty."""
        items = [dict(each) for each in before]
        for each in given if isinstance(given, list) else given.values() if isinstance(given, dict) else ():
            if not isinstance(each, dict):
                continue
            value, way = str(each.get("VALUE") or "").strip(), str(each.get("VALUE_TYPE") or "WORK")
            if len(value) > MULTIFIELD_CHARS:
                raise Refused(400, "ERROR_CORE", f'Значение поля "{TITLES.get(kind, kind)}" слишком длинное')
            if kind == "EMAIL" and value and not _EMAIL.fullmatch(value):
                raise Refused(400, "ERROR_CORE", 'Поле "E-mail" содержит некорректный адрес')
            if each.get("ID"):
                known = [item for item in items if item["ID"] == str(each["ID"])]
                if each.get("DELETE") == "Y" or not value:
                    items = [item for item in items if item not in known]
                for item in known:
                    item |= {"VALUE": value, "VALUE_TYPE": way}
            elif value and not any(item["VALUE"] == value and item["VALUE_TYPE"] == way for item in items):
                self.multi_id += 1
                items.append({"ID": str(self.multi_id), "VALUE_TYPE": way, "VALUE": value, "TYPE_ID": kind})
        return items

    def _place_deal(self, record: dict[str, Any], values: dict[str, Any]) -> None:
        """An unknown stage is no error: the first of the pipeline is taken."""
        category = str(values.get("CATEGORY_ID") or "0")
        record["CATEGORY_ID"] = category if self._stages(category) else "0"
        stages = self._stages(record["CATEGORY_ID"])
        wanted = str(values.get("STAGE_ID") or "")
        record["STAGE_ID"] = wanted if wanted in stages else next(iter(stages))
        record |= self._stage_parts(record["STAGE_ID"], stages)
        record["CURRENCY_ID"] = record.get("CURRENCY_ID") or "RUB"
        record["OPPORTUNITY"] = record.get("OPPORTUNITY") or "0.00"

    def _place_lead(self, record: dict[str, Any], values: dict[str, Any]) -> None:
        known = self._group("STATUS")
        wanted = str(values.get("STATUS_ID") or "")
        record["STATUS_ID"] = wanted if wanted in known else "NEW"
        record["STATUS_SEMANTIC_ID"] = known[record["STATUS_ID"]] or "P"

    def _convert(self, lead: dict[str, Any]) -> None:
        """Simple mode: a lead with a name becomes a deal. Whether its ORIGIN_ID goes along is not documented: no."""
        kept = ("TITLE", "ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID", "SOURCE_ID", "SOURCE_DESCRIPTION", "COMMENTS")
        deal: dict[str, Any] = {name: None for name in self.boxes["deal"].types() if name not in MULTI}
        deal |= {name: lead[name] for name in kept}
        deal |= {"LEAD_ID": lead["ID"], "DATE_CREATE": self.now(), "DATE_MODIFY": self.now(), "OPENED": "Y"}
        self._place_deal(deal, {})
        self.boxes["deal"].insert(deal)
        lead |= {"STATUS_ID": "CONVERTED", "STATUS_SEMANTIC_ID": "S"}

    def _group(self, group: str) -> dict[str, str | None]:
        return {each["STATUS_ID"]: each["SEMANTICS"] for each in self.statuses if each["ENTITY_ID"] == group}

    def _stages(self, category: str) -> dict[str, str | None]:
        return self._group("DEAL_STAGE" if category == "0" else f"DEAL_STAGE_{category}")

    @staticmethod
    def _stage_parts(stage: str, stages: dict[str, str | None]) -> dict[str, Any]:
        semantics = stages.get(stage)
        return {"STAGE_SEMANTIC_ID": semantics or "P", "CLOSED": "Y" if semantics else "N"}


def _money(value: Any) -> str:
    try:
        return f"{float(value):.2f}"
    except (TypeError, ValueError):
        return "0.00"


def is_date(value: Any) -> bool:
    try:
        datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return False
    return True
