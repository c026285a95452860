"""The records of one amoCRM account, for record sync: see connectors.records.RecordPort."""

import asyncio
import zoneinfo
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from connectors.amocrm.account import FRESH_S, AccountFields, list_field_rows
from connectors.amocrm.api import AmocrmApi, Params
from connectors.amocrm.fieldkinds import ATTRIBUTES
from connectors.amocrm.lookup import NEWEST
from connectors.amocrm.payloads import KEY_FIELD, number
from connectors.amocrm.record_links import RecordLinks
from connectors.amocrm.record_lists import Lists
from connectors.amocrm.record_values import ENTITY, Fields, kinds_of, links_of, to_record
from connectors.amocrm.record_writes import Item, Writes
from connectors.amocrm.records import Row, field_info, fields_from, is_person, key_of, made_before, moment, newest_first
from connectors.errors import NoRightsError, PermanentError, RetryableError
from connectors.records import (
    Change,
    LinkChange,
    NewRecord,
    Page,
    Record,
    RecordCapabilities,
    RecordField,
    RecordObject,
    Stub,
    StubPage,
    Written,
)
from connectors.recordvalues import record_fields
from leads.identity import Key

BATCH: Final = 50
"""Recommended; 250 is the most (Kommo docs, "Limitations")."""
READ_BATCH: Final = 100
LOOK_PAGES: Final = 40
FIND_PAGES: Final = 2
CLOCK_MARGIN: Final = timedelta(seconds=3900)
DATED_S: Final = 60.0
KINDS_KEPT: Final = 2_000
"""So many records' kinds of phones are remembered between reading and writing."""
EVENT_ROWS: Final = 100
EVENTS: Final[Mapping[RecordObject, str]] = {
    "contact": "contact_deleted",
    "company": "company_deleted",
    "deal": "lead_deleted",
}


class AmocrmRecords:
    def __init__(self, api: AmocrmApi, account: AccountFields) -> None:
        self._api = api
        self._books = {
            "leads": account,
            "contacts": account,
            "companies": AccountFields(api, ("companies",), makes=account.makes),
        }
        self._lists = Lists(api)
        self._writes = Writes(api)
        self._links = RecordLinks(api)
        self._fields: dict[str, tuple[float, tuple[Row, ...]]] = {}
        self._zone: tzinfo | None = None
        self._kinds: OrderedDict[str, dict[str, dict[str, str]]] = OrderedDict()
        self._events = True
        self._keyless: set[str] = set()

    @property
    def capabilities(self) -> RecordCapabilities:
        return RecordCapabilities(
            objects=frozenset(ENTITY),
            read_batch=READ_BATCH,
            create_batch=BATCH,
            update_batch=BATCH,
            remove_batch=BATCH,
            link_batch=BATCH,
            parallel=6,
            overlap_s=60.0,
            sees_deleted=self._events,
            creates_links=True,
            finds_by=frozenset({"phone", "email"}),
            tags=frozenset(ENTITY),
            finds_created=not self._keyless,
        )

    async def server_time(self) -> datetime | None:
        if self._api.http.server_time(DATED_S) is None:
            await self._api.get("ask the time", "/api/v4/account")
        return self._api.http.server_time(DATED_S)

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        rows = await self._rows_of_fields(ENTITY[object])
        return record_fields(ATTRIBUTES.get(object, ()), map(field_info, rows))

    # --- reading -----------------------------------------------------------------------------------------------

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        known = await self._known(object)
        seconds = None if since is None else int(since.timestamp())
        found = await self._lists.changed(ENTITY[object], seconds, cursor, _with(object))
        return Page(tuple(self._record(row, object, fields, known) for row in found.rows), found.cursor)

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        page = int(cursor) if cursor.isdecimal() else 1
        found = await self._lists.by_id(ENTITY[object], page, [])
        stubs = tuple(Stub(str(row["id"]), moment(row.get("updated_at"))) for row in found.rows if _alive(row))
        return StubPage(stubs, str(page + 1) if found.cursor else "")

    async def count(self, object: RecordObject) -> int | None:
        return None  # no list of amoCRM tells its length

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        known = await self._known(object)
        rows = await self._rows(object, ids)
        return {id: self._record(row, object, fields, known) for id, row in rows.items()}

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        await self._known(object)
        found = await asyncio.gather(*(self._find(object, key) for key in keys))
        return {key: ids for key, ids in zip(keys, found, strict=True) if ids}

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        """From the events; where the token may not read them, leads have a list of their own."""
        if self._events:
            try:
                return await self._deleted_by_events(object, since)
            except (PermanentError, NoRightsError):
                self._events = False
        if object != "deal":
            return ()
        asked: Params = [("with", "only_deleted"), ("order[updated_at]", "desc")]
        rows: list[Row] = []
        async for page in self._api.pages("list deleted leads", "/api/v4/leads", "leads", asked, max_pages=LOOK_PAGES):
            rows += [row for row in page if row.get("is_deleted")]
            if any((moment(row.get("updated_at")) or since) < since for row in page):
                break
        return tuple(
            Record(str(row["id"]), object, modified_at=moment(row.get("updated_at")), deleted=True) for row in rows
        )

    # --- writing -----------------------------------------------------------------------------------------------

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        known = await self._known(object, making=True)
        items = [Item(dict(new.values), key=new.key, links=dict(new.links)) for new in records]
        return await self._writes.write(object, ENTITY[object], items, known, self._books[ENTITY[object]])

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        """Among the newest: the plain list is no index and does not lag. The lowest id of doubles."""
        known = await self._known(object, making=True)
        entity = ENTITY[object]
        if entity in self._keyless:
            raise RetryableError("the account has no field for our key", f"find created {entity}")
        wanted, found, since = set(keys), {}, sent_at - CLOCK_MARGIN
        pages = self._api.pages(f"look through {entity}", f"/api/v4/{entity}", entity, NEWEST, max_pages=LOOK_PAGES)
        async for rows in pages:
            for row in rows:
                if (key := key_of(row, known.own)) in wanted and _alive(row):
                    found[key] = str(row["id"])
            if rows and newest_first(rows) and made_before(rows[-1], since):
                break
        return found

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        known = await self._known(object)
        blind = [one.id for one in changes if {"phones", "emails"} & one.values.keys() and one.id not in self._kinds]
        if blind:  # a write forgets which phone is the mobile one unless it says so again
            for row in (await self._rows(object, blind)).values():
                self._remember(row)
        items = [Item(dict(one.values), id=one.id, kinds=self._kinds.get(one.id, {})) for one in changes]
        return await self._writes.write(object, ENTITY[object], items, known, self._books[ENTITY[object]])

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        return [Written(id, error=PermanentError("amoCRM deletes nothing by its API", "delete")) for id in ids]

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        return await self.archive(object, ids)

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        known = await self._known(object)
        rows = await self._rows(object, ids)
        missing, changes = {}, []
        for id in ids:
            if id not in rows:
                missing[id] = Written(id, error=PermanentError("there is no such record", "tag", 404, gone=True))
                continue
            tags = self._record(rows[id], object, ("tags",), known).values["tags"]
            if tag not in tags:
                changes.append(Change(id, {"tags": (*tags, tag)}))
        written = dict(zip([one.id for one in changes], await self.update(object, changes), strict=True))
        return [missing.get(id) or written.get(id) or Written(id) for id in ids]

    # --- links -------------------------------------------------------------------------------------------------

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        found = await self._links.of(object, ids, to)
        if found is not None:
            return found
        rows = await self._rows(object, ids)
        told = {id: links_of(row, object) or {} for id, row in rows.items()}
        return {id: links[to] for id, links in told.items() if links.get(to)}

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        return await self._links.change(object, changes)

    async def close(self) -> None:
        await self._books["companies"].close()

    # --- inside ------------------------------------------------------------------------------------------------

    async def _known(self, object: RecordObject, *, making: bool = False) -> Fields:
        """What the account's fields are. Only for `making` records is the key field made where it is missing."""
        entity = ENTITY[object]
        book = self._books[entity]
        rows = await self._rows_of_fields(entity)
        if making:
            await book.ready(entity)
        infos = {key: info for info in map(field_info, rows) for key in (info.code, info.id) if key}
        if any(row.get("type") in ("date", "birthday") for row in rows):
            self._zone = self._zone or await self._read_zone()
        own = book.of(entity)
        if not own.known and not making:
            own = fields_from(rows)
        elif own.known:
            (self._keyless.discard if KEY_FIELD in own.by_code else self._keyless.add)(entity)
        return Fields(infos, own, self._zone or UTC)

    async def _rows_of_fields(self, entity: str) -> tuple[Row, ...]:
        until, rows = self._fields.get(entity, (float("-inf"), ()))
        if self._api.clock.monotonic() >= until:
            rows = tuple(await list_field_rows(self._api, entity))
            self._fields[entity] = (self._api.clock.monotonic() + FRESH_S, rows)
            self._books[entity].learn(entity, fields_from(rows))  # only now: meanwhile it may have made our field
        return rows

    async def _read_zone(self) -> tzinfo:
        answer = await self._api.get("read account", "/api/v4/account", [("with", "datetime_settings")])
        settings = ((answer or {}).get("_embedded") or {}).get("datetime_settings") or {}
        try:
            return zoneinfo.ZoneInfo(str(settings.get("timezone") or "UTC"))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return UTC

    def _record(self, row: Row, object: RecordObject, fields: Sequence[str], known: Fields) -> Record:
        if object != "deal":
            self._remember(row)
        record = to_record(row, object, fields, known)
        return replace(record, values={}) if record.deleted else record

    def _remember(self, row: Row) -> None:
        kinds: dict[str, dict[str, str]] = kinds_of(row)
        self._kinds[str(row["id"])] = kinds
        self._kinds.move_to_end(str(row["id"]))
        while len(self._kinds) > KINDS_KEPT:
            self._kinds.popitem(last=False)

    async def _rows(self, object: RecordObject, ids: Sequence[str]) -> dict[str, Row]:
        """By the filter of ids where it works, what that leaves out and everything else one by one."""
        entity, more = ENTITY[object], _with(object)
        found: dict[str, Row] = {}
        wanted = [id for id in dict.fromkeys(ids) if id.isascii() and id.isdecimal()]
        for start in range(0, len(wanted), READ_BATCH):
            some = wanted[start : start + READ_BATCH]
            rows = await self._lists.these(entity, some, more) if len(some) > 1 else None
            if rows is not None:
                found |= rows
                continue
            path = f"/api/v4/{entity}"
            alone = await asyncio.gather(
                *(self._api.get_one(f"read {entity}", f"{path}/{number(id, 'id')}", more) for id in some)
            )
            found |= {id: row for id, row in zip(some, alone, strict=True) if row is not None}
        return found

    async def _find(self, object: RecordObject, key: Key) -> tuple[str, ...]:
        """The search looks through all fields and lags: each hit is compared, and none proves nothing."""
        entity = ENTITY[object]
        own = self._books[entity].of(entity)
        phones = (key.value,) if key.kind == "phone" else ()
        emails = (key.value,) if key.kind == "email" else ()
        if not phones and not emails:
            return ()
        query = key.value.lstrip("+")[-10:] if phones else key.value
        found: list[str] = []
        asked: Params = [("query", query)]
        async for page in self._api.pages(f"find {entity}", f"/api/v4/{entity}", entity, asked, max_pages=FIND_PAGES):
            found += [str(row["id"]) for row in page if is_person(phones, emails, own, row)]
        return tuple(dict.fromkeys(found))

    async def _deleted_by_events(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        kind = EVENTS[object]
        asked: Params = [("filter[type]", kind), ("filter[created_at][from]", str(int(since.timestamp()) - 1))]
        found: dict[str, Record] = {}
        pages = self._api.pages(
            "list deletions", "/api/v4/events", "events", asked, max_pages=LOOK_PAGES, page_rows=EVENT_ROWS
        )
        async for page in pages:
            for row in page:
                at = moment(row.get("created_at"))
                if row.get("type") == kind and row.get("entity_id") and at is not None and at >= since:
                    id = str(row["entity_id"])
                    found[id] = Record(id, object, modified_at=at, deleted=True)
        return tuple(found.values())


def _with(object: RecordObject) -> Params:
    return [("with", "contacts")] if object == "deal" else []


def _alive(row: Mapping[str, Any]) -> bool:
    return not row.get("is_deleted")
