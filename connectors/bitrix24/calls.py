"""A call in the portal: by telephony where the portal lets us, else as an activity, else as a comment."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.base import CallDraft, NoteDraft
from connectors.bitrix24.account import Account
from connectors.bitrix24.answers import MethodMissingError, RefusedError
from connectors.bitrix24.payloads import (
    TYPE_IDS,
    call_activity_params,
    call_text,
    finish_params,
    register_params,
)
from connectors.bitrix24.persons import number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import text
from connectors.bitrix24.writer import Writer, id_of
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from leads.clock import Clock

log = logging.getLogger(__name__)

REGISTER, FINISH = "telephony.externalCall.register", "telephony.externalCall.finish"
ATTACH, STATISTIC = "telephony.externalCall.attachRecord", "voximplant.statistic.get"
ASK_AGAIN_S = 600.0
"""Telephony was refused to us: so long calls go another way without asking."""
UNSEEN = "refused, and it cannot be seen whether it was written"
EXTRAS_S = 10.0
"""A call that is written is not kept waiting longer than this for its recording and its deal."""


Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Finished:
    """A call as telephony keeps it; `activity_id` is "" where it belongs to nobody in the CRM."""

    call_id: str
    activity_id: str

    @property
    def id(self) -> str:
        return self.activity_id or self.call_id


class NoTelephonyError(Exception):
    """Telephony is not for us, or does not take this call; nothing that people see was written."""


class Calls:
    """Telephony is used only where its statistics can be read: by them a call is found again after a lost answer."""

    def __init__(self, portal: Portal, account: Account, writer: Writer, clock: Clock) -> None:
        self._portal = portal
        self._account = account
        self._writer = writer
        self._clock = clock
        self._without_until = float("-inf")

    async def create(self, draft: CallDraft) -> str:
        """Id of the activity; `C_5` for comment 5 where the portal takes no call activities."""
        await self._account.record()  # whose ids are plain ones
        if draft.responsible and self._clock.monotonic() >= self._without_until:
            try:
                return await self._by_telephony(draft)
            except NoTelephonyError as error:
                fields = {"event": "bitrix24.call_without_telephony", "error": str(error)}
                log.info("a call is logged without telephony", extra=fields)
        return await self._as_activity(draft)

    async def find(self, draft: CallDraft) -> str | None:
        """By each way that `create` may have taken."""
        await self._account.record()
        asked = (self._find_finished(draft), self._writer.find_activity(draft), self._find_comment(draft))
        for found in await asyncio.gather(*asked):
            if found:
                return found
        return None

    async def attach(self, key: str, url: str) -> bool:
        """Only telephony's own calls take a recording; attaching once more replaces it."""
        await self._account.record()
        try:
            found = await self._finished(key)
        except (AuthError, PermanentError) as error:
            if error.status == 401:
                raise
            return False
        if found is None or not found.call_id:
            return False
        await self._portal.call(ATTACH, {"CALL_ID": found.call_id, "RECORD_URL": url}, writes=True)
        return True

    # --- telephony ----------------------------------------------------------------------------

    async def _by_telephony(self, draft: CallDraft) -> str:
        """Only `finish` makes what people see, so it is the write that counts; a repeated `register` finds the call
        that was registered, or registers one more that is never finished."""
        found = await self._ask(self._finished(draft.key))
        if found is not None:
            return found.id
        registered = await self._ask(
            self._portal.call(REGISTER, register_params(draft, self._account.usual), writes=True)
        )
        call_id = text(registered.result.get("CALL_ID")) if isinstance(registered.result, dict) else ""
        if not call_id:
            raise UnknownOutcomeError("no CALL_ID in the answer", REGISTER, 200)
        try:
            done = await self._portal.call(FINISH, finish_params(draft, call_id), writes=True)
        except (PermanentError, AuthError) as refused:
            if refused.status == 401:
                raise
            return await self._finished_all_the_same(draft, refused)
        made = Finished(call_id, text(done.result.get("CRM_ACTIVITY_ID")) if isinstance(done.result, dict) else "")
        await self._complete(draft, made)
        return made.id

    async def _ask(self, question: Awaitable[Given]) -> Given:
        """Raises NoTelephonyError where the portal refuses it to us, which is remembered for a while."""
        try:
            return await question
        except (AuthError, MethodMissingError) as error:
            if error.status == 401:
                raise
            self._without_until = self._clock.monotonic() + ASK_AGAIN_S
            raise NoTelephonyError(str(error)) from error
        except PermanentError as error:
            raise NoTelephonyError(str(error)) from error

    async def _finished_all_the_same(self, draft: CallDraft, refused: ConnectorError) -> str:
        """The second finish of a call is refused as well, with "Call is not found"."""
        try:
            found = await self._finished(draft.key)
        except ConnectorError as failed:
            raise UnknownOutcomeError(UNSEEN, refused.operation, refused.status) from failed
        if found is not None:
            await self._complete(draft, found)
            return found.id
        raise NoTelephonyError(str(refused)) from refused

    async def _finished(self, key: str) -> Finished | None:
        """The call in the statistics, by our key; of doubles the older one."""
        answer = await self._portal.call(STATISTIC, {"FILTER": {"EXTERNAL_CALL_ID": key}})
        rows = answer.result if isinstance(answer.result, list) else []
        ours = [row for row in rows if isinstance(row, dict) and text(row.get("EXTERNAL_CALL_ID")) == key]
        found = [Finished(text(row.get("CALL_ID")), text(row.get("CRM_ACTIVITY_ID"))) for row in ours]
        return min((one for one in found if one.id), key=lambda one: (len(one.id), one.id), default=None)

    async def _find_finished(self, draft: CallDraft) -> str | None:
        """Where we may not read the statistics we have not written there. What else belongs to the call may have been
        lost with the answer; all of it may be sent again."""
        try:
            found = await self._finished(draft.key)
        except (AuthError, PermanentError) as error:
            if error.status == 401:
                raise
            return None
        if found is None:
            return None
        await self._complete(draft, found)
        return found.id

    async def _complete(self, draft: CallDraft, made: Finished) -> None:
        """What `finish` has no place for: the recording, the deal, our line. The call is there without them."""
        calls = self._belongings(draft, made)
        try:
            async with asyncio.timeout(EXTRAS_S):
                outcomes = await asyncio.gather(
                    *(self._portal.call(method, params, writes=True) for method, params in calls),
                    return_exceptions=True,
                )
        except TimeoutError as late:
            outcomes = [late]
        failed = [str(one) or type(one).__name__ for one in outcomes if isinstance(one, BaseException)]
        if failed:
            fields = {"event": "bitrix24.call_incomplete", "activity_id": made.activity_id, "errors": failed}
            log.warning("a call was logged without all that belongs to it", extra=fields)

    def _belongings(self, draft: CallDraft, made: Finished) -> list[tuple[str, dict[str, Any]]]:
        calls: list[tuple[str, dict[str, Any]]] = []
        if draft.recording_url and made.call_id:
            calls.append((ATTACH, {"CALL_ID": made.call_id, "RECORD_URL": draft.recording_url}))
        if not made.activity_id:
            return calls
        entity, owner_id = self._writer.owner(draft)
        if entity == "deal" or (entity == "lead" and draft.contact_id):  # what `register` was not told
            bound = {"entityTypeId": TYPE_IDS[entity], "entityId": number(owner_id)}
            calls.append(("crm.activity.binding.add", {"activityId": number(made.activity_id), **bound}))
        if draft.text:
            described = {"id": number(made.activity_id), "fields": {"DESCRIPTION": draft.text}}
            calls.append(("crm.activity.update", described))
        return calls

    # --- other ways ---------------------------------------------------------------------------

    async def _as_activity(self, draft: CallDraft) -> str:
        entity, owner_id = self._writer.owner(draft)
        params = call_activity_params(draft, entity, owner_id)
        try:
            answer = await self._portal.call("crm.activity.add", params, writes=True)
        except MethodMissingError:
            return await self._as_comment(draft)
        except RefusedError as refused:
            if refused.gone:
                raise
            return await self._looked_up(draft, refused) or await self._as_comment(draft)
        return id_of(answer.result, "crm.activity.add")

    async def _looked_up(self, draft: CallDraft, refused: RefusedError) -> str | None:
        """An error does not prove that nothing was written: checks after the save add errors too."""
        try:
            return await self._writer.find_activity(draft)
        except ConnectorError as failed:
            raise UnknownOutcomeError(UNSEEN, refused.operation, refused.status) from failed

    async def _as_comment(self, draft: CallDraft) -> str:
        note = NoteDraft(draft.key, call_text(draft) or draft.phone, draft.deal_id, draft.contact_id)
        return f"C_{await self._writer.note(note)}"

    async def _find_comment(self, draft: CallDraft) -> str | None:
        found = await self._writer.find_note(draft)
        return f"C_{found}" if found else None
