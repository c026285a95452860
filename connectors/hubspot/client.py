"""One open HubSpot account: the methods of `connectors.base.Target`."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

from connectors.base import (
    ContactDraft,
    DealState,
    Draft,
    FoundDeal,
    Hint,
    Kind,
    Metadata,
    NeededField,
    NoteDraft,
    Opening,
    TaskDraft,
)
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.hubspot.answers import Refusal, existing_id, holder_of
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.audit import DealReader
from connectors.hubspot.deals import Deals
from connectors.hubspot.links import Links
from connectors.hubspot.lookups import Lookups, has_phone
from connectors.hubspot.payloads import (
    KEY_PROPERTY,
    TYPES,
    create_body,
    draft_names,
    key_of,
    kind_of,
    named_in,
    person_name,
    placeholder,
    values,
)
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.records import next_page, owner_to_user, properties_of, record_id, results_of, to_field
from connectors.hubspot.settings import HubSpotSettings
from connectors.hubspot.writes import Creates, Row

SLOWEST_WRITE_S = 30.0
"""A create that got no answer may land so long after it was sent; the index of the search may be as late."""
MAX_REPAIRS = 12
FIELD_KINDS: tuple[Kind, ...] = ("contact", "company", "deal")
RECORD_TYPE: Mapping[Kind, str] = {"contact": "0-1", "company": "0-2", "deal": "0-3", "note": "0-46", "task": "0-27"}


class HubSpotClient:
    """Safe to use by many tasks at once; what waits for the limiter together leaves together."""

    def __init__(self, opening: Opening, settings: HubSpotSettings) -> None:
        self._settings = settings
        self._clock = opening.clock
        self._api = HubSpotApi(opening, settings)
        self._book = PropertyBook(self._api, opening.name)
        self._lookups = Lookups(self._api)
        self._creates = Creates(self._api)
        self._deals = Deals(self._api)
        self._links = Links(self._api)
        self._portal = settings.portal_id

    @classmethod
    def open(cls, opening: Opening) -> "HubSpotClient":
        if not isinstance(opening.settings, HubSpotSettings):
            raise TypeError("not the settings of a HubSpot connection")
        return cls(opening, opening.settings)

    # --- the account ----------------------------------------------------------------------

    async def ping(self) -> None:
        """A token without the right to read account details has the right to read contacts."""
        try:
            await self._account()
        except (PermanentError, AuthError) as error:
            if error.status == 401:
                raise
            path = self._api.paths.objects("contacts")
            with contextlib.suppress(PermanentError):
                await self._api.call("ping", "GET", path, writes=False, params={"limit": "1"})

    async def _account(self) -> None:
        answer = await self._api.call("ping", "GET", self._api.paths.account, writes=False)
        self._portal = self._portal or str(answer.get("portalId") or "")

    async def metadata(self) -> Metadata:
        users, pipelines, *fields = await asyncio.gather(
            self._users(), self._deals.read_pipelines(), *map(self._fields, FIELD_KINDS), return_exceptions=True
        )
        if not self._portal:
            with contextlib.suppress(ConnectorError):
                await self._account()
        for result in (users, pipelines, *fields):
            if isinstance(result, BaseException) and not isinstance(result, ConnectorError):
                raise result
        readable = {
            kind: one for kind, one in zip(FIELD_KINDS, fields, strict=True) if not isinstance(one, BaseException)
        }
        parts = {
            "users": not isinstance(users, BaseException),
            "pipelines": not isinstance(pipelines, BaseException) and bool(pipelines),
            "fields": len(readable) == len(FIELD_KINDS),
        }
        return Metadata(
            users=() if isinstance(users, BaseException) else users,
            pipelines=() if isinstance(pipelines, BaseException) else pipelines,
            fields=readable,
            known=frozenset(part for part, known in parts.items() if known),
        )

    async def _users(self) -> tuple[Any, ...]:
        users, after = [], ""
        while True:
            params = {"limit": "100", "archived": "false"} | ({"after": after} if after else {})
            answer = await self._api.call("read owners", "GET", self._api.paths.owners, writes=False, params=params)
            users += [owner_to_user(owner) for owner in results_of(answer) if record_id(owner)]
            after = next_page(answer)
            if not after:
                return tuple(users)

    async def _fields(self, kind: Kind) -> tuple[Any, ...]:
        definitions = await self._book.definitions(kind)
        self._book.note(kind, definitions)
        return tuple(to_field(item) for item in definitions if item.get("name"))

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        kinds = list(dict.fromkeys(field.kind for field in needed))
        there = {kind: {item.get("name") for item in await self._book.definitions(kind)} for kind in kinds}
        missing = [field for field in needed if field.code not in there[field.kind]]
        if create and missing:
            for field in missing:
                await self._book.make(field)
            for kind in dict.fromkeys(field.kind for field in missing):
                self._book.note(kind, await self._book.definitions(kind))
        return missing

    def record_url(self, kind: Kind, record_id: str) -> str:
        """ "" while the account's number is not known (it is after `ping` or `metadata`, or by `portal_id`)."""
        if not self._portal:
            return ""
        return f"{self._settings.app_url}/contacts/{self._portal}/record/{RECORD_TYPE[kind]}/{record_id}"

    # --- contacts ---------------------------------------------------------------------------

    async def find_contact(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        """All questions leave at once; the answer to the surest wins: our key, then e-mail, then phone."""
        await asyncio.gather(*(self._book.ready(kind) for kind in ("contact", "deal", "note", "task")))
        questions: list[Coroutine[Any, Any, str | None]] = []
        if key and self._book.has_key("contact"):
            questions.append(self._by_key("contact", key))
        questions += [self._by_email(email) for email in dict.fromkeys(emails)]
        questions += [self._lookups.by_phone(phone) for phone in dict.fromkeys(phones)]
        return await first_of(questions)

    async def _by_key(self, kind: Kind, key: str) -> str | None:
        try:
            return await self._lookups.by_key(kind, key)
        except PermanentError:
            return None  # the property is no id: the key proves nothing here

    async def _by_email(self, email: str) -> str | None:
        try:
            return await self._lookups.by_email(email)
        except PermanentError:
            return None  # not an e-mail for HubSpot: then nobody has it

    async def enrich_contact(self, contact_id: str, draft: ContactDraft) -> None:
        """The second e-mail of a person stays in the deal's note: HubSpot has no documented way to add one."""
        key = KEY_PROPERTY["contact"]
        names = ["email", "hs_additional_emails", "phone", "mobilephone", "firstname", "lastname", key]
        names += ["hubspot_owner_id", *draft.fields]
        record = await self._read("contact", contact_id, names)
        if record is None:
            raise PermanentError("the contact does not exist any more", "read contact", 404, gone=True)
        changes = empty_filled(properties_of(record), draft)
        if not self._book.has_key("contact"):
            changes.pop(key, None)
        changes = {name: value for name, value in changes.items() if name in self._book.taken("contact")}
        # What the vendor takes ill is left out, one after the other; the contact itself is there already.
        while changes:
            try:
                await self._update("contact", record_id(record) or contact_id, changes)
                return
            except Refusal as error:
                if error.gone:
                    raise
                bad = {"email"} if error.status == 409 else set(error.fields)
                bad |= {key} if holder_of(error, key) else set()
                if not bad & changes.keys():
                    raise self._named(error, draft, changes) from error
                changes = {name: value for name, value in changes.items() if name not in bad}

    # --- creating -----------------------------------------------------------------------------

    async def create(self, draft: Draft) -> str:
        kind = kind_of(draft)
        await self._book.ready(kind)
        default = await self._deals.default_stage(draft)
        keyless = False
        for _ in range(MAX_REPAIRS):
            taken = self._book.taken(kind)
            body = create_body(
                draft, now=self._clock.now(), taken=taken, marked=not self._book.has_key(kind), default=default
            )
            if keyless:
                body["properties"].pop(KEY_PROPERTY[kind], None)
            self._book.about_to_write(kind)
            sent_at = self._clock.monotonic()
            try:
                return await self._creates.create(kind, Row(body, key_of(draft)))
            except AuthError as error:
                if error.status == 403 and isinstance(draft, NoteDraft | TaskDraft):
                    # An extra that the token may not write is no reason to stop the deals.
                    raise PermanentError(error.message, error.operation, 403, error.request_id) from error
                raise
            except Refusal as error:
                holder = holder_of(error, KEY_PROPERTY[kind])
                if holder:
                    kept = await self._ours(kind, holder)
                    if kept:
                        return kept
                    if kind != "contact" or keyless:
                        raise PermanentError(
                            "our record was deleted in HubSpot", error.operation, 400, gone=True
                        ) from error
                    keyless = True
                    continue
                if isinstance(draft, ContactDraft) and existing_id(error):
                    return await self._adopt(existing_id(error), draft)
                if not await self._book.refused(kind, error.fields, sent_at):
                    raise self._named(error, draft, body["properties"]) from error
        raise PermanentError("refused again and again", f"create {kind}")

    async def _ours(self, kind: Kind, id_: str) -> str:
        """The record that has our key: its id, the new one if it was merged; "" if it is in the recycle bin."""
        record = await self._read(kind, id_, [KEY_PROPERTY[kind]])
        if record is not None:
            return record_id(record) or id_
        archived = await self._read(kind, id_, [KEY_PROPERTY[kind]], archived=True)
        return "" if archived is not None else id_

    async def _adopt(self, contact_id: str, draft: ContactDraft) -> str:
        """A contact with this e-mail is there: what we know is added to it. Nothing has been created so far."""
        try:
            await self.enrich_contact(contact_id, draft)
        except UnknownOutcomeError as error:
            raise RetryableError(error.message, error.operation, error.status, error.request_id) from error
        except PermanentError:
            pass  # the contact is the right one all the same; the note of the deal says the rest
        return contact_id

    @staticmethod
    def _named(error: Refusal, draft: Draft, properties: Mapping[str, str]) -> PermanentError:
        """The refusal in the draft's own words."""
        names = error.fields or (() if error.gone else named_in(error.text, properties))
        return PermanentError(
            error.message,
            error.operation,
            error.status,
            error.request_id,
            fields=draft_names(names, draft),
            gone=error.gone and not names,
        )

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        kind = kind_of(draft)
        await self._book.ready(kind)
        questions: list[Coroutine[Any, Any, str | None]] = []
        if self._book.has_key(kind):
            questions.append(self._by_key(kind, draft.key))
        if isinstance(draft, ContactDraft):
            questions += [self._by_email(email) for email in draft.emails]
        found = await first_of(questions)
        if found or not self._book.unsure(kind):
            return found
        found = await self._unkeyed(draft, hint)
        # Only a unique key makes the repeat itself safe: without one it has to wait until nothing can land any more.
        age_s = (self._clock.now() - hint.sent_at).total_seconds()
        if found is None and 0 <= age_s < SLOWEST_WRITE_S:
            raise RetryableError("too early to tell whether the record was created", f"find created {kind}")
        return found

    async def _unkeyed(self, draft: Draft, hint: Hint) -> str | None:
        """A record of ours that the key does not find: by its mark, among what hangs on the same contact or deal."""
        match draft:
            case ContactDraft():
                return await first_of([self._lookups.by_phone(phone) for phone in draft.phones])
            case NoteDraft() | TaskDraft():
                return await self._links.find_ours(draft, "deal", draft.deal_id or hint.deal_id)
            case _:
                contact_id = getattr(draft, "contact_id", "") or hint.contact_id
                return await self._links.find_ours(draft, "contact", contact_id)

    # --- deals ----------------------------------------------------------------------------------

    async def update_deal(self, deal_id: str, fields: Mapping[str, Any]) -> None:
        properties = {name: value for name, value in values(fields).items() if name in self._book.taken("deal")}
        if properties:
            await self._update("deal", deal_id, properties)

    async def open_deal(self, contact_id: str) -> DealState | None:
        return await self._deals.newest(await self._links.of("contact", contact_id, "deal"), contact_id)

    async def deal_state(self, deal_id: str) -> DealState | None:
        return await self._deals.state(deal_id)

    async def reopen_deal(self, deal_id: str, pipeline: str, stage: str) -> None:
        pipeline, stage = await self._deals.resolve(pipeline, stage)
        await self._update("deal", deal_id, {"pipeline": pipeline, "dealstage": stage})

    async def read_back(self, deal_ids: tuple[str, ...], since: datetime, until: datetime) -> list[FoundDeal]:
        return await DealReader(self._api).read_back(deal_ids, since, until)

    async def close(self) -> None:
        await self._api.close()

    async def _read(self, kind: Kind, id_: str, names: list[str], *, archived: bool = False) -> dict[str, Any] | None:
        params = {"properties": ",".join(dict.fromkeys(names))} | ({"archived": "true"} if archived else {})
        path = self._api.paths.record(TYPES[kind], id_)
        try:
            return await self._api.call(f"read {kind}", "GET", path, writes=False, params=params)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise

    async def _update(self, kind: Kind, id_: str, properties: Mapping[str, str]) -> None:
        path = self._api.paths.record(TYPES[kind], id_)
        try:
            await self._api.call(f"update {kind}", "PATCH", path, writes=True, json={"properties": dict(properties)})
        except Refusal as error:
            error.gone = error.gone or error.status == 404
            raise


async def first_of(questions: list[Coroutine[Any, Any, str | None]]) -> str | None:
    """Asks all at once and takes the first hit in the order given; what was asked after it does not matter then."""
    tasks = [asyncio.ensure_future(question) for question in questions]
    try:
        for task in tasks:
            found = await task
            if found:
                return found
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def empty_filled(held: Mapping[str, str], draft: ContactDraft) -> dict[str, str]:
    """The properties of `draft` for which the contact has nothing yet."""
    changes: dict[str, str] = {}
    if draft.emails and not held.get("email"):
        changes["email"] = draft.emails[0]
    new = [phone for phone in dict.fromkeys(draft.phones) if not has_phone(dict(held), phone)]
    free = [name for name in ("phone", "mobilephone") if not held.get(name)]
    changes |= dict(zip(free, new, strict=False))
    nameless = not held.get("lastname") and held.get("firstname", "") in ("", *_placeholders(draft, held))
    if draft.name and nameless:
        first, last = person_name(draft.name)
        changes |= {"firstname": first} | ({"lastname": last} if last else {})
    if not held.get(KEY_PROPERTY["contact"]) and draft.key:
        changes[KEY_PROPERTY["contact"]] = key_of(draft)
    return changes | {name: value for name, value in values(draft.fields).items() if value and not held.get(name)}


def _placeholders(draft: ContactDraft, held: Mapping[str, str]) -> set[str]:
    """First names that we made up ourselves."""
    phones = [*draft.phones, held.get("phone", "")]
    return {placeholder(()), *(placeholder((phone,)) for phone in phones if phone)}
