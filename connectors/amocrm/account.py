"""What is known of one account's custom fields: read once, kept fresh, never in a lead's way."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.payloads import KEY_FIELD, EntityFields, FieldRef
from connectors.amocrm.records import Row, field_ref, fields_from, rows_of
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.limits import FRESH, PRIORITY, RETRY

log = logging.getLogger(__name__)

PATIENCE_S = 3.0
"""How long the first lead waits for the field lists; then it goes with the mark in its name."""
FRESH_S = 3600.0
SAME_S = 2.0
JUST_READ_S = 900.0
"""A list that was read so short a time ago, with users and pipelines say, is not read again before a lead."""
NO_RIGHTS_S = 600.0
AFTER_FAILURE_S = 60.0
BLOCKED_S = 3600.0
"""A field of ours that was refused is not sent again for so long."""
ENTITIES = ("leads", "contacts")
FIELD_PAGES = 20


class AccountFields:
    """The custom fields of leads and contacts. The key field is made where it is missing and may be made."""

    def __init__(self, api: AmocrmApi, entities: tuple[str, ...] = ENTITIES, *, makes: bool = True) -> None:
        self._api = api
        self.makes = makes
        self._entities = entities
        self._fields = {entity: EntityFields() for entity in entities}
        self._blocked: dict[tuple[str, str], float] = {}
        self._demanded: dict[str, set[int]] = {}
        self._tried_to_make: set[str] = set()
        self._due = dict.fromkeys(entities, float("-inf"))
        self._waited: set[str] = set()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._listing: dict[str, asyncio.Task[list[Row]]] = {}
        self._listed: dict[str, float] = {}

    async def ready(self, entity: str, patience_s: float = PATIENCE_S) -> None:
        """Sees to it that the lists are read; waits only while nothing is known of `entity`, and not for long."""
        for each in self._entities:
            if self._api.clock.monotonic() >= self._due[each] and not self._is_reading(each):
                self._due[each] = self._api.clock.monotonic() + AFTER_FAILURE_S
                self._reading[each] = asyncio.get_running_loop().create_task(self._read(each))
        if entity not in self._waited and entity in self._reading and patience_s > 0:
            await asyncio.wait([self._reading[entity]], timeout=patience_s)
            self._waited.add(entity)

    def learn(self, entity: str, fields: EntityFields) -> None:
        """What somebody else has just read of the same account: saves the calls."""
        self._fields[entity] = fields
        self._listed[entity] = self._api.clock.monotonic() - 2 * SAME_S

    async def rows(self, entity: str) -> list[Row]:
        """The list as the vendor gives it; who asks meanwhile, or a moment later, gets the same: calls are scarce."""
        task = self._listing.get(entity)
        age_s = self._api.clock.monotonic() - self._listed.get(entity, float("-inf"))
        if task is None or (task.done() and age_s > SAME_S):
            task = self._listing[entity] = asyncio.get_running_loop().create_task(self._list(entity))
        return await asyncio.shield(task)

    def of(self, entity: str) -> EntityFields:
        now = self._api.clock.monotonic()
        blocked = [code for (owner, code), until in self._blocked.items() if owner == entity and until > now]
        known = self._fields.get(entity, EntityFields()).without(blocked)
        return replace(known, demanded=frozenset(self._demanded.get(entity, ())))

    def demand(self, entity: str, fields: Iterable[FieldRef]) -> None:
        """The account refuses records without these: they are sent with a stand-in until the process ends."""
        for ref in fields:
            self._demanded.setdefault(entity, set()).add(ref.id)
            extra = {"event": "amocrm.field_demanded", "entity": entity, "field_id": ref.id}
            log.warning("the account insists on a field", extra=extra)

    def block(self, entity: str, codes: Iterable[str]) -> None:
        """The account refuses these fields of ours: do without them for a while."""
        for code in codes:
            self._blocked[entity, code] = self._api.clock.monotonic() + BLOCKED_S
            fields = {"event": "amocrm.own_field_refused", "entity": entity, "code": code}
            log.warning("the account refuses a field of ours", extra=fields)

    def forget(self) -> None:
        """The lists have changed: read them again at the next call, whatever was refused before."""
        self._due = dict.fromkeys(self._entities, float("-inf"))
        self._listed.clear()
        self._waited.clear()
        self._blocked.clear()
        self._tried_to_make.clear()

    async def close(self) -> None:
        both = (*self._reading.values(), *self._listing.values())
        tasks = [task for task in both if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _is_reading(self, entity: str) -> bool:
        return entity in self._reading and not self._reading[entity].done()

    def _set_priority(self, entity: str) -> None:
        """Of a task of its own. All leads wait for the first list; what is read again takes no fresh lead's turn."""
        PRIORITY.set(RETRY if entity in self._listed else FRESH)

    async def _list(self, entity: str) -> list[Row]:
        self._set_priority(entity)
        rows = await list_field_rows(self._api, entity)
        self._fields[entity] = fields_from(rows)
        self._listed[entity] = self._api.clock.monotonic()
        return rows

    async def _read(self, entity: str) -> None:
        self._set_priority(entity)
        wait_s = FRESH_S
        try:
            if self._api.clock.monotonic() - self._listed.get(entity, float("-inf")) > JUST_READ_S:
                await self.rows(entity)
            await self._have_key_field(entity)
        except (AuthError, PermanentError):
            wait_s = NO_RIGHTS_S
        except ConnectorError:
            wait_s = AFTER_FAILURE_S
        self._due[entity] = self._api.clock.monotonic() + wait_s

    async def _have_key_field(self, entity: str) -> None:
        """Makes LEADHUB_ID once. Where that fails, it may be because another process was faster: read again."""
        if KEY_FIELD in self._fields[entity].by_code or entity in self._tried_to_make or not self.makes:
            return
        self._tried_to_make.add(entity)
        try:
            made = await make_field(self._api, entity, KEY_FIELD, "leadhub id", "text")
        except ConnectorError as error:
            extra = {"event": "amocrm.no_key_field", "entity": entity, "error": str(error)}
            log.warning("the key field cannot be made; deals bear the key in their name", extra=extra)
            self._fields[entity] = await list_fields(self._api, entity)
        else:
            self._fields[entity] = self._fields[entity].and_also(made)


async def list_fields(api: AmocrmApi, entity: str) -> EntityFields:
    return fields_from(await list_field_rows(api, entity))


async def list_field_rows(api: AmocrmApi, entity: str) -> list[Row]:
    path = f"/api/v4/{entity}/custom_fields"
    pages = api.pages(f"list {entity} fields", path, "custom_fields", max_pages=FIELD_PAGES)
    return [row async for page in pages for row in page]


async def make_field(api: AmocrmApi, entity: str, code: str, name: str, kind: str) -> FieldRef:
    """Makes a field that only the API may change. Raises PermanentError, also when the code is taken already."""
    body = [{"name": name, "type": kind, "code": code, "is_api_only": True}]
    answer = await api.post(f"make {entity} field", f"/api/v4/{entity}/custom_fields", body)
    made = [ref for ref in map(field_ref, rows_of(answer, "custom_fields") or []) if ref is not None]
    if not made:
        raise PermanentError("no field in the answer", f"make {entity} field", 200)
    return replace(made[0], code=code, type=kind)
