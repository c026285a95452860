"""One open amoCRM account as the delivery engine sees it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, assert_never

from connectors.amocrm import tasks
from connectors.amocrm.account import AccountFields, list_fields, make_field
from connectors.amocrm.activities import AmocrmActivities
from connectors.amocrm.api import AmocrmApi, RefusedError
from connectors.amocrm.audit import Audit
from connectors.amocrm.auth import TokenEndpoint
from connectors.amocrm.histories import AmocrmHistories
from connectors.amocrm.lookup import LINKED_MAX, Lookup
from connectors.amocrm.metadata import ENTITY_OF, pipeline_rows, read_metadata
from connectors.amocrm.payloads import (
    KEY_FIELD,
    Body,
    EntityFields,
    FieldRef,
    call_body,
    company_body,
    contact_body,
    deal_body,
    note_body,
    noted_on,
    number,
    task_body,
    update_body,
    without_origins,
)
from connectors.amocrm.record_port import AmocrmRecords
from connectors.amocrm.records import (
    Row,
    deal_state,
    error_text,
    errors_by_request,
    filled_ids,
    is_person,
    kept_values,
    key_of,
    missing_fields,
    own_code,
    pipelines,
    refused_fields,
    same_email,
    same_phone,
    texts_of,
)
from connectors.amocrm.settings import AmocrmSettings, capabilities
from connectors.amocrm.subscribing import subscribe
from connectors.amocrm.writer import Writer
from connectors.base import (
    CallDraft,
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
    TaskDraft,
)
from connectors.errors import PermanentError
from connectors.limits import Limiter
from connectors.oauth import FixedToken, OAuthTokens
from connectors.records import RecordObject
from connectors.recordvalues import same_name
from connectors.webhooks import Subscribed

SEARCH_PAGES = 4
FIELD_TYPES = {"LEADHUB_LINK": "url", "LEADHUB_FIRST_TOUCH": "textarea", "LEADHUB_LAST_TOUCH": "textarea"}


class AmocrmClient:
    """See `connectors.base.Target`. Everything that repeats a request is in the engine, except what a refusal
    (which saves nothing) makes safe: a batch without its bad record, a record without a field of ours."""

    def __init__(self, opening: Opening) -> None:
        settings = opening.settings
        assert isinstance(settings, AmocrmSettings)
        declared = capabilities(settings)
        limiter = Limiter(declared.max_rate, opening.clock)
        self._settings = settings
        self._api = AmocrmApi(
            base_url=settings.base_url,
            clock=opening.clock,
            limiter=limiter,
            transport=opening.transport,
            user_agent=opening.user_agent,
            secrets=[one.get_secret_value() for one in (settings.access_token, settings.hook_token) if one],
        )
        self._endpoint: TokenEndpoint | None = None
        if settings.access_token is not None:
            self._api.bearer = FixedToken(settings.access_token.get_secret_value())
        else:
            self._endpoint = TokenEndpoint(settings, opening.clock, limiter, opening.transport, opening.user_agent)
            self._api.bearer = OAuthTokens(opening.tokens, self._endpoint.refresh, opening.clock, name=opening.name)
        self._fields = AccountFields(self._api, makes=not opening.read_only)
        self._company_fields = AccountFields(self._api, ("companies",), makes=False)
        self._lookup = Lookup(self._api, self._fields)
        self._audit = Audit(self._api)
        self._records = AmocrmRecords(self._api, self._fields)

        def writer(operation: str, collection: str, path: str) -> Writer:
            return Writer(self._api, operation, collection, path, max_batch=declared.max_batch)

        self._contacts = writer("create contact", "contacts", "/api/v4/contacts")
        self._companies = writer("create company", "companies", "/api/v4/companies")
        self._deals = writer("create deal", "leads", "/api/v4/leads")
        self._notes = {one: writer("create note", "notes", f"/api/v4/{one}/notes") for one in ENTITY_OF.values()}
        self._tasks = writer("create task", "tasks", "/api/v4/tasks")

    # --- reading -------------------------------------------------------------------------

    async def ping(self) -> None:
        await self._api.get("ping", "/api/v4/account")

    async def metadata(self) -> Metadata:
        return await read_metadata(self._api, self._fields)

    async def find_contact(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        """By each phone and e-mail at once, a phone weighing more; by the key only when there is neither."""
        await self._fields.ready("contacts", patience_s=0)
        fields = self._fields.of("contacts")
        if phones or emails:
            searches = [
                *(self._search(phone.lstrip("+")[-10:], partial(is_person, (phone,), (), fields)) for phone in phones),
                *(self._search(email, partial(is_person, (), (email,), fields)) for email in emails),
            ]
        else:
            searches = [self._search(key, lambda row: key_of(row, fields) == key)] if key else []
        found = await asyncio.gather(*searches, return_exceptions=True)  # none is left running behind our back
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None:
                return answer
        return None

    async def find_company(self, name: str) -> str | None:
        found: list[str] = []
        try:
            async for page in self._api.pages(
                "find company", "/api/v4/companies", "companies", [("query", name)], max_pages=SEARCH_PAGES
            ):
                live = (row for row in page if not row.get("is_deleted"))
                found += [str(row["id"]) for row in live if same_name(str(row.get("name") or ""), name)]
        except PermanentError:
            return None
        return found[0] if len(found) == 1 else None

    async def open_deal(self, contact_id: str) -> DealState | None:
        newest: DealState | None = None
        for deal_id in (await self._lookup.linked_deal_ids(contact_id) or [])[:LINKED_MAX]:
            state = await self.deal_state(deal_id)
            if state is not None and not state.closed:
                return state
            newest = newest or state
        return newest

    async def deal_state(self, deal_id: str) -> DealState | None:
        row = await self._api.get_one("read deal", f"/api/v4/leads/{deal_id}", [("with", "contacts")])
        return deal_state(row) if row is not None and not row.get("is_deleted") else None

    async def read_back(self, deal_ids: tuple[str, ...], since: datetime, until: datetime) -> list[FoundDeal]:
        await self._fields.ready("leads")
        return await self._audit.read_back(deal_ids, since, until, self._fields.of("leads"))

    # --- writing -------------------------------------------------------------------------

    async def create(self, draft: Draft) -> str:
        match draft:
            case ContactDraft():
                await self._fields.ready("contacts")
                return await self._create_keyed(self._contacts, "contacts", draft)
            case DealDraft():
                await self._fields.ready("leads")
                return await self._create_keyed(self._deals, "leads", draft)
            case CompanyDraft():
                if draft.fields:  # a list field wants the id of its value as such
                    await self._company_fields.ready("companies")
                return await self._companies.create(company_body(draft, self._company_fields.of("companies")))
            case NoteDraft() | CallDraft():
                body = note_body(draft) if isinstance(draft, NoteDraft) else call_body(draft)
                return await self._notes[noted_on(draft)[0]].create(body)
            case TaskDraft():
                return await self._tasks.create(task_body(draft))
            case _:
                assert_never(draft)

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        match draft:
            case ContactDraft():
                await self._fields.ready("contacts")
                by_search = await self.find_contact(draft.phones, draft.emails, draft.key)
                return by_search or await self._lookup.contact(draft, hint)
            case DealDraft():
                await self._fields.ready("leads")
                return await self._lookup.deal(draft, hint)
            case CompanyDraft():
                return await self._lookup.company(draft, hint)
            case NoteDraft():
                return await self._lookup.note(draft)
            case TaskDraft():
                return await self._lookup.task(draft)
            case CallDraft():
                return await self._lookup.call(draft)
            case _:
                assert_never(draft)

    async def enrich_contact(self, contact_id: str, draft: ContactDraft) -> None:
        """One read, and one PATCH if something is missing. PHONE and EMAIL are sent whole: a write replaces them."""
        await self._fields.ready("contacts")
        path = f"/api/v4/contacts/{number(contact_id, 'contact_id')}"
        row = await self._api.get_one("read contact", path)
        if row is None or row.get("is_deleted"):
            raise PermanentError("the contact is gone", "enrich contact", 404, gone=True)
        fields = self._fields.of("contacts")
        filled = filled_ids(row)
        empty = {key: value for key, value in draft.fields.items() if key not in filled}
        if not key_of(row, fields):
            empty[KEY_FIELD] = draft.key
        body = update_body(empty, fields)
        custom = body.json.setdefault("custom_fields_values", [])
        origins = list(body.origins)
        for code, given, same, origin in (
            ("PHONE", draft.phones, same_phone, "phones"),
            ("EMAIL", draft.emails, same_email, "emails"),
        ):
            stored = texts_of(row, code, fields)
            new = [value for value in given if not any(same(old, value) for old in stored)]
            if new:
                added = [{"value": value, "enum_code": "WORK"} for value in new]
                custom.append({"field_code": code, "values": [*kept_values(row, code, fields), *added]})
                origins.append(origin)
        if not custom:
            del body.json["custom_fields_values"]
        if draft.name.strip() and not str(row.get("name") or "").strip():
            body.json["name"] = draft.name.strip()
        await self._patch("enrich contact", path, "contacts", Body(body.json, tuple(origins)))

    async def update_deal(self, deal_id: str, fields: Mapping[str, Any]) -> None:
        await self._fields.ready("leads")
        path = f"/api/v4/leads/{number(deal_id, 'deal_id')}"
        await self._patch("update deal", path, "leads", update_body(fields, self._fields.of("leads")))

    async def tag_deal(self, deal_id: str, tags: tuple[str, ...]) -> None:
        added = Body({"tags_to_add": [{"name": tag} for tag in tags]})
        await self._patch("tag deal", f"/api/v4/leads/{number(deal_id, 'deal_id')}", "leads", added)

    async def complete_task(self, task_id: str, text: str) -> None:
        await tasks.complete_task(self._api, task_id, text)

    async def task_is_open(self, task_id: str) -> bool:
        return await tasks.task_is_open(self._api, task_id)

    async def reopen_deal(self, deal_id: str, pipeline: str, stage: str) -> None:
        """Into `stage`, or where none is given, the first one of the pipeline that the deal is in."""
        if not stage:
            pipeline, stage = await self._first_stage(deal_id, pipeline)
        json = {"status_id": number(stage, "stage")}
        if pipeline:
            json["pipeline_id"] = number(pipeline, "pipeline")
        await self._patch("reopen deal", f"/api/v4/leads/{number(deal_id, 'deal_id')}", "leads", Body(json))

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        """The fields that were missing, made when `create`. AuthError without an administrator's token."""
        known = {kind: await list_fields(self._api, ENTITY_OF[kind]) for kind in {field.kind for field in needed}}
        missing = [field for field in needed if field.code not in known[field.kind].by_code]
        russian = ".kommo.com" not in self._settings.base_url
        for field in missing if create else ():
            name = field.name_ru if russian else field.name_en
            await make_field(self._api, ENTITY_OF[field.kind], field.code, name, FIELD_TYPES.get(field.code, "text"))
        if missing and create:
            self._fields.forget()
        return missing

    def record_url(self, kind: Kind, record_id: str) -> str:
        base = self._settings.base_url
        if kind in ENTITY_OF:
            return f"{base}/{ENTITY_OF[kind]}/detail/{record_id}"
        return f"{base}/todo/list/" if kind == "task" else f"{base}/leads/"

    def records(self) -> AmocrmRecords:
        """For record sync; shares the limiter, where leads go first."""
        return self._records

    def histories(self) -> AmocrmHistories:
        return AmocrmHistories(self._api)

    def activities(self) -> AmocrmActivities:
        return AmocrmActivities(self._api, self._notes, self._tasks)

    async def subscribe(self, address: str, make: bool) -> Subscribed:
        token = self._settings.hook_token
        whole = f"{address}/{token.get_secret_value()}" if token is not None else address
        found = await subscribe(self._api, whole, make=make)
        return replace(found, address=address)  # what is shown does not hold the secret

    async def close(self) -> None:
        await self._fields.close()
        await self._company_fields.close()
        await self._records.close()
        await self._api.close()
        if self._endpoint is not None:
            await self._endpoint.close()

    # --- pieces --------------------------------------------------------------------------

    async def _create_keyed(self, writer: Writer, entity: str, draft: ContactDraft | DealDraft) -> str:
        """A record with fields of our own in it. When the account refuses one of those, which saves nothing,
        it goes without: the key then stands in the deal's name."""
        for _ in range(3):
            body = _keyed_body(draft, self._fields, entity)
            try:
                return await writer.create(body)
            except PermanentError as error:
                refused = [name for name in error.fields if own_code(name)]
                if missing := _missing(error, self._fields.of(entity)):
                    self._fields.demand(entity, missing)
                    names = tuple(ref.name or str(ref.id) for ref in missing)
                    raise PermanentError(error.message, error.operation, error.status, fields=names) from error
                if refused:
                    self._fields.block(entity, refused)
                elif not error.fields and body.own and error.status in (400, 422):
                    return await self._create_plain(writer, entity, draft, body.own)
                else:
                    raise
        return await writer.create(_keyed_body(draft, self._fields, entity))

    async def _create_plain(
        self, writer: Writer, entity: str, draft: ContactDraft | DealDraft, own: tuple[str, ...]
    ) -> str:
        """After a refusal that names nothing: once without our own fields, and if that works they are to blame."""
        created = await writer.create(_keyed_body(draft, self._fields, entity, without=own))
        self._fields.block(entity, own)
        return created

    async def _patch(self, operation: str, path: str, entity: str, body: Body) -> None:
        if not body.json:
            return
        try:
            await self._api.patch(operation, path, body.json)
        except RefusedError as error:
            errors = [item for items in errors_by_request(error.answer).values() for item in items]
            fields = refused_fields(errors, body.origins)
            own = [name for name in fields if own_code(name)]
            if not own:
                raise PermanentError(error_text(errors), operation, error.status, fields=fields) from error
            self._fields.block(entity, own)
            await self._patch(operation, path, entity, without_origins(body, own))

    async def _search(self, query: str, matches: Callable[[Row], bool]) -> str | None:
        """Lowest id among the hits that really match: hits come from any field of the contact."""
        found: list[int] = []
        asked = [("query", query)]
        async for page in self._api.pages(
            "find contact", "/api/v4/contacts", "contacts", asked, max_pages=SEARCH_PAGES
        ):
            found.extend(int(row["id"]) for row in page if matches(row))
            if found:
                break
        return str(min(found)) if found else None

    async def record_pipelines(self, about: RecordObject) -> tuple[Pipeline, ...] | None:
        return tuple(pipelines(await pipeline_rows(self._api), whole=True)) if about == "deal" else None

    async def _first_stage(self, deal_id: str, pipeline: str) -> tuple[str, str]:
        if not pipeline:
            state = await self.deal_state(deal_id)
            if state is None:
                raise PermanentError("the deal is gone", "reopen deal", 404, gone=True)
            pipeline = state.pipeline
        for candidate in pipelines(await pipeline_rows(self._api)):
            stage = next((stage for stage in candidate.stages if not stage.closed), None)
            if candidate.id == pipeline and stage is not None:
                return pipeline, stage.id
        raise PermanentError("no open stage to reopen into", "reopen deal", fields=("pipeline",))


def _missing(error: PermanentError, fields: EntityFields) -> tuple[FieldRef, ...]:
    """Fields of the account that it insists on, as far as the refusal or the list of fields tells."""
    return missing_fields(error.answer, fields) if isinstance(error, RefusedError) and error.answer else ()


def _keyed_body(
    draft: ContactDraft | DealDraft, fields: AccountFields, entity: str, without: tuple[str, ...] = ()
) -> Body:
    known = fields.of(entity).without(without)
    return deal_body(draft, known) if isinstance(draft, DealDraft) else contact_body(draft, known)
