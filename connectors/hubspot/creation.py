"""Creating one record, repairing what can be repaired at once; and finding what a lost answer may have made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.base import CallDraft, CompanyDraft, ContactDraft, DealDraft, Draft, Hint, Kind, NoteDraft, TaskDraft
from connectors.errors import PermanentError, RetryableError, TooEarlyError, UnknownOutcomeError
from connectors.hubspot.answers import CONFLICTS, Refusal, existing_id, holder_of
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.contacts import Contacts
from connectors.hubspot.deals import Deals
from connectors.hubspot.links import Links
from connectors.hubspot.lookups import Lookups
from connectors.hubspot.naming import named
from connectors.hubspot.objects import Objects, Question, first_of
from connectors.hubspot.payloads import KEY_PROPERTY, TEXT_PROPERTY, create_body, key_of, kind_of
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.records import properties_of, record_id
from connectors.hubspot.writes import Creates, Row

SLOWEST_WRITE_S = 30.0
"""A create that got no answer may land so long after it was sent; the index of the search may be as late."""
LEAST_WAIT_S = 0.01
"""Less would be due at once: times are kept in microseconds, and 30 s of a clock may be a billionth short of it."""
MAX_REPAIRS = 12
MAX_LOST = 10_000
DELETED = "deleted"


class Creation:
    def __init__(
        self, api: HubSpotApi, book: PropertyBook, lookups: Lookups, contacts: Contacts, deals: Deals, links: Links
    ) -> None:
        self._clock = api.clock
        self._book = book
        self._objects = Objects(api)
        self._lookups = lookups
        self._contacts = contacts
        self._deals = deals
        self._links = links
        self._creates = Creates(api)
        self._lost: dict[tuple[Kind, str], datetime] = {}
        """(kind, key) of creates with unknown outcome that bore the unique key -> when that was seen."""

    async def create(self, draft: Draft) -> str:
        """Sends again only after a refusal, which wrote nothing: without what was refused, if the record can do so."""
        kind = kind_of(draft)
        await self._book.certain(kind)
        default = await self._deals.default_stage(draft)
        keyless = False
        for _ in range(MAX_REPAIRS):
            body = self._body(draft, default, keyless=keyless)
            sent_at = self._clock.monotonic()
            try:
                return await self._send(kind, Row(body, key_of(draft)))
            except Refusal as error:
                there = await self._there(draft, error)
                if there == DELETED and isinstance(draft, ContactDraft) and not keyless:
                    again = await self._unkeyed(draft)  # an earlier one of ours that bears no key for the same reason
                    if again:
                        return again
                    keyless = True
                elif there == DELETED:
                    text = "our record was deleted in HubSpot"
                    raise PermanentError(text, error.operation, error.status) from error
                elif there:
                    return there
                elif not await self._book.refused(kind, error.fields, sent_at):
                    raise named(error, draft, body["properties"]) from error
        raise PermanentError("refused again and again", f"create {kind}")

    async def update(self, kind: Kind, id_: str, properties: Mapping[str, str]) -> None:
        for _ in range(MAX_REPAIRS):
            taken = self._book.taken(kind)
            sent = {name: value for name, value in properties.items() if name in taken}
            if not sent:
                return None
            sent_at = self._clock.monotonic()
            try:
                return await self._objects.update(kind, id_, sent)
            except Refusal as error:
                if not await self._book.refused(kind, error.fields, sent_at):
                    raise
        raise PermanentError("refused again and again", f"update {kind}")

    def _body(self, draft: Draft, default: tuple[str, str], *, keyless: bool) -> dict[str, Any]:
        kind = kind_of(draft)
        marked = not self._book.has_key(kind)
        taken = self._book.taken(kind)
        body = create_body(draft, now=self._clock.now(), taken=taken, marked=marked, default=default)
        if keyless:
            body["properties"].pop(KEY_PROPERTY[kind], None)
        return body

    async def _send(self, kind: Kind, row: Row) -> str:
        keyed = self._book.unique(kind) and KEY_PROPERTY[kind] in row.body["properties"]
        self._lost.pop((kind, row.key), None)
        try:
            return await self._creates.create(kind, row)
        except UnknownOutcomeError:
            if keyed and len(self._lost) < MAX_LOST:
                self._lost[kind, row.key] = self._clock.now()
            raise

    async def _there(self, draft: Draft, error: Refusal) -> str:
        """The record whose being there is the reason of the refusal: its id, DELETED, or "" for another reason."""
        kind = kind_of(draft)
        holder = holder_of(error, KEY_PROPERTY[kind])
        if holder:
            return await self._held_by(kind, holder, draft)
        existing = existing_id(error)
        if existing and isinstance(draft, ContactDraft):
            return await self._adopt(existing, draft)
        if error.status != 409 and error.category not in CONFLICTS:
            return ""
        return await self._lookups.by_key_if(kind, draft.key) or ""

    async def _held_by(self, kind: Kind, id_: str, draft: Draft) -> str:
        """The record that has our key; the new one if it was merged, DELETED if it is in the recycle bin."""
        name = KEY_PROPERTY[kind]
        record = await self._objects.read(kind, id_, [name])
        if record is None:
            archived = await self._objects.read(kind, id_, [name], archived=True)
            return DELETED if archived is not None else id_
        held = properties_of(record).get(name, "").lower()
        return (record_id(record) or id_) if held in ("", key_of(draft)) else ""

    async def _adopt(self, contact_id: str, draft: ContactDraft) -> str:
        """A contact with this e-mail is there: what we know is added to it. Nothing has been created so far."""
        try:
            await self._contacts.enrich(contact_id, draft)
        except UnknownOutcomeError as error:
            raise RetryableError(error.message, error.operation, error.status, error.request_id) from error
        except PermanentError:
            pass  # the contact is the right one all the same; the note of the deal says the rest
        return contact_id

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        kind = kind_of(draft)
        await self._book.ready(kind)
        questions: list[Question] = []
        if self._book.has_key(kind):
            questions.append(self._lookups.by_key_if(kind, draft.key))
        if isinstance(draft, ContactDraft):
            questions += [self._lookups.by_email_if(email) for email in draft.emails]
        found = await first_of(questions)
        if found or self._bore_the_key(kind, draft, hint):
            return found
        found = await self._unkeyed(draft, hint)
        if found or (isinstance(draft, ContactDraft) and draft.emails):
            return found  # the e-mail is unique as well: a repeat is refused with the id
        # Only a unique value makes the repeat itself safe: without one it has to wait until nothing can land any more.
        age_s = (self._clock.now() - hint.sent_at).total_seconds() if hint.elapsed_s is None else hint.elapsed_s
        if 0 <= age_s < SLOWEST_WRITE_S:
            text = "too early to tell whether the record was created"
            raise TooEarlyError(text, f"find created {kind}", wait_s=max(LEAST_WAIT_S, SLOWEST_WRITE_S - age_s))
        return None

    def _bore_the_key(self, kind: Kind, draft: Draft, hint: Hint) -> bool:
        """Whether the lost create was sent with the unique key. Another process may have known less than we do:
        killed at the first use of an account, it may have sent without the key that is there by now.
        """
        lost_at = self._lost.get((kind, key_of(draft)))
        return (lost_at is not None and hint.sent_at <= lost_at) or self._book.was_unique(kind, hint.sent_at)

    async def _unkeyed(self, draft: Draft, hint: Hint | None = None) -> str | None:
        """A record of ours that the key does not find: by its mark, among what hangs on the same contact or deal."""
        match draft:
            case ContactDraft():
                return await first_of([self._lookups.by_phone(phone) for phone in draft.phones])
            case NoteDraft() | TaskDraft():
                return await self._links.find_ours(draft, "deal", draft.deal_id or (hint.deal_id if hint else ""))
            case CallDraft():
                if draft.deal_id:
                    return await self._links.find_ours(draft, "deal", draft.deal_id)
                return await self._links.find_ours(draft, "contact", draft.contact_id)
            case DealDraft():
                contact_id = draft.contact_id or (hint.contact_id if hint else "")
                bare = TEXT_PROPERTY["deal"] not in self._book.taken("deal")
                since = hint.sent_at if hint and bare else None
                return await self._links.find_ours(draft, "contact", contact_id, titled_since=since)
            case CompanyDraft():
                return await self._lookups.company_named(draft.name)
