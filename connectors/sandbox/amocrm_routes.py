"""API v4 of the sandbox account: paths, lists and pages, the shapes of answers and refusals."""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox import amocrm_data as data
from connectors.sandbox.amocrm_account import ENTITIES
from connectors.sandbox.amocrm_data import Record
from connectors.sandbox.amocrm_links import change_links, links_of
from connectors.sandbox.amocrm_people import People
from connectors.sandbox.amocrm_records import Invalid
from connectors.sandbox.base import SandboxRequest, SandboxResponse
from leads.clock import Clock

PAGE_DEFAULT = 50
PAGE_MAX = 250
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
}
_FILTER = re.compile(r"filter\[(\w+)\](.*)")


class RefusedRequest(Exception):
    """Ends a request with this answer."""

    def __init__(self, response: SandboxResponse) -> None:
        self.response = response
        super().__init__(response.status)


class Routes(People):
    """`filters` is the paid option for `filter[...]` of leads, contacts and companies, silently ignored where it is
    off; `admin` says whether the token is an administrator's."""

    def __init__(self, clock: Clock, *, search_lag_s: float, filters: bool, admin: bool, host: str) -> None:
        super().__init__(clock, search_lag_s, host)
        self.filters = filters
        self.admin = admin

    def _route(self, request: SandboxRequest, parts: list[str]) -> SandboxResponse:
        match request.method, parts:
            case "GET", ["account"]:
                return ok(self._account())
            case "GET", ["users"]:
                self._admin_only()
                return self._page(request, "users", self.users)
            case "GET", ["users", user_id]:
                return self._one(next((row for row in self.users if str(row["id"]) == user_id), None), 404)
            case "GET", ["leads", "pipelines"]:
                return ok({"_total_items": len(self.pipelines), "_embedded": {"pipelines": self.pipelines}})
            case "GET", ["leads", "pipelines", pipeline_id, *rest] if rest in ([], ["statuses"]):
                found = next((row for row in self.pipelines if str(row["id"]) == pipeline_id), None)
                return self._one(found if not rest or found is None else {"_embedded": found["_embedded"]}, 404)
            case "GET", ["leads", "loss_reasons"]:
                rows = [{"id": key, "name": name, "sort": key} for key, name in data.LOSS_REASONS]
                return self._page(request, "loss_reasons", rows)
            case _, [entity, "custom_fields", *rest] if entity in ENTITIES and len(rest) < 2:
                return self._custom_fields(request, entity, rest)
            case _, [entity, "tags"] if entity in ENTITIES:
                return self._tags(request, entity)
            case "POST", [entity, "notes"] if entity in ENTITIES:
                return self._create(request, "notes", lambda item: self._make_note(entity, None, item))
            case _, [entity, entity_id, "notes"] if entity in ENTITIES and entity_id.isdecimal():
                return self._notes_of(request, entity, entity_id)
            case "GET", [entity, "notes"] if entity in ENTITIES:
                return self._list_notes(request, entity)
            case _, [entity, entity_id, "links" | "link" | "unlink" as verb] if entity in ENTITIES:
                return self._links(request, entity, entity_id, verb)
            case _, [entity, "links" | "link" | "unlink" as verb] if entity in ENTITIES:
                return self._many_links(request, entity, verb)
            case _, ["webhooks"]:
                return self._webhooks(request)
            case "GET", ["events"]:
                return self._events(request)
            case "GET", ["tasks"]:
                return self._list_tasks(request)
            case "POST", ["tasks"]:
                return self._create(request, "tasks", self._make_task)
            case "GET" | "PATCH", ["tasks", task_id]:
                return self._task(request, task_id)
            case "GET", [entity] if entity in ENTITIES:
                return self._list(request, entity)
            case "POST", [entity] if entity in ENTITIES:
                return self._create(request, entity, lambda item: self._make(entity, item))
            case "PATCH", [entity] if entity in ENTITIES:
                return self._create(request, entity, lambda item: self._change(entity, str(item.get("id")), item))
            case "GET", [entity, entity_id] if entity in ENTITIES and entity_id.isdecimal():
                return self._one(self._shown(entity, self.stores[entity].get(entity_id), request), 204)
            case "PATCH", [entity, entity_id] if entity in ENTITIES and entity_id.isdecimal():
                return self._patch_one(request, entity, entity_id)
        known = bool(parts) and parts[0] in (*ENTITIES, "tasks", "account", "users")
        return self._problem(405 if known and len(parts) == 1 else 404)

    def _account(self) -> Record:
        return {
            "id": data.ACCOUNT_ID,
            "name": "Песочница",
            "subdomain": self.host.partition(".")[0],
            "current_user_id": data.USERS[0][0],
            "country": "RU",
            "currency": "RUB",
            "customers_mode": "unavailable",
            "is_unsorted_on": True,
            "is_loss_reason_enabled": True,
            "is_api_filter_enabled": self.filters,
            "created_at": 1700000000,
            "updated_at": 1700000000,
            "_embedded": {"datetime_settings": {"timezone": "Europe/Moscow"}},
        }

    # --- leads, contacts, companies ------------------------------------------------------------

    def _list(self, request: SandboxRequest, entity: str) -> SandboxResponse:
        order = next(((key, value) for key, value in request.query if key.startswith("order[")), ("order[id]", "asc"))
        order_by = order[0].removeprefix("order[").rstrip("]")
        allowed = ("id", "updated_at", "created_at") if entity == "leads" else ("id", "updated_at")
        if order_by not in allowed:
            return self._problem(400, "Unsupported order")
        store, descending = self.stores[entity], order[1] == "desc"
        if entity == "leads" and "only_deleted" in request.param("with").split(","):
            rows = store.deleted(order_by, descending)
        else:
            rows = store.ordered(request.param("query"), order_by, descending, self.clock.monotonic())
        if self.filters and (passes := _filter(request.query)):
            rows = filter(passes, rows)
        return self._page(request, entity, rows, show=lambda row: self._shown(entity, row, request))

    def _shown(self, entity: str, record: Record | None, request: SandboxRequest) -> Record | None:
        if record is None:
            return None
        asked = request.param("with").split(",")
        linked = {"leads": ("contacts",), "contacts": ("leads",), "companies": ("leads", "contacts")}[entity]
        hidden = {name for name in ("contacts", "leads") if name not in asked or name not in linked}
        embedded = {name: rows for name, rows in record["_embedded"].items() if name not in hidden}
        return {**record, "_links": {"self": {"href": self._href(entity, record["id"])}}, "_embedded": embedded}

    def _patch_one(self, request: SandboxRequest, entity: str, entity_id: str) -> SandboxResponse:
        item = self._body(request)
        if not isinstance(item, dict):
            return self._problem(400, "Object expected")
        if self.stores[entity].get(entity_id) is None:
            return self._problem(404)
        try:
            record = self._change(entity, entity_id, item)()
        except Invalid as invalid:
            return self._invalid({"0": invalid})
        return ok({"id": record["id"], "updated_at": record["updated_at"], "_links": {}})

    # --- notes, tasks, links, tags, fields -----------------------------------------------------

    def _notes_of(self, request: SandboxRequest, entity: str, entity_id: str) -> SandboxResponse:
        if self.stores[entity].get(entity_id) is None:
            return self._problem(404)
        if request.method == "POST":
            return self._create(request, "notes", lambda item: self._make_note(entity, entity_id, item))
        rows = [self.notes[key] for key in self._attached.get(("notes", entity, entity_id), [])]
        return self._page(request, "notes", self._ordered(request, rows))

    def _list_notes(self, request: SandboxRequest, entity: str) -> SandboxResponse:
        """Filters of notes need no option."""
        ids = [value for key, value in request.query if key.startswith("filter[entity_id]")]
        keys = [key for owner in ids for key in self._attached.get(("notes", entity, owner), [])]
        rows = [self.notes[key] for key in keys] if ids else list(self.notes.values())
        rows = [row for row in rows if row["entity_type"] == entity]
        return self._page(request, "notes", self._ordered(request, rows))

    def _list_tasks(self, request: SandboxRequest) -> SandboxResponse:
        """Filters of tasks need no option."""
        entity = request.param("filter[entity_type]") or request.param("filter[entity_type][]")
        ids = [value for key, value in request.query if key.startswith("filter[entity_id]")]
        if ids and entity:
            rows = [self.tasks[key] for owner in ids for key in self._attached.get(("tasks", entity, owner), [])]
        else:
            rows = [row for row in self.tasks.values() if not ids or str(row["entity_id"]) in ids]
        return self._page(request, "tasks", self._ordered(request, rows))

    def _task(self, request: SandboxRequest, task_id: str) -> SandboxResponse:
        task = self.tasks.get(task_id)
        if task is not None and request.method == "PATCH":
            task.update({**self._body(request), "id": task["id"], "updated_at": self._now()})
        return self._one(task, 404)

    def _ordered(self, request: SandboxRequest, rows: list[Record]) -> list[Record]:
        order = next(((key, value) for key, value in request.query if key.startswith("order[")), ("order[id]", "asc"))
        name = order[0].removeprefix("order[").rstrip("]")
        return sorted(rows, key=lambda row: (row.get(name) or 0, row["id"]), reverse=order[1] == "desc")

    def _links(self, request: SandboxRequest, entity: str, entity_id: str, verb: str) -> SandboxResponse:
        record = self.stores[entity].get(entity_id)
        if record is None:
            return self._problem(404)
        if verb in ("link", "unlink") and request.method == "POST":
            try:
                change_links(self, entity, self._body(request), off=verb == "unlink", entity_id=entity_id)
            except Invalid as invalid:
                return self._invalid({"0": invalid})
            if verb == "unlink":
                return SandboxResponse(204)
        return ok({"_links": {}, "_embedded": {"links": links_of(entity, record)}})

    def _many_links(self, request: SandboxRequest, entity: str, verb: str) -> SandboxResponse:
        """The filter of links needs no option."""
        if request.method == "POST" and verb != "links":
            try:
                change_links(self, entity, self._body(request), off=verb == "unlink")
            except Invalid as invalid:
                return self._invalid({"0": invalid})
            return SandboxResponse(204) if verb == "unlink" else ok({"_links": {}, "_embedded": {"links": []}})
        ids = [value for key, value in request.query if key == "filter[entity_id][]"]
        records = [record for one in ids if (record := self.stores[entity].get(one)) is not None]
        rows = [row for record in records for row in links_of(entity, record)]
        return self._page(request, "links", rows)

    def _webhooks(self, request: SandboxRequest) -> SandboxResponse:
        self._admin_only()
        hooks = self.subscriptions.hooks
        match request.method:
            case "GET":
                wanted = request.param("filter[destination]")
                return self._page(request, "webhooks", [row for key, row in hooks.items() if wanted in ("", key)])
            case "POST":
                row = self.subscriptions.put(self._body(request), self._now())
                return self._problem(400, row) if isinstance(row, str) else ok(row)
            case "DELETE":
                gone = hooks.pop(str((self._body(request) or {}).get("destination")), None)
                return SandboxResponse(204) if gone else self._problem(404)
        return self._problem(405)

    def _events(self, request: SandboxRequest) -> SandboxResponse:
        """Filters of events need no option; a bare time is "after it"."""
        kinds = {kind for key, value in request.query if key.startswith("filter[type]") for kind in value.split(",")}
        since = request.param("filter[created_at][from]") or "0"
        after = int(request.param("filter[created_at]") or -1)
        rows = [
            row
            for row in reversed(self.events)
            if (not kinds or row["type"] in kinds) and row["created_at"] >= int(since) and row["created_at"] > after
        ]
        return self._page(request, "events", rows)

    def _tags(self, request: SandboxRequest, entity: str) -> SandboxResponse:
        if request.method == "POST":
            tags = self._named_tags(entity, self._checked_tags(self._body(request)))
            return ok({"_embedded": {"tags": tags}})
        rows = [{"id": tag_id, "name": name, "color": None} for name, tag_id in self.tags[entity].items()]
        return self._page(request, "tags", rows)

    def _custom_fields(self, request: SandboxRequest, entity: str, rest: list[str]) -> SandboxResponse:
        fields = self.fields[entity]
        if request.method == "GET" and not rest:
            return self._page(request, "custom_fields", list(fields.values()), totals=True)
        if request.method == "GET":
            return self._one(fields.get(int(rest[0])) if rest[0].isdecimal() else None, 404)
        self._admin_only()
        if request.method == "DELETE" and rest:
            if rest[0].isdecimal() and int(rest[0]) in fields:
                self.delete_field(entity, rest[0])
                return SandboxResponse(204)
            return self._problem(404)
        if request.method != "POST":
            return self._problem(405)
        return self._create(request, "custom_fields", lambda item: self._make_field(entity, item))

    # --- answers -------------------------------------------------------------------------------

    def _create(
        self, request: SandboxRequest, collection: str, check: Callable[[Record], Callable[[], Record]]
    ) -> SandboxResponse:
        """All items are checked before any is done."""
        items = self._body(request)
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            return self._problem(400, "Array expected")
        if len(items) > PAGE_MAX:
            return self._problem(422, "Limit of 250 per page")
        works: list[tuple[str, Callable[[], Record]]] = []
        errors: dict[str, Invalid] = {}
        for order, item in enumerate(items):
            request_id = str(item.get("request_id", order))
            try:
                works.append((request_id, check(item)))
            except Invalid as invalid:
                errors[request_id] = invalid
        if errors:
            return self._invalid(errors)
        rows = [self._receipt(collection, request_id, work()) for request_id, work in works]
        return ok({"_links": {}, "_embedded": {collection: rows}})

    def _receipt(self, collection: str, request_id: str, record: Record) -> Record:
        """Only ids come back, except of fields, which come back whole."""
        links = {"_links": {"self": {"href": self._href(collection, record["id"])}}}
        if collection == "custom_fields":
            return {**record, "request_id": request_id, **links}
        shown = ("entity_id",) if collection == "notes" else ()
        more: Record = {name: record[name] for name in shown}
        return {"id": record["id"], **more, "request_id": request_id, **links}

    def _page(
        self,
        request: SandboxRequest,
        collection: str,
        rows: Iterable[Record],
        *,
        totals: bool = False,
        show: Callable[[Record], Any] = lambda row: row,
    ) -> SandboxResponse:
        try:
            page, limit = int(request.param("page", "1")), int(request.param("limit", str(PAGE_DEFAULT)))
        except ValueError:
            return self._problem(400, "Wrong page")
        if limit > PAGE_MAX:
            return self._problem(422, "Limit of 250 per page")
        start = (max(page, 1) - 1) * limit
        found = list(islice(rows, start, start + limit + 1))
        if not found:
            return SandboxResponse(204)
        links: Record = {"self": {"href": f"https://{self.host}{request.path}"}}
        if len(found) > limit:
            query = [(key, value) for key, value in request.query if key not in ("page", "limit")]
            query += [("page", str(page + 1)), ("limit", str(limit))]
            links["next"] = {"href": f"https://{self.host}{request.path}?{urlencode(query)}"}
        more = {"_total_items": len(list(rows))} if totals and isinstance(rows, list) else {}
        shown = [show(row) for row in found[:limit]]
        return ok({"_page": page, **more, "_links": links, "_embedded": {collection: shown}})

    def _one(self, record: Record | None, absent: int) -> SandboxResponse:
        if record is not None:
            return ok(record)
        return SandboxResponse(204) if absent == 204 else self._problem(absent)

    def _body(self, request: SandboxRequest) -> Any:
        try:
            return request.json()
        except ValueError:
            raise RefusedRequest(self._problem(400, "Body is not JSON")) from None

    def _admin_only(self) -> None:
        if not self.admin:
            raise RefusedRequest(self._problem(403, "Forbidden"))

    def _invalid(self, errors: dict[str, Invalid]) -> SandboxResponse:
        items = [
            {
                "request_id": request_id,
                "errors": [
                    {"code": code, "path": path, "detail": "The value you selected is not a valid choice."}
                    for code, path in invalid.errors
                ],
            }
            for request_id, invalid in errors.items()
        ]
        body = {"validation-errors": items, "title": "Bad Request", "type": "https://httpstatus.es/400", "status": 400}
        return problem(400, {**body, "detail": "Request validation failed"})

    def _problem(self, status: int, detail: str = "", **more: Any) -> SandboxResponse:
        title = TITLES.get(status, detail)
        kind = f"https://httpstatus.es/{status}"
        return problem(status, {"title": title, "type": kind, "status": status, "detail": detail, **more})

    def _href(self, entity: str, record_id: int) -> str:
        return f"https://{self.host}/api/v4/{entity}/{record_id}"


def ok(body: Any) -> SandboxResponse:
    return SandboxResponse(200, body, content_type="application/hal+json")


def problem(status: int, body: Record) -> SandboxResponse:
    return SandboxResponse(status, body, content_type="application/problem+json")


def _filter(query: list[tuple[str, str]]) -> Callable[[Record], bool] | None:
    """The paid filters: ids and lists match any of the values, from and to bound. None where nothing is asked for."""
    wanted: dict[str, set[str]] = {}
    bounds: list[tuple[str, int, int]] = []
    for key, value in query:
        found = _FILTER.fullmatch(key)
        name, rest = found.groups() if found is not None and value else ("", "-")
        if rest in ("", "[]"):
            wanted.setdefault(name, set()).add(value)
        elif rest in ("[from]", "[to]"):
            bounds.append((name, 1 if rest == "[from]" else -1, int(value)))

    def passes(row: Record) -> bool:
        held = all((int(row.get(name) or 0) - bound) * way >= 0 for name, way, bound in bounds)
        return held and all(str(row.get(name)) in values for name, values in wanted.items())

    return passes if wanted or bounds else None
