"""Creates of one portal, and the look-ups by which a create with unknown outcome is found again."""

import asyncio
import logging
from typing import Any

from connectors.base import CallDraft, CompanyDraft, ContactDraft, DealDraft, NoteDraft, TaskDraft
from connectors.bitrix24.account import Account
from connectors.bitrix24.answers import MethodMissingError, RefusedError
from connectors.bitrix24.describe import Describer
from connectors.bitrix24.payloads import (
    TAGS_FIELD,
    TYPE_IDS,
    Entity,
    activity_params,
    category_of,
    comment_params,
    company_fields,
    contact_fields,
    deal_fields,
    entity_of,
    is_marked,
    record_id,
    todo_params,
    typed_id,
)
from connectors.bitrix24.persons import number, too_long
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import text
from connectors.bitrix24.refusals import refused_fields
from connectors.bitrix24.rows import Rows
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError, UnknownOutcomeError

log = logging.getLogger(__name__)

STAGE_CHECK_S = 5.0
"""A record that exists is not kept waiting longer than this to see which stage it landed in."""

RecordDraft = ContactDraft | CompanyDraft | DealDraft


class Writer:
    def __init__(self, portal: Portal, rows: Rows, account: Account, describer: Describer) -> None:
        self._portal = portal
        self._rows = rows
        self._account = account
        self._describer = describer
        self._mandatory: dict[Entity, dict[str, Any]] = {}

    # --- creates ------------------------------------------------------------------------------

    async def contact(self, draft: ContactDraft) -> str:
        return await self._add("contact", contact_fields(draft), draft)

    async def company(self, draft: CompanyDraft) -> str:
        return await self._add("company", company_fields(draft), draft)

    async def deal(self, draft: DealDraft) -> str:
        entity = await self._account.record()
        source_id = await self._account.source_id(draft.source)
        category = category_of(draft)
        if draft.stage and self._account.stage_missing(entity, category, draft.stage):
            # The vendor would drop it without a word.
            raise PermanentError("there is no such stage", f"crm.{entity}.add", fields=("stage",))
        codes = self._describer.codes.get(entity)
        fields = deal_fields(draft, entity, source_id, with_tags=codes is None or TAGS_FIELD in codes)
        made = await self._add(entity, fields, draft)
        if draft.stage and not self._account.stage_confirmed(entity, category, draft.stage):
            await self._check_stage(entity, made, category, draft.stage)
        return made

    async def note(self, draft: NoteDraft) -> str:
        entity, owner_id = self.owner(draft)
        answer = await self._portal.call(
            "crm.timeline.comment.add", comment_params(draft, entity, owner_id), writes=True
        )
        return id_of(answer.result, "crm.timeline.comment.add")

    async def task(self, draft: TaskDraft) -> str:
        entity, owner_id = self.owner(draft)
        try:
            answer = await self._portal.call("crm.activity.todo.add", todo_params(draft, entity, owner_id), writes=True)
            return id_of(answer.result, "crm.activity.todo.add")
        except MethodMissingError:
            answer = await self._portal.call("crm.activity.add", activity_params(draft, entity, owner_id), writes=True)
            return id_of(answer.result, "crm.activity.add")

    async def _add(self, entity: Entity, fields: dict[str, Any], draft: RecordDraft) -> str:
        method = f"crm.{entity}.add"
        long = too_long(getattr(draft, "phones", ()), getattr(draft, "emails", ()))
        if long:
            raise PermanentError("a phone or e-mail is too long", method, fields=long)
        params: dict[str, Any] = {"fields": {**self._mandatory.get(entity, {}), **fields}}
        if entity in ("deal", "lead"):
            params["params"] = {"REGISTER_SONET_EVENT": "Y"}  # tells the responsible user
        try:
            answer = await self._portal.call(method, params, writes=True)
        except MethodMissingError as missing:
            raise AuthError(
                "the portal does not offer the method: has the token the scope crm?", method, missing.status
            ) from missing
        except RefusedError as refused:
            made = await self._made_all_the_same(entity, draft.key, refused)
            if made is not None:
                log.warning("refused but written", extra={"event": "bitrix24.refused_but_written", "method": method})
                return made
            raise await self._refusal(entity, draft, refused) from refused
        return id_of(answer.result, method)

    async def _made_all_the_same(self, entity: Entity, key: str, refused: RefusedError) -> str | None:
        """An error does not prove that nothing was written: robots and checks after the save add errors too."""
        try:
            return await self._rows.by_key(entity, key)
        except (PermanentError, AuthError):
            return None  # the portal offers no look-up at all
        except ConnectorError as failed:
            raise UnknownOutcomeError(
                "refused, and it cannot be seen whether it was written", refused.operation, refused.status
            ) from failed

    async def _refusal(self, entity: Entity, draft: RecordDraft, refused: RefusedError) -> PermanentError:
        names = refused_fields(refused.text, draft, self._describer.labels)
        if not names:  # perhaps a field that is younger than what we have read
            await self._describer.read_fields(entity)
            names = refused_fields(refused.text, draft, self._describer.labels)
        for name in names:
            if name.startswith("UF_CRM_") and name not in draft.fields:
                # Made mandatory since. From now on it is sent with a stand-in: the next try gets through.
                self._mandatory.setdefault(entity, {})[name] = self._describer.stand_in(name)
        told = f"{refused.message}: {', '.join(names)}" if names else refused.message
        return PermanentError(told, refused.operation, refused.status, fields=names, gone=refused.gone)

    async def _check_stage(self, entity: Entity, made: str, category: str, stage: str) -> None:
        """A stage that the vendor does not like is dropped without an error, so it is read back."""
        try:
            async with asyncio.timeout(STAGE_CHECK_S):
                row = await self._rows.get(entity, made)
        except (ConnectorError, TimeoutError):
            return
        landed = text((row or {}).get("STATUS_ID" if entity == "lead" else "STAGE_ID"))
        if landed == stage:
            self._account.confirm_stage(entity, category, stage)
        elif landed:
            self._account.doubt_stages()
            log.warning(
                "record landed in another stage",
                extra={"event": "bitrix24.stage_ignored", "record_id": made, "asked": stage, "landed": landed},
            )

    # --- look-ups ------------------------------------------------------------------------------

    async def find_record(self, entity: Entity, key: str) -> str | None:
        """By ORIGIN_ID. A look-up that the portal refuses is no answer: RetryableError."""
        try:
            return await self._rows.by_key(entity, key)
        except PermanentError as error:
            raise RetryableError("the look-up by our key was refused", error.operation, error.status) from error

    async def find_deal(self, draft: DealDraft) -> str | None:
        usual = await self._account.record()
        other: Entity = "deal" if usual == "lead" else "lead"
        if not self._account.may_be_other:
            return await self.find_record(usual, draft.key)
        found, elsewhere = await asyncio.gather(self.find_record(usual, draft.key), self._find_other(other, draft.key))
        return found or (typed_id(other, elsewhere, usual) if elsewhere else None)

    async def find_note(self, draft: NoteDraft | CallDraft) -> str | None:
        entity, owner_id = self.owner(draft)
        params = {
            "filter": {"ENTITY_TYPE": entity, "ENTITY_ID": number(owner_id)},
            "select": ["ID", "COMMENT"],
            "order": {"ID": "DESC"},
        }
        return await self._find_marked("crm.timeline.comment.list", params, "COMMENT", draft.key)

    async def find_activity(self, draft: TaskDraft | CallDraft) -> str | None:
        entity, owner_id = self.owner(draft)
        params = {
            "filter": {"OWNER_TYPE_ID": TYPE_IDS[entity], "OWNER_ID": number(owner_id)},
            "select": ["ID", "DESCRIPTION", "ORIGIN_ID"],
            "order": {"ID": "DESC"},
        }
        return await self._find_marked("crm.activity.list", params, "DESCRIPTION", draft.key)

    async def _find_other(self, entity: Entity, key: str) -> str | None:
        try:
            return await self._rows.by_key(entity, key)
        except (PermanentError, AuthError):
            return None

    async def _find_marked(self, method: str, params: dict[str, Any], field: str, key: str) -> str | None:
        """Among the newest 50. Where the portal has no such list a note may come twice: better than not at all."""
        try:
            answer = await self._portal.call(method, params)
        except PermanentError:
            return None
        rows = answer.result if isinstance(answer.result, list) else []
        found = [
            int(row["ID"])
            for row in rows
            if isinstance(row, dict)
            and str(row.get("ID", "")).isdecimal()
            and (is_marked(str(row.get(field) or ""), key) or text(row.get("ORIGIN_ID")) == key)
        ]
        return str(min(found)) if found else None

    def owner(self, draft: NoteDraft | TaskDraft | CallDraft) -> tuple[Entity, str]:
        """What the draft hangs on."""
        if draft.deal_id:
            return entity_of(draft.deal_id, self._account.usual)
        return "contact", draft.contact_id


def id_of(result: Any, method: str) -> str:
    made = record_id(result)
    if not made:
        raise UnknownOutcomeError("no id in the answer", method, 200)
    return made
