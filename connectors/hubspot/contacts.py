"""Contacts: finding a person's, and adding to it what it lacks."""

import asyncio
from collections.abc import Mapping

from connectors.base import ContactDraft
from connectors.errors import PermanentError
from connectors.hubspot.answers import Refusal, holder_of
from connectors.hubspot.lookups import Lookups, has_phone
from connectors.hubspot.naming import named
from connectors.hubspot.objects import Objects, Question, first_of
from connectors.hubspot.payloads import KEY_PROPERTY, key_of, person_name, placeholder, values
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.records import properties_of, record_id


class Contacts:
    def __init__(self, objects: Objects, book: PropertyBook, lookups: Lookups) -> None:
        self._objects = objects
        self._book = book
        self._lookups = lookups

    async def find(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        """All questions leave at once; the answer to the surest wins: our key, then e-mail, then phone."""
        await asyncio.gather(*(self._book.ready(kind) for kind in ("contact", "deal", "note", "task")))
        questions: list[Question] = []
        if key and self._book.has_key("contact"):
            questions.append(self._lookups.by_key_if("contact", key))
        questions += [self._lookups.by_email_if(email) for email in dict.fromkeys(emails)]
        questions += [self._lookups.by_phone(phone) for phone in dict.fromkeys(phones)]
        return await first_of(questions)

    async def enrich(self, contact_id: str, draft: ContactDraft) -> None:
        """The second e-mail of a person stays in the deal's note: HubSpot has no documented way to add one."""
        key = KEY_PROPERTY["contact"]
        names = ["email", "hs_additional_emails", "phone", "mobilephone", "firstname", "lastname", key]
        names += ["hubspot_owner_id", *draft.fields]
        record = await self._objects.read("contact", contact_id, names)
        if record is None:
            raise PermanentError("the contact does not exist any more", "read contact", 404, gone=True)
        changes = empty_filled(properties_of(record), draft)
        if not self._book.has_key("contact"):
            changes.pop(key, None)
        changes = {name: value for name, value in changes.items() if name in self._book.taken("contact")}
        # What the vendor takes ill is left out, one after the other; the contact itself is there already.
        while changes:
            try:
                await self._objects.update("contact", record_id(record) or contact_id, changes)
                return
            except Refusal as error:
                if error.gone:
                    raise
                bad = {"email"} if error.status == 409 else set(error.fields)
                bad |= {key} if holder_of(error, key) else set()
                if not bad & changes.keys():
                    raise named(error, draft, changes) from error
                changes = {name: value for name, value in changes.items() if name not in bad}


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
    if draft.responsible and not held.get("hubspot_owner_id"):
        changes["hubspot_owner_id"] = draft.responsible
    return changes | {name: value for name, value in values(draft.fields).items() if value and not held.get(name)}


def _placeholders(draft: ContactDraft, held: Mapping[str, str]) -> set[str]:
    """First names that we made up ourselves."""
    phones = [*draft.phones, held.get("phone", "")]
    return {placeholder(()), *(placeholder((phone,)) for phone in phones if phone)}
