"""The records of one Bitrix24 portal, for record sync: see connectors.records.RecordPort."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from connectors.base import FieldInfo
from connectors.bitrix24.account import Account
from connectors.bitrix24.answers import MethodMissingError
from connectors.bitrix24.describe import Describer
from connectors.bitrix24.fieldkinds import ATTRIBUTES
from connectors.bitrix24.persons import ORIGINATOR, multifield, phone_forms, same_email, same_phones
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.record_links import RecordLinks
from connectors.bitrix24.record_lists import PAGE, ZONE, RecordLists
from connectors.bitrix24.record_values import MULTI, OBJECTS, selected, to_record
from connectors.bitrix24.record_writes import Item, Writes
from connectors.bitrix24.records import text, when
from connectors.bitrix24.rows import Rows
from connectors.errors import AuthError, PermanentError, RetryableError
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
from leads.clock import Clock
from leads.identity import Key

READ_BATCH: Final = 500
LINK_BATCH: Final = 50
FRESH_S: Final = 900.0
DATED_S: Final = 60.0
QUEUE_PAGES: Final = 40
COMM_VALUES: Final = 20
"""Most values of one `crm.duplicate.findbycomm`."""


class Bitrix24Records:
    def __init__(
        self, portal: Portal, rows: Rows, account: Account, describer: Describer, clock: Clock, max_batch: int
    ) -> None:
        self._portal = portal
        self._account = account
        self._describer = describer
        self._clock = clock
        self._max_batch = max_batch
        self._lists = RecordLists(portal, clock)
        self._writes = Writes(portal, rows, account)
        self._links = RecordLinks(portal, self._lists)
        self._queue = True
        self._infos: dict[RecordObject, tuple[float, dict[str, FieldInfo]]] = {}

    @property
    def capabilities(self) -> RecordCapabilities:
        return RecordCapabilities(
            objects=frozenset(OBJECTS),
            read_batch=READ_BATCH,
            create_batch=self._max_batch,
            update_batch=self._max_batch,
            remove_batch=self._max_batch,
            link_batch=LINK_BATCH,
            parallel=3,
            overlap_s=120.0,
            sees_deleted=self._queue and not self._portal.by_webhook,
            creates_links=True,
            finds_by=frozenset({"phone", "email"}),
            deletes=frozenset(OBJECTS),
            lead_field="LEAD_ID",
        )

    async def server_time(self) -> datetime | None:
        if self._portal.server_time(DATED_S) is None:
            with contextlib.suppress(PermanentError):
                await self._portal.call("server.time")
        return self._portal.server_time(DATED_S)

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        infos = await self._known(object)
        there = [one for one in ATTRIBUTES.get(object, ()) if not one.code or one.code in infos]
        return record_fields(there, infos.values())

    # --- reading -----------------------------------------------------------------------------------------------

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        infos = await self._known(object)
        found = await self._lists.changed(object, since, selected(object, fields), cursor)
        return Page(tuple(to_record(row, object, fields, infos) for row in found.rows), found.cursor)

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        found = await self._lists.walk(object, {}, ("ID", "DATE_MODIFY"), cursor)
        return StubPage(tuple(Stub(str(row["ID"]), when(row.get("DATE_MODIFY"))) for row in found.rows), found.cursor)

    async def count(self, object: RecordObject) -> int | None:
        return await self._lists.count(object)

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        infos = await self._known(object)
        rows = await self._lists.these(object, ids, selected(object, fields))
        return {id: to_record(row, object, fields, infos) for id, row in rows.items()}

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        """By the duplicates index, which is written with the record; its hits are read before they are believed."""
        if object == "deal":
            return {}
        wanted = [key for key in dict.fromkeys(keys) if key.kind in ("phone", "email")]
        forms = {key: phone_forms(key.value) if key.kind == "phone" else (key.value,) for key in wanted}
        asked: list[tuple[str, list[str]]] = []
        for kind in ("phone", "email"):
            values = list(dict.fromkeys(form for key in wanted if key.kind == kind for form in forms[key]))
            asked += [(kind.upper(), values[at : at + COMM_VALUES]) for at in range(0, len(values), COMM_VALUES)]
        hits = await asyncio.gather(*(self._by_comm(object, kind, values) for kind, values in asked))
        candidates = list(dict.fromkeys(id for some in hits for id in some))
        rows = await self._lists.these(object, candidates, ("ID", "PHONE", "EMAIL"))
        found: dict[Key, tuple[str, ...]] = {}
        for key in wanted:
            name, same = ("PHONE", same_phones) if key.kind == "phone" else ("EMAIL", same_email)
            ids = [id for id in candidates if id in rows and same(multifield(rows[id], name), (key.value,))]
            if ids:
                found[key] = tuple(ids)
        return found

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        """From the offline queue, which only an application has and only after `leadhub setup`."""
        if self._portal.by_webhook or not self._queue:
            return ()
        event, after, found = f"ONCRM{object.upper()}DELETE", 0, dict[str, Record]()
        for _ in range(QUEUE_PAGES):
            params = {"filter": {"=EVENT_NAME": event, ">ID": after}, "order": {"ID": "ASC"}}
            try:
                answer = await self._portal.call("event.offline.list", params)
            except (PermanentError, AuthError) as error:
                if error.status == 401:
                    raise
                self._queue = False
                return ()
            rows = [row for row in answer.result if isinstance(row, dict)] if isinstance(answer.result, list) else []
            for row in rows:
                at, id = when(row.get("TIMESTAMP_X")), _id_in(row)
                if id and str(row.get("EVENT_NAME") or "").upper() == event and (at is None or at >= since - ZONE):
                    found[id] = Record(id, object, modified_at=at, deleted=True)
            last = max((int(row["ID"]) for row in rows if str(row.get("ID", "")).isdecimal()), default=0)
            if len(rows) < PAGE or last <= after:
                break
            after = last
        return tuple(found.values())

    # --- writing -----------------------------------------------------------------------------------------------

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        infos = await self._ready(object, [new.values for new in records])
        items = [Item(dict(new.values), key=new.key, links=dict(new.links)) for new in records]
        return await self._writes.create(object, items, infos)

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        """By ORIGIN_ID: indexed within the save. A look-up that is refused is no answer."""
        chunks = [list(keys[start : start + PAGE]) for start in range(0, len(keys), PAGE)]
        found: dict[str, str] = {}
        for page in await asyncio.gather(*(self._ours(object, chunk) for chunk in chunks)):
            for row in page:
                key, id = text(row.get("ORIGIN_ID")), str(row["ID"])
                if key in keys and text(row.get("ORIGINATOR_ID")) in ("", ORIGINATOR):
                    found[key] = min(id, found.get(key, id), key=int)
        return found

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        infos = await self._ready(object, [one.values for one in changes])
        lists = {*MULTI, "pipeline", "stage"}
        compared = [one.id for one in changes if lists & one.values.keys()]
        names = ["ID", "CATEGORY_ID"] if object == "deal" else ["ID", *MULTI.values()]
        held = await self._lists.these(object, compared, names) if compared else {}
        items = [Item(dict(one.values), id=one.id, held=held.get(one.id)) for one in changes]
        return await self._writes.update(object, items, infos)

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        error = PermanentError("whether deleted records can be had back is not known", "archive")
        return [Written(id, error=error) for id in ids]

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        return await self._writes.delete(object, ids)

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        return [Written(id, error=PermanentError("Bitrix24 has no tags", "tag")) for id in ids]

    # --- links -------------------------------------------------------------------------------------------------

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        return await self._links.of(object, ids, to)

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        return await self._links.change(object, changes)

    # --- inside ------------------------------------------------------------------------------------------------

    async def _known(self, object: RecordObject) -> dict[str, FieldInfo]:
        until, infos = self._infos.get(object, (float("-inf"), {}))
        if self._clock.monotonic() >= until:
            infos = {info.id: info for info in await self._describer.fields(object)}
            self._infos[object] = (self._clock.monotonic() + FRESH_S, infos)
            self._writes.labels = self._describer.labels
        return infos

    async def _ready(self, object: RecordObject, values: Sequence[Any]) -> dict[str, FieldInfo]:
        if any("stage" in one for one in values):
            await self._account.warm()
        return await self._known(object)

    async def _ours(self, object: RecordObject, keys: list[str]) -> list[dict[str, Any]]:
        where = {"=ORIGINATOR_ID": ORIGINATOR, "@ORIGIN_ID": keys}
        names = ("ID", "ORIGINATOR_ID", "ORIGIN_ID")
        try:
            rows = await self._lists.items(object, where, names)
        except MethodMissingError:
            rows = await self._lists.page(object, {"ORIGINATOR_ID": ORIGINATOR, "@ORIGIN_ID": keys}, names)
        except PermanentError as error:
            raise RetryableError("the look-up by our key was refused", error.operation, error.status) from error
        if rows and not any(text(row.get("ORIGIN_ID")) in keys for row in rows):
            raise RetryableError("the list does not filter by our key", f"crm.{object}.list")
        return rows

    async def _by_comm(self, object: RecordObject, kind: str, values: Sequence[str]) -> list[str]:
        params = {"type": kind, "values": list(values), "entity_type": object.upper()}
        try:
            answer = await self._portal.call("crm.duplicate.findbycomm", params)
        except MethodMissingError:
            return []
        found: Any = answer.result.get(object.upper()) if isinstance(answer.result, dict) else None
        ids = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
        return [str(id) for id in ids if str(id).isdecimal()]


def _id_in(row: dict[str, Any]) -> str:
    """The record that a row of the offline queue is about."""
    data = row.get("EVENT_DATA")
    fields = data.get("FIELDS") if isinstance(data, dict) else None
    return text(fields.get("ID")) if isinstance(fields, dict) else ""
