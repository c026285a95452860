"""Finding again what an earlier create may have made: no index, no filter is trusted, every row is compared."""

from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.amocrm.account import AccountFields
from connectors.amocrm.api import AmocrmApi, Params
from connectors.amocrm.payloads import noted_on, text_marker
from connectors.amocrm.records import Row, is_person, key_of, made_before, newest_first, rows_of
from connectors.base import CallDraft, CompanyDraft, ContactDraft, DealDraft, Hint, NoteDraft, TaskDraft
from connectors.errors import ConnectorError, PermanentError

CLOCK_MARGIN = timedelta(seconds=3900)
"""Rows made so much before the create was sent cannot come from it: an hour's jump of a clock is allowed for."""
LOOK_PAGES = 8
"""Pages of the plain list that a look-up reads when the contact's own deals tell nothing: 2,000 records."""
SECOND_WAY_PAGES = 1
LINKED_MAX = 60
"""At most so many of a contact's newest deals are read one by one."""
NEWEST: Params = [("order[id]", "desc")]


class Lookup:
    def __init__(self, api: AmocrmApi, fields: AccountFields) -> None:
        self._api = api
        self._fields = fields

    async def deal(self, draft: DealDraft, hint: Hint) -> str | None:
        """Among the deals of its contact, which need no index; then, as a second way, among the newest of all."""
        since = hint.sent_at - CLOCK_MARGIN
        fields = self._fields.of("leads")
        contact_id = hint.contact_id or draft.contact_id
        linked = await self.linked_deal_ids(contact_id) if contact_id else None
        found: list[str] = []
        for deal_id in (linked or [])[:LINKED_MAX]:
            row = await self._api.get_one("read deal", f"/api/v4/leads/{deal_id}")
            if row is None:
                continue
            if key_of(row, fields) == draft.key:
                found.append(str(row["id"]))
            elif made_before(row, since):
                break
        if found:
            return _lowest(found)

        def matches(row: Row) -> bool:
            return key_of(row, fields) == draft.key

        if linked is None:
            return await self._newest("leads", matches, since, LOOK_PAGES)
        return await self._second_way("leads", matches, since, SECOND_WAY_PAGES)

    async def contact(self, draft: ContactDraft, hint: Hint) -> str | None:
        """Among the newest contacts: what the search, which may lag behind, has not brought up."""
        since = hint.sent_at - CLOCK_MARGIN
        fields = self._fields.of("contacts")

        def matches(row: Row) -> bool:
            ours = key_of(row, fields) == draft.key and not row.get("is_deleted")
            return ours or is_person(draft.phones, draft.emails, fields, row)

        return await self._second_way("contacts", matches, since, LOOK_PAGES)

    async def company(self, draft: CompanyDraft, hint: Hint) -> str | None:
        """Companies bear no key: one of the same name made since then."""
        since = hint.sent_at - CLOCK_MARGIN
        name = draft.name.strip().casefold()

        def matches(row: Row) -> bool:
            return str(row.get("name") or "").strip().casefold() == name and not made_before(row, since)

        return await self._newest("companies", matches, since, LOOK_PAGES)

    async def note(self, draft: NoteDraft) -> str | None:
        entity, entity_id = noted_on(draft)
        marker = text_marker(draft.key)

        def matches(row: Row) -> bool:
            params = row.get("params")
            return isinstance(params, dict) and marker in str(params.get("text") or "")

        return await self._marked("find note", f"/api/v4/{entity}/{entity_id}/notes", "notes", NEWEST, matches)

    async def call(self, draft: CallDraft) -> str | None:
        entity, entity_id = noted_on(draft)

        def matches(row: Row) -> bool:
            params = row.get("params")
            return isinstance(params, dict) and str(params.get("uniq") or "") == draft.key

        return await self._marked("find call", f"/api/v4/{entity}/{entity_id}/notes", "notes", NEWEST, matches)

    async def task(self, draft: TaskDraft) -> str | None:
        entity, entity_id = noted_on(draft)
        marker = text_marker(draft.key)
        asked = [("filter[entity_type]", entity), ("filter[entity_id]", entity_id), ("order[id]", "desc")]

        def matches(row: Row) -> bool:
            return str(row.get("entity_id")) == entity_id and marker in str(row.get("text") or "")

        return await self._marked("find task", "/api/v4/tasks", "tasks", asked, matches)

    async def linked_deal_ids(self, contact_id: str) -> list[str] | None:
        """Deals of a contact, newest (highest id) first; None when the vendor does not tell.

        A contact that is gone (deleted, or merged into another) tells nothing about its deals.
        """
        contact = await self._api.get_one("read contact", f"/api/v4/contacts/{contact_id}", [("with", "leads")])
        if contact is None:
            return None
        rows = rows_of(contact, "leads")
        if rows is None:
            try:
                answer = await self._api.get("read links", f"/api/v4/contacts/{contact_id}/links")
            except PermanentError:
                return None
            links = rows_of(answer, "links")
            if links is None:
                return None
            rows = [{"id": link.get("to_entity_id")} for link in links if link.get("to_entity_type") == "leads"]
        ids = {str(row["id"]) for row in rows if str(row.get("id") or "").isdecimal()}
        return sorted(ids, key=int, reverse=True)

    async def _second_way(
        self, entity: str, matches: Callable[[Row], bool], since: datetime, max_pages: int
    ) -> str | None:
        """After a first way has answered: an account that refuses the list does not undo that answer."""
        try:
            return await self._newest(entity, matches, since, max_pages)
        except PermanentError:
            return None

    async def _newest(self, entity: str, matches: Callable[[Row], bool], since: datetime, max_pages: int) -> str | None:
        """Reads the plain list, newest first, back to `since`. A list in another order is read to its end."""
        found: list[str] = []
        pages = self._api.pages(f"look through {entity}", f"/api/v4/{entity}", entity, NEWEST, max_pages=max_pages)
        async for rows in pages:
            found.extend(str(row["id"]) for row in rows if matches(row))
            if rows and newest_first(rows) and made_before(rows[-1], since):
                break
        return _lowest(found)

    async def _marked(
        self, operation: str, path: str, collection: str, params: Params, matches: Callable[[Row], bool]
    ) -> str | None:
        found: list[str] = []
        try:
            async for rows in self._api.pages(operation, path, collection, params, max_pages=LOOK_PAGES):
                found.extend(str(row["id"]) for row in rows if matches(row))
        except ConnectorError as error:
            if isinstance(error, PermanentError) and error.gone:
                return None  # the deal itself is gone, and its notes with it
            raise
        return _lowest(found)


def _lowest(ids: list[str]) -> str | None:
    """Of two records with one key the older one is the one to keep."""
    return min(ids, key=int) if ids else None
