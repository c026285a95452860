"""What a CRM keeps beside a record's fields, read for a move: its notes, tasks, calls, messages and files."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from mappings.attributes import RecordObject

EntryKind = Literal["note", "task", "call", "message", "file"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `at`: when it was made, None where the CRM does not say; users are the CRM's ids.

    `text`: a note's or message's words, a task's with its result, a call's outcome, a file's name. `due_at`, `done`
    and `responsible`: of a task. `direction`: of a call or message. `seconds`: of a call. `link`: of a recording or
    file, "" where none is told.
    """

    kind: EntryKind
    at: datetime | None
    author: str = ""
    text: str = ""
    due_at: datetime | None = None
    done: bool = False
    responsible: str = ""
    direction: Literal["", "in", "out"] = ""
    phone: str = ""
    seconds: int = 0
    link: str = ""


class Histories(Protocol):
    """Reads only. A list that the account does not give is named in `refused`, and the rest is read all the same."""

    @property
    def refused(self) -> Collection[str]:
        """Of "notes" and "tasks", those that could not be read of all records so far."""
        ...

    async def of(self, object: RecordObject, ids: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
        """Id -> its entries in no certain order; a record without any is left out. Raises ConnectorError."""
        ...


OpenHistories = Callable[[Any], Histories]
"""(the open Target) -> its histories; shares its client and limiter."""
