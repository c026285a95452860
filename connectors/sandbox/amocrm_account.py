"""The sandbox account: what it holds, what it refuses, what people do in it meanwhile."""

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from connectors.sandbox import amocrm_data as data
from connectors.sandbox.amocrm_data import Record
from connectors.sandbox.amocrm_hooks import Subscriptions
from connectors.sandbox.amocrm_records import (
    Invalid,
    Store,
    check_call,
    check_name,
    making_of,
    merge_custom,
    new_record,
    read_custom,
)
from leads.clock import Clock

ENTITIES = ("leads", "contacts", "companies")
CALLS = ("call_in", "call_out")
SINGULAR = {"leads": "lead", "contacts": "contact", "companies": "company"}
EVENTS = {"add": "added", "delete": "deleted", "restore": "restored"}
KEPT_EVENTS = 100_000
WRITABLE = (
    *("name", "price", "responsible_user_id", "loss_reason_id", "first_name", "last_name"),
    *("created_at", "closed_at"),
)
FIRST_IDS = {"leads": 24515001, "contacts": 51230001, "companies": 51930001}


class Account:
    """State, and the works on it. A `_make...` checks at once and returns the work to be done, because one bad
    item rejects a whole request."""

    def __init__(self, clock: Clock, search_lag_s: float, host: str) -> None:
        self.clock = clock
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
        self._next_id = 880001
        self._attached: dict[tuple[str, str, str], list[str]] = {}
        self.events: deque[Record] = deque(maxlen=KEPT_EVENTS)
        self.subscriptions = Subscriptions(self._take_id)
        self.host = host
        self.demands: Callable[[str, Record], list[tuple[str, str]]] = lambda entity, item: []
        """What an administrator made mandatory: (entity, new record) -> codes and paths of what is missing."""
        self.stores = self._make_stores()

    # --- the account itself ---------------------------------------------------------------------

    def delete_field(self, entity: str, code_or_id: str) -> None:
        field_id = next(key for key, row in self.fields[entity].items() if code_or_id in (str(key), row["code"]))
        del self.fields[entity][field_id]
        for record in self.stores[entity].records.values():
            kept = [row for row in record["custom_fields_values"] or [] if row["field_id"] != field_id]
            record["custom_fields_values"] = kept or None

    def key_of(self, record: Record) -> str:
        """What leadhub's key field holds, or the mark in the name."""
        found = values_text(record, "LEADHUB_ID")
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
            "webhooks": self.subscriptions.hooks,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.deals, self.contacts, self.companies = state["deals"], state["contacts"], state["companies"]
        self.notes, self.tasks, self.tags = state["notes"], state["tasks"], state["tags"]
        self.fields = {entity: {row["id"]: row for row in rows} for entity, rows in state["fields"].items()}
        self.access_tokens, self.refresh_tokens = state["access_tokens"], set(state["refresh_tokens"])
        self._next_id = state["next_id"]
        self.subscriptions.hooks = dict(state.get("webhooks", {}))
        self.stores = self._make_stores()
        self._attached = {}
        for collection, rows in (("notes", self.notes), ("tasks", self.tasks)):
            for record_id, row in rows.items():
                key = (collection, row["entity_type"], str(row["entity_id"]))
                self._attached.setdefault(key, []).append(record_id)

    # --- leads, contacts, companies ------------------------------------------------------------

    def _make(self, entity: str, item: Record) -> Callable[[], Record]:
        """Checks at once, does the work when called: one bad item rejects the whole request."""
        custom = self._checked(entity, item)
        if missing := self.demands(entity, item):
            raise Invalid(*missing)
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
                closed = item.get("closed_at", now) if status[1] in (142, 143) else None
                record.update(price=price, pipeline_id=status[0], status_id=status[1], closed_at=closed)
                record.update(loss_reason_id=item.get("loss_reason_id"), source_id=None)
                record["_embedded"]["contacts"] = []
            else:
                record["_embedded"]["leads"] = []
                if entity == "companies":
                    record["_embedded"]["contacts"] = []
                if entity == "contacts":
                    record.update(first_name=item.get("first_name", ""), last_name=item.get("last_name", ""))
                    record["is_unsorted"] = False
                    record["name"] = record["name"] or f"{record['first_name']} {record['last_name']}".strip()
            store.add(record, self.clock.monotonic())
            for order, contact in enumerate(contacts):
                self.join((entity, record), ("contacts", contact), main=order == 0)
            for company in companies:
                self.join((entity, record), ("companies", company))
            self.happened("add", entity, record)
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
        more, less = self._checked_tags(item.get("tags_to_add")), self._checked_tags(item.get("tags_to_delete"))

        def work() -> Record:
            now = self._now()
            for name in WRITABLE:
                if name in item:
                    record[name] = item[name]
            if entity == "contacts" and "name" not in item and {"first_name", "last_name"} & item.keys():
                record["name"] = f"{record['first_name'] or ''} {record['last_name'] or ''}".strip()
            if custom or "custom_fields_values" in item:
                record["custom_fields_values"] = merge_custom(record["custom_fields_values"], custom)
            if stage is not None:
                record.update(pipeline_id=stage[0], status_id=stage[1])
                record["closed_at"] = item.get("closed_at", now) if stage[1] in (142, 143) else None
            if "tags" in embedded:
                record["_embedded"]["tags"] = self._named_tags(entity, tags)
            if more or less:
                names = {tag["name"] for tag in self._named_tags(entity, less)}
                kept = [tag for tag in record["_embedded"]["tags"] if tag["name"] not in names]
                new = [tag for tag in self._named_tags(entity, more) if tag not in kept]
                record["_embedded"]["tags"] = [*kept, *new]
            record.update(updated_at=now, updated_by=data.USERS[0][0])
            self.stores[entity].touch(record, self.clock.monotonic())
            self.happened("update", entity, record)
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

    def join(self, one: tuple[str, Record], other: tuple[str, Record], *, main: bool = False) -> None:
        """Links two records. A lead and a contact have one company; a lead has one main contact."""
        for (entity, record), (to, target) in ((one, other), (other, one)):
            if to == "companies":
                for link in list(record["_embedded"].get(to, ())):
                    if link["id"] != target["id"]:
                        self.part((entity, record), (to, self.companies[str(link["id"])]))
            links = record["_embedded"].setdefault(to, [])
            if entity == "leads" and to == "contacts" and main:
                for link in links:
                    link["is_main"] = False
            link = next((link for link in links if link["id"] == target["id"]), None)
            if link is None:
                link = {"id": target["id"]} if to == "companies" else {"id": target["id"], "_links": {}}
                if entity == "leads" and to == "contacts":
                    link["is_main"] = main or not links
                links.append(link)
            elif main and "is_main" in link:
                link["is_main"] = True

    def part(self, one: tuple[str, Record], other: tuple[str, Record]) -> bool:
        """Whether they were linked. The next contact becomes the main one."""
        parted = False
        for (entity, record), (to, target) in ((one, other), (other, one)):
            links = record["_embedded"].get(to, [])
            kept = [link for link in links if link["id"] != target["id"]]
            parted = parted or len(kept) < len(links)
            record["_embedded"][to] = kept
            if entity == "leads" and to == "contacts" and kept and not any(link["is_main"] for link in kept):
                kept[0]["is_main"] = True
        return parted

    def happened(self, action: str, entity: str, record: Record) -> None:
        """Written into the events, and told to who subscribed."""
        self.subscriptions.tell(action, entity, record, self.host)
        if action in EVENTS:
            self.events.append(
                {
                    "id": f"01{len(self.events):024d}{self._take_id()}",
                    "type": f"{SINGULAR[entity]}_{EVENTS[action]}",
                    "entity_id": record["id"],
                    "entity_type": SINGULAR[entity],
                    "created_by": record.get("updated_by", 0),
                    "created_at": self._now(),
                    "value_after": [],
                    "value_before": [],
                    "account_id": data.ACCOUNT_ID,
                }
            )

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

    # --- notes, tasks, fields ------------------------------------------------------------------

    def _make_note(self, entity: str, entity_id: str | None, item: Record) -> Callable[[], Record]:
        owner = self.stores[entity].get(entity_id or str(item.get("entity_id")))
        if owner is None:
            raise Invalid(("NotSupportedChoice", "entity_id"))
        params = item.get("params")
        if item.get("note_type") is None:
            raise Invalid(("FieldMissing", "note_type"))
        if item["note_type"] == "common" and not (isinstance(params, dict) and isinstance(params.get("text"), str)):
            raise Invalid(("FieldMissing", "params.text"))
        kept: Record = {"note_type": item["note_type"], "params": params}
        if item["note_type"] in CALLS:
            check_call(params)
        if item.get("responsible_user_id") is not None:
            self._checked(entity, {"responsible_user_id": item["responsible_user_id"]})
            kept["responsible_user_id"] = item["responsible_user_id"]
        kept |= making_of(item)
        return lambda: self._attach("notes", self.notes, entity, owner, kept)

    def _make_task(self, item: Record) -> Callable[[], Record]:
        missing = [name for name in ("text", "complete_till") if not item.get(name)]
        if missing:
            raise Invalid(*(("FieldMissing", name) for name in missing))
        if not isinstance(item["complete_till"], int | float):
            raise Invalid(("InvalidType", "complete_till"))
        entity = item.get("entity_type") or "leads"
        owner = self.stores[entity].get(str(item.get("entity_id"))) if entity in self.stores else None
        if owner is None:
            raise Invalid(("NotSupportedChoice", "entity_id"))
        self._checked("leads", {"responsible_user_id": item.get("responsible_user_id")})
        kept = {
            "text": item["text"],
            "complete_till": int(item["complete_till"]),
            "task_type_id": item.get("task_type_id", 1),
            "is_completed": bool(item.get("is_completed", False)),
            "result": item.get("result") or [],
            "duration": 0,
            "responsible_user_id": item.get("responsible_user_id") or data.USERS[0][0],
            **making_of(item),
        }
        return lambda: self._attach("tasks", self.tasks, entity, owner, kept)

    def _attach(self, kind: str, rows: dict[str, Record], entity: str, owner: Record, kept: Record) -> Record:
        now = self._now()
        record = {
            "responsible_user_id": owner["responsible_user_id"],
            "created_at": now,
            "created_by": data.USERS[0][0],
            **kept,
            "id": self._take_id(),
            "entity_id": owner["id"],
            "entity_type": entity,
            "updated_by": data.USERS[0][0],
            "updated_at": now,
            "group_id": 0,
            "account_id": data.ACCOUNT_ID,
        }
        rows[str(record["id"])] = record
        self._attached.setdefault((kind, entity, str(owner["id"])), []).append(str(record["id"]))
        return record

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

    # --- pieces --------------------------------------------------------------------------------

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

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


def values_text(row: Record, code: str) -> str:
    custom = row.get("custom_fields_values") or []
    return ", ".join(str(value["value"]) for item in custom if item["field_code"] == code for value in item["values"])
