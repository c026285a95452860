"""A HubSpot account in memory: dated and v3/v4 paths, tokens, limits, objects, links, properties, search.

What it does not do: forms, webhooks, files, lists, custom objects, association labels of one's own.
Shapes and texts: connectors/hubspot/NOTES.md.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from connectors.base import Rate
from connectors.sandbox.base import OwnFault, SandboxRequest, SandboxResponse, Table
from connectors.sandbox.hubspot_account import AccountPart
from connectors.sandbox.hubspot_batch import Batches
from connectors.sandbox.hubspot_errors import RefusedError, lacking, not_found, throttled, unauthorised
from connectors.sandbox.hubspot_hooks import AppWebhooks
from connectors.sandbox.hubspot_links import LinksPart
from connectors.sandbox.hubspot_records import Record, Records
from connectors.sandbox.hubspot_schema import (
    ALIASES,
    Schema,
    type_of,
)
from connectors.sandbox.hubspot_search import SearchIndex
from connectors.sandbox.hubspot_tokens import Tokens
from connectors.sandbox.posts import Post
from leads.clock import Clock

BURST = Rate(calls=100, per_s=10.0)
SEARCH = Rate(calls=5, per_s=1.0)
SHOWN = 50
_V = r"(?:v1|v3|v4|2026-03|2026-09)"
_FORMS = (
    (re.compile(r"/crm/v4/(objects|associations)/(.+)"), r"\1/\2"),
    (re.compile(r"/crm/v3/(objects|properties|pipelines|owners)(?:/(.*))?"), r"\1/\2"),
    (re.compile(r"/crm/(objects|associations|properties|pipelines|owners)/2026-(?:03|09)(?:/(.*))?"), r"\1/\2"),
    (re.compile(rf"/(oauth|account-info)/{_V}/(token|details)"), r"\1/\2"),
)
"""Every form of a path and what is left of it without its version."""


class HubSpotSandbox:
    """`contacts`, `companies`, `deals`, `notes`, `tasks`, `calls`: id -> record as HubSpot shows it, all properties."""

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
        client_secret: str = "sandbox-secret",  # noqa: S107 - nothing secret is behind it
        code: str = "sandbox-code",
        token_life_s: float = 1800.0,
    ) -> None:
        """`rate=None` switches both limits off; `token=""` leaves only tokens got by OAuth."""
        self.clock = clock
        self.rate = rate
        self.search_rate = search_rate if rate is not None else None
        self.batch_endpoints = True
        self.tokens = Tokens(
            clock, fixed=token, client_id=client_id, client_secret=client_secret, code=code, life_s=token_life_s
        )
        self.schema = Schema(clock.now())
        self.account = AccountPart(self.schema, clock)
        self.index = SearchIndex(search_lag_s, clock.monotonic)
        self.records = Records(self.schema, clock.now, self.index.touched)
        self.webhooks = AppWebhooks(clock.now, client_secret)
        self.records.happened = self.webhooks.happened
        self._batches = Batches(self.records, clock)
        self._links = LinksPart(self.records, self._batches)
        self._calls: dict[str, deque[float]] = {"burst": deque(), "search": deque(), "associations": deque()}

    @property
    def posts(self) -> deque[Post]:
        """Webhooks that are still to be sent."""
        return self.webhooks.posts

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

    @property
    def calls(self) -> dict[str, Record]:
        return self.records.live["calls"]

    def linked(self, type_: str, id_: str, to: str) -> list[str]:
        """Ids of the records of type `to` that hang on this one."""
        return list(self.records.links.get((type_, id_), {}).get(to, {}))

    # --- one request ------------------------------------------------------------------------

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        parts = _parts(request.path)
        headers: dict[str, str] = {}
        try:
            if parts == ["oauth", "token"] and request.method == "POST":
                return self.tokens.grant(dict(request.form()))
            self.tokens.check(request.headers.get("authorization", ""))
            headers = self._count(_window_of(parts), self.clock.monotonic())
            return _with(self._route(request, parts), headers)
        except RefusedError as refused:
            return refused.response(headers)
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            return RefusedError(400, f"Invalid input JSON ({type(exc).__name__})").response(headers)

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
                return self._objects(request, type_of(type_), rest)
            case ["associations", from_, to, *rest] if self.batch_endpoints or rest[:1] != ["batch"]:
                return self._links.batch(request, type_of(from_), type_of(to), rest)
            case ["properties", type_, *rest]:
                return self.account.properties(request, type_of(type_), rest)
            case ["pipelines", type_, *rest] if request.method == "GET":
                return self.account.pipelines(ALIASES.get(type_, type_), rest)
            case ["owners", *rest] if request.method == "GET":
                return self.account.owners(request, rest)
            case ["account-info", "details"] if request.method == "GET":
                return SandboxResponse(200, self.account.account())
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
                return self._links.one(request, method, type_, id_, links)
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

    # --- for the layers above -----------------------------------------------------------------------

    def fault_answer(self, kind: OwnFault) -> SandboxResponse:
        match kind:
            case "429":
                return throttled("TEN_SECONDLY_ROLLING").response()
            case "401":
                return unauthorised("EXPIRED_AUTHENTICATION").response()
            case "403":
                return lacking("crm.objects.notes.write").response()
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
            (
                "Calls",
                "calls",
                {
                    "at": text("hs_timestamp"),
                    "how": text("hs_call_direction", "hs_call_status"),
                    "from, to": text("hs_call_from_number", "hs_call_to_number"),
                    "ms": text("hs_call_duration"),
                    "deal": links("calls", "deals"),
                    "owner": owner,
                },
            ),
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
            "refresh_tokens": sorted(self.tokens.refresh),
            "issued": self.tokens.issued,
        }

    def restore(self, state: dict[str, Any]) -> None:
        records = self.records
        # A state kept before there were calls has none of them, and no properties for them.
        for kept, table in (("live", records.live), ("archived", records.archived), ("merged", records.merged)):
            table.update(state[kept])
        records.next_id = int(state["next_id"])
        records.links = {}
        for type_, id_, to, to_id, types in state["links"]:
            records.links.setdefault((type_, id_), {}).setdefault(to, {})[to_id] = list(types)
        self.schema.properties.update(state["properties"])
        self.tokens.refresh = set(state["refresh_tokens"])
        self.tokens.issued = int(state["issued"])
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


def _listed(request: SandboxRequest, name: str) -> list[str]:
    """A list in the query: given several times, with commas, or both."""
    values = [value for key, value in request.query if key == name]
    return [item.strip() for value in values for item in value.split(",") if item.strip()]


def _flag(request: SandboxRequest, name: str) -> bool:
    return request.param(name).lower() == "true"


def _types(request: SandboxRequest, name: str) -> list[str]:
    return [type_of(item) for item in _listed(request, name)]


def _with(response: SandboxResponse, headers: dict[str, str]) -> SandboxResponse:
    return SandboxResponse(response.status, response.body, {**headers, **response.headers}, response.content_type)


def _newest(table: dict[str, Record]) -> list[tuple[str, Record]]:
    ids = list(table)[-SHOWN:]
    return [(id_, table[id_]) for id_ in reversed(ids)]
