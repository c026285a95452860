"""Bitrix24's records, in the words of the classic methods, <-> values in those of connectors.records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from connectors.base import FieldInfo
from connectors.bitrix24.fieldkinds import ATTRIBUTES
from connectors.bitrix24.payloads import moment
from connectors.bitrix24.persons import ORIGINATOR, multifield, number, phone_digits, phone_item
from connectors.bitrix24.records import text, when
from connectors.records import Record, RecordObject
from connectors.recordvalues import (
    STAND_IN,
    day_of,
    is_nothing,
    is_stand_in,
    moment_of,
    number_text,
    price_text,
    stand_in_name,
    text_of,
    texts_of,
    truth_of,
)

OBJECTS: Final[tuple[RecordObject, ...]] = ("contact", "company", "deal", "lead")
CODES: Final[Mapping[RecordObject, Mapping[str, str]]] = {
    object: {one.key: one.code for one in ATTRIBUTES[object] if one.code} for object in OBJECTS
}
MULTI: Final = {"phones": "PHONE", "emails": "EMAIL", "website": "WEB"}
READ_ONLY: Final = frozenset({"created_at"})
ALWAYS: Final = ("ID", "DATE_MODIFY", "MODIFY_BY_ID", "ORIGINATOR_ID", "ORIGIN_ID")
PERSON: Final = ("NAME", "SECOND_NAME", "LAST_NAME")
DELETE: Final = "Y"

Row = Mapping[str, Any]
Infos = Mapping[str, FieldInfo]


def selected(object: RecordObject, wanted: Iterable[str]) -> list[str]:
    """The classic names that have to be asked for."""
    names = [*ALWAYS]
    for key in wanted:
        if key in MULTI and object != "deal":
            names.append(MULTI[key])
        elif key == "name" and object in ("contact", "lead"):
            names += PERSON
        elif key == "pipeline" and object == "lead":
            continue
        elif key == "closed" and object == "lead":
            names += ["STATUS_ID", "STATUS_SEMANTIC_ID"]
        else:
            names.append(CODES[object].get(key, key))
        if key in ("first_name", "name"):  # to know a stand-in when it is seen
            names += ["LAST_NAME", "PHONE", "EMAIL"] if object != "company" else ["PHONE", "EMAIL"]
    return list(dict.fromkeys(names))


def to_record(row: Row, object: RecordObject, wanted: Iterable[str], infos: Infos) -> Record:
    ours = text(row.get("ORIGINATOR_ID")) in ("", ORIGINATOR)
    return Record(
        id=str(row["ID"]),
        object=object,
        values={key: _read(row, object, key, infos) for key in wanted},
        modified_at=when(row.get("DATE_MODIFY")),
        modified_by=text(row.get("MODIFY_BY_ID")),
        links={} if object == "company" else None,
        key=text(row.get("ORIGIN_ID")) if ours else "",
    )


def _read(row: Row, object: RecordObject, key: str, infos: Infos) -> Any:
    if key in ("phones", "emails"):
        return tuple(dict.fromkeys(multifield(row, MULTI[key]))) if object != "deal" else ()
    if key == "website" and object != "deal":
        return next(iter(multifield(row, "WEB")), "")
    if key == "name" and object in ("contact", "lead"):
        return "" if _stands_in(row, "NAME") else " ".join(filter(None, (text_of(row.get(one)) for one in PERSON)))
    if key == "pipeline":
        return "" if object == "lead" else str(row.get("CATEGORY_ID") or "0")
    if key == "closed" and object == "lead":
        return text(row.get("STATUS_SEMANTIC_ID")) in ("S", "F") or row.get("STATUS_ID") in ("CONVERTED", "JUNK")
    code = CODES[object].get(key, key)
    held, info = row.get(code), infos.get(code)
    if key in ("first_name", "name") and _stands_in(row, code):
        return ""
    if key == "price":
        return price_text(held)
    if info is not None and info.several:
        items = held if isinstance(held, list | tuple) else ()
        return tuple(one for one in (_value(item, info.kind) for item in items) if not is_nothing(one))
    return _value(held, "datetime" if key in ("created_at", "closed_at") else info.kind if info else "text")


def _value(held: Any, kind: str) -> Any:
    if held in (None, "", False) or held == []:
        return False if held is False and kind == "bool" else ""
    match kind:
        case "number":
            return number_text(held)
        case "money":
            return number_text(text_of(held).partition("|")[0])
        case "bool":
            return truth_of(held)
        case "date":
            return day_of(held) or ""
        case "datetime":
            return when(held) or ""
        case "enum" | "user":
            return text(held)
    return text_of(held)


def _stands_in(row: Row, code: str) -> bool:
    name = text_of(row.get(code))
    if not name or text_of(row.get("LAST_NAME")):
        return False
    return is_stand_in(name, multifield(row, "PHONE"), multifield(row, "EMAIL"))


# --- writing -----------------------------------------------------------------------------------------------------


def to_fields(values: Mapping[str, Any], object: RecordObject, infos: Infos, held: Row | None = None) -> dict[str, Any]:
    """`held`: the record as it is, for the lists: what it has beyond the new list is deleted by its id."""
    fields: dict[str, Any] = {}
    for key, value in values.items():
        if key in READ_ONLY or (key == "pipeline" and object == "lead"):
            continue
        if key in MULTI and object != "deal":
            fields[MULTI[key]] = _multi(MULTI[key], texts_of(value), held or {})
        elif key == "name" and object in ("contact", "lead"):
            first, _, last = text_of(value).partition(" ")
            fields |= {"NAME": first, "LAST_NAME": last}
        else:
            code = CODES[object].get(key, key)
            fields[code] = _written(value, infos.get(code), key)
    return {code: value for code, value in fields.items() if value is not None and value != []}


def _multi(kind: str, texts: Sequence[str], held: Row) -> list[dict[str, Any]]:
    rows = held.get(kind)
    items = [dict(row) for row in (rows.values() if isinstance(rows, dict) else rows or ()) if isinstance(row, dict)]
    changes: list[dict[str, Any]] = []
    left = [item for item in items if text_of(item.get("VALUE")) not in texts]
    there = {text_of(item.get("VALUE")) for item in items}
    for value in texts:
        if value in there:
            continue
        same = next((item for item in left if kind == "PHONE" and _same_phone(item, value)), None)
        if same is not None:
            left.remove(same)
            changes.append({"ID": same["ID"], "VALUE": value, "VALUE_TYPE": same.get("VALUE_TYPE") or "WORK"})
        else:
            changes.append(phone_item(value) if kind == "PHONE" else {"VALUE": value, "VALUE_TYPE": "WORK"})
    removed = [{"ID": item["ID"], "VALUE": "", "DELETE": DELETE} for item in left if item.get("ID")]
    return [*changes, *removed]


def _same_phone(item: Row, value: str) -> bool:
    return phone_digits(text_of(item.get("VALUE"))) == phone_digits(value) != ""


def _written(value: Any, info: FieldInfo | None, key: str) -> Any:
    kind = info.kind if info else "text"
    if key == "price":
        return number_text(value) or "0"
    if isinstance(value, list | tuple):
        return [_written(one, info, key) for one in value] or ""
    if is_nothing(value):
        return None if key in ("responsible", "stage", "pipeline", "currency") else ""
    if key in ("responsible", "pipeline") or kind == "user":
        return number(text_of(value))
    if kind == "bool":
        letters = info is not None and info.type == "char"
        return ("Y" if letters else "1") if truth_of(value) else ("N" if letters else "0")
    if isinstance(value, datetime):
        return moment(value)
    if kind == "date" and (day := day_of(value)) is not None:
        return day.isoformat()
    if key == "closed_at" and (at := moment_of(value)) is not None:
        return moment(at)
    return value.isoformat() if isinstance(value, date) else text_of(value)


def completed(fields: dict[str, Any], object: RecordObject, key: str) -> dict[str, Any]:
    """A new record with our key, and the name without which it could not be told apart in lists."""
    made = {code: value for code, value in fields.items() if not is_nothing(value)}
    phones, emails = ([text_of(one.get("VALUE")) for one in made.get(kind, ())] for kind in ("PHONE", "EMAIL"))
    if object == "contact" and not (made.get("NAME") or made.get("LAST_NAME")):
        made["NAME"] = stand_in_name(phones, emails)
    elif object in ("company", "deal") and not made.get("TITLE"):
        made["TITLE"] = stand_in_name(phones, emails) if object == "company" else STAND_IN
    return {**made, "ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": key} if key else made


def link_fields(object: RecordObject, links: Mapping[RecordObject, Sequence[str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for to, one, several in (("contact", "CONTACT_ID", "CONTACT_IDS"), ("company", "COMPANY_ID", "COMPANY_IDS")):
        ids = [number(id) for id in links.get(to, ())]  # type: ignore[call-overload]  # both are objects
        if len(ids) > 1 and (to == "contact" or object == "contact"):
            fields[several] = ids
        elif ids:
            fields[one] = ids[0]
    return fields


def keys_of(names: Iterable[str], values: Mapping[str, Any], object: RecordObject) -> tuple[str, ...]:
    """What a refusal names, as keys of the values; a stage goes with its pipeline."""
    found: list[str] = []
    for name in names:
        codes = {"name": ("NAME", "TITLE"), "title": ("TITLE",), "utm": ()}.get(name, (name,))
        found += [key for key in values if key == name or CODES[object].get(key, key) in codes]
        found += [key for key in values if name == "utm" and key.startswith("utm_")]
    if {"stage", "pipeline"} & set(found):
        found += [key for key in ("stage", "pipeline") if key in values]
    return tuple(dict.fromkeys(found))
