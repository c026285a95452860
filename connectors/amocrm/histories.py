"""The history of amoCRM's records: notes, which are calls, messages and files too, and tasks."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from connectors.amocrm.api import AmocrmApi, Params
from connectors.amocrm.record_values import ENTITY
from connectors.amocrm.records import Row, moment
from connectors.errors import PermanentError
from connectors.histories import Entry, Given, Part, together
from mappings.attributes import RecordObject

MAX_PAGES: Final = 100_000
OLDEST_FIRST: Final[Params] = [("order[id]", "asc")]
NOTES: Final[tuple[Part, ...]] = ("notes", "calls", "messages", "files")
TASKS: Final[tuple[Part, ...]] = ("tasks",)
CALLS: Final[Mapping[str, Literal["in", "out"]]] = {"call_in": "in", "call_out": "out"}
MESSAGES: Final[Mapping[str, Literal["in", "out"]]] = {"sms_in": "in", "sms_out": "out"}
_OUR_MARK: Final = re.compile(r"\s*#lh-[0-9a-f]{10}\b")
"""Of a note that leadhub wrote: in another note it would be taken for that one."""
_LINK: Final = re.compile(r"https?://\S+")


class AmocrmHistories:
    """In bulk by the filter of the records' ids; one by one where rows that nobody asked for show it ignored."""

    def __init__(self, api: AmocrmApi) -> None:
        self.given = Given()
        self._api = api
        self._alone: set[str] = set()
        self._all_tasks: dict[tuple[str, str], list[Row]] | None = None

    async def of(self, object: RecordObject, ids: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
        entity, wanted = ENTITY[object], list(dict.fromkeys(ids))
        found: dict[str, list[Entry]] = defaultdict(list)
        if wanted:
            asked = ((NOTES, self.notes), (TASKS, self.tasks))
            lists = await together(self.given.ask(parts, partial(read, entity, wanted)) for parts, read in asked)
            for by_id, told in zip(lists, (note_entry, task_entry), strict=True):
                for id, some in (by_id or {}).items():
                    found[id] += [told(row) for row in some]
        return {id: tuple(entries) for id, entries in found.items() if entries}

    async def notes(self, entity: str, ids: list[str]) -> dict[str, list[Row]]:
        if entity not in self._alone:
            try:
                found = await self._these(f"/api/v4/{entity}/notes", "notes", [], entity, ids)
            except PermanentError:
                found = None
            if found is not None:
                return found
            self._alone.add(entity)
        alone: dict[str, list[Row]] = {}
        gone: PermanentError | None = None
        for id in ids:
            path = f"/api/v4/{entity}/{id}/notes"
            try:
                alone[id] = await self._whole(path, "notes", OLDEST_FIRST)
            except PermanentError as error:
                gone = error
        if gone is not None and not alone:
            raise gone
        return alone

    async def tasks(self, entity: str, ids: list[str]) -> dict[str, list[Row]]:
        if self._all_tasks is None:
            found = await self._these("/api/v4/tasks", "tasks", [("filter[entity_type]", entity)], entity, ids)
            if found is not None:
                return found
            self._all_tasks = defaultdict(list)  # the filter is ignored: the whole list, once
            for row in await self._whole("/api/v4/tasks", "tasks", OLDEST_FIRST):
                self._all_tasks[str(row.get("entity_type")), str(row.get("entity_id"))].append(row)
        return {id: self._all_tasks[entity, id] for id in ids if (entity, id) in self._all_tasks}

    async def _these(
        self, path: str, collection: str, more: Params, entity: str, ids: list[str]
    ) -> dict[str, list[Row]] | None:
        """None where the filter does not work."""
        asked: Params = [*more, *(("filter[entity_id][]", id) for id in ids), *OLDEST_FIRST]
        found: dict[str, dict[str, Row]] = defaultdict(dict)
        known = set(ids)
        async for rows in self._api.pages(f"read {collection}", path, collection, asked, max_pages=MAX_PAGES):
            for row in rows:
                owner = str(row.get("entity_id"))
                if owner not in known or row.get("entity_type", entity) != entity:
                    return None
                found[owner][str(row["id"])] = row
        return {id: list(rows.values()) for id, rows in found.items()}

    async def _whole(self, path: str, collection: str, asked: Params) -> list[Row]:
        found: dict[str, Row] = {}
        async for rows in self._api.pages(f"read {collection}", path, collection, asked, max_pages=MAX_PAGES):
            found |= {str(row["id"]): row for row in rows}
        return list(found.values())


def note_id(row: Row) -> str:
    """Notes and tasks may bear the same number."""
    return f"note-{row['id']}"


def task_id(row: Row) -> str:
    return f"task-{row['id']}"


def note_entry(row: Row) -> Entry:
    """A note of a kind without words of its own is told by the name of its kind rather than not at all."""
    kind, raw = str(row.get("note_type") or ""), row.get("params")
    params: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    at, author, text = moment(row.get("created_at")), _user(row.get("created_by")), _text(params.get("text"))
    id = note_id(row)
    if kind in CALLS:
        return Entry(
            "call",
            at,
            _user(params.get("call_responsible")) or author,
            _text(params.get("call_result")),
            direction=CALLS[kind],
            phone=_text(params.get("phone")),
            seconds=_seconds(params.get("duration")),
            link=_text(params.get("link")),
            id=id,
        )
    if kind in MESSAGES:
        return Entry("message", at, author, text, direction=MESSAGES[kind], phone=_text(params.get("phone")), id=id)
    name = next(
        (found for key in ("original_name", "file_name", "attachment") if (found := _text(params.get(key)))), ""
    )
    if kind == "attachment" or name:
        link = next((found for value in params.values() if (found := _text(value)) and _LINK.fullmatch(found)), "")
        return Entry("file", at, author, " ".join(filter(None, [name if name != link else "", text])), link=link, id=id)
    service = _text(params.get("service"))
    return Entry("note", at, author, ": ".join(filter(None, [service, text])) or f"[{kind}]", id=id)


def task_entry(row: Row) -> Entry:
    raw = row.get("result")
    result = _text(raw.get("text")) if isinstance(raw, dict) else ""
    return Entry(
        "task",
        moment(row.get("created_at")),
        _user(row.get("created_by")),
        " → ".join(filter(None, [_text(row.get("text")), result])),
        due_at=moment(row.get("complete_till")),
        done=bool(row.get("is_completed")),
        responsible=_user(row.get("responsible_user_id")),
        id=task_id(row),
    )


def _text(value: Any) -> str:
    return _OUR_MARK.sub("", value).strip() if isinstance(value, str) else ""


def _user(value: Any) -> str:
    """0 is a robot; some accounts tell a name in place of an id."""
    return "" if value in (None, 0, "0") or isinstance(value, bool | dict | list) else str(value)


def _seconds(value: Any) -> int:
    found = str(value)
    return int(found) if found.isascii() and found.isdecimal() else 0
