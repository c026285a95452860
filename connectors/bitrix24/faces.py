"""The two faces of one record: classic `crm.deal.*` and `crm.item.*`, to which the vendor moves its development. Pure.

Both show the same records (fact sheet, section 6). We speak the classic one; where a portal does not offer it,
the same call is said in the other one's words, and the answer comes back in classic ones.
"""

import re
from collections.abc import Mapping
from typing import Any

from connectors.bitrix24.payloads import TYPE_IDS, Entity

_CLASSIC = re.compile(r"crm\.(lead|deal|contact|company)\.(add|get|update)")
_MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
_RENAMED = {"DATE_CREATE": "createdTime", "DATE_MODIFY": "updatedTime"}
_OF_LEAD = {"STATUS_ID": "stageId", "STATUS_SEMANTIC_ID": "stageSemanticId"}
_OF_COMPANY = {"COMPANY_TYPE": "typeId"}
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def in_items(method: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The same call of `crm.item.*`; None when there is no such one."""
    found = _CLASSIC.fullmatch(method)
    if found is None:
        return None
    entity: Entity = found[1]  # type: ignore[assignment]  # the pattern names no other
    said: dict[str, Any] = {"entityTypeId": TYPE_IDS[entity], "useOriginalUfNames": "Y"}
    if "id" in params:
        said["id"] = params["id"]
    if "fields" in params:
        said["fields"] = _item_fields(entity, params["fields"])
    return f"crm.item.{found[2]}", said


def in_classic(method: str, result: Any) -> Any:
    """What `crm.item.*` answered to the call that `method` names, as `method` would have."""
    found = _CLASSIC.fullmatch(method)
    item = result.get("item") if isinstance(result, dict) else None
    if found is None or not isinstance(item, dict):
        return result
    if found[2] == "get":
        return classic_record(found[1], item)
    return item.get("id") if found[2] == "add" else True


def item_name(entity: str, name: str) -> str:
    """A classic field name as `crm.item.*` calls it; custom fields keep theirs."""
    return name if name.startswith("UF_") else _names(entity).get(name) or _camel(name)


def _names(entity: str) -> dict[str, str]:
    return {**_RENAMED, **(_OF_LEAD if entity == "lead" else _OF_COMPANY if entity == "company" else {})}


def _item_fields(entity: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    multi: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        if name in _MULTIFIELDS and isinstance(value, list | tuple):
            for each in value:  # the key says what is done: "n" adds, an id changes, without a value it deletes
                key = str(each["ID"]) if each.get("ID") else f"n{len(multi)}"
                held = {"typeId": name, "valueType": each.get("VALUE_TYPE", "WORK"), "value": each.get("VALUE", "")}
                multi[key] = {**held, "value": ""} if each.get("DELETE") == "Y" else held
        elif name.startswith("UF_"):
            said[name] = value
        else:
            said[item_name(entity, name)] = value
    return {**said, "fm": multi} if multi else said


def classic_record(entity: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of `crm.item.*` as the classic methods show it."""
    names = {new: old for old, new in _names(entity).items()}
    record: dict[str, Any] = {}
    for name, value in item.items():
        if name == "fm":
            rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            for row in rows:
                if isinstance(row, dict):
                    known = {"ID": row.get("id"), "VALUE_TYPE": row.get("valueType"), "VALUE": row.get("value")}
                    record.setdefault(str(row.get("typeId")), []).append(known)
        else:
            record[names.get(name) or (name if name.startswith("UF_") else _snake(name))] = value
    return record


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    return _NEW_WORD.sub("_", name).upper()
