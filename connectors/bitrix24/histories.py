"""The history of Bitrix24's records: comments of the timeline with their files, and activities of all kinds."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from connectors.bitrix24.payloads import TYPE_IDS
from connectors.bitrix24.persons import number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import text, when
from connectors.errors import PermanentError, RetryableError
from connectors.histories import Direction, Entry, EntryKind, Given, Part, together
from connectors.plaintext import bbcode_text, html_text
from mappings.attributes import RecordObject

Row = dict[str, Any]
MEETING, CALL, TASK, LETTER = "1", "2", "3", "4"
"""TYPE_ID of an activity; all others are told apart by PROVIDER_ID."""
NEVER_YEAR: Final = 9999
"""Of a deadline that is none."""
NOBODY: Final = 2_147_483_647
LONGEST_CALL_S: Final = 86_400
TOKENS: Final = frozenset({"auth", "token"})
"""In the address of a file."""
DIRECTIONS: Final[Mapping[str, Direction]] = {"1": "in", "2": "out"}
_OUR_MARK: Final = re.compile(r"\s*#leadhub:[\w:.-]+")
"""Of what leadhub wrote: in another note it would be taken for that one."""


@dataclass(frozen=True, slots=True)
class _List:
    """`owner`: the fields by which rows name their record, the first of them the kind of record."""

    method: str
    parts: tuple[Part, ...]
    owner: tuple[str, str]
    select: tuple[str, ...]
    told: Callable[[Row], list[Entry]]

    def filter(self, object: RecordObject, id: int) -> dict[str, Any]:
        return dict(zip(self.owner, (self.kind(object), id), strict=True))

    def kind(self, object: RecordObject) -> str | int:
        return object if self.owner[0] == "ENTITY_TYPE" else TYPE_IDS[object]


class Bitrix24Histories:
    """Record by record, since the lists take one owner; commands that wait together leave in one batch."""

    def __init__(self, portal: Portal) -> None:
        self.given = Given()
        self._portal = portal
        self._whole: dict[str, dict[tuple[str, str], list[Row]] | None] = {}

    async def of(self, object: RecordObject, ids: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        wanted = list(dict.fromkeys(ids))
        lists = await together(self.given.ask(one.parts, partial(self._rows, one, object, wanted)) for one in LISTS)
        for one, rows in zip(LISTS, lists, strict=True):
            for id, some in (rows or {}).items():
                found[id] += [entry for row in some for entry in one.told(row)]
        return {id: tuple(entries) for id, entries in found.items() if entries}

    async def _rows(self, one: _List, object: RecordObject, ids: list[str]) -> dict[str, list[Row]]:
        if one.method not in self._whole:
            self._whole[one.method] = await self._all_if_unfiltered(one, object)
        whole, kind = self._whole[one.method], str(one.kind(object))
        if whole is not None:
            return {id: whole[kind, id] for id in ids if (kind, id) in whole}
        lists = await asyncio.gather(*(self._of_one(one, object, id) for id in ids))
        return dict(zip(ids, lists, strict=True))

    async def _all_if_unfiltered(self, one: _List, object: RecordObject) -> dict[tuple[str, str], list[Row]] | None:
        """A list that shows rows of a record that cannot be is not filtered: all of it is read, once."""
        if not await pages(self._portal, one.method, one.filter(object, NOBODY), one.select, most=1):
            return None
        whole: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in await pages(self._portal, one.method, {}, one.select):
            whole[_owner(one, row)].append(row)
        return whole

    async def _of_one(self, one: _List, object: RecordObject, id: str) -> list[Row]:
        """Without what only shows here and belongs to another record: it stands in that one's history."""
        try:
            rows = await pages(self._portal, one.method, one.filter(object, int(number(id))), one.select)
        except PermanentError as error:
            if error.gone:
                return []
            raise
        own = (str(one.kind(object)), id)
        return [
            row
            for row in rows
            if all(not found or found == wanted for found, wanted in zip(_owner(one, row), own, strict=True))
        ]


async def pages(
    portal: Portal, method: str, where: Mapping[str, Any], select: Sequence[str], most: int = 100_000
) -> list[Row]:
    """All rows of a list of comments or activities, the first `most` pages of them."""
    found: dict[str, Row] = {}
    start: int | None = 0
    for _ in range(most):
        params = {"filter": dict(where), "select": list(select), "order": {"ID": "ASC"}, "start": start}
        answer = await portal.call(method, params)
        if not isinstance(answer.result, list):
            raise RetryableError("the answer holds no list", method, 200)
        found |= {text(row.get("ID")): row for row in answer.result if isinstance(row, dict)}
        if answer.next is None or answer.next <= (start or 0):
            break
        start = answer.next
    return list(found.values())


def comment_id(number: str) -> str:
    """Comments and activities may bear the same number."""
    return f"comment-{number}"


def activity_id(number: str) -> str:
    return f"activity-{number}"


def comment_entries(row: Row) -> list[Entry]:
    at, author = when(row.get("CREATED")), _user(row.get("AUTHOR_ID"))
    words = _words(row.get("COMMENT"))
    files = [
        Entry("file", at, author, text(file.get("name") or file.get("NAME")), link=_link(file))
        for file in _rows_in(row.get("FILES"))
    ]
    return [*([Entry("note", at, author, words, id=comment_id(text(row.get("ID"))))] if words else []), *files]


def activity_entries(row: Row) -> list[Entry]:
    """A call or meeting that is only planned is a task."""
    id, kind = activity_id(text(row.get("ID"))), text(row.get("TYPE_ID"))
    provider = text(row.get("PROVIDER_ID")).upper()
    started, done = when(row.get("START_TIME")), row.get("COMPLETED") in ("Y", True)
    at, author = when(row.get("CREATED")) or started, _user(row.get("AUTHOR_ID"))
    responsible, words = _user(row.get("RESPONSIBLE_ID")), _told(row)
    files = [link for file in _rows_in(row.get("FILES")) if (link := _link(file))]
    direction: Direction = DIRECTIONS.get(text(row.get("DIRECTION")), "")
    due = _time(row.get("DEADLINE")) or started
    planned = kind in (MEETING, CALL) and not done and provider != "VOXIMPLANT_CALL" and due is not None
    if planned or kind == TASK or provider in ("CRM_TODO", "CRM_TASKS_TASK", "TASKS"):
        told = Entry("task", at, author, words, due, done, responsible, link=next(iter(files), ""), id=id)
        return [told, *_files(files[1:], at, author)]
    if kind == CALL:
        seconds, link = _seconds(started, when(row.get("END_TIME"))), next(iter(files), "")
        who = responsible or author
        told = Entry(
            "call", started or at, who, words, direction=direction, phone=_phone(row), seconds=seconds, link=link, id=id
        )
        return [told, *_files(files[1:], at, author)]
    if kind == LETTER or provider in ("CRM_SMS", "CRM_EMAIL"):
        sent: EntryKind = "message" if provider == "CRM_SMS" else "letter"
        told = Entry(sent, at, author or responsible, words, direction=direction, phone=_phone(row), id=id)
        return [told, *_files(files, at, author)]
    if kind == MEETING:
        return [Entry("meeting", started or at, responsible or author, words, id=id), *_files(files, at, author)]
    return [
        Entry("note", at, author or responsible, words or f"[{provider or kind}]", id=id),
        *_files(files, at, author),
    ]


LISTS: Final = (
    _List(
        "crm.timeline.comment.list",
        ("notes", "files"),
        ("ENTITY_TYPE", "ENTITY_ID"),
        ("ID", "CREATED", "AUTHOR_ID", "ENTITY_TYPE", "ENTITY_ID", "COMMENT", "FILES"),
        comment_entries,
    ),
    _List(
        "crm.activity.list",
        ("tasks", "calls", "messages", "letters", "meetings"),
        ("OWNER_TYPE_ID", "OWNER_ID"),
        ("*", "COMMUNICATIONS", "FILES"),
        activity_entries,
    ),
)


def _owner(one: _List, row: Row) -> tuple[str, str]:
    kind, id = (text(row.get(name)) for name in one.owner)
    return kind.lower(), id


def _files(links: Sequence[str], at: datetime | None, author: str) -> list[Entry]:
    return [Entry("file", at, author, link=link) for link in links]


def _told(row: Row) -> str:
    """The subject and what is written below it, once where that begins with the subject."""
    kind = text(row.get("DESCRIPTION_TYPE"))
    below = html_text(text(row.get("DESCRIPTION"))) if kind == "3" else text(row.get("DESCRIPTION"))
    subject, below = _words(row.get("SUBJECT")), _words(below)
    return below if below.startswith(subject) else ": ".join(filter(None, [subject, below]))


def _words(value: Any) -> str:
    return _OUR_MARK.sub("", bbcode_text(text(value))).strip()


def _user(value: Any) -> str:
    found = text(value)
    return "" if found == "0" else found


def _time(value: Any) -> datetime | None:
    at = when(value) if not text(value).startswith(str(NEVER_YEAR)) else None
    return at if at is not None and at.year < NEVER_YEAR - 1 else None


def _seconds(started: datetime | None, ended: datetime | None) -> int:
    seconds = int((ended - started).total_seconds()) if started and ended else 0
    return seconds if 0 < seconds < LONGEST_CALL_S else 0


def _phone(row: Row) -> str:
    return next((found for one in _rows_in(row.get("COMMUNICATIONS")) if (found := text(one.get("VALUE")))), "")


def _link(file: Row) -> str:
    """For people who are signed in to the portal: the vendor puts a token of ours into it, another one each time."""
    names = ("urlDownload", "urlShow", "url", "URL")
    link = next((found for name in names if (found := text(file.get(name))).startswith(("http://", "https://"))), "")
    address, asked, query = link.partition("?")
    kept = [one for one in query.split("&") if one and unquote(one.partition("=")[0]).partition("[")[0] not in TOKENS]
    return f"{address}{asked if kept else ''}{'&'.join(kept)}"


def _rows_in(value: Any) -> list[Row]:
    """Rows of a list or of a map by id, as PHP writes either."""
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [row for row in rows if isinstance(row, dict)]
