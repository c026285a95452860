"""Notes, tasks and calls of a moved record as HubSpot's own: with the unique key, in batches of 100."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.activities import Activity, ActivityKind, Made, cut, each, first_line
from connectors.errors import AuthError, PermanentError, TooEarlyError
from connectors.histories import Entry
from connectors.hubspot.answers import Refusal, holder_of
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.creation import LEAST_WAIT_S, MAX_REPAIRS, SLOWEST_WRITE_S
from connectors.hubspot.histories import HubSpotHistories, entry_id
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import (
    KEY_PROPERTY,
    MAX_SUBJECT,
    TEXT_PROPERTY,
    TYPES,
    html_of,
    iso,
    mark,
)
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.records import properties_of
from connectors.hubspot.writes import Creates, Row
from mappings.attributes import RecordObject

TO: Final[Mapping[ActivityKind, Mapping[str, int]]] = {
    "note": {"deal": 214, "contact": 202, "company": 190},
    "task": {"deal": 216, "contact": 204, "company": 192},
    "call": {"deal": 206, "contact": 194, "company": 182},
}


class HubSpotActivities:
    """The time of creation is HubSpot's own; notes and calls have another one that is shown, tasks have not."""

    dated: frozenset[ActivityKind] = frozenset({"note", "call"})
    signed: frozenset[ActivityKind] = frozenset({"note", "call"})

    def __init__(self, api: HubSpotApi, book: PropertyBook, objects: Objects, histories: HubSpotHistories) -> None:
        self._clock = api.clock
        self._book, self._objects, self._histories = book, objects, histories
        self._creates = Creates(api)

    def takes(self, entry: Entry) -> bool:
        return True

    async def write(self, some: Sequence[Activity]) -> list[Made]:
        for kind in {one.kind for one in some}:
            with contextlib.suppress(AuthError):  # each is told so
                await self._book.ready(kind)  # else they would wait for this one after the other, and leave alone
        return await each(map(self._one, some))

    async def find(self, some: Sequence[Activity], sent_at: datetime) -> dict[str, str]:
        groups: dict[tuple[RecordObject, ActivityKind], list[Activity]] = defaultdict(list)
        for one in some:
            groups[one.about, one.kind].append(one)
        found: dict[str, str] = {}
        for (about, kind), wanted in groups.items():
            found |= await self._there(about, kind, wanted)
        age_s = (self._clock.now() - sent_at).total_seconds()
        if len(found) < len(some) and 0 <= age_s < SLOWEST_WRITE_S:
            text = "too early to tell whether all was created"
            raise TooEarlyError(text, "find activities", wait_s=max(LEAST_WAIT_S, SLOWEST_WRITE_S - age_s))
        return found

    async def _there(self, about: RecordObject, kind: ActivityKind, wanted: list[Activity]) -> dict[str, str]:
        key, text = KEY_PROPERTY[kind], TEXT_PROPERTY[kind]
        try:
            linked = await self._histories.linked(about, list({one.record_id for one in wanted}), TYPES[kind])
        except PermanentError as error:
            if error.gone or error.status == 404:
                return {}  # the records themselves are gone
            raise
        ids = {id for some in linked.values() for id in some}
        rows = {
            id: properties_of(row)
            for id, row in (await self._objects.read_typed(TYPES[kind], ids, [key, text])).items()
        }
        found: dict[str, str] = {}
        for one in wanted:
            for id in linked.get(one.record_id, ()):
                row = rows.get(id, {})
                if row.get(key, "").lower() == one.key or mark(one.key) in row.get(text, ""):
                    found[one.key] = entry_id(TYPES[kind], id)
                    break
        return found

    async def _one(self, one: Activity) -> str:
        """A refusal wrote nothing: again without the property that the account does not have."""
        await self._book.certain(one.kind)
        for _ in range(MAX_REPAIRS):
            marked = not self._book.has_key(one.kind)
            taken = self._book.taken(one.kind)
            body = activity_body(one, self._clock.now(), marked=marked)
            body["properties"] = {name: value for name, value in body["properties"].items() if name in taken}
            sent_at = self._clock.monotonic()
            try:
                made = await self._creates.create(one.kind, Row(body, one.key))
            except Refusal as error:
                made = holder_of(error, KEY_PROPERTY[one.kind])
                if not made and not await self._book.refused(one.kind, error.fields, sent_at):
                    raise
            if made:
                return entry_id(TYPES[one.kind], made)
        raise PermanentError("refused again and again", f"create {one.kind}")


def activity_body(one: Activity, now: datetime, *, marked: bool) -> dict[str, Any]:
    """`marked`: our mark goes into the text, since there is no property for the key."""
    pack = {"note": _note, "task": _task, "call": _call}[one.kind]
    properties = {KEY_PROPERTY[one.kind]: one.key, **pack(one.entry, now, one.key if marked else "")}
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TO[one.kind][one.about]}]
    return {
        "properties": {name: value for name, value in properties.items() if value},
        "associations": [{"to": {"id": one.record_id}, "types": types}],
    }


def _note(entry: Entry, now: datetime, key: str) -> dict[str, str]:
    return {
        "hs_timestamp": iso(entry.at or now),
        "hs_note_body": html_of(_words(entry), key),
        "hubspot_owner_id": entry.author,
    }


def _task(entry: Entry, now: datetime, key: str) -> dict[str, str]:
    return {
        "hs_timestamp": iso(entry.due_at or now),
        "hs_task_subject": cut(first_line(entry.text), MAX_SUBJECT),
        "hs_task_body": html_of(_words(entry), key),
        "hs_task_status": "COMPLETED" if entry.done else "NOT_STARTED",
        "hs_task_type": "TODO",
        "hubspot_owner_id": entry.responsible,
    }


def _call(entry: Entry, now: datetime, key: str) -> dict[str, str]:
    """Only a recording under https can be heard in HubSpot; any other goes into the text."""
    incoming, playable = entry.direction == "in", entry.link.startswith("https://")
    return {
        "hs_timestamp": iso(entry.at or now),
        "hs_call_title": cut(first_line(entry.text) or entry.phone, MAX_SUBJECT),
        "hs_call_body": html_of(entry.text if playable else _words(entry), key),
        "hs_call_direction": {"in": "INBOUND", "out": "OUTBOUND"}.get(entry.direction, ""),
        "hs_call_status": "COMPLETED" if entry.seconds else "",
        "hs_call_duration": str(entry.seconds * 1000),
        "hs_call_from_number" if incoming else "hs_call_to_number": entry.phone,
        "hs_call_recording_url": entry.link if playable else "",
        "hubspot_owner_id": entry.author,
    }


def _words(entry: Entry) -> str:
    return "\n".join(filter(None, [entry.text, entry.link]))
