"""Who is that: the contact of a phone, an e-mail or our key; and what it still lacks."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from connectors.base import ContactDraft
from connectors.bitrix24.answers import MethodMissingError, RefusedError
from connectors.bitrix24.persons import (
    MULTIFIELD_CHARS,
    missing_parts,
    multifield,
    number,
    phone_forms,
    same_email,
    same_phones,
)
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.refusals import refused_fields
from connectors.bitrix24.rows import Rows
from connectors.errors import AuthError, NoRightsError, PermanentError

log = logging.getLogger(__name__)

VALUES = 20
"""Most values of one `crm.duplicate.findbycomm`."""
CANDIDATES = 20


class Contacts:
    def __init__(self, portal: Portal, rows: Rows) -> None:
        self._portal = portal
        self._rows = rows

    async def find(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        """The contact with our key, else the one with both a phone and an e-mail, else the oldest with either.

        The questions go out together, in one request. Each candidate is read before it is believed: the
        duplicates index may still name a contact that was deleted, or whose number has changed.
        """
        forms = tuple(dict.fromkeys(form for phone in phones for form in phone_forms(phone)))
        asked = [("PHONE", forms[start : start + VALUES]) for start in range(0, len(forms), VALUES)]
        asked += [("EMAIL", emails[start : start + VALUES]) for start in range(0, len(emails), VALUES)]
        by_key, hits = await asyncio.gather(
            self._by_key(key), asyncio.gather(*(self._by_comm(kind, values) for kind, values in asked))
        )
        if by_key is not None:
            return by_key
        candidates = sorted({found for each in hits for found in each})[:CANDIDATES]
        if not candidates:
            return None
        try:
            records = await asyncio.gather(*(self._readable(each) for each in candidates))
        except MethodMissingError:
            return str(candidates[0])  # the index compares whole numbers; it is all that this portal offers
        best: tuple[bool, int] | None = None
        for candidate, record in zip(candidates, records, strict=True):
            if record is None:
                continue
            has_phone = same_phones(multifield(record, "PHONE"), phones)
            has_email = same_email(multifield(record, "EMAIL"), emails)
            rank = (not (has_phone and has_email), candidate)
            if (has_phone or has_email) and (best is None or rank < best):
                best = rank
        if len(candidates) > 1:
            log.info("several contacts match", extra={"event": "bitrix24.several_contacts", "ids": candidates})
        return str(best[1]) if best else None

    async def exists(self, contact_id: str) -> bool:
        """False only when the portal says that there is no such contact."""
        try:
            return await self._rows.get("contact", contact_id) is not None
        except (PermanentError, AuthError) as error:
            if error.status == 401:
                raise
            return True

    async def _readable(self, candidate: int) -> dict[str, Any] | None:
        try:
            return await self._rows.get("contact", str(candidate))
        except NoRightsError:
            return None  # the index does not ask for rights; a contact that we may not see is none of ours

    async def enrich(self, contact_id: str, draft: ContactDraft, labels: dict[str, str]) -> None:
        """Reads, adds what is missing, overwrites nothing. Safe to repeat: a repeat finds less to add."""
        record = await self._rows.get("contact", contact_id)
        if record is None:
            raise PermanentError("there is no such contact", "crm.contact.get", gone=True)
        update = missing_parts(record, draft)
        if not update:
            return
        params = {"id": number(contact_id), "fields": update, "params": {"REGISTER_SONET_EVENT": "N"}}
        try:
            await self._portal.call("crm.contact.update", params, writes=True)
        except RefusedError as refused:
            names = refused_fields(refused.text, draft, labels)
            raise PermanentError(
                refused.message, refused.operation, refused.status, fields=names, gone=refused.gone
            ) from refused

    async def _by_key(self, key: str) -> str | None:
        if not key:
            return None
        try:
            return await self._rows.by_key("contact", key)
        except (PermanentError, AuthError) as error:
            if isinstance(error, AuthError) and error.status == 401:
                raise
            return None  # this portal cannot be asked by key: phones and e-mails remain

    async def _by_comm(self, kind: str, values: Sequence[str]) -> list[int]:
        # JSON numbers would be skipped in silence; without entity_type leads may crowd the contacts out.
        asked = [value for value in values if len(value) <= MULTIFIELD_CHARS]
        params = {"type": kind, "values": asked, "entity_type": "CONTACT"}
        try:
            answer = await self._portal.call("crm.duplicate.findbycomm", params)
        except MethodMissingError:
            log.warning("contacts cannot be looked up", extra={"event": "bitrix24.no_findbycomm"})
            return []
        found: Any = answer.result.get("CONTACT") if isinstance(answer.result, dict) else None
        ids = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
        return [int(each) for each in ids if str(each).isdecimal()]
