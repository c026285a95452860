"""JSON Schemas of the mapping files: editors complete and check by them. The readers have the last word."""

from collections.abc import Mapping
from typing import Any, Final

from mappings.accounts import FIELD_TYPES
from mappings.attributes import ATTRIBUTES, OBJECTS
from mappings.pairs import DIRECTIONS, RULES
from mappings.pairs import ON_MISSING as RECORD_ON_MISSING
from mappings.record_schema import PAIR_PARTS
from mappings.record_schema import SECTIONS as RECORD_SECTIONS
from mappings.schema import ENTRY_PARTS, ON_MISSING, PARTS, SECTIONS, UTM_PARTS
from mappings.transforms import BOUNDS, TRANSFORMS, Known

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
_CONDITION: Final[Schema] = {"type": "string", "minLength": 1, "not": {"pattern": "\\{\\{|\\{%"}}
_TABLE: Final[Schema] = {"type": "object", "additionalProperties": _SCALAR}
_HELP: Final[Mapping[str, str]] = {
    "value": 'a text, "{{ expression }}", or a list of these',
    "path": "where the value is: lead.extra.city",
    "transform": "named steps, in order",
    "when": "condition without braces; when it is false nothing is written",
    "default": "what is written when there is nothing",
    "required": "an empty value is told as a problem; the lead is delivered without the field",
    "on_missing": "what to do when there is nothing: skip, or report",
    "optional": "nothing is said where the CRM has no such field",
    "left": "field of the left CRM by name, code or id",
    "right": "field of the right CRM by name, code or id",
    "type": "kind of value; else what the CRMs say",
    "several": "a list of values",
    "direction": "which way values go",
    "conflict": "what decides when both sides changed",
    "map": "left value -> right value, used both ways",
    "to_right": "steps for what arrives on the right, or an expression",
    "to_left": "steps for what arrives on the left, or an expression",
    "decimals": "places after the point",
}


def lead_schema() -> Schema:
    """Of mappings/*.yaml: what an enquiry becomes."""
    sections: dict[str, Schema] = {
        "extends": _told(_TEXT, "the mapping that this one is laid over"),
        "dictionaries": {"type": "object", "additionalProperties": _TABLE},
        "note": _ref("entry"),
    }
    for name, parts in PARTS.items():
        section = _closed({part: _part(part) for part in parts})
        sections[name] = {"anyOf": [section, {"const": False}]} if name in ("company", "task") else section
    return {
        "$schema": DRAFT,
        "title": "leadhub: mapping of enquiries",
        **_closed({name: _or_null(sections[name]) for name in SECTIONS}),
        "$defs": {"entry": _entry(), "transform": _transform(), "transforms": _transforms()},
    }


def record_schema() -> Schema:
    """Of mappings/sync/*.yaml: fields of two CRMs kept equal."""
    sections: dict[str, Schema] = {
        "extends": _told(_TEXT, "the mapping that this one is laid over"),
        "object": _told({"enum": list(OBJECTS)}, "kind of record"),
        "left": _told(_TEXT, "type of the left connection"),
        "right": _told(_TEXT, "type of the right connection"),
        "match": _told({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}, "fields by which records are recognised"),
        "direction": {"enum": list(DIRECTIONS)},
        "conflict": {"enum": list(RULES)},
        "dictionaries": {"type": "object", "additionalProperties": _TABLE},
        "fields": {
            "type": "object",
            "properties": {name: _or_null(_ref("pair")) for name in _attributes()},
            "additionalProperties": _or_null(_ref("pair")),
        },
    }
    return {
        "$schema": DRAFT,
        "title": "leadhub: mapping of records kept equal",
        **_closed({name: _or_null(sections[name]) for name in RECORD_SECTIONS}),
        "$defs": {"pair": _pair(), "transform": _transform(), "transforms": _transforms()},
    }


def _attributes() -> list[str]:
    return sorted({name for parts in ATTRIBUTES.values() for name in parts})


def _part(name: str) -> Schema:
    match name:
        case "fields":
            return {"type": "object", "additionalProperties": _or_null(_ref("entry"))}
        case "utm":
            return _closed({part: _or_null(_ref("entry")) for part in UTM_PARTS})
        case "tags" | "phones" | "emails":
            return _or_null({"anyOf": [_ref("entry"), {"type": "array", "items": _ref("entry")}]})
        case "when":
            return _CONDITION
        case "due":
            return {"type": "string", "pattern": r"^\s*(\d{1,4}d)?\s*(\d{1,4}h)?\s*(\d{1,5}m)?\s*(\d{1,6}s)?\s*$"}
    return _or_null(_ref("entry"))


def _entry() -> Schema:
    single = {"type": ["string", "number", "boolean"]}
    value: Schema = {"anyOf": [single, {"type": "array", "items": single}]}
    parts: dict[str, Schema] = {
        "value": value,
        "path": {"type": "string", "not": {"pattern": "\\{\\{"}},
        "transform": _ref("transforms"),
        "when": _CONDITION,
        "default": single,
        "required": _FLAG,
        "on_missing": {"enum": list(ON_MISSING)},
        "optional": _FLAG,
    }
    section = _closed({name: _or_null(_told(parts[name], _HELP[name])) for name in ENTRY_PARTS})
    return {"anyOf": [value, section]}


def _pair() -> Schema:
    arriving: Schema = {"anyOf": [_ref("transforms"), {"type": "string", "pattern": "\\{\\{"}, _computed()]}
    parts: dict[str, Schema] = {
        "left": _TEXT,
        "right": _TEXT,
        "type": {"enum": list(FIELD_TYPES)},
        "several": _FLAG,
        "direction": {"enum": list(DIRECTIONS)},
        "conflict": {"enum": list(RULES)},
        "on_missing": {"enum": list(RECORD_ON_MISSING)},
        "required": _FLAG,
        "default": {"type": ["string", "number", "boolean"]},
        "when": _CONDITION,
        "map": {"anyOf": [_TEXT, _TABLE]},
        "to_left": arriving,
        "to_right": arriving,
        "optional": _FLAG,
        "decimals": {"type": "integer", "minimum": 0, "maximum": 6},
    }
    own = {"on_missing": "whether an emptied value empties the other side: clear, or skip"}
    section = _closed({name: _or_null(_told(parts[name], own.get(name) or _HELP[name])) for name in PAIR_PARTS})
    return {"anyOf": [{"type": "string", "minLength": 1}, section]}


def _computed() -> Schema:
    return {**_closed({"value": _TEXT, "transform": _ref("transforms")}), "required": ["value"]}


def _transforms() -> Schema:
    return {"anyOf": [_ref("transform"), {"type": "array", "items": _ref("transform")}]}


def _transform() -> Schema:
    alone = [name for name, known in TRANSFORMS.items() if not known.needs]
    sections = [_with_options(name, known) for name, known in TRANSFORMS.items()]
    return {"anyOf": [{"enum": alone, "description": _list_help()}, *sections]}


def _list_help() -> str:
    return "; ".join(f"{name}: {known.help}" for name, known in TRANSFORMS.items())


def _with_options(name: str, known: Known) -> Schema:
    options = {option: _option(kind) for option, kind in known.options.items()}
    inside: list[Schema] = [{"type": "null"}]
    if known.main:
        inside.append(options[known.main])
    if options and not known.needs:
        inside.append(_closed(options))
    beside = {option: schema for option, schema in options.items() if option != known.main}
    return {**_closed({name: {"anyOf": inside, "description": known.help}, **beside}), "required": [name]}


def _option(kind: str) -> Schema:
    match kind:
        case "decimals" | "length":
            low, most = BOUNDS[kind]
            return {"type": "integer", "minimum": low, "maximum": most}
        case "table":
            return {"anyOf": [_TEXT, _TABLE]}
        case "dates":
            return {"type": "string", "pattern": "%|^(date|time)$"}
        case "region":
            return {"type": "string", "pattern": "^[A-Za-z]{2}$"}
    return {"enum": kind.split("|")} if "|" in kind else _SCALAR


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _or_null(schema: Schema) -> Schema:
    """null takes something out that the extended mapping has."""
    return {"anyOf": [schema, {"type": "null"}]}


def _told(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
