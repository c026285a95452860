"""A HubSpot account in memory: dated and v3/v4 paths, tokens, limits, objects, links, properties, search.

What it does not do: forms, webhooks, files, lists, custom objects, association labels of one's own.
Shapes and texts: connectors/hubspot/NOTES.md.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from connectors.base import Rate
from connectors.sandbox.base import SandboxRequest, SandboxResponse, Table
from connectors.sandbox.hubspot_batch import Batches
from connectors.sandbox.hubspot_errors import RefusedError, lacking, not_found, throttled, unauthorised
from connectors.sandbox.hubspot_records import Record, Records
from connectors.sandbox.hubspot_schema import (
    ALIASES,
    ASSOCIATIONS,
    GROUPS,
    MAX_UNIQUE,
    SINGULAR,
    TYPES,
    Schema,
    property_definition,
    stamp,
)
from connectors.sandbox.hubspot_search import SearchIndex
from leads.clock import Clock

BURST = Rate(calls=100, per_s=10.0)
SEARCH = Rate(calls=5, per_s=1.0)
PORTAL_ID = 146_000_001
SHOWN = 50
ZONE = "Europe/Moscow"
_V = r"(?:v1|v3|v4|2026-03|2026-09)"
_FORMS = (
    (re.compile(r"/crm/v4/(objects|associations)/(.+)"), r"\1/\2"),
    (re.compile(r"/crm/v3/(objects|properties|pipelines|owners)(?:/(.*))?"), r"\1/\2"),
    (re.compile(r"/crm/(objects|associations|properties|pipelines|owners)/2026-(?:03|09)(?:/(.*))?"), r"\1/\2"),
    (re.compile(rf"/(oauth|account-info)/{_V}/(token|details)"), r"\1/\2"),
)
"""Every form of a path and what is left of it without its version."""


class HubSpotSandbox:
    """`contacts`, `companies`, `deals`, `notes`, `tasks` are id -> record as HubSpot shows it, with all properties."""

    name = "hubspot"

    def __init__(
        self,
        clock: Clock,
        *,
        token: str = "sandbox",  # noqa: S107 - nothing secret is behind it
        rate: Rate | None = BURST,
        search_rate: Rate | None = SEARCH,
        search_lag_s: float = 5.0,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107 - the same
        code: str = "sandbox-code",
        token_life_s: float = 1800.0,
    ) -> None:
        """`rate=None` switches both limits off; `token=""` leaves only tokens got by OAuth."""
        self.clock = clock
        self.token = token
        self.rate = rate
        self.search_rate = search_rate if rate is not None else None
        self.client_id, self.client_secret, self.code = client_id, client_secret, code
        self.token_life_s = token_life_s
        self.may_read_schemas = True
        self.may_write_schemas = True
        self.batch_endpoints = True
        self.access_tokens: dict[str, float] = {}
        """Token got by OAuth -> when it runs out (monotonic seconds)."""
        self.refresh_tokens: set[str] = set()
        self.schema = Schema(clock.now())
        self.index = SearchIndex(search_lag_s, clock.monotonic)
        self.records = Records(self.schema, clock.now, self.index.touched)
        self._batches = Batches(self.records, clock)
        self._calls: dict[str, deque[float]] = {"burst": deque(), "search": deque(), "associations": deque()}
        self._issued = 0

    @property
    def contacts(self) -> dict[str, Record]:
        return self.records.live["contacts"]

    @property
    def companies(self) -> dict[str, Record]:
        return self.records.live["companies"]

    @property
    def deals(self) -> dict[str, Record]:
        return self.records.live["deals"]

    @property
    def notes(self) -> dict[str, Record]:
        return self.records.live["notes"]

    @property
    def tasks(self) -> dict[str, Record]:
        return self.records.live["tasks"]

    def linked(self, type_: str, id_: str, to: str) -> list[str]:
        """Ids of the records of type `to` that hang on this one."""
        return list(self.records.links.get((type_, id_), {}).get(to, {}))

    # --- one request ------------------------------------------------------------------------

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        parts = _parts(request.path)
        headers: dict[str, str] = {}
        try:
            if parts == ["oauth", "token"] and request.method == "POST":
                return self._grant(dict(request.form()))
            self._check_token(request.headers.get("authorization", ""))
            headers = self._count(_window_of(parts), self.clock.monotonic())
            return _with(self._route(request, parts), headers)
        except RefusedError as refused:
            return refused.response(headers)
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            return RefusedError(400, f"Invalid input JSON ({type(exc).__name__})").response(headers)

    def _check_token(self, header: str) -> None:
        token = header.removeprefix("Bearer ").strip()
        if not header.startswith("Bearer ") or not token:
            raise unauthorised()
        if token == self.token:
            return
        until = self.access_tokens.get(token)
        if until is None:
            raise unauthorised()
        if self.clock.monotonic() >= until:
            raise unauthorised("EXPIRED_AUTHENTICATION")

    def _count(self, window: str, now: float) -> dict[str, str]:
        """Takes one call of the window, or refuses; the answer's headers (search answers have none)."""
        rate = self.search_rate if window == "search" else self.rate
        if rate is None:
            return {}
        calls = self._calls[window]
        while calls and calls[0] <= now - rate.per_s:
            calls.popleft()
        headers = {
            "x-hubspot-ratelimit-max": str(rate.calls),
            "x-hubspot-ratelimit-remaining": str(max(0, rate.calls - len(calls) - 1)),
            "x-hubspot-ratelimit-interval-milliseconds": str(int(rate.per_s * 1000)),
        }
        if len(calls) >= rate.calls:
            raise throttled("SECONDLY" if window == "search" else "TEN_SECONDLY_ROLLING")
        calls.append(now)
        return {} if window == "search" else headers

    def _route(self, request: SandboxRequest, parts: list[str]) -> SandboxResponse:
        match parts:
            case ["objects", type_, *rest]:
                return self._objects(request, _type(type_), rest)
            case ["associations", from_, to, *rest]:
                return self._associations(request, _type(from_), _type(to), rest)
            case ["properties", type_, *rest]:
                return self._properties(request, _type(type_), rest)
            case ["pipelines", type_, *rest] if request.method == "GET":
                return self._pipelines(type_, rest)
            case ["owners", *rest] if request.method == "GET":
                return self._owners(request, rest)
            case ["account-info", "details"] if request.method == "GET":
                return SandboxResponse(200, self._account())
        raise not_found("no such endpoint")

    # --- objects ------------------------------------------------------------------------------

    def _objects(self, request: SandboxRequest, type_: str, rest: list[str]) -> SandboxResponse:
        records = self.records
        match (request.method, rest):
            case ("POST", []):
                body = request.json()
                record = records.create(type_, body["properties"], body.get("associations") or [])
                return SandboxResponse(201, records.full(record))
            case ("GET", []):
                return self._list(request, type_)
            case ("POST", ["search"]):
                return SandboxResponse(200, self.index.search(records, type_, request.json(), len(request.body)))
            case ("POST", ["merge"]):
                body = request.json()
                merged = records.merge(type_, str(body["primaryObjectId"]), str(body["objectIdToMerge"]))
                return SandboxResponse(200, records.full(merged))
            case ("POST", ["batch", verb]) if self.batch_endpoints:
                return self._batches.handle(type_, verb, request.json())
            case ("GET", [id_]):
                archived = _flag(request, "archived")
                record = records.get(type_, id_, request.param("idProperty"), archived=archived)
                view = records.view(type_, record, _listed(request, "properties"), _types(request, "associations"))
                return SandboxResponse(200, view)
            case ("PATCH", [id_]):
                record = records.get(type_, id_, request.param("idProperty"))
                return SandboxResponse(200, records.full(records.update(type_, record, request.json()["properties"])))
            case ("DELETE", [id_]):
                records.archive(type_, id_)
                return SandboxResponse(204)
            case (method, [id_, "associations", *links]):
                return self._links(request, method, type_, id_, links)
        raise not_found("no such endpoint")

    def _list(self, request: SandboxRequest, type_: str) -> SandboxResponse:
        archived = _flag(request, "archived")
        table = self.records.archived[type_] if archived else self.records.live[type_]
        limit, after = int(request.param("limit", "10")), int(request.param("after", "0"))
        if limit > 100:
            raise RefusedError(400, "limit must be at most 100")
        ids = sorted((id_ for id_ in table if int(id_) >= after), key=int)
        asked, links = _listed(request, "properties"), _types(request, "associations")
        answer: dict[str, Any] = {
            "results": [self.records.view(type_, table[id_], asked, links) for id_ in ids[:limit]]
        }
        if len(ids) > limit:
            answer["paging"] = {"next": {"after": ids[limit], "link": ""}}
        return SandboxResponse(200, answer)

    # --- links --------------------------------------------------------------------------------

    def _links(self, request: SandboxRequest, method: str, type_: str, id_: str, rest: list[str]) -> SandboxResponse:
        records = self.records
        id_ = str(records.get(type_, id_)["id"])
        match (method, rest):
            case ("GET", [to]):
                return SandboxResponse(200, self._page_of_links(request, type_, id_, _type(to)))
            case ("PUT", ["default", to, to_id]):
                to = _type(to)
                to_id = records.linkable(to, to_id)
                records.link(type_, id_, to, to_id)
                pairs = [(type_, id_, to, to_id), (to, to_id, type_, id_)]
                results = [
                    {
                        "from": {"id": one},
                        "to": {"id": other},
                        "associationSpec": {
                            "associationCategory": "HUBSPOT_DEFINED",
                            "associationTypeId": ASSOCIATIONS[(kind, other_kind)][0],
                        },
                    }
                    for kind, one, other_kind, other in pairs
                ]
                return SandboxResponse(200, self._batches.answer(results))
            case ("PUT", [to, to_id]):
                to = _type(to)
                types = [int(item["associationTypeId"]) for item in request.json()]
                if not types or not set(types) <= set(ASSOCIATIONS[(type_, to)]):
                    raise RefusedError(400, f"Association types {types} are not valid from {type_} to {to}")
                records.link(type_, id_, to, records.linkable(to, to_id), types)
                labels = {"fromObjectTypeId": SINGULAR[type_], "fromObjectId": id_}
                labels |= {"toObjectTypeId": SINGULAR[to], "toObjectId": to_id}
                return SandboxResponse(201, {**labels, "labels": []})
            case ("DELETE", [to, to_id]):
                records.unlink(type_, id_, _type(to), to_id)
                return SandboxResponse(204)
        raise not_found("no such endpoint")

    def _page_of_links(self, request: SandboxRequest, type_: str, id_: str, to: str) -> dict[str, Any]:
        limit, after = int(request.param("limit", "500")), int(request.param("after", "0"))
        others = self.records.links.get((type_, id_), {}).get(to, {})
        ids = sorted((other for other in others if int(other) >= after), key=int)
        answer: dict[str, Any] = {"results": [_link(other, others[other]) for other in ids[:limit]]}
        if len(ids) > limit:
            answer["paging"] = {"next": {"after": ids[limit]}}
        return answer

    def _associations(self, request: SandboxRequest, from_: str, to: str, rest: list[str]) -> SandboxResponse:
        match (request.method, rest):
            case ("GET", ["labels"]):
                types = [id_ for id_ in ASSOCIATIONS[(from_, to)] if id_]
                labels = [{"category": "HUBSPOT_DEFINED", "typeId": id_, "label": None} for id_ in types]
                return SandboxResponse(200, {"results": labels})
            case ("POST", ["batch", "read"]) if self.batch_endpoints:
                results, errors = [], []
                for item in request.json()["inputs"]:
                    id_ = str(item["id"])
                    others = self.records.links.get((from_, id_), {}).get(to, {})
                    if others:
                        links = [_link(other, types) for other, types in others.items()]
                        results.append({"from": {"id": id_}, "to": links})
                    else:
                        text = f"No {to} is associated with {from_} {id_}."
                        more = {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
                        error = RefusedError(404, text, "OBJECT_NOT_FOUND", **more)
                        errors.append(error.in_batch(fromObjectId=[id_]) | more)
                return SandboxResponse(207 if errors else 200, self._batches.answer(results, errors))
        raise not_found("no such endpoint")

    # --- properties, pipelines, owners, account --------------------------------------------------

    def _properties(self, request: SandboxRequest, type_: str, rest: list[str]) -> SandboxResponse:
        scope = f"crm.schemas.{type_}." + ("read" if request.method == "GET" else "write")
        if not (self.may_read_schemas if request.method == "GET" else self.may_write_schemas):
            raise lacking(scope)
        defined = self.schema.properties[type_]
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
                defined[name].update(given, name=name, updatedAt=stamp(self.clock.now()))
                return SandboxResponse(200, defined[name])
            case ("DELETE", [name]) if name in defined:
                defined[name]["archived"] = True
                return SandboxResponse(204)
        raise not_found()

    def _new_property(self, type_: str, given: Mapping[str, Any]) -> dict[str, Any]:
        defined = self.schema.properties[type_]
        definition = property_definition(given, self.clock.now())
        name = str(definition["name"])
        if definition["groupName"] != GROUPS[type_]:
            raise RefusedError(400, f"Property group {definition['groupName']} does not exist")
        if name in defined and not defined[name]["archived"]:
            more = {"subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS"}
            raise RefusedError(409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS", **more)
        if definition["hasUniqueValue"] and len(self.schema.unique(type_)) >= MAX_UNIQUE:
            raise RefusedError(400, f"At most {MAX_UNIQUE} properties may be unique")
        defined[name] = {**defined[name], "archived": False} if name in defined else definition
        return defined[name]

    def _pipelines(self, type_: str, rest: list[str]) -> SandboxResponse:
        if _type(type_) != "deals":
            return SandboxResponse(200, {"results": []})
        match rest:
            case []:
                return SandboxResponse(200, {"results": list(self.schema.pipelines.values())})
            case [id_] if id_ in self.schema.pipelines:
                return SandboxResponse(200, self.schema.pipelines[id_])
        raise not_found()

    def _owners(self, request: SandboxRequest, rest: list[str]) -> SandboxResponse:
        owners = self.schema.owners
        if rest:
            if rest[0] not in owners:
                raise not_found()
            return SandboxResponse(200, owners[rest[0]])
        archived, email = _flag(request, "archived"), request.param("email")
        found = [one for one in owners.values() if one["archived"] is archived and email in ("", one["email"])]
        limit, after = int(request.param("limit", "100")), int(request.param("after", "0"))
        answer: dict[str, Any] = {"results": found[after : after + limit]}
        if after + limit < len(found):
            answer["paging"] = {"next": {"after": str(after + limit)}}
        return SandboxResponse(200, answer)

    def _account(self) -> dict[str, Any]:
        offset = self.clock.now().astimezone(ZoneInfo(ZONE)).utcoffset() or timedelta()
        return {
            "portalId": PORTAL_ID,
            "accountType": "DEVELOPER_TEST",
            "timeZone": ZONE,
            "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
            "uiDomain": "app.hubspot.com",
            "companyCurrency": "RUB",
        }

    # --- OAuth ------------------------------------------------------------------------------------

    def _grant(self, form: dict[str, str]) -> SandboxResponse:
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _no_grant("invalid_client", "BAD_CLIENT_ID", "the client is unknown")
        match form.get("grant_type"):
            case "authorization_code" if self.code and form.get("code") == self.code:
                refresh = f"sandbox-refresh-{len(self.refresh_tokens) + 1}"
                self.refresh_tokens.add(refresh)
            case "refresh_token" if form.get("refresh_token") in self.refresh_tokens:
                refresh = form["refresh_token"]
            case "authorization_code":
                return _no_grant("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
            case _:
                return _no_grant("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        self._issued += 1
        access = f"sandbox-access-{self._issued}"
        self.access_tokens[access] = self.clock.monotonic() + self.token_life_s
        answer = {"access_token": access, "refresh_token": refresh, "expires_in": int(self.token_life_s)}
        return SandboxResponse(200, answer | {"token_type": "bearer", "token_use": "access_token", "hub_id": PORTAL_ID})

    def expire_tokens(self) -> None:
        """All access tokens got by OAuth run out now."""
        self.access_tokens = dict.fromkeys(self.access_tokens, self.clock.monotonic())

    # --- for the layers above -----------------------------------------------------------------------

    def fault_answer(self, kind: Literal["500", "429", "503", "401"]) -> SandboxResponse:
        match kind:
            case "429":
                return throttled("TEN_SECONDLY_ROLLING").response()
            case "401":
                return unauthorised("EXPIRED_AUTHENTICATION").response()
            case "503":
                return RefusedError(503, "The service is temporarily unavailable", "SERVICE_UNAVAILABLE").response()
            case _:
                return RefusedError(500, "internal error", "INTERNAL_ERROR").response()

    def tables(self) -> list[Table]:
        people = {one["id"]: f"{one['firstName']} {one['lastName']}" for one in self.schema.owners.values()}

        def owner(record: Record) -> str:
            return people.get(record["properties"].get("hubspot_owner_id") or "", "")

        def text(*names: str) -> Callable[[Record], str]:
            return lambda record: " ".join(filter(None, (record["properties"].get(name) for name in names)))

        def links(type_: str, to: str) -> Callable[[Record], str]:
            return lambda record: ", ".join(self.linked(type_, record["id"], to))

        kinds: list[tuple[str, str, dict[str, Callable[[Record], str]]]] = [
            (
                "Deals",
                "deals",
                {
                    "name": text("dealname"),
                    "stage": text("pipeline", "dealstage"),
                    "source": text("leadhub_source"),
                    "contact": links("deals", "contacts"),
                    "owner": owner,
                    "key": text("leadhub_external_id"),
                },
            ),
            (
                "Contacts",
                "contacts",
                {"name": text("firstname", "lastname"), "phone": text("phone", "mobilephone"), "email": text("email")},
            ),
            ("Companies", "companies", {"name": text("name"), "owner": owner}),
            ("Notes", "notes", {"text": text("hs_note_body"), "deal": links("notes", "deals")}),
            ("Tasks", "tasks", {"subject": text("hs_task_subject"), "due": text("hs_timestamp"), "owner": owner}),
        ]
        return [
            Table(
                title,
                ("id", *columns),
                [
                    (id_, *(cell(record) for cell in columns.values()))
                    for id_, record in _newest(self.records.live[type_])
                ],
            )
            for title, type_, columns in kinds
        ]

    def snapshot(self) -> dict[str, Any]:
        """Everything that has to outlive a restart, as plain JSON values."""
        links = [
            [type_, id_, to, to_id, types]
            for (type_, id_), others in self.records.links.items()
            for to, ids in others.items()
            for to_id, types in ids.items()
        ]
        return {
            "live": self.records.live,
            "archived": self.records.archived,
            "merged": self.records.merged,
            "links": links,
            "next_id": self.records.next_id,
            "properties": self.schema.properties,
            "refresh_tokens": sorted(self.refresh_tokens),
            "issued": self._issued,
        }

    def restore(self, state: dict[str, Any]) -> None:
        records = self.records
        records.live, records.archived, records.merged = state["live"], state["archived"], state["merged"]
        records.next_id = int(state["next_id"])
        records.links = {}
        for type_, id_, to, to_id, types in state["links"]:
            records.links.setdefault((type_, id_), {}).setdefault(to, {})[to_id] = list(types)
        self.schema.properties = state["properties"]
        self.refresh_tokens = set(state["refresh_tokens"])
        self._issued = int(state["issued"])
        records.rebuild()


def _parts(path: str) -> list[str]:
    """The path without its version, in pieces; [] when it has no form that HubSpot knows."""
    for form, rest in _FORMS:
        found = form.fullmatch(path.rstrip("/"))
        if found:
            return [part for part in found.expand(rest).split("/") if part]
    return []


def _window_of(parts: list[str]) -> str:
    if parts[2:] == ["search"]:
        return "search"
    return "associations" if parts[:1] == ["associations"] or "associations" in parts[2:] else "burst"


def _type(name: str) -> str:
    type_ = ALIASES.get(name, name)
    if type_ not in TYPES:
        raise RefusedError(400, f"Unable to infer object type from: {name}")
    return type_


def _listed(request: SandboxRequest, name: str) -> list[str]:
    """A list in the query: given several times, with commas, or both."""
    values = [value for key, value in request.query if key == name]
    return [item.strip() for value in values for item in value.split(",") if item.strip()]


def _flag(request: SandboxRequest, name: str) -> bool:
    return request.param(name).lower() == "true"


def _types(request: SandboxRequest, name: str) -> list[str]:
    return [_type(item) for item in _listed(request, name)]


def _link(id_: str, types: list[int]) -> dict[str, Any]:
    specs = [
        {"category": "HUBSPOT_DEFINED", "typeId": type_, "label": "Primary" if type_ in (1, 2, 5, 6) else None}
        for type_ in types
    ]
    return {"toObjectId": int(id_), "associationTypes": specs}


def _with(response: SandboxResponse, headers: dict[str, str]) -> SandboxResponse:
    return SandboxResponse(response.status, response.body, {**headers, **response.headers}, response.content_type)


def _no_grant(error: str, status: str, text: str) -> SandboxResponse:
    return SandboxResponse(400, {"error": error, "error_description": text, "status": status, "message": text})


def _newest(table: dict[str, Record]) -> list[tuple[str, Record]]:
    ids = list(table)[-SHOWN:]
    return [(id_, table[id_]) for id_ in reversed(ids)]
