"""amoCRM's records <-> values in the words of connectors.records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final

from connectors.amocrm.payloads import DATES, KEY_FIELD, EntityFields, number, whole_price
from connectors.amocrm.records import Row, key_of, moment
from connectors.base import FieldInfo
from connectors.records import Record, RecordObject
from connectors.recordvalues import day_of, is_nothing, moment_of, number_text, price_text, text_of, texts_of, truth_of

ENTITY: Final[Mapping[RecordObject, str]] = {"contact": "contacts", "company": "companies", "deal": "leads"}
COLUMNS: Final[Mapping[str, str]] = {
    "name": "name",
    "title": "name",
    "first_name": "first_name",
    "last_name": "last_name",
    "responsible": "responsible_user_id",
    "price": "price",
    "stage": "status_id",
    "pipeline": "pipeline_id",
    "created_at": "created_at",
    "closed_at": "closed_at",
}
"""Attribute -> key of the record itself."""
CODES: Final[Mapping[str, str]] = {
    "phones": "PHONE",
    "emails": "EMAIL",
    "position": "POSITION",
    "website": "WEB",
    "address": "ADDRESS",
    **{f"utm_{name}": f"UTM_{name.upper()}" for name in ("source", "medium", "campaign", "content", "term")},
}
"""Attribute -> code of the predefined field that holds it."""
TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {"stage": ("stage", "pipeline"), "pipeline": ("stage", "pipeline")}
_NUMBERS = frozenset({"numeric", "price", "monetary"})
_IN_PATHS: Final[Mapping[str, str]] = {
    "responsible_user_id": "responsible",
    "status_id": "stage",
    "pipeline_id": "pipeline",
    "first_name": "first_name",
    "last_name": "last_name",
    "created_at": "created_at",
    "closed_at": "closed_at",
    "price": "price",
    "tags": "tags",
    "contacts": "contact",
    "companies": "company",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known of one entity's custom fields, each by its id and by its code. `zone` is the account's."""

    infos: Mapping[str, FieldInfo] = field(default_factory=dict)
    own: EntityFields = field(default_factory=EntityFields)
    zone: tzinfo = UTC

    def info(self, key: str) -> FieldInfo | None:
        """By an attribute's name, an id or a code."""
        return self.infos.get(CODES.get(key, key))


# --- reading -----------------------------------------------------------------------------------------------------


def to_record(row: Row, object: RecordObject, wanted: Iterable[str], fields: Fields) -> Record:
    """Every wanted key is in `values`, empty ones as "" or ()."""
    custom = _custom_of(row)
    return Record(
        id=str(row["id"]),
        object=object,
        values={key: _read(row, custom, key, fields) for key in wanted},
        modified_at=moment(row.get("updated_at")),
        modified_by=text_of(row.get("updated_by")),
        links=links_of(row, object),
        deleted=bool(row.get("is_deleted")),
        key=key_of(row, fields.own),
    )


def links_of(row: Row, object: RecordObject) -> dict[RecordObject, tuple[str, ...]] | None:
    """What the record itself says about its links; None when it leaves out what it should have."""
    embedded = row.get("_embedded")
    if object == "company" or not isinstance(embedded, dict):
        return {} if object == "company" else None
    asked: dict[RecordObject, str] = {"company": "companies"}
    if object == "deal":
        asked["contact"] = "contacts"
    if any(not isinstance(embedded.get(name), list) for name in asked.values()):
        return None
    return {to: _ids(embedded[name]) for to, name in asked.items()}


def _ids(linked: Sequence[Any]) -> tuple[str, ...]:
    rows = [row for row in linked if isinstance(row, dict) and row.get("id")]
    return tuple(dict.fromkeys(str(row["id"]) for row in sorted(rows, key=lambda row: not row.get("is_main"))))


def _custom_of(row: Row) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for item in row.get("custom_fields_values") or ():
        if isinstance(item, dict):
            for name in ("field_id", "field_code"):
                if item.get(name):
                    found[str(item[name])] = item
    return found


def _read(row: Row, custom: Mapping[str, Row], key: str, fields: Fields) -> Any:
    match key:
        case "tags":
            tags = (row.get("_embedded") or {}).get("tags") or ()
            return texts_of([tag.get("name") for tag in tags if isinstance(tag, dict)])
        case "created_at" | "closed_at":
            return moment(row.get(COLUMNS[key])) or ""
        case "price":
            return price_text(row.get("price"))
        case "first_name" if not row.get("first_name") and not row.get("last_name"):
            return text_of(row.get("name"))
        case _ if key in COLUMNS:
            value = row.get(COLUMNS[key])
            return "" if value in (None, 0) else str(value)
    info = fields.info(key)
    item = custom.get(CODES.get(key, key)) or (custom.get(info.id) if info else None)
    several = key in ("phones", "emails") or bool(info and info.several)
    kind = info.type if info else text_of(item.get("field_type")) if item else ""
    values = [value for value in (item or {}).get("values") or () if isinstance(value, dict)]
    read = [_value(value, kind, info, fields.zone) for value in values]
    read = [value for value in read if not is_nothing(value)]
    if several:
        return tuple(dict.fromkeys(read))
    if kind == "smart_address":
        return ", ".join(map(str, read))
    return read[0] if read else ""


def _value(value: Row, kind: str, info: FieldInfo | None, zone: tzinfo) -> Any:
    held = value.get("value")
    if info is not None and info.kind == "enum":
        return text_of(value.get("enum_id") or info.enums.get(text_of(held)))
    if kind in _NUMBERS:
        return number_text(held)
    if kind == "checkbox":
        return truth_of(held)
    if kind == "date_time":
        return moment_of(held)
    if kind in DATES:
        return day_of(held, zone)
    return text_of(held)


def kinds_of(row: Row) -> dict[str, dict[str, str]]:
    """Code PHONE or EMAIL -> value -> what kind of number it is: a write would forget it otherwise."""
    custom = _custom_of(row)
    return {
        code: {
            text_of(value.get("value")): text_of(value.get("enum_code") or value.get("enum"))
            for value in (custom.get(code) or {}).get("values") or ()
            if isinstance(value, dict)
        }
        for code in ("PHONE", "EMAIL")
    }


# --- writing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordBody:
    """`origins[i]` is the key that `custom_fields_values[i]` came from."""

    json: dict[str, Any]
    origins: tuple[str, ...] = ()


def to_body(
    values: Mapping[str, Any],
    object: RecordObject,
    fields: Fields,
    *,
    key: str = "",
    links: Mapping[RecordObject, Sequence[str]] = {},
    kinds: Mapping[str, Mapping[str, str]] = {},
) -> RecordBody:
    """Raises PermanentError with the key that cannot be written as it is."""
    json: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    origins: list[str] = []
    embedded: dict[str, Any] = {}
    for name, value in values.items():
        if name == "tags":
            embedded["tags"] = [{"name": tag} for tag in texts_of(value)] or None
        elif name in COLUMNS:
            json |= _column(name, value)
        else:
            custom.append(_custom(name, value, fields, kinds))
            origins.append(name)
    own = fields.own.by_code.get(KEY_FIELD)
    if key and own is not None:
        custom.append({"field_id": own.id, "values": [{"value": key}]})
        origins.append(KEY_FIELD)
    if custom:
        json["custom_fields_values"] = custom
    contacts, companies = links.get("contact", ()), links.get("company", ())
    if contacts:
        embedded["contacts"] = [
            {"id": number(one, "contact"), "is_main": order == 0} for order, one in enumerate(contacts)
        ]
    if companies:
        embedded["companies"] = [{"id": number(companies[0], "company")}]
    if embedded:
        json["_embedded"] = embedded
    return RecordBody(json, tuple(origins))


def _column(name: str, value: Any) -> dict[str, Any]:
    column = COLUMNS[name]
    if name == "price":
        return {column: whole_price(number_text(value) or "0")}
    if name in ("created_at", "closed_at"):
        at = moment_of(value)
        return {} if at is None else {column: int(at.timestamp())}
    if name in ("responsible", "stage", "pipeline"):
        return {} if is_nothing(value) else {column: number(text_of(value), name)}
    return {column: text_of(value)}


def _custom(name: str, value: Any, fields: Fields, kinds: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    code, info = CODES.get(name, name), fields.info(name)
    where: dict[str, Any] = {"field_id": int(code)} if code.isdecimal() else {"field_code": code}
    if is_nothing(value):
        return {**where, "values": None}
    if code in ("PHONE", "EMAIL"):
        known = kinds.get(code, {})
        return {**where, "values": [{"value": one, "enum_code": known.get(one) or "WORK"} for one in texts_of(value)]}
    items = value if isinstance(value, list | tuple) else (value,)
    return {**where, "values": [_written(item, info, fields.zone) for item in items]}


def _written(value: Any, info: FieldInfo | None, zone: tzinfo) -> dict[str, Any]:
    kind = info.type if info else ""
    if info is not None and info.kind == "enum":
        text = text_of(value)
        return {"enum_id": int(text)} if text in info.enums.values() and text.isdecimal() else {"value": text}
    if kind == "checkbox":
        return {"value": truth_of(value)}
    if kind == "date_time" and (at := moment_of(value)) is not None:
        return {"value": int(at.timestamp())}
    if kind in DATES and kind != "date_time" and (day := day_of(value, zone)) is not None:
        return {"value": _noon(day, zone)}
    if isinstance(value, datetime):
        return {"value": int(value.timestamp())}
    if isinstance(value, bool):
        return {"value": value}
    return {"value": number_text(value) if kind in _NUMBERS else text_of(value)}


def _noon(day: date, zone: tzinfo) -> int:
    """Noon of the account's zone: the same day for everybody who looks at it from nearby."""
    return int(datetime.combine(day, time(12), zone).timestamp())


def refused_keys(errors: Iterable[Row], origins: Sequence[str], object: RecordObject) -> tuple[str, ...]:
    """Which keys of the values (or linked objects) the paths of a refusal name; "id" for the record itself."""
    found: list[str] = []
    for error in errors:
        parts = text_of(error.get("path")).split(".")
        if "custom_fields_values" in parts:
            at = parts[parts.index("custom_fields_values") + 1 :][:1]
            index = int(at[0]) if at and at[0].isdecimal() else -1
            found.extend([origins[index]] if 0 <= index < len(origins) else origins)
        elif parts == ["id"]:
            found.append("id")
        elif parts[-1:] == ["name"]:
            found.append("title" if object == "deal" else "name")
        else:
            found.extend([name for part, name in _IN_PATHS.items() if part in parts][:1])
    return tuple(dict.fromkeys(found))
