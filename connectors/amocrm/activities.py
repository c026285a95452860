"""Notes, tasks and calls of a moved record as amoCRM's own, whole arrays in a request."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.activities import Activity, ActivityKind, Made, each
from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.histories import AmocrmHistories, note_id, task_id
from connectors.amocrm.payloads import CALL_SOURCE, TASK_FOLLOW_UP, Body, number, put_number, text_marker
from connectors.amocrm.record_values import ENTITY
from connectors.amocrm.records import Row
from connectors.amocrm.writer import Writer
from connectors.errors import PermanentError
from connectors.histories import Entry
from mappings.attributes import RecordObject


class AmocrmActivities:
    """amoCRM takes the time and the author of all three. A call needs a direction and a number."""

    dated: frozenset[ActivityKind] = frozenset({"note", "task", "call"})
    signed: frozenset[ActivityKind] = frozenset({"note", "task", "call"})

    def __init__(self, api: AmocrmApi, notes: Mapping[str, Writer], tasks: Writer) -> None:
        self._api, self._notes, self._tasks = api, notes, tasks

    def takes(self, entry: Entry) -> bool:
        return entry.kind != "call" or bool(entry.direction and entry.phone)

    async def write(self, some: Sequence[Activity]) -> list[Made]:
        return await each(map(self._one, some))

    async def find(self, some: Sequence[Activity], sent_at: datetime) -> dict[str, str]:
        groups: dict[RecordObject, list[Activity]] = defaultdict(list)
        for one in some:
            groups[one.about].append(one)
        found: dict[str, str] = {}
        for about, wanted in groups.items():
            lists, ids = AmocrmHistories(self._api), list({one.record_id for one in wanted})
            notes = await self._notes_of(lists, about, ids) if any(one.kind != "task" for one in wanted) else {}
            tasks = await lists.tasks(ENTITY[about], ids) if any(one.kind == "task" for one in wanted) else {}
            for one in wanted:
                rows, named = (tasks, task_id) if one.kind == "task" else (notes, note_id)
                ours = [row for row in rows.get(one.record_id, ()) if _is(row, one)]
                if ours:
                    found[one.key] = named(min(ours, key=lambda row: int(row["id"])))
        return found

    @staticmethod
    async def _notes_of(lists: AmocrmHistories, about: RecordObject, ids: list[str]) -> dict[str, list[Row]]:
        try:
            return await lists.notes(ENTITY[about], ids)
        except PermanentError as error:
            if error.gone or error.status == 404:
                return {}  # the records themselves are gone
            raise

    async def _one(self, one: Activity) -> str:
        body = activity_body(one)
        if one.kind == "task":
            return task_id({"id": await self._tasks.create(body)})
        return note_id({"id": await self._notes[ENTITY[one.about]].create(body)})


def activity_body(one: Activity) -> Body:
    entry, entity = one.entry, ENTITY[one.about]
    json: dict[str, Any] = {"entity_id": number(one.record_id, "record_id")}
    if entry.at is not None:
        json["created_at"] = int(entry.at.timestamp())
    put_number(json, "created_by", entry.author, "author")
    if one.kind == "task":
        put_number(json, "responsible_user_id", entry.responsible, "responsible")
        return Body({**json, "entity_type": entity, **_task(entry, one.key)})
    json["is_need_to_trigger_digital_pipeline"] = False  # no robot answers to what is long past
    if one.kind == "call":
        put_number(json, "responsible_user_id", entry.author, "author")
        json |= {"note_type": f"call_{entry.direction}", "params": _call(entry, one.key)}
    else:
        json |= {"note_type": "common", "params": {"text": f"{_words(entry)}\n{text_marker(one.key)}"}}
    return Body(json, path=f"/api/v4/{entity}/{one.record_id}/notes")


def _task(entry: Entry, key: str) -> dict[str, Any]:
    assert entry.due_at is not None
    return {
        "text": f"{_words(entry)} {text_marker(key)}",
        "complete_till": int(entry.due_at.timestamp()),
        "task_type_id": TASK_FOLLOW_UP,
        "is_completed": entry.done,
    }


def _call(entry: Entry, key: str) -> dict[str, Any]:
    """What came of it is told in words: the old CRM's states are others."""
    params: dict[str, Any] = {
        "uniq": key,
        "duration": entry.seconds,
        "source": CALL_SOURCE,
        "link": entry.link,
        "phone": entry.phone,
    }
    put_number(params, "call_responsible", entry.author, "author")
    return params | ({"call_result": entry.text} if entry.text else {})


def _words(entry: Entry) -> str:
    return "\n".join(filter(None, [entry.text.rstrip(), entry.link]))


def _is(row: Row, one: Activity) -> bool:
    raw = row.get("params")
    params = raw if isinstance(raw, dict) else {}
    if one.kind == "call":
        return str(params.get("uniq") or "") == one.key
    return text_marker(one.key) in str((row if one.kind == "task" else params).get("text") or "")
