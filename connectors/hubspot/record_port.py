"""The records of one HubSpot account, for record sync: see connectors.records.RecordPort."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from connectors.base import FieldInfo
from connectors.errors import ConnectorError, NoRightsError, PermanentError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.deals import Deals
from connectors.hubspot.fieldkinds import ATTRIBUTES
from connectors.hubspot.links import Links
from connectors.hubspot.lookups import has_email, has_phone, phone_search
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.record_links import RecordLinks
from connectors.hubspot.record_lists import Lists
from connectors.hubspot.record_values import MERGED, OBJECTS, asked_properties, merged_away, to_record
from connectors.hubspot.record_writes import Item, Job, Writes
from connectors.hubspot.records import found_records, properties_of, record_id, results_of, to_field, when, whole
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

BATCH: Final = 100
LINK_BATCH: Final = 500
FRESH_S: Final = 900.0
DATED_S: Final = 60.0
PHONES: Final = 15
DOMAINS: Final = 50
SEARCH_LIMIT: Final = 200


class HubSpotRecords:
    def __init__(self, api: HubSpotApi, book: PropertyBook, objects: Objects, deals: Deals, links: Links) -> None:
        self._api = api
        self._book = book
        self._objects = objects
        self._deals = deals
        self._lists = Lists(api, objects)
        self._writes = Writes(api, book)
        self._links = RecordLinks(api, links)
        self._infos: dict[RecordObject, tuple[float, dict[str, FieldInfo]]] = {}
        self._keyless: set[RecordObject] = set()

    @property
    def capabilities(self) -> RecordCapabilities:
        return RecordCapabilities(
            objects=frozenset(OBJECTS),
            read_batch=BATCH,
            create_batch=BATCH,
            update_batch=BATCH,
            remove_batch=BATCH,
            link_batch=LINK_BATCH,
            parallel=8,
            overlap_s=120.0,
            precision_s=0.001,
            sees_deleted=True,
            creates_links=True,
            finds_by=frozenset({"phone", "email", "domain"}),
            archives=frozenset(OBJECTS),
            finds_created=not self._keyless,
        )

    async def server_time(self) -> datetime | None:
        if self._api.server_time(DATED_S) is None:
            await self._api.call(
                "ask the time", "GET", self._api.paths.objects("contacts"), writes=False, params={"limit": "1"}
            )
        return self._api.server_time(DATED_S)

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        infos = await self._known(object)
        there = [one for one in ATTRIBUTES.get(object, ()) if not one.code or one.code in infos]
        return record_fields(there, infos.values())

    # --- reading -----------------------------------------------------------------------------------------------

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        infos = await self._known(object)
        found = await self._lists.changed(object, since, cursor, asked_properties(object, fields))
        records = [to_record(one, object, fields, infos) for one in found.records]
        merged = [old for one in found.records for old in merged_away(one, object)]
        return Page((*records, *merged), found.cursor)

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        found = await self._lists.plain(object, cursor, ["hs_object_id"], with_links=False)
        stubs = tuple(Stub(record_id(one), when(one.get("updatedAt"))) for one in found.records)
        return StubPage(stubs, found.cursor.removeprefix("l:"))

    async def count(self, object: RecordObject) -> int | None:
        return await self._lists.count(object)

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """A merged id comes with its survivor; only the read of a single record follows it for sure."""
        infos, kind = await self._known(object), _kind(object)
        names = asked_properties(object, fields)
        wanted = [id for id in dict.fromkeys(ids) if id.isascii() and id.isdecimal()]
        rows = await self._objects.read_many(kind, wanted, names)
        survivors = {old: id for id, row in rows.items() for old in properties_of(row).get(MERGED, "").split(";")}
        missing = [id for id in wanted if id not in rows and survivors.get(id) not in rows]
        alone = await asyncio.gather(*(self._objects.read(kind, id, names) for id in missing))
        found = {id: row for id, row in zip(missing, alone, strict=True) if row is not None and record_id(row)}
        found |= {id: rows.get(id) or rows[survivors[id]] for id in wanted if id not in missing}
        return {id: to_record(row, object, fields, infos) for id, row in found.items()}

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        """By e-mail without delay; phones and domains by the search, which lags."""
        by_kind: dict[str, list[Key]] = {}
        for key in dict.fromkeys(keys):
            by_kind.setdefault(key.kind, []).append(key)
        found: dict[Key, tuple[str, ...]] = {}
        if object == "contact":
            found |= await self._by_email(by_kind.get("email", []))
        if object == "company":
            found |= await self._by_domain(by_kind.get("domain", []))
        if object in ("contact", "company"):
            found |= await self._by_phone(object, by_kind.get("phone", []))
        return {key: ids for key, ids in found.items() if ids}

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        rows = await self._lists.archived(object, since)
        return tuple(
            Record(record_id(row), object, modified_at=when(row.get("archivedAt")), deleted=True)
            for row in rows
            if record_id(row)
        )

    # --- writing -----------------------------------------------------------------------------------------------

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        unique = await self._book.certain(_kind(object))
        (self._keyless.discard if unique else self._keyless.add)(object)
        stage = await self._deals.resolve("", "") if object == "deal" else ("", "")
        items = [Item(dict(new.values), key=new.key, links=dict(new.links)) for new in records]
        if object == "deal":
            for item in items:
                await self._placed(item)
        return await self._writes.write(Job(object, await self._known(object), stage), items)

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        """By the unique property: no index, so no delay."""
        kind = _kind(object)
        if not await self._book.ready(kind):
            self._keyless.add(object)
        name, found = KEY_PROPERTY[kind], {}
        wanted = {key.lower(): key for key in keys}
        ordered = list(wanted)
        for start in range(0, len(ordered), BATCH):
            some = ordered[start : start + BATCH]
            for row in await self._by_property(kind, name, some, [name]):
                held = properties_of(row).get(name, "").lower()
                if held in wanted:
                    found[wanted[held]] = record_id(row)
        return found

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        items = [Item(dict(one.values), id=one.id) for one in changes]
        return await self._writes.write(Job(object, await self._known(object)), items)

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        """Into the recycle bin, where they may be taken out of for 90 days."""
        path = self._api.paths.batch(TYPES[_kind(object)], "archive")
        try:
            body = {"inputs": [{"id": id} for id in ids]}
            await self._api.call(f"archive {object}", "POST", path, writes=True, json=body)
        except Refusal:
            return list(await asyncio.gather(*(self._archive(object, id) for id in ids)))
        return [Written(id) for id in ids]

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        error = PermanentError("HubSpot deletes nothing for good by its API", "delete")
        return [Written(id, error=error) for id in ids]

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        return [Written(id, error=PermanentError("HubSpot has no tags", "tag")) for id in ids]

    # --- links -------------------------------------------------------------------------------------------------

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        return await self._links.of(object, ids, to)

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        return await self._links.change(object, changes)

    # --- inside ------------------------------------------------------------------------------------------------

    async def _known(self, object: RecordObject) -> dict[str, FieldInfo]:
        until, infos = self._infos.get(object, (float("-inf"), {}))
        if self._api.clock.monotonic() >= until:
            definitions = await self._book.definitions(_kind(object))
            infos = {info.id: info for info in map(to_field, definitions) if info.id}
            self._infos[object] = (self._api.clock.monotonic() + FRESH_S, infos)
        return infos

    async def _placed(self, item: Item) -> None:
        """A new deal with a pipeline or a stage alone gets the other: HubSpot wants both."""
        pipeline, stage = str(item.values.get("pipeline") or ""), str(item.values.get("stage") or "")
        if bool(pipeline) != bool(stage):
            item.values["pipeline"], item.values["stage"] = await self._deals.resolve(pipeline, stage)

    async def _archive(self, object: RecordObject, id: str) -> Written:
        path = self._api.paths.record(TYPES[_kind(object)], id)
        try:
            await self._api.call(f"archive {object}", "DELETE", path, writes=True)
        except ConnectorError as error:
            return Written(id) if error.status == 404 else Written(id, error=error)
        return Written(id)

    async def _by_property(self, kind: Any, name: str, values: list[str], names: list[str]) -> list[dict[str, Any]]:
        """Records that have one of these in a unique property; the batch where it is offered, else one by one."""
        paths, type_ = self._api.paths, TYPES[kind]
        body = {"idProperty": name, "properties": names, "propertiesWithHistory": []}
        inputs = [{"id": value} for value in values]
        try:
            answer = await self._api.call(
                f"find {type_}", "POST", paths.batch(type_, "read"), writes=False, json={**body, "inputs": inputs}
            )
            if whole(answer):
                return results_of(answer)
        except PermanentError:
            pass

        async def alone(value: str) -> dict[str, Any] | None:
            params = {"idProperty": name, "properties": ",".join(names)}
            try:
                path = paths.record(type_, value)
                return await self._api.call(f"find {type_}", "GET", path, writes=False, params=params)
            except PermanentError:
                return None

        found = await asyncio.gather(*map(alone, values))
        return [row for row in found if row is not None and record_id(row)]

    async def _by_email(self, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        found: dict[Key, tuple[str, ...]] = {}
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            asked = ["email", "hs_additional_emails"]
            rows = await self._by_property("contact", "email", [key.value.lower() for key in some], asked)
            for key in some:
                ids = [record_id(row) for row in rows if has_email(properties_of(row), key.value)]
                found[key] = tuple(dict.fromkeys(ids))
        return found

    async def _by_phone(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        type_, found = TYPES[_kind(object)], dict[Key, tuple[str, ...]]()
        for start in range(0, len(keys), PHONES):
            some = keys[start : start + PHONES]
            body = phone_search([key.value for key in some])
            if object == "company":
                typed = [form for key in some for form in (key.value, key.value.lstrip("+"))]
                filters = [{"propertyName": "phone", "operator": "IN", "values": typed}]
                body = {"filterGroups": [{"filters": filters}], "properties": ["phone"], "limit": SEARCH_LIMIT}
            rows = await self._searched(type_, body)
            for key in some:
                ids = [record_id(row) for row in rows if has_phone(properties_of(row), key.value)]
                found[key] = tuple(dict.fromkeys(ids))
        return found

    async def _by_domain(self, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        found: dict[Key, tuple[str, ...]] = {}
        for start in range(0, len(keys), DOMAINS):
            some = keys[start : start + DOMAINS]
            filters = [{"propertyName": "domain", "operator": "IN", "values": [key.value.lower() for key in some]}]
            body = {"filterGroups": [{"filters": filters}], "properties": ["domain"], "limit": SEARCH_LIMIT}
            rows = await self._searched("companies", body)
            for key in some:
                same = [row for row in rows if properties_of(row).get("domain", "").lower() == key.value.lower()]
                found[key] = tuple(dict.fromkeys(map(record_id, same)))
        return found

    async def _searched(self, type_: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Nothing where the account refuses the search: then the unique e-mail or a person decides."""
        try:
            return found_records(await self._api.search(f"find {type_}", type_, body), f"find {type_}")
        except (NoRightsError, PermanentError):
            return []


def _kind(object: RecordObject) -> Any:
    """Objects are kinds of records of the lead path by the same names."""
    return object
