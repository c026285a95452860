"""Notes, tasks and calls of a moved record as Bitrix24's own: commands that leave together in one batch."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.activities import Activity, ActivityKind, Made, each, first_line
from connectors.bitrix24.histories import activity_id, comment_id, pages
from connectors.bitrix24.payloads import TITLE_CHARS, TYPE_IDS, is_marked, marker, moment, record_id
from connectors.bitrix24.persons import ORIGINATOR, number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import text
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.histories import Entry
from mappings.attributes import RecordObject

COMMENT, TODO, CALL = "crm.timeline.comment.add", "crm.activity.todo.add", "crm.activity.add"


class Bitrix24Activities:
    """The time of creation is the portal's own: calls have another one that is shown. Comments have an author.
    A call needs a direction and a number."""

    dated: frozenset[ActivityKind] = frozenset({"call"})
    signed: frozenset[ActivityKind] = frozenset({"note", "call"})

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def takes(self, entry: Entry) -> bool:
        return entry.kind != "call" or bool(entry.direction and entry.phone)

    async def write(self, some: Sequence[Activity]) -> list[Made]:
        return await each(map(self._one, some))

    async def find(self, some: Sequence[Activity], sent_at: datetime) -> dict[str, str]:
        """A task that was done, and is there without being so yet, is made so."""
        records: dict[tuple[RecordObject, str], list[Activity]] = defaultdict(list)
        for one in some:
            records[one.about, one.record_id].append(one)
        lists = await asyncio.gather(*(self._on(about, id, wanted) for (about, id), wanted in records.items()))
        return {key: id for found in lists for key, id in found.items()}

    async def _pages(self, method: str, where: dict[str, Any], select: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return await pages(self._portal, method, where, select)
        except PermanentError as error:
            if error.gone:
                return []  # the record itself is gone, and what was on it
            raise

    async def _on(self, about: RecordObject, id: str, wanted: Sequence[Activity]) -> dict[str, str]:
        notes = await self._comments(about, id) if any(one.kind == "note" for one in wanted) else []
        others = await self._activities(about, id) if any(one.kind != "note" for one in wanted) else []
        found: dict[str, str] = {}
        for one in wanted:
            rows = notes if one.kind == "note" else others
            ours = min((row for row in rows if _is(row, one)), key=lambda row: int(row["ID"]), default=None)
            if ours is None:
                continue
            there = text(ours["ID"])
            if one.kind == "task" and one.entry.done and ours.get("COMPLETED") not in ("Y", True):
                await self._done(there)
            found[one.key] = comment_id(there) if one.kind == "note" else activity_id(there)
        return found

    async def _comments(self, about: RecordObject, id: str) -> list[dict[str, Any]]:
        where = {"ENTITY_TYPE": about, "ENTITY_ID": number(id)}
        return await self._pages("crm.timeline.comment.list", where, ("ID", "COMMENT"))

    async def _activities(self, about: RecordObject, id: str) -> list[dict[str, Any]]:
        where = {"OWNER_TYPE_ID": TYPE_IDS[about], "OWNER_ID": number(id)}
        return await self._pages("crm.activity.list", where, ("ID", "DESCRIPTION", "ORIGIN_ID", "COMPLETED"))

    async def _one(self, one: Activity) -> str:
        method, params = activity_command(one)
        try:
            made = record_id((await self._portal.call(method, params, writes=True)).result)
        except PermanentError as refused:
            # An error does not prove that nothing was written: what comes after the save adds errors, too.
            there = await self._refused_and_there(one, refused)
            if not there:
                raise
            return there
        if not made:
            raise UnknownOutcomeError("no id in the answer", method, 200)
        if one.kind == "task" and one.entry.done:
            await self._done(made)
        return comment_id(made) if one.kind == "note" else activity_id(made)

    async def _refused_and_there(self, one: Activity, refused: PermanentError) -> str:
        try:
            return (await self._on(one.about, one.record_id, [one])).get(one.key, "")
        except (PermanentError, AuthError):
            return ""
        except ConnectorError as error:
            text = "refused, and it cannot be seen whether it was written"
            raise UnknownOutcomeError(text, refused.operation, refused.status) from error

    async def _done(self, id: str) -> None:
        """Safe to repeat. Whatever happens here, the task itself is there."""
        try:
            done = {"id": number(id), "fields": {"COMPLETED": "Y"}}
            await self._portal.call("crm.activity.update", done, writes=True)
        except ConnectorError as error:
            raise UnknownOutcomeError("made, and not marked as done", "crm.activity.update") from error


def activity_command(one: Activity) -> tuple[str, dict[str, Any]]:
    """The method and its parameters. Only activities have a field for our key."""
    pack = {"note": _comment, "task": _todo, "call": _call}[one.kind]
    return pack(one)


def _comment(one: Activity) -> tuple[str, dict[str, Any]]:
    fields: dict[str, Any] = {
        "ENTITY_TYPE": one.about,
        "ENTITY_ID": number(one.record_id),
        "COMMENT": f"{_words(one.entry)}\n\n{marker(one.key)}",
    }
    return COMMENT, {"fields": fields | ({"AUTHOR_ID": number(one.entry.author)} if one.entry.author else {})}


def _todo(one: Activity) -> tuple[str, dict[str, Any]]:
    """Nobody is reminded of what was due long ago."""
    entry = one.entry
    assert entry.due_at is not None
    params: dict[str, Any] = {
        "ownerTypeId": TYPE_IDS[one.about],
        "ownerId": number(one.record_id),
        "deadline": moment(entry.due_at),
        "title": first_line(entry.text)[:TITLE_CHARS],
        "description": f"{_words(entry)}\n\n{marker(one.key)}",
    }
    return TODO, params | ({"responsibleId": number(entry.responsible)} if entry.responsible else {})


def _call(one: Activity) -> tuple[str, dict[str, Any]]:
    """The recording stays a link: the vendor's form of calls takes files only."""
    entry, owner = one.entry, {"ENTITY_TYPE_ID": TYPE_IDS[one.about], "ENTITY_ID": number(one.record_id)}
    assert entry.at is not None
    fields: dict[str, Any] = {
        "OWNER_TYPE_ID": TYPE_IDS[one.about],
        "OWNER_ID": number(one.record_id),
        "TYPE_ID": 2,
        "SUBJECT": (first_line(entry.text) or entry.phone)[:TITLE_CHARS],
        "DESCRIPTION": _words(entry),
        "DIRECTION": 1 if entry.direction == "in" else 2,
        "COMMUNICATIONS": [{"VALUE": entry.phone, **owner}],
        "START_TIME": moment(entry.at),
        "END_TIME": moment(entry.at + timedelta(seconds=entry.seconds)),
        "COMPLETED": "Y",
        "ORIGINATOR_ID": ORIGINATOR,
        "ORIGIN_ID": one.key,
    }
    return CALL, {"fields": fields | ({"RESPONSIBLE_ID": number(entry.author)} if entry.author else {})}


def _words(entry: Entry) -> str:
    return "\n".join(filter(None, [entry.text, entry.link]))


def _is(row: dict[str, Any], one: Activity) -> bool:
    words = text(row.get("COMMENT" if one.kind == "note" else "DESCRIPTION"))
    return is_marked(words, one.key) or text(row.get("ORIGIN_ID")) == one.key
