"""What the sandbox account is made of: properties, pipelines, owners, its own details."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.hubspot_errors import RefusedError, lacking, not_found
from connectors.sandbox.hubspot_schema import GROUPS, MAX_UNIQUE, Schema, property_definition, stamp
from leads.clock import Clock

PORTAL_ID = 146_000_001
ZONE = "Europe/Moscow"


class AccountPart:
    """`may_read_schemas` and `may_write_schemas` are the token's rights on properties."""

    def __init__(self, schema: Schema, clock: Clock) -> None:
        self._schema = schema
        self._clock = clock
        self.may_read_schemas = True
        self.may_write_schemas = True

    def properties(self, request: SandboxRequest, type_: str, rest: list[str]) -> SandboxResponse:
        scope = f"crm.schemas.{type_}." + ("read" if request.method == "GET" else "write")
        if not (self.may_read_schemas if request.method == "GET" else self.may_write_schemas):
            raise lacking(scope)
        defined = self._schema.properties[type_]
        match (request.method, rest):
            case ("GET", []):
                return SandboxResponse(200, {"results": [item for item in defined.values() if not item["archived"]]})
            case ("GET", ["groups"]):
                group = {"name": GROUPS[type_], "label": "Information", "displayOrder": 0, "archived": False}
                return SandboxResponse(200, {"results": [group]})
            case ("POST", []):
                return SandboxResponse(201, self._new_property(type_, request.json()))
            case ("GET", [name]) if name in defined and not defined[name]["archived"]:
                return SandboxResponse(200, defined[name])
            case ("PATCH", [name]) if name in defined:
                given = {key: value for key, value in request.json().items() if key != "hasUniqueValue"}
                defined[name].update(given, name=name, updatedAt=stamp(self._clock.now()))
                return SandboxResponse(200, defined[name])
            case ("DELETE", [name]) if name in defined:
                defined[name]["archived"] = True
                return SandboxResponse(204)
        raise not_found()

    def _new_property(self, type_: str, given: Mapping[str, Any]) -> dict[str, Any]:
        defined = self._schema.properties[type_]
        definition = property_definition(given, self._clock.now())
        name = str(definition["name"])
        if definition["groupName"] != GROUPS[type_]:
            raise RefusedError(400, f"Property group {definition['groupName']} does not exist")
        if name in defined and not defined[name]["archived"]:
            more = {"subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS"}
            raise RefusedError(409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS", **more)
        if definition["hasUniqueValue"] and len(self._schema.unique(type_)) >= MAX_UNIQUE:
            raise RefusedError(400, f"At most {MAX_UNIQUE} properties may be unique")
        defined[name] = {**defined[name], "archived": False} if name in defined else definition
        return defined[name]

    def pipelines(self, type_: str, rest: list[str]) -> SandboxResponse:
        if type_ != "deals":
            return SandboxResponse(200, {"results": []})
        match rest:
            case []:
                return SandboxResponse(200, {"results": list(self._schema.pipelines.values())})
            case [id_] if id_ in self._schema.pipelines:
                return SandboxResponse(200, self._schema.pipelines[id_])
        raise not_found()

    def owners(self, request: SandboxRequest, rest: list[str]) -> SandboxResponse:
        owners = self._schema.owners
        if rest:
            if rest[0] not in owners:
                raise not_found()
            return SandboxResponse(200, owners[rest[0]])
        archived = request.param("archived").lower() == "true"
        email = request.param("email")
        found = [one for one in owners.values() if one["archived"] is archived and email in ("", one["email"])]
        limit, after = int(request.param("limit", "100")), int(request.param("after", "0"))
        answer: dict[str, Any] = {"results": found[after : after + limit]}
        if after + limit < len(found):
            answer["paging"] = {"next": {"after": str(after + limit)}}
        return SandboxResponse(200, answer)

    def account(self) -> dict[str, Any]:
        offset = self._clock.now().astimezone(ZoneInfo(ZONE)).utcoffset() or timedelta()
        return {
            "portalId": PORTAL_ID,
            "accountType": "DEVELOPER_TEST",
            "timeZone": ZONE,
            "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
            "uiDomain": "app.hubspot.com",
            "companyCurrency": "RUB",
        }
