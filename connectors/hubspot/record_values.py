"""HubSpot's records <-> values in the words of connectors.records. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.base import FieldInfo
from connectors.hubspot.fieldkinds import ATTRIBUTES
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES
from connectors.hubspot.records import linked_ids, next_page, properties_of, record_id, when
from connectors.records import LINKS, Record, RecordObject
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

OBJECTS: Final[tuple[RecordObject, ...]] = ("contact", "company", "deal")
MODIFIED: Final[Mapping[RecordObject, str]] = {
    "contact": "lastmodifieddate",
    "company": "hs_lastmodifieddate",
    "deal": "hs_lastmodifieddate",
}
MODIFIED_BY: Final = "hs_updated_by_user_id"
MERGED: Final = "hs_merged_object_ids"
PRIMARY: Final[Mapping[tuple[RecordObject, RecordObject], tuple[int, int]]] = {
    ("contact", "company"): (279, 1),
    ("deal", "contact"): (3, 0),
    ("deal", "company"): (341, 5),
}
"""Type of a link without a label, and of the primary one (association types of the API reference)."""
CODES: Final[Mapping[RecordObject, Mapping[str, str]]] = {
    object: {one.key: one.code for one in ATTRIBUTES[object] if one.code} for object in OBJECTS
}
TITLE: Final[Mapping[RecordObject, str]] = {"contact": "firstname", "company": "name", "deal": "dealname"}
_PHONES: Final[Mapping[RecordObject, tuple[str, ...]]] = {"contact": ("phone", "mobilephone"), "company": ("phone",)}
_TITLES: Final = frozenset({"first_name", "name", "title"})

Infos = Mapping[str, FieldInfo]


def asked_properties(object: RecordObject, wanted: Iterable[str]) -> list[str]:
    """What has to be asked for so that `to_record` can tell the wanted values."""
    names = [MODIFIED[object], MODIFIED_BY, KEY_PROPERTY[_kind(object)], MERGED]
    for key in wanted:
        names += _properties(object, key)
        if key in _TITLES and object != "deal":  # to know a stand-in when it is seen
            names += [*_PHONES[object], "email" if object == "contact" else "domain"]
    return list(dict.fromkeys(names))


def _properties(object: RecordObject, key: str) -> list[str]:
    if key == "phones":
        return list(_PHONES.get(object, ()))
    if key == "emails":
        return ["email", "hs_additional_emails"] if object == "contact" else []
    if key == "name" and object == "contact":
        return ["firstname", "lastname"]
    return [CODES[object].get(key, key)]


def to_record(record: Any, object: RecordObject, wanted: Iterable[str], infos: Infos) -> Record:
    properties = properties_of(record)
    return Record(
        id=record_id(record),
        object=object,
        values={key: read_value(properties, object, key, infos) for key in wanted},
        modified_at=when(properties.get(MODIFIED[object]) or record.get("updatedAt")),
        modified_by=properties.get(MODIFIED_BY, ""),
        links=links_in(record, object),
        deleted=bool(record.get("archived")),
        key=properties.get(KEY_PROPERTY[_kind(object)], ""),
    )


def links_in(record: Any, object: RecordObject) -> dict[RecordObject, tuple[str, ...]] | None:
    """What a record that was read with its associations tells; None when it leaves any out, or has more of them."""
    if not LINKS[object]:
        return {}
    told = record.get("associations")
    types = {to: TYPES[_kind(to)] for to in LINKS[object]}
    if not isinstance(told, dict) or any(type_ not in told or next_page(told[type_]) for type_ in types.values()):
        return None
    return {to: linked_ids(record, type_) for to, type_ in types.items()}


def merged_away(record: Any, object: RecordObject) -> Iterator[Record]:
    """The records that this one took the place of."""
    survivor = record_id(record)
    for old in properties_of(record).get(MERGED, "").split(";"):
        if old.strip() and old.strip() != survivor:
            yield Record(old.strip(), object, deleted=True, merged_into=survivor)


def read_value(properties: Mapping[str, str], object: RecordObject, key: str, infos: Infos) -> Any:
    names = _properties(object, key)
    held = [properties.get(name, "") for name in names]
    match key:
        case "phones":
            return texts_of(held)
        case "emails":
            return texts_of([part for text in held for part in text.split(";")])
        case "name" if object == "contact":
            return " ".join(text for text in held if text and not _stands_in(properties, object, text))
        case "price":
            return price_text(held[0])
        case _ if key in _TITLES and _stands_in(properties, object, held[0]):
            return ""
    info = infos.get(names[0])
    kind = info.kind if info else "text"
    if not held[0]:
        return () if info and info.several else ""
    if info and info.several:
        return tuple(part for part in held[0].split(";") if part)
    match kind:
        case "number" | "money":
            return number_text(held[0])
        case "bool":
            return truth_of(held[0])
        case "date":
            return day_of(held[0]) or ""
        case "datetime":
            return when(held[0]) or ""
    return held[0]


def _stands_in(properties: Mapping[str, str], object: RecordObject, name: str) -> bool:
    if properties.get("lastname"):
        return False
    phones = [properties.get(one, "") for one in _PHONES.get(object, ())]
    return bool(name) and is_stand_in(name, phones, [properties.get("email", ""), properties.get("domain", "")])


# --- writing -----------------------------------------------------------------------------------------------------


def to_properties(values: Mapping[str, Any], object: RecordObject, infos: Infos) -> dict[str, str]:
    """What has no place (a second e-mail) is not in it: the capabilities of the field say so before."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if key == "phones":
            texts = texts_of(value)
            found |= {name: (texts[order] if order < len(texts) else "") for order, name in enumerate(_PHONES[object])}
        elif key == "emails":
            if object == "contact":
                found["email"] = next(iter(texts_of(value)), "")
        elif key == "name" and object == "contact":
            found["firstname"], _, found["lastname"] = text_of(value).partition(" ")
        else:
            name = CODES[object].get(key, key)
            found[name] = _written(value, infos.get(name), key)
    return found


def _written(value: Any, info: FieldInfo | None, key: str) -> str:
    kind = info.kind if info else "text"
    if is_nothing(value):
        return ""
    if isinstance(value, list | tuple):
        return ";".join(texts_of(value))
    if isinstance(value, bool) or kind == "bool":
        return "true" if truth_of(value) else "false"
    if kind in ("number", "money") or key == "price":
        return number_text(value)
    if kind == "date" and (day := day_of(value)) is not None:
        return day.isoformat()
    if (kind == "datetime" or hasattr(value, "tzinfo")) and (at := moment_of(value)) is not None:
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if hasattr(value, "isoformat") else text_of(value)


def completed(properties: dict[str, str], object: RecordObject, stage: tuple[str, str]) -> dict[str, str]:
    """A new record with what HubSpot does not make one without. `stage`: pipeline and stage where none are given."""
    made = {name: text for name, text in properties.items() if text}
    title = TITLE[object]
    if object == "contact" and not any(made.get(name) for name in ("email", "firstname", "lastname")):
        made[title] = stand_in_name([made.get("phone", ""), made.get("mobilephone", "")])
    elif object == "company" and not (made.get("name") or made.get("domain")):
        made[title] = stand_in_name([made.get("phone", "")])
    elif object == "deal":
        made.setdefault(title, STAND_IN)
        made.setdefault("pipeline", stage[0])
        made.setdefault("dealstage", stage[1])
    return made


def associations(object: RecordObject, links: Mapping[RecordObject, Sequence[str]]) -> list[dict[str, Any]]:
    """The `associations` of a create; the first company is the primary one."""
    found = []
    for to, ids in links.items():
        plain, primary = PRIMARY.get((object, to), (0, 0))
        for order, id in enumerate(ids if plain else ()):
            type_ = primary if primary and order == 0 else plain
            found.append(
                {"to": {"id": id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}]}
            )
    return found


def keys_of(names: Iterable[str], values: Mapping[str, Any], object: RecordObject) -> tuple[str, ...]:
    """Refused properties as keys of the values; a stage goes with its pipeline."""
    found: list[str] = []
    for name in names:
        found += [key for key in values if name in _properties(object, key)]
    if {"stage", "pipeline"} & set(found):
        found += [key for key in ("stage", "pipeline") if key in values]
    return tuple(dict.fromkeys(found))


def _kind(object: RecordObject) -> Any:
    """Objects are kinds of records of the lead path by the same names."""
    return object
