"""The methods of the Bitrix24 sandbox that read and write CRM records, and its dictionaries."""

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import tzinfo
from functools import partial
from typing import Any

from connectors.sandbox.bitrix24_calls import Calls
from connectors.sandbox.bitrix24_data import CATEGORIES, CURRENCIES, USERS
from connectors.sandbox.bitrix24_events import Events
from connectors.sandbox.bitrix24_links import RecordLinks
from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_records import (
    FIELDS,
    LISTS,
    MULTI,
    PAGE,
    READ_ONLY,
    TITLES,
    camel,
    compared_phone,
    read_filter,
)
from connectors.sandbox.bitrix24_saving import Records, Refused
from connectors.sandbox.bitrix24_timeline import (
    ENTITIES,
    Params,
    Rows,
    Timeline,
    exact,
    fields_of,
    param,
    start_of,
)
from leads.clock import Clock

COMM_VALUES = 20
VERBS = ("add", "get", "list", "update", "delete", "fields")


class Crm(Records):
    """`methods` is method name in lower case -> what it does with its parameters."""

    def __init__(self, clock: Clock, *, simple: bool, caller: str, zone: tzinfo) -> None:
        super().__init__(clock, simple=simple, caller=caller, zone=zone)
        self.users = deepcopy(USERS)
        self.timeline = Timeline(self)
        self.calls = Calls(self, self.timeline, self.users)
        self.methods: dict[str, Callable[[Params], Any]] = {
            "profile": lambda _: {"ID": self.caller, "ADMIN": True, "NAME": self.users[self.caller]["NAME"]},
            "server.time": lambda _: self.now(),
            "scope": lambda _: ["crm", "user", "task"],
            "method.get": lambda params: {"isExisting": True, "isAvailable": True, "method": params.get("name")},
            "feature.get": lambda _: {"value": "N"},
            "app.info": lambda _: {"ID": 1, "CODE": "local", "STATUS": "L", "INSTALLED": True},
            "crm.settings.mode.get": lambda _: 2 if self.simple else 1,
            "crm.status.list": self.status_list,
            "crm.category.list": self.category_list,
            "crm.currency.list": lambda _: [{"CURRENCY": code, "BASE": "N"} for code in CURRENCIES],
            "crm.duplicate.findbycomm": self.find_by_comm,
            "crm.timeline.comment.add": self.timeline.comment_add,
            "crm.timeline.comment.list": self.timeline.comment_list,
            "crm.activity.todo.add": self.timeline.todo_add,
            "crm.activity.add": self.timeline.activity_add,
            "crm.activity.list": self.timeline.activity_list,
            "crm.activity.update": self.timeline.activity_update,
            "crm.activity.binding.add": self.timeline.binding_add,
            "telephony.externalcall.register": self.calls.register,
            "telephony.externalcall.finish": self.calls.finish,
            "telephony.externalcall.attachrecord": self.calls.attach_record,
            "voximplant.statistic.get": self.calls.statistic,
            "user.get": self.user_get,
            "user.current": lambda _: self.users[self.caller],
        }
        for entity in FIELDS:
            for verb in VERBS:
                self.methods[f"crm.{entity}.{verb}"] = partial(getattr(self, f"record_{verb}"), entity)
            self.methods[f"crm.{entity}.userfield.list"] = partial(self.userfield_list, entity)
            self.methods[f"crm.{entity}.userfield.add"] = partial(self.userfield_add, entity)
        self.links = RecordLinks(self)
        self.events = Events(self.now)
        self.happened = self.events.happened
        self.methods |= {**self.links.methods(), **self.events.methods()}
        for verb in VERBS:
            self.methods[f"crm.item.{verb}"] = getattr(self, f"item_{verb}")

    # --- classic methods ------------------------------------------------------------------------

    def record_add(self, entity: str, params: Params) -> int:
        fields = fields_of(params)
        return int(self.save(entity, fields))

    def record_get(self, entity: str, params: Params) -> dict[str, Any]:
        return self._shown(self.record(entity, param(params, "id")))

    def record_list(self, entity: str, params: Params) -> Rows:
        box = self.boxes[entity]
        types = box.types()
        # An unknown field of the filter is dropped: the list comes back unfiltered.
        given = param(params, "filter")
        kept = {
            key: value
            for key, value in (given.items() if isinstance(given, dict) else ())
            if re.sub(r"^[!<>=%@]+", "", key) in types
        }
        conditions = read_filter(kept, types, lambda name: name)
        order = param(params, "order")
        sorts = [
            (name, str(way).upper() == "DESC")
            for name, way in (order.items() if isinstance(order, dict) else ())
            if name in types
        ]
        select = param(params, "select")
        rows, following, total = box.select(conditions, sorts, start_of(params))
        wanted = select if isinstance(select, list) and select else None
        return [box.classic(row, wanted) for row in rows], following, total

    def record_update(self, entity: str, params: Params) -> bool:
        self.change(entity, as_id(param(params, "id")), fields_of(params), pipeline_too=False)
        return True

    def record_delete(self, entity: str, params: Params) -> bool:
        record = self.record(entity, param(params, "id"))
        self.remove(entity, record["ID"])
        return True

    def record_fields(self, entity: str, params: Params) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, kind in FIELDS[entity].items():
            shown[name] = {
                "type": kind,
                "isRequired": entity == "company" and name == "TITLE",
                "isReadOnly": name in READ_ONLY,
                "isImmutable": name == "CATEGORY_ID",
                "isMultiple": name in MULTI,
                "isDynamic": False,
                "title": TITLES.get(name, name),
            }
        for name, info in self.custom[entity].items():
            label = str((info.get("EDIT_FORM_LABEL") or {}).get("ru") or name)
            shown[name] = {
                "type": info["USER_TYPE_ID"],
                "isRequired": name in self.mandatory,
                "isReadOnly": False,
                "isImmutable": False,
                "isMultiple": False,
                "isDynamic": True,
                "title": name,
                "listLabel": label,
                "formLabel": label,
                "filterLabel": label,
            } | ({"items": info["LIST"]} if info.get("LIST") else {})
        return shown

    # --- crm.item.* -----------------------------------------------------------------------------

    def item_add(self, params: Params) -> dict[str, Any]:
        entity = _entity(params)
        fields = self._classic_names(entity, exact(params, "fields"))
        made = self.save(entity, fields)
        return {"item": self.boxes[entity].item(self.boxes[entity].records[made], None)}

    def item_get(self, params: Params) -> dict[str, Any]:
        entity = _entity(params)
        record = self.boxes[entity].records.get(as_id(exact(params, "id")))
        if record is None:
            raise Refused(400, "NOT_FOUND", "Элемент не найден")
        return {"item": self.boxes[entity].item(record, None)}

    def item_list(self, params: Params) -> Rows:
        entity = _entity(params)
        box = self.boxes[entity]
        types = box.types()
        names: dict[str, str] = {camel(name): name for name in types} | {
            name: name for name in types if name.startswith("UF_")
        }
        given = params.get("filter") or {}
        try:
            conditions = read_filter(given, types, names.get)
        except KeyError as unknown:
            raise Refused(
                400, "INVALID_ARG_VALUE", f"Invalid filter: field '{unknown.args[0]}' is not allowed"
            ) from None
        order = params.get("order")
        sorts = [
            (names[name], str(way).upper() == "DESC")
            for name, way in (order.items() if isinstance(order, dict) else ())
            if name in names
        ]
        select = params.get("select")
        rows, following, total = box.select(conditions, sorts, start_of(params))
        wanted = select if isinstance(select, list) else None
        return {"items": [box.item(row, wanted) for row in rows]}, following, total

    def item_update(self, params: Params) -> dict[str, Any]:
        entity = _entity(params)
        record_id = as_id(exact(params, "id"))
        if record_id not in self.boxes[entity].records:
            raise Refused(400, "NOT_FOUND", "Элемент не найден")
        fields = self._classic_names(entity, exact(params, "fields"))
        self.change(entity, record_id, fields, pipeline_too=True)
        return {"item": self.boxes[entity].item(self.boxes[entity].records[record_id], None)}

    def item_delete(self, params: Params) -> Any:
        entity = _entity(params)
        if as_id(exact(params, "id")) not in self.boxes[entity].records:
            raise Refused(400, "NOT_FOUND", "Элемент не найден")
        self.remove(entity, as_id(params["id"]))
        return []

    def item_fields(self, params: Params) -> dict[str, Any]:
        return {"fields": {camel(name): info for name, info in self.record_fields(_entity(params), {}).items()}}

    def _classic_names(self, entity: str, fields: Any) -> dict[str, Any]:
        if not isinstance(fields, dict):
            raise Refused(400, "100", "Invalid value to match with parameter {fields}. Should be value of type array.")
        names = {camel(name): name for name in self.boxes[entity].types()}
        classic: dict[str, Any] = {names.get(str(name), str(name)): value for name, value in fields.items()}
        items = classic.pop("fm", None)
        for item in items.values() if isinstance(items, dict) else items if isinstance(items, list) else ():
            kind = str(item.get("typeId", ""))
            row = {"VALUE": item.get("value"), "VALUE_TYPE": item.get("valueType")}
            classic.setdefault(kind, []).append(row)
        for key, item in items.items() if isinstance(items, dict) else ():
            if str(key).isdecimal():  # the key is the operation: an id changes, or deletes with an empty value
                row = next(one for one in classic[str(item.get("typeId", ""))] if one["VALUE"] == item.get("value"))
                row["ID"] = str(key)
        return classic

    # --- dictionaries, users, fields --------------------------------------------------------------

    def status_list(self, params: Params) -> Rows:
        given = param(params, "filter")
        wanted = {key.lstrip("="): value for key, value in given.items()} if isinstance(given, dict) else {}
        rows = [
            each
            for each in self.statuses
            if all(each.get(key) in (value if isinstance(value, list) else [value]) for key, value in wanted.items())
        ]
        return rows, None, len(rows)

    def category_list(self, params: Params) -> Rows:
        if str(params.get("entityTypeId", "")) != "2":
            raise Refused(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")
        return {"categories": deepcopy(CATEGORIES)}, None, len(CATEGORIES)

    def user_get(self, params: Params) -> Rows:
        given = param(params, "filter")
        wanted = {key.upper(): value for key, value in (given if isinstance(given, dict) else params).items()}
        wanted = {key: value for key, value in wanted.items() if key in ("ID", "ACTIVE", "EMAIL")}
        rows = [
            user
            for user in self.users.values()
            if all(str(user[key]).lower() == _yes(value).lower() for key, value in wanted.items())
        ]
        start = max(0, start_of(params)) // PAGE * PAGE
        following = start + PAGE if start + PAGE < len(rows) else None
        return rows[start : start + PAGE], following, len(rows)

    def userfield_list(self, entity: str, params: Params) -> Rows:
        rows = list(self.custom[entity].values())
        return rows, None, len(rows)

    def userfield_add(self, entity: str, params: Params) -> int:
        fields = fields_of(params)
        name = str(fields.get("FIELD_NAME") or "").upper()
        name = name if name.startswith("UF_CRM_") else f"UF_CRM_{name}"
        if len(name) > 50:
            raise Refused(400, "ERROR_CORE", "Слишком длинное имя поля")
        if name in self.custom[entity]:
            raise Refused(400, "ERROR_CORE", f"Поле {name} для объекта уже существует")
        number = sum(len(each) for each in self.custom.values()) + 101
        self.custom[entity][name] = {**fields, "ID": str(number), "FIELD_NAME": name} | {
            "USER_TYPE_ID": str(fields.get("USER_TYPE_ID") or "string")
        }
        return number

    def find_by_comm(self, params: Params) -> Any:
        kind, values = str(params.get("type", "")), params.get("values")
        if kind not in ("PHONE", "EMAIL") or not isinstance(values, list):
            raise Refused(400, "", "Communication type is not defined")
        only = str(params.get("entity_type") or "").lower()
        found: dict[str, list[int]] = {}
        for entity in ("lead", "contact", "company"):
            if only and entity != only:
                continue
            index = self.boxes[entity].by_comm
            hits: set[int] = set()
            for value in values[:COMM_VALUES]:
                if isinstance(value, str):  # numbers are skipped in silence
                    key = compared_phone(value) if kind == "PHONE" else value.strip().lower()
                    hits |= index.get((kind, key), set())
            if hits:
                found[entity.upper()] = sorted(hits)
        return found or []

    # --- keeping ----------------------------------------------------------------------------------

    @staticmethod
    def _shown(record: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in record.items() if value != [] and name not in LISTS}

    def snapshot(self) -> dict[str, Any]:
        return {
            "simple": self.simple,
            "records": {entity: box.records for entity, box in self.boxes.items()},
            "last_ids": {entity: box.last_id for entity, box in self.boxes.items()},
            "custom": self.custom,
            "comments": self.timeline.comments,
            "activities": self.timeline.activities,
            "calls": self.calls.snapshot(),
            "multi_id": self.multi_id,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.simple = bool(state["simple"])
        for entity, box in self.boxes.items():
            self.custom[entity].update(state["custom"][entity])
            box.records = dict(state["records"][entity])
            box.last_id = int(state["last_ids"][entity])
            box.rebuild()
        self.timeline.restore(state["comments"], state["activities"])
        self.calls.restore(state.get("calls", {}))
        self.multi_id = int(state["multi_id"])


def _entity(params: Params) -> str:
    entity = ENTITIES.get(str(exact(params, "entityTypeId")))
    if entity is None:
        raise Refused(400, "NOT_FOUND", "Смарт-процесс не найден")
    return entity


def _yes(value: Any) -> str:
    return {"y": "true", "1": "true", "n": "false", "0": "false"}.get(str(value).lower(), str(value))
