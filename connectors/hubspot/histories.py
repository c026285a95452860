"""The history of HubSpot's records: the notes, tasks, calls, letters, messages and meetings linked to them."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from connectors.errors import PermanentError
from connectors.histories import Direction, Entry, Given, Part, together
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.links import PAGE
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import TYPES
from connectors.hubspot.record_links import RecordLinks
from connectors.hubspot.records import next_page, properties_of, results_of, when
from connectors.plaintext import html_text
from mappings.attributes import RecordObject

Properties = Mapping[str, str]
INCOMING: Final = frozenset({"INBOUND", "INCOMING_EMAIL"})
_OUR_MARK: Final = re.compile(r"\s*\[lh:[^\]\s]+\]")
"""Of what leadhub wrote: in another note it would be taken for that one."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One type of activity; `names` are the properties asked for besides those that all have."""

    type: str
    parts: tuple[Part, ...]
    names: tuple[str, ...]
    told: Callable[[Properties], Entry]


class HubSpotHistories:
    def __init__(self, api: HubSpotApi, objects: Objects, links: RecordLinks) -> None:
        self.given = Given()
        self._api, self._objects, self._links = api, objects, links

    async def of(self, object: RecordObject, ids: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        wanted = list(dict.fromkeys(ids))
        for entries in await together(
            self.given.ask(one.parts, partial(self._entries, one, object, wanted)) for one in KINDS
        ):
            for id, some in (entries or {}).items():
                found[id] += some
        return {id: tuple(entries) for id, entries in found.items() if entries}

    async def _entries(self, one: _Kind, object: RecordObject, ids: list[str]) -> dict[str, list[Entry]]:
        linked = await self.linked(object, ids, one.type) if ids else {}
        wanted = {id for some in linked.values() for id in some}
        rows = await self._objects.read_typed(one.type, wanted, (*ALL, *one.names))
        if wanted and not rows:
            raise PermanentError("linked and not to be read", f"read {one.type}", 404)
        told = {id: replace(one.told(properties_of(row)), id=entry_id(one.type, id)) for id, row in rows.items()}
        return {id: [told[each] for each in some if each in told] for id, some in linked.items()}

    async def linked(self, object: RecordObject, ids: list[str], to: str) -> dict[str, list[str]]:
        """Id -> ids of what hangs on it of the type `to`. Raises PermanentError where none of the lists can be read."""
        type_ = TYPES[_kind(object)]
        try:
            found = await self._links.batch(type_, ids, to)
        except PermanentError:
            found = dict.fromkeys(ids)
        alone = [id for id, links in found.items() if links is None]
        lists = await asyncio.gather(*(self._alone(type_, id, to) for id in alone))
        refused = [some for some in lists if isinstance(some, PermanentError)]
        if refused and len(refused) == len(ids):
            raise refused[0]
        whole = {id: [str(link["toObjectId"]) for link in links] for id, links in found.items() if links is not None}
        return whole | {id: some for id, some in zip(alone, lists, strict=True) if isinstance(some, list)}

    async def _alone(self, type_: str, id: str, to: str) -> list[str] | PermanentError:
        linked: list[str] = []
        after, path = "", self._api.paths.associations(type_, id, to)
        while True:
            params = {"limit": str(PAGE)} | ({"after": after} if after else {})
            try:
                answer = await self._api.call(f"read {to} of {type_}", "GET", path, writes=False, params=params)
            except PermanentError as error:
                return error
            linked += [str(item["toObjectId"]) for item in results_of(answer) if item.get("toObjectId")]
            after = next_page(answer)
            if not after:
                return list(dict.fromkeys(linked))


def entry_id(type_: str, id: str) -> str:
    """Numbers are unique in one type only."""
    return f"{type_}-{id}"


def _kind(object: RecordObject) -> Literal["contact", "company", "deal"]:
    if object == "lead":
        raise PermanentError("HubSpot's leads are not read", "read history")
    return object


# --- what each type tells ---------------------------------------------------------------------------------------------

ALL: Final = ("hs_timestamp", "hs_createdate", "hubspot_owner_id", "hs_attachment_ids")


def note_entry(row: Properties) -> Entry:
    return _entry("note", row, _words(row.get("hs_note_body")))


def task_entry(row: Properties) -> Entry:
    """`hs_timestamp` of a task is when it is due."""
    subject, body = row.get("hs_task_subject", "").strip(), _words(row.get("hs_task_body"))
    words = body if body.startswith(subject) else ": ".join(filter(None, [subject, body]))
    return Entry(
        "task",
        when(row.get("hs_createdate")),
        text=_with_files(words, row),
        due_at=when(row.get("hs_timestamp")),
        done=row.get("hs_task_status") == "COMPLETED",
        responsible=row.get("hubspot_owner_id", ""),
    )


def call_entry(row: Properties) -> Entry:
    incoming = row.get("hs_call_direction") == "INBOUND"
    status = row.get("hs_call_status", "")
    outcome = status.lower().replace("_", " ") if status not in ("", "COMPLETED") else ""
    title, body = row.get("hs_call_title", "").strip(), _words(row.get("hs_call_body"))
    milliseconds = row.get("hs_call_duration", "").partition(".")[0]
    return Entry(
        "call",
        when(row.get("hs_timestamp")),
        row.get("hubspot_owner_id", ""),
        _with_files(" · ".join(dict.fromkeys(filter(None, [title, body, outcome]))), row),
        direction="in" if incoming else "out" if row.get("hs_call_direction") else "",
        phone=row.get("hs_call_from_number" if incoming else "hs_call_to_number", ""),
        seconds=int(milliseconds) // 1000 if milliseconds.isascii() and milliseconds.isdecimal() else 0,
        link=row.get("hs_call_recording_url", ""),
    )


def letter_entry(row: Properties) -> Entry:
    body = row.get("hs_email_text", "").strip() or html_text(row.get("hs_email_html", "")).strip()
    incoming = row.get("hs_email_direction") in INCOMING
    words = "\n".join(filter(None, [row.get("hs_email_subject", "").strip(), _OUR_MARK.sub("", body)]))
    address = row.get("hs_email_from_email" if incoming else "hs_email_to_email", "")
    return _entry("letter", row, words, "in" if incoming else "out", address)


def message_entry(row: Properties) -> Entry:
    channel = row.get("hs_communication_channel_type", "").replace("_", " ").capitalize()
    return _entry("message", row, ": ".join(filter(None, [channel, _words(row.get("hs_communication_body"))])))


def meeting_entry(row: Properties) -> Entry:
    words = [
        row.get("hs_meeting_title", "").strip(),
        _words(row.get("hs_meeting_body")),
        row.get("hs_meeting_outcome", "").lower(),
    ]
    return _entry("meeting", row, " · ".join(dict.fromkeys(filter(None, words))))


KINDS: Final = (
    _Kind("notes", ("notes", "files"), ("hs_note_body",), note_entry),
    _Kind("tasks", ("tasks",), ("hs_task_subject", "hs_task_body", "hs_task_status"), task_entry),
    _Kind(
        "calls",
        ("calls",),
        (
            *("hs_call_title", "hs_call_body", "hs_call_direction", "hs_call_status", "hs_call_duration"),
            *("hs_call_from_number", "hs_call_to_number", "hs_call_recording_url"),
        ),
        call_entry,
    ),
    _Kind(
        "emails",
        ("letters",),
        (
            *("hs_email_subject", "hs_email_text", "hs_email_html", "hs_email_direction"),
            *("hs_email_from_email", "hs_email_to_email"),
        ),
        letter_entry,
    ),
    _Kind("communications", ("messages",), ("hs_communication_channel_type", "hs_communication_body"), message_entry),
    _Kind("meetings", ("meetings",), ("hs_meeting_title", "hs_meeting_body", "hs_meeting_outcome"), meeting_entry),
)
"""Letters and meetings need scopes of their own, and not every account has them."""


def _entry(
    kind: Literal["note", "message", "letter", "meeting"],
    row: Properties,
    words: str,
    direction: Direction = "",
    address: str = "",
) -> Entry:
    at, author = when(row.get("hs_timestamp")) or when(row.get("hs_createdate")), row.get("hubspot_owner_id", "")
    return Entry(kind, at, author, _with_files(words, row), direction=direction, phone=address)


def _with_files(words: str, row: Properties) -> str:
    """Files are told by their numbers alone: their names need a scope of their own."""
    files = row.get("hs_attachment_ids", "").strip(";")
    return " ".join(filter(None, [words, f"[files: {files}]" if files else ""]))


def _words(html: str | None) -> str:
    return _OUR_MARK.sub("", html_text(html or "")).strip()
