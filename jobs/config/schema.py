"""A JSON Schema of config.yaml: editors complete and check by it. `leadhub check` has the last word."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from connectors.registry import CHANNELS, CONNECTOR_SETTINGS, SOURCE_SETTINGS
from jobs.config.models import Alerts, Hub, Sandbox
from jobs.config.routes import RouteSettings
from jobs.config.syncs import SyncSettings
from mappings.json_schema import DRAFT, Schema

NAME: Final = "^[A-Za-z0-9_-]{1,64}$"
_VARIABLE: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
"""A value from the environment, whatever it is there."""


def config_schema() -> Schema:
    sections: dict[str, Schema] = {
        "hub": _model(Hub),
        "connections": _typed(CONNECTOR_SETTINGS),
        "sources": _typed(SOURCE_SETTINGS),
        "routes": {"type": "array", "items": _model(RouteSettings)},
        "syncs": {"type": "object", "patternProperties": {NAME: _model(SyncSettings)}, "additionalProperties": False},
        "alerts": _alerts(),
        "sandbox": _model(Sandbox),
    }
    nullable = {name: {"anyOf": [one, {"type": "null"}]} for name, one in sections.items()}
    schema: Schema = {"type": "object", "properties": nullable, "additionalProperties": False}
    return {"$schema": DRAFT, "title": "leadhub: config.yaml", **schema}


class _Lenient(GenerateJsonSchema):
    """What a validator of ours reads from text (durations, sizes, single values for lists) may be text too."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        shaped = "properties" in inner or "$ref" in inner or "$ref" in str(inner.get("items", ""))
        # A section may have short forms that only its validator knows: shown for completion, not refused.
        return {"anyOf": [inner, {} if shaped else {"type": ["string", "number", "boolean"]}]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        if "properties" not in made:
            made.pop("additionalProperties", None)
        return made

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        return {}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": ["string", "number"]}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without the default itself: a duration is written otherwise in YAML than in JSON."""
        return self.generate_inner(schema["schema"])

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), _VARIABLE]}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), _VARIABLE]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"anyOf": [super().bool_schema(schema), _VARIABLE]}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return {"anyOf": [super().literal_schema(schema), _VARIABLE]}

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Numbers are taken as text; lengths are checked when variables have been put in."""
        return {"type": ["string", "number"]}


def _model(model: type[BaseModel]) -> Schema:
    """A section: references put in place, so that each schema stands alone."""
    schema = TypeAdapter(model).json_schema(schema_generator=_Lenient, ref_template="#/$defs/{model}")
    found: Schema = _inlined(schema, schema.pop("$defs", {}))
    return found


def _inlined(value: Any, definitions: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:
    if isinstance(value, list):
        return [_inlined(one, definitions, inside) for one in value]
    if not isinstance(value, dict):
        return value
    name = str(value.get("$ref", "")).removeprefix("#/$defs/")
    if name in inside:
        return {}  # a section in itself: any
    if name:
        more = {key: one for key, one in value.items() if key != "$ref"}
        return {**_inlined(definitions[name], definitions, (*inside, name)), **more}
    plain = {key: one for key, one in value.items() if key not in ("title", "format") or not isinstance(one, str)}
    return {key: _inlined(one, definitions, inside) for key, one in plain.items()}


def _typed(models: Mapping[str, type[BaseModel]]) -> Schema:
    """Named sections, each with the settings of its `type`."""
    choices = [
        {"if": {"properties": {"type": {"const": name}}}, "then": _with_type(name, model)}
        for name, model in models.items()
    ]
    one: Schema = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(models)}},
        "allOf": choices,
    }
    return {"type": "object", "patternProperties": {NAME: one}, "additionalProperties": False}


def _with_type(name: str, model: type[BaseModel]) -> Schema:
    schema = _model(model)
    schema["properties"] = {"type": {"const": name}, **schema.get("properties", {})}
    return schema


def _alerts() -> Schema:
    schema = _model(Alerts)
    schema["properties"]["channels"] = _typed(CHANNELS)
    return schema
