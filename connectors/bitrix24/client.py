"""One open Bitrix24 portal: the methods of `connectors.base.Target`."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.base import (
    CallDraft,
    Capabilities,
    CompanyDraft,
    ContactDraft,
    DealDraft,
    DealState,
    Draft,
    FoundDeal,
    Hint,
    Kind,
    Metadata,
    NeededField,
    NoteDraft,
    Opening,
    Pipeline,
    Rate,
    TaskDraft,
)
from connectors.bitrix24.account import Account
from connectors.bitrix24.activities import Bitrix24Activities
from connectors.bitrix24.answers import MethodMissingError, RefusedError
from connectors.bitrix24.calls import Calls
from connectors.bitrix24.contacts import Contacts
from connectors.bitrix24.describe import Describer
from connectors.bitrix24.histories import Bitrix24Histories
from connectors.bitrix24.payloads import TYPE_IDS, Entity, entity_of, moment
from connectors.bitrix24.persons import ORIGINATOR, field_values, number
from connectors.bitrix24.portal import WRITE_S, Portal
from connectors.bitrix24.record_port import Bitrix24Records
from connectors.bitrix24.records import deal_state, found_deal, text, when
from connectors.bitrix24.refusals import refused_fields
from connectors.bitrix24.rows import PAGE, Rows
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.bitrix24.subscribing import subscribe
from connectors.bitrix24.writer import Writer
from connectors.errors import ConnectorError, PermanentError
from connectors.records import RecordObject
from connectors.recordvalues import same_name
from connectors.webhooks import Subscribed

RATE = Rate(calls=45, leak_per_s=1.95)
"""The vendor's bucket holds 50 and leaks 2 a second: a little less, since it counts when calls arrive."""
LOOK_AGAIN_S = (2.0, 10.0, 30.0, 65.0)
RECHECK_S = (300.0,)
ZONE = timedelta(hours=26)
"""Date filters may count in another zone than the one asked in: ask for more, then compare."""
STRANGERS = 100
"""So many rows of others, and the list does not filter by our name: the rest is not worth reading."""
READ_BACK = ("ID", "ORIGINATOR_ID", "ORIGIN_ID", "CONTACT_ID", "SOURCE_ID", "ASSIGNED_BY_ID", "DATE_CREATE")
PINGS = ("profile", "server.time", "crm.settings.mode.get")


def rate_of(settings: Bitrix24Settings) -> Rate:
    given = settings.rate
    return RATE if given is None else Rate(given.calls, given.per_s, given.leak_per_s)


def capabilities(settings: Any) -> Capabilities:
    if not isinstance(settings, Bitrix24Settings):
        raise TypeError("not the settings of a Bitrix24 connection")
    return Capabilities(
        max_rate=rate_of(settings),
        max_batch=settings.max_batch,
        look_again_s=LOOK_AGAIN_S,
        recheck_s=RECHECK_S,
        slowest_write_s=WRITE_S,
        changes="poll",
        always_responsible=True,
    )


class Bitrix24Client:
    """Safe to use by many tasks at once; commands that wait for the limiter together leave in one `batch`."""

    def __init__(self, opening: Opening) -> None:
        settings = opening.settings
        if not isinstance(settings, Bitrix24Settings):
            raise TypeError("not the settings of a Bitrix24 connection")
        self.portal = Portal(opening, rate_of(settings))
        self._account = Account(self.portal, opening.clock, settings.record)
        self._rows = Rows(self.portal, opening.clock)
        self._describer = Describer(self.portal, self._account)
        self._contacts = Contacts(self.portal, self._rows)
        self._writer = Writer(self.portal, self._rows, self._account, self._describer)
        self._calls = Calls(self.portal, self._account, self._writer, opening.clock)
        self._records = Bitrix24Records(
            self.portal, self._rows, self._account, self._describer, opening.clock, settings.max_batch
        )

    # --- the portal ---------------------------------------------------------------------------

    async def ping(self) -> None:
        page: ConnectorError | None = None
        for method in PINGS:
            try:
                await self.portal.call(method)
            except MethodMissingError:
                page = None
                continue  # an old portal; that it says so it owes to a good token
            except ConnectorError as error:
                if error.status != 404:
                    raise
                page = error
                continue
            return
        if page is not None:
            raise page

    async def metadata(self) -> Metadata:
        return await self._describer.metadata()

    async def record_pipelines(self, about: RecordObject) -> tuple[Pipeline, ...] | None:
        return None if about == await self._account.record() else await self._describer.pipelines(about)

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        return await self._describer.missing(needed, create=create)

    def record_url(self, kind: Kind, record_id: str) -> str:
        """Notes, tasks and calls are shown with their deal: "" for them."""
        if kind == "deal":
            entity, plain = entity_of(record_id, self._account.usual)
        elif kind in ("contact", "company"):
            entity, plain = kind, record_id
        else:
            return ""
        return f"{self.portal.site}/crm/{entity}/details/{plain}/"

    def record_page(self, about: RecordObject, record_id: str) -> str:
        """Records of a sync bear the portal's own numbers, in classic mode too."""
        return f"{self.portal.site}/crm/{about}/details/{record_id}/"

    async def record_of(self, deal_id: str) -> tuple[RecordObject, str]:
        return entity_of(deal_id, await self._account.record())

    def records(self) -> Bitrix24Records:
        """For record sync; shares the limiter, where leads go first."""
        return self._records

    def histories(self) -> Bitrix24Histories:
        return Bitrix24Histories(self.portal)

    def activities(self) -> Bitrix24Activities:
        return Bitrix24Activities(self.portal)

    async def subscribe(self, address: str, make: bool) -> Subscribed:
        return await subscribe(self.portal, address, make=make)

    async def close(self) -> None:
        await self.portal.close()

    # --- writing and finding again ------------------------------------------------------------

    async def find_contact(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        found, _ = await asyncio.gather(self._contacts.find(phones, emails, key), self._account.warm())
        return found

    async def find_company(self, name: str) -> str | None:
        """Whether "=" minds upper and lower case is up to the portal's database; "%" (contains) never does."""
        for operator in ("=", "%"):
            try:
                rows = await self._rows.page("company", {(operator, "TITLE"): name}, ("ID", "TITLE"))
            except PermanentError:
                return None
            found = [str(row["ID"]) for row in rows if same_name(text(row.get("TITLE")), name)]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    async def create(self, draft: Draft) -> str:
        match draft:
            case ContactDraft():
                return await self._writer.contact(draft)
            case CompanyDraft():
                return await self._writer.company(draft)
            case DealDraft():
                return await self._writer.deal(draft)
            case NoteDraft():
                return await self._writer.note(draft)
            case TaskDraft():
                return await self._writer.task(draft)
            case CallDraft():
                return await self._calls.create(draft)

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        match draft:
            case ContactDraft():
                return await self._writer.find_record("contact", draft.key)
            case CompanyDraft():
                return await self._writer.find_record("company", draft.key)
            case DealDraft():
                return await self._writer.find_deal(draft)
            case NoteDraft():
                return await self._writer.find_note(draft)
            case TaskDraft():
                return await self._writer.find_activity(draft)
            case CallDraft():
                return await self._calls.find(draft)

    async def attach_recording(self, key: str, record_id: str, url: str) -> bool:
        return await self._calls.attach(key, url)

    async def complete_task(self, task_id: str, text: str) -> None:
        """A done activity has no place for how: the call itself stands beside it."""
        done = {"id": number(task_id), "fields": {"COMPLETED": "Y"}}
        await self.portal.call("crm.activity.update", done, writes=True)

    async def task_is_open(self, task_id: str) -> bool:
        asked = {"filter": {"ID": number(task_id)}, "select": ["ID", "COMPLETED"]}
        rows = (await self.portal.call("crm.activity.list", asked)).result
        return any(str(row.get("ID")) == task_id and row.get("COMPLETED") != "Y" for row in rows or ())

    async def enrich_contact(self, contact_id: str, draft: ContactDraft) -> None:
        await self._contacts.enrich(contact_id, draft, self._describer.labels)

    # --- deals ----------------------------------------------------------------------------------

    async def update_deal(self, deal_id: str, fields: Mapping[str, Any]) -> None:
        if fields:
            await self._update(*entity_of(deal_id, await self._account.record()), fields)

    async def open_deal(self, contact_id: str) -> DealState | None:
        usual = await self._account.record()
        entities: tuple[Entity, ...] = ("lead", "deal") if usual == "lead" else ("deal",)
        exists, lists = await asyncio.gather(
            self._contacts.exists(contact_id),
            asyncio.gather(*(self._rows.of_contact(entity, contact_id) for entity in entities)),
        )
        if not exists:
            # Deleted or merged: a deal would be written without its contact, and nothing would tell.
            raise PermanentError("there is no such contact", "crm.contact.get", gone=True)
        states = [deal_state(entity, row, usual) for entity, rows in zip(entities, lists, strict=True) for row in rows]
        return next((state for state in states if not state.closed), states[0] if states else None)

    async def deal_state(self, deal_id: str) -> DealState | None:
        usual = await self._account.record()
        entity, plain = entity_of(deal_id, usual)
        row = await self._rows.get(entity, plain)
        return None if row is None else deal_state(entity, row, usual)

    async def reopen_deal(self, deal_id: str, pipeline: str, stage: str) -> None:
        entity, plain = entity_of(deal_id, await self._account.record())
        before = await self.deal_state(deal_id)
        if before is None:
            raise PermanentError("there is no such deal", f"crm.{entity}.get", gone=True)
        moved = entity == "deal" and bool(pipeline) and pipeline != before.pipeline
        wanted = stage or self._account.first_stage(entity, pipeline or before.pipeline)
        if moved:  # `crm.deal.update` leaves the pipeline as it is
            fields = {"categoryId": number(pipeline), "stageId": wanted}
            params = {"entityTypeId": TYPE_IDS[entity], "id": number(plain), "fields": fields}
            await self.portal.call("crm.item.update", params, writes=True)
        else:
            await self._update(entity, plain, {"STATUS_ID" if entity == "lead" else "STAGE_ID": wanted})
        after = await self.deal_state(deal_id)
        if after is not None and after.stage != wanted:
            raise PermanentError("the deal stayed in its stage", f"crm.{entity}.update", fields=("stage",))

    async def _update(self, entity: Entity, plain: str, fields: Mapping[str, Any]) -> None:
        method = f"crm.{entity}.update"
        try:
            await self.portal.call(method, {"id": number(plain), "fields": field_values(fields)}, writes=True)
        except RefusedError as refused:
            draft = DealDraft(key="", title="", fields=fields)
            names = refused_fields(refused.text, draft, self._describer.labels)
            raise PermanentError(
                refused.message, refused.operation, refused.status, fields=names, gone=refused.gone
            ) from refused

    # --- the audit ------------------------------------------------------------------------------

    async def read_back(self, deal_ids: tuple[str, ...], since: datetime, until: datetime) -> list[FoundDeal]:
        usual = await self._account.record()
        asked: dict[Entity, list[str]] = {usual: []}
        if self._account.may_be_other:
            asked["deal" if usual == "lead" else "lead"] = []
        for deal_id in deal_ids:
            entity, plain = entity_of(deal_id, usual)
            asked.setdefault(entity, []).append(plain)
        found: dict[str, FoundDeal] = {}
        for entity, ids in asked.items():
            try:
                rows = await self._read_back(entity, ids, since, until)
            except MethodMissingError:
                if ids:
                    raise
                continue  # a kind of record that this portal does not have
            for row in rows:
                deal = found_deal(entity, row, usual)
                found[deal.id] = deal
        return sorted(found.values(), key=lambda deal: deal.id)

    async def _read_back(
        self, entity: Entity, ids: list[str], since: datetime, until: datetime
    ) -> list[dict[str, Any]]:
        chunks = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
        pages = await asyncio.gather(*(self._these(entity, chunk) for chunk in chunks))
        return [row for page in pages for row in page] + await self._ours(entity, since, until)

    async def _these(self, entity: Entity, ids: list[str]) -> list[dict[str, Any]]:
        rows = await self._rows.page(entity, {("@", "ID"): [number(each) for each in ids]}, READ_BACK)
        found = {str(row["ID"]): row for row in rows if str(row["ID"]) in ids}
        if len(found) < len(ids) and any(str(row["ID"]) not in ids for row in rows):
            # The list did not keep to the ids, so what it leaves out may be there all the same.
            rest = [each for each in ids if each not in found]
            more = await asyncio.gather(*(self._rows.get(entity, each) for each in rest))
            found |= {each: row for each, row in zip(rest, more, strict=True) if row is not None}
        return list(found.values())

    async def _ours(self, entity: Entity, since: datetime, until: datetime) -> list[dict[str, Any]]:
        where = {
            ("=", "ORIGINATOR_ID"): ORIGINATOR,
            (">=", "DATE_CREATE"): moment(since - ZONE),
            ("<=", "DATE_CREATE"): moment(until + ZONE),
        }
        ours: list[dict[str, Any]] = []
        strangers = 0
        async for row in self._rows.all(entity, where, READ_BACK):
            created = when(row.get("DATE_CREATE"))
            if text(row.get("ORIGINATOR_ID")) != ORIGINATOR:
                strangers += 1
                if strangers >= STRANGERS:
                    break
            elif created is None or since.replace(microsecond=0) <= created < until:
                ours.append(row)
        return ours
