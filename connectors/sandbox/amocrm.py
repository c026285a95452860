"""An amoCRM account in memory: API v4 over `handle`, with its limits, refusals and single-use tokens."""

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Literal
from urllib.parse import urlencode

from connectors.sandbox import amocrm_data as data
from connectors.sandbox.amocrm_data import Record
from connectors.sandbox.amocrm_records import Invalid, Store, check_name, merge_custom, new_record, read_custom
from connectors.sandbox.base import GATEWAY, SandboxRequest, SandboxResponse, Table
from leads.clock import Clock

ENTITIES = ("leads", "contacts", "companies")
ACCESS_LIFE_S = 86400
CODE_LIFE_S = 1200
PAGE_DEFAULT = 50
PAGE_MAX = 250
SHOWN_ROWS = 50
FIRST_IDS = {"leads": 24515001, "contacts": 51230001, "companies": 51930001}
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
          422: "Unprocessable Entity", 429: "Too Many Requests"}  # fmt: skip
_FILTER = re.compile(r"filter\[(\w+)\](.*)")


class AmocrmSandbox:
    """`deals`, `contacts`, `companies`, `notes`, `tasks` are id -> record as the vendor shows it, links included.

    `rate` is (calls, seconds) or None; `filters` is the paid option for `filter[...]` of
    leads, contacts and companies, silently ignored where it is off; `admin` says what the
    token may do; `blocked` is the block against floods; `retry_after_s` goes into 429s.
    """

    name = "amocrm"

    def __init__(
        self,
        clock: Clock,
        *,
        token: str = "sandbox",  # noqa: S107 - a sandbox has no secrets
        rate: tuple[int, float] | None = (7, 1.0),
        search_lag_s: float = 0.0,
        filters: bool = False,
        admin: bool = True,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107
        redirect_uri: str = "http://127.0.0.1:8080/oauth",
        access_life_s: float = ACCESS_LIFE_S,
        host: str = "sandbox.amocrm.ru",
    ) -> None:
        self.clock = clock
        self.token = token
        self.rate = rate
        self.filters = filters
        self.admin = admin
        self.client_id, self.client_secret, self.redirect_uri = client_id, client_secret, redirect_uri
        self.access_life_s = access_life_s
        self.host = host
        self.blocked = False
        self.paid = True
        self.retry_after_s: float | None = 1
        self.search_lag_s = search_lag_s
        self.deals: dict[str, Record] = {}
        self.contacts: dict[str, Record] = {}
        self.companies: dict[str, Record] = {}
        self.notes: dict[str, Record] = {}
        self.tasks: dict[str, Record] = {}
        self.fields = data.fields()
        self.users = data.users()
        self.pipelines = data.pipelines()
        self.tags: dict[str, dict[str, int]] = {entity: {} for entity in ENTITIES}
        self.access_tokens: dict[str, float] = {}
        self.refresh_tokens: set[str] = set()
        self.codes: dict[str, float] = {}
        self.refreshes = 0
        self.creates_at: list[tuple[str, int]] = []
        self._next_id = 880001
        self._window: deque[float] = deque()
        self._attached: dict[tuple[str, str, str], list[str]] = {}
        self.stores = self._make_stores()

    # --- from outside ---------------------------------------------------------------------

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        if self.blocked:
            return SandboxResponse(403, GATEWAY.replace(b"502 Bad Gateway", b"403 Forbidden"), content_type="text/html")
        if self._too_fast():
            return self.fault_answer("429")
        try:
            if request.path == "/oauth2/access_token" and request.method == "POST":
                return self._token_endpoint(request)
            if request.path == "/oauth":
                return self._consent(request)
            if not request.path.startswith("/api/v4/"):
                return self._problem(404)
            if not self._authorised(request):
                return self.fault_answer("401")
            if not self.paid:
                return self._problem(402, "Payment Required")
            return self._route(request, request.path.removeprefix("/api/v4/").rstrip("/").split("/"))
        except _Refused as refused:
            return refused.response

    def fault_answer(self, kind: Literal["500", "429", "503", "401"]) -> SandboxResponse:
        if kind == "500":
            body = {"title": "ErrInternalServer", "status": 500, "trace_id": "5f1c2d"}
            return SandboxResponse(500, body, content_type="application/problem+json")
        if kind == "503":
            page = GATEWAY.replace(b"502 Bad Gateway", b"503 Service Temporarily Unavailable")
            return SandboxResponse(503, page, content_type="text/html")
        if kind == "429":
            more = {"retry_after": self.retry_after_s} if self.retry_after_s is not None else {}
            return self._problem(429, "Too many requests", **more)
        return self._problem(401, "Неверный логин или пароль")

    def tables(self) -> list[Table]:
        return [
            Table(
                "Сделки",
                ("id", "название", "контакт", "этап", "ответственный", "теги"),
                [_deal_row(row) for row in _last(self.deals)],
            ),
            Table(
                "Контакты",
                ("id", "имя", "телефоны", "почта"),
                [
                    (str(row["id"]), row["name"], _values(row, "PHONE"), _values(row, "EMAIL"))
                    for row in _last(self.contacts)
                ],
            ),
            Table(
                "Примечания",
                ("id", "сделка", "текст"),
                [
                    (str(row["id"]), str(row["entity_id"]), str(row["params"].get("text", "")))
                    for row in _last(self.notes)
                ],
            ),
            Table(
                "Задачи",
                ("id", "сделка", "текст", "до"),
                [
                    (str(row["id"]), str(row["entity_id"]), row["text"], str(row["complete_till"]))
                    for row in _last(self.tasks)
                ],
            ),
        ]

    # --- what people and other programs do meanwhile ---------------------------------------------

    def issue_tokens(self) -> Record:
        """A token pair as the token endpoint gives it."""
        now = self.clock.now().timestamp()
        serial = self.clock.random_bits(64)
        claims = {
            "exp": int(now + self.access_life_s),
            "iat": int(now),
            "account_id": data.ACCOUNT_ID,
            "api_domain": "api-b.amocrm.ru",
            "sub": str(data.USERS[0][0]),
            "jti": f"{serial:016x}",
        }
        head = {"typ": "JWT", "alg": "HS256"}
        access = ".".join([_b64(json.dumps(head).encode()), _b64(json.dumps(claims).encode()), _b64(b"sandbox")])
        refresh = f"def502{serial:016x}"
        self.access_tokens[access] = now + self.access_life_s
        self.refresh_tokens.add(refresh)
        return {
            "token_type": "Bearer",
            "expires_in": int(self.access_life_s),
            "server_time": int(now),
            "access_token": access,
            "refresh_token": refresh,
        }

    def issue_code(self) -> str:
        code = f"code{self.clock.random_bits(64):016x}"
        self.codes[code] = self.clock.now().timestamp() + CODE_LIFE_S
        return code

    def delete_deal(self, deal_id: str) -> None:
        self.deals[deal_id]["is_deleted"] = True

    def merge_contacts(self, kept_id: str, gone_id: str) -> None:
        """As a person merges two contacts: deals move over, the other is gone."""
        gone = self.contacts[gone_id]
        for link in gone["_embedded"]["leads"]:
            deal = self.deals[str(link["id"])]
            deal["_embedded"]["contacts"] = [
                item for item in deal["_embedded"]["contacts"] if str(item["id"]) != gone_id
            ]
            self._link(deal, self.contacts[kept_id], main=True)
        gone["is_deleted"] = True

    def delete_field(self, entity: str, code_or_id: str) -> None:
        field_id = next(key for key, row in self.fields[entity].items() if code_or_id in (str(key), row["code"]))
        del self.fields[entity][field_id]
        for record in self.stores[entity].records.values():
            kept = [row for row in record["custom_fields_values"] or [] if row["field_id"] != field_id]
            record["custom_fields_values"] = kept or None

    def move_deal(self, deal_id: str, pipeline_id: int, status_id: int) -> None:
        deal = self.deals[deal_id]
        now = self._now()
        deal.update(pipeline_id=pipeline_id, status_id=status_id, updated_at=now)
        deal["closed_at"] = now if status_id in (142, 143) else None
        self.stores["leads"].touch(deal, now)

    def key_of(self, record: Record) -> str:
        """What leadhub's key field holds, or the mark in the name."""
        found = _values(record, "LEADHUB_ID")
        marked = re.search(r"\[lh-([^\]]+)\]", record.get("name") or "")
        return found or (marked.group(1) if marked else "")

    def snapshot(self) -> dict[str, Any]:
        """The state itself, not a copy: to be written out at once."""
        return {
            "deals": self.deals,
            "contacts": self.contacts,
            "companies": self.companies,
            "notes": self.notes,
            "tasks": self.tasks,
            "fields": {entity: list(fields.values()) for entity, fields in self.fields.items()},
            "tags": self.tags,
            "access_tokens": self.access_tokens,
            "refresh_tokens": sorted(self.refresh_tokens),
            "next_id": self._next_id,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.deals, self.contacts, self.companies = state["deals"], state["contacts"], state["companies"]
        self.notes, self.tasks, self.tags = state["notes"], state["tasks"], state["tags"]
        self.fields = {entity: {row["id"]: row for row in rows} for entity, rows in state["fields"].items()}
        self.access_tokens, self.refresh_tokens = state["access_tokens"], set(state["refresh_tokens"])
        self._next_id = state["next_id"]
        self.stores = self._make_stores()
        self._attached = {}
        for collection, rows in (("notes", self.notes), ("tasks", self.tasks)):
            for record_id, row in rows.items():
                key = (collection, row["entity_type"], str(row["entity_id"]))
                self._attached.setdefault(key, []).append(record_id)

    # --- the gate ----------------------------------------------------------------------------------

    def _make_stores(self) -> dict[str, Store]:
        stores: dict[str, Store] = {}
        for entity, records in zip(ENTITIES, (self.deals, self.contacts, self.companies), strict=True):
            first = max([FIRST_IDS[entity] - 1, *(int(key) for key in records)]) + 1
            stores[entity] = Store(entity, first, records, self.search_lag_s)
            for record in sorted(records.values(), key=lambda row: row["updated_at"]):
                stores[entity].touch(record, 0)
        return stores

    def _now(self) -> int:
        return int(self.clock.now().timestamp())

    def _too_fast(self) -> bool:
        if self.rate is None:
            return False
        calls, per_s = self.rate
        now = self.clock.monotonic()
        while self._window and self._window[0] <= now - per_s:
            self._window.popleft()
        if len(self._window) >= calls:
            return True
        self._window.append(now)
        return False

    def _authorised(self, request: SandboxRequest) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return token == self.token or self.access_tokens.get(token, 0) > self.clock.now().timestamp()

    def _token_endpoint(self, request: SandboxRequest) -> SandboxResponse:
        try:
            asked = request.json()
        except ValueError:
            asked = dict(request.form())
        if asked.get("client_id") != self.client_id:
            return self._oauth_problem(400, "Check the `client_id` parameter")
        if asked.get("client_secret") != self.client_secret:
            return self._oauth_problem(400, "Check the `client_secret` parameter")
        if asked.get("redirect_uri") != self.redirect_uri:
            return self._oauth_problem(400, "Redirect URI is not associated with client")
        if asked.get("grant_type") == "authorization_code":
            until = self.codes.pop(asked.get("code", ""), None)
            if until is None:
                return self._oauth_problem(400, "Authorization code has been revoked")
            if until <= self.clock.now().timestamp():
                return self._oauth_problem(400, "Authorization code has expired")
            return SandboxResponse(200, self.issue_tokens())
        if asked.get("grant_type") == "refresh_token":
            if asked.get("refresh_token") not in self.refresh_tokens:
                return self._oauth_problem(401, "Token has been revoked")
            self.refresh_tokens.discard(asked["refresh_token"])
            self.refreshes += 1
            return SandboxResponse(200, self.issue_tokens())
        return self._oauth_problem(400, "Check the `grant_type` parameter")

    def _consent(self, request: SandboxRequest) -> SandboxResponse:
        """The sandbox's owner always consents."""
        query = {"code": self.issue_code(), "state": request.param("state"), "referer": request.headers.get("host", "")}
        return SandboxResponse(302, None, {"location": f"{self.redirect_uri}?{urlencode(query)}"})

    # --- routing -----------------------------------------------------------------------------------

    def _route(self, request: SandboxRequest, parts: list[str]) -> SandboxResponse:
        match request.method, parts:
            case "GET", ["account"]:
                return _ok(self._account())
            case "GET", ["users"]:
                self._admin_only()
                return self._page(request, "users", self.users)
            case "GET", ["users", user_id]:
                return self._one(next((row for row in self.users if str(row["id"]) == user_id), None), 404)
            case "GET", ["leads", "pipelines"]:
                return _ok({"_total_items": len(self.pipelines), "_embedded": {"pipelines": self.pipelines}})
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
                rows = [row for row in self.notes.values() if row["entity_type"] == entity]
                return self._page(request, "notes", self._ordered(request, rows))
            case _, [entity, entity_id, "links" | "link" | "unlink" as verb] if entity in ENTITIES:
                return self._links(request, entity, entity_id, verb)
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

    # --- leads, contacts, companies ---------------------------------------------------------------------

    def _list(self, request: SandboxRequest, entity: str) -> SandboxResponse:
        order = next(((key, value) for key, value in request.query if key.startswith("order[")), ("order[id]", "asc"))
        order_by = order[0].removeprefix("order[").rstrip("]")
        allowed = ("id", "updated_at", "created_at") if entity == "leads" else ("id", "updated_at")
        if order_by not in allowed:
            return self._problem(400, "Unsupported order")
        rows = self.stores[entity].ordered(request.param("query"), order_by, order[1] == "desc", self.clock.monotonic())
        if self.filters:
            rows = (row for row in rows if _passes(row, request.query))
        return self._page(request, entity, (self._shown(entity, row, request) or {} for row in rows))

    def _shown(self, entity: str, record: Record | None, request: SandboxRequest) -> Record | None:
        if record is None:
            return None
        asked = request.param("with").split(",")
        linked = {"leads": "contacts", "contacts": "leads", "companies": "leads"}[entity]
        hidden = {name for name in ("contacts", "leads") if name not in asked or name != linked}
        embedded = {name: rows for name, rows in record["_embedded"].items() if name not in hidden}
        return {**record, "_links": {"self": {"href": self._href(entity, record["id"])}}, "_embedded": embedded}

    def _make(self, entity: str, item: Record) -> Callable[[], Record]:
        """Checks at once, does the work when called: one bad item rejects the whole request."""
        custom = self._checked(entity, item)
        embedded = item.get("_embedded") or {}
        status = self._stage(item) if entity == "leads" else (0, 0)
        contacts = [self._linked("contacts", link, order) for order, link in enumerate(embedded.get("contacts") or [])]
        companies = [self._linked("companies", link, 0) for link in embedded.get("companies") or []]
        tags = self._checked_tags(embedded.get("tags"))

        def work() -> Record:
            store = self.stores[entity]
            now = self._now()
            record = new_record(store.take_id(), item, now, data.USERS[0][0])
            record["custom_fields_values"] = custom or None
            record["_embedded"] = {"tags": self._named_tags(entity, tags), "companies": []}
            if entity == "leads":
                price = item.get("price", 0)
                closed = now if status[1] in (142, 143) else None
                record.update(price=price, pipeline_id=status[0], status_id=status[1], closed_at=closed)
                record.update(loss_reason_id=item.get("loss_reason_id"), source_id=None)
                record["_embedded"]["contacts"] = []
            else:
                record["_embedded"]["leads"] = []
                if entity == "contacts":
                    record.update(first_name=item.get("first_name", ""), last_name=item.get("last_name", ""))
                    record["is_unsorted"] = False
                    record["name"] = record["name"] or f"{record['first_name']} {record['last_name']}".strip()
            store.add(record, self.clock.monotonic())
            for order, contact in enumerate(contacts):
                self._link(record, contact, main=order == 0)
            for company in companies:
                record["_embedded"]["companies"] = [{"id": company["id"]}]
            self.creates_at.append((entity, record["id"]))
            return record

        return work

    def _change(self, entity: str, entity_id: str, item: Record) -> Callable[[], Record]:
        record = self.stores[entity].get(entity_id)
        if record is None:
            raise Invalid(("NotSupportedChoice", "id"))
        custom = self._checked(entity, item)
        if entity == "leads" and ("status_id" in item or "pipeline_id" in item):
            stage = self._stage({"pipeline_id": record["pipeline_id"], **item})
        else:
            stage = None
        embedded = item.get("_embedded") or {}
        tags = self._checked_tags(embedded.get("tags"))

        def work() -> Record:
            now = self._now()
            for name in ("name", "price", "responsible_user_id", "loss_reason_id", "first_name", "last_name"):
                if name in item:
                    record[name] = item[name]
            if custom or "custom_fields_values" in item:
                record["custom_fields_values"] = merge_custom(record["custom_fields_values"], custom)
            if stage is not None:
                record.update(pipeline_id=stage[0], status_id=stage[1])
                record["closed_at"] = now if stage[1] in (142, 143) else None
            if "tags" in embedded:
                record["_embedded"]["tags"] = self._named_tags(entity, tags)
            record["updated_at"] = now
            self.stores[entity].touch(record, self.clock.monotonic())
            return record

        return work

    def _checked(self, entity: str, item: Record) -> list[Record]:
        check_name(item)
        if item.get("price") is not None and (not isinstance(item["price"], int) or isinstance(item["price"], bool)):
            raise Invalid(("InvalidType", "price"))
        responsible = item.get("responsible_user_id")
        if responsible is not None and not any(
            row["id"] == responsible and row["rights"]["is_active"] for row in self.users
        ):
            raise Invalid(("NotSupportedChoice", "responsible_user_id"))
        return read_custom(item.get("custom_fields_values"), self.fields[entity])

    def _stage(self, item: Record) -> tuple[int, int]:
        """(pipeline, status), the vendor's defaults filled in."""
        pipeline_id, status_id = item.get("pipeline_id"), item.get("status_id")
        if pipeline_id is None and status_id not in (None, 142, 143):
            pipeline_id = next(
                (
                    row["id"]
                    for row in self.pipelines
                    if any(status["id"] == status_id for status in row["_embedded"]["statuses"])
                ),
                None,
            )
            if pipeline_id is None:
                raise Invalid(("NotSupportedChoice", "status_id"))
        pipeline = next(
            (row for row in self.pipelines if row["id"] == pipeline_id or (pipeline_id is None and row["is_main"])),
            None,
        )
        if pipeline is None:
            raise Invalid(("NotSupportedChoice", "pipeline_id"))
        statuses = [row["id"] for row in pipeline["_embedded"]["statuses"] if row["type"] == 0]
        if status_id is not None and status_id not in statuses:
            raise Invalid(("NotSupportedChoice", "status_id"))
        return pipeline["id"], status_id if status_id is not None else statuses[0]

    def _linked(self, entity: str, link: Any, order: int) -> Record:
        found = self.stores[entity].get(str(link.get("id"))) if isinstance(link, dict) else None
        if found is None:
            raise Invalid(("NotSupportedChoice", f"_embedded.{entity}.{order}.id"))
        return found

    def _link(self, deal: Record, contact: Record, *, main: bool) -> None:
        links = deal["_embedded"].setdefault("contacts", [])
        if all(item["id"] != contact["id"] for item in links):
            links.append({"id": contact["id"], "is_main": main, "_links": {}})
            contact["_embedded"].setdefault("leads", []).append({"id": deal["id"], "_links": {}})

    def _checked_tags(self, tags: Any) -> list[Record]:
        if tags is None:
            return []
        if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
            raise Invalid(("InvalidType", "_embedded.tags"))
        return tags

    def _named_tags(self, entity: str, tags: list[Record]) -> list[Record]:
        known = self.tags[entity]
        found = []
        for tag in tags:
            name = tag.get("name") or next((text for text, tag_id in known.items() if tag_id == tag.get("id")), "")
            if name:
                found.append({"id": known.setdefault(name, self._take_id()), "name": name, "color": None})
        return found

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
        return _ok({"id": record["id"], "updated_at": record["updated_at"], "_links": {}})

    # --- notes, tasks, links, tags, fields ---------------------------------------------------------------

    def _make_note(self, entity: str, entity_id: str | None, item: Record) -> Callable[[], Record]:
        owner = self.stores[entity].get(entity_id or str(item.get("entity_id")))
        if owner is None:
            raise Invalid(("NotSupportedChoice", "entity_id"))
        params = item.get("params")
        if item.get("note_type") is None:
            raise Invalid(("FieldMissing", "note_type"))
        if item["note_type"] == "common" and not (isinstance(params, dict) and isinstance(params.get("text"), str)):
            raise Invalid(("FieldMissing", "params.text"))

        def work() -> Record:
            return self._attach("notes", self.notes, entity, owner, {"note_type": item["note_type"], "params": params})

        return work

    def _make_task(self, item: Record) -> Callable[[], Record]:
        missing = [name for name in ("text", "complete_till") if not item.get(name)]
        if missing:
            raise Invalid(*(("FieldMissing", name) for name in missing))
        if not isinstance(item["complete_till"], int):
            raise Invalid(("InvalidType", "complete_till"))
        entity = item.get("entity_type") or "leads"
        owner = self.stores[entity].get(str(item.get("entity_id"))) if entity in self.stores else None
        if owner is None:
            raise Invalid(("NotSupportedChoice", "entity_id"))
        self._checked("leads", {"responsible_user_id": item.get("responsible_user_id")})
        kept = {
            "text": item["text"],
            "complete_till": item["complete_till"],
            "task_type_id": item.get("task_type_id", 1),
            "is_completed": False,
            "result": [],
            "duration": 0,
            "responsible_user_id": item.get("responsible_user_id") or data.USERS[0][0],
        }
        return lambda: self._attach("tasks", self.tasks, entity, owner, kept)

    def _attach(self, kind: str, rows: dict[str, Record], entity: str, owner: Record, kept: Record) -> Record:
        now = self._now()
        record = {
            "responsible_user_id": owner["responsible_user_id"],
            **kept,
            "id": self._take_id(),
            "entity_id": owner["id"],
            "entity_type": entity,
            "created_by": data.USERS[0][0],
            "updated_by": data.USERS[0][0],
            "created_at": now,
            "updated_at": now,
            "group_id": 0,
            "account_id": data.ACCOUNT_ID,
        }
        rows[str(record["id"])] = record
        self._attached.setdefault((kind, entity, str(owner["id"])), []).append(str(record["id"]))
        return record

    def _notes_of(self, request: SandboxRequest, entity: str, entity_id: str) -> SandboxResponse:
        if self.stores[entity].get(entity_id) is None:
            return self._problem(404)
        if request.method == "POST":
            return self._create(request, "notes", lambda item: self._make_note(entity, entity_id, item))
        rows = [self.notes[key] for key in self._attached.get(("notes", entity, entity_id), [])]
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
        if verb == "link" and request.method == "POST":
            for item in self._body(request):
                other = self.stores.get(str(item.get("to_entity_type")))
                target = other.get(str(item.get("to_entity_id"))) if other else None
                if target is None:
                    return self._invalid({"0": Invalid(("NotSupportedChoice", "to_entity_id"))})
                main = bool((item.get("metadata") or {}).get("is_main"))
                if entity == "leads" and item["to_entity_type"] == "contacts":
                    self._link(record, target, main=main)
                elif entity == "contacts" and item["to_entity_type"] == "leads":
                    self._link(target, record, main=main)
        rows = []
        for kind in ("contacts", "leads", "companies"):
            for link in record["_embedded"].get(kind, []):
                meta = {"main_contact": bool(link.get("is_main"))} if kind == "contacts" else None
                row = {"entity_id": record["id"], "entity_type": entity, "to_entity_id": link["id"]}
                rows.append({**row, "to_entity_type": kind, "metadata": meta})
        return _ok({"_links": {}, "_embedded": {"links": rows}})

    def _tags(self, request: SandboxRequest, entity: str) -> SandboxResponse:
        if request.method == "POST":
            tags = self._named_tags(entity, self._checked_tags(self._body(request)))
            return _ok({"_embedded": {"tags": tags}})
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

    def _make_field(self, entity: str, item: Record) -> Callable[[], Record]:
        if not item.get("name") or not item.get("type"):
            raise Invalid(("FieldMissing", "name" if not item.get("name") else "type"))
        code = item.get("code")
        if code and any(row["code"] == code for row in self.fields[entity].values()):
            raise Invalid(("NotSupportedChoice", "code"))

        def work() -> Record:
            field_id = self._take_id()
            enums = tuple(str(enum.get("value")) for enum in item.get("enums") or [])
            api_only = bool(item.get("is_api_only"))
            field = data.custom_field(field_id, item["name"], item["type"], code, entity, enums, is_api_only=api_only)
            self.fields[entity][field_id] = field
            return field

        return work

    # --- answers ---------------------------------------------------------------------------------------

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
        return _ok({"_links": {}, "_embedded": {collection: rows}})

    def _receipt(self, collection: str, request_id: str, record: Record) -> Record:
        """Only ids come back, except of fields, which come back whole."""
        links = {"_links": {"self": {"href": self._href(collection, record["id"])}}}
        if collection == "custom_fields":
            return {**record, "request_id": request_id, **links}
        shown = ("entity_id",) if collection == "notes" else ()
        more: Record = {name: record[name] for name in shown}
        return {"id": record["id"], **more, "request_id": request_id, **links}

    def _page(
        self, request: SandboxRequest, collection: str, rows: Iterable[Record], *, totals: bool = False
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
        return _ok({"_page": page, **more, "_links": links, "_embedded": {collection: found[:limit]}})

    def _one(self, record: Record | None, absent: int) -> SandboxResponse:
        if record is not None:
            return _ok(record)
        return SandboxResponse(204) if absent == 204 else self._problem(absent)

    def _body(self, request: SandboxRequest) -> Any:
        try:
            return request.json()
        except ValueError:
            raise _Refused(self._problem(400, "Body is not JSON")) from None

    def _admin_only(self) -> None:
        if not self.admin:
            raise _Refused(self._problem(403, "Forbidden"))

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
        return _problem_json(400, {**body, "detail": "Request validation failed"})

    def _problem(self, status: int, detail: str = "", **more: Any) -> SandboxResponse:
        title = TITLES.get(status, detail)
        kind = f"https://httpstatus.es/{status}"
        return _problem_json(status, {"title": title, "type": kind, "status": status, "detail": detail, **more})

    def _oauth_problem(self, status: int, hint: str) -> SandboxResponse:
        body = {
            "hint": hint,
            "title": "Некорректный запрос",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": status,
            "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
        }
        return _problem_json(status, body)

    def _href(self, entity: str, record_id: int) -> str:
        return f"https://{self.host}/api/v4/{entity}/{record_id}"

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


class _Refused(Exception):
    def __init__(self, response: SandboxResponse) -> None:
        self.response = response
        super().__init__(response.status)


def _ok(body: Any) -> SandboxResponse:
    return SandboxResponse(200, body, content_type="application/hal+json")


def _problem_json(status: int, body: Record) -> SandboxResponse:
    return SandboxResponse(status, body, content_type="application/problem+json")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _passes(row: Record, query: list[tuple[str, str]]) -> bool:
    """The paid filters: ids and lists match any of the values, from and to bound."""
    wanted: dict[str, set[str]] = {}
    for key, value in query:
        found = _FILTER.fullmatch(key)
        if found is None or not value:
            continue
        name, rest = found.groups()
        if rest in ("", "[]"):
            wanted.setdefault(name, set()).add(value)
        elif rest in ("[from]", "[to]"):
            above = int(row.get(name) or 0) - int(value)
            if above < 0 if rest == "[from]" else above > 0:
                return False
    return all(str(row.get(name)) in values for name, values in wanted.items())


def _last(rows: dict[str, Record]) -> Iterator[Record]:
    return islice(reversed(rows.values()), SHOWN_ROWS)


def _values(row: Record, code: str) -> str:
    custom = row.get("custom_fields_values") or []
    return ", ".join(str(value["value"]) for item in custom if item["field_code"] == code for value in item["values"])


def _deal_row(row: Record) -> tuple[str, ...]:
    contacts = ", ".join(str(link["id"]) for link in row["_embedded"]["contacts"])
    tags = ", ".join(tag["name"] for tag in row["_embedded"]["tags"])
    return (str(row["id"]), row["name"], contacts, str(row["status_id"]), str(row["responsible_user_id"]), tags)
