"""What a CRM keeps beside a record's fields, read for a move: notes, tasks, calls, messages, meetings and files."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar

from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from mappings.attributes import RecordObject

EntryKind = Literal["note", "task", "call", "message", "letter", "meeting", "file"]
Direction = Literal["", "in", "out"]
Part = Literal["notes", "tasks", "calls", "messages", "letters", "meetings", "files"]
PARTS: Final[tuple[Part, ...]] = ("notes", "tasks", "calls", "messages", "letters", "meetings", "files")
TRIES: Final = 3
"""So often a list that was never read may end in the vendor's own error before it counts as not given."""
Rows = TypeVar("Rows")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `at`: when it was made, None where the CRM does not say; users are the CRM's ids.

    `text`: a note's or message's words, a task's with its result, a call's outcome, a file's name. `due_at`, `done` and
    `responsible`: of a task. `direction`: of a call, message or letter, `phone`: the other side's number or address.
    `seconds`: of a call. `link`: of a recording or file, "" where none is told. `id`: one for each in the whole CRM,
    the same each time; "" for what came along with another entry.
    """

    kind: EntryKind
    at: datetime | None
    author: str = ""
    text: str = ""
    due_at: datetime | None = None
    done: bool = False
    responsible: str = ""
    direction: Direction = ""
    phone: str = ""
    seconds: int = 0
    link: str = ""
    id: str = ""


class Histories(Protocol):
    """Reads only. A list that the account does not give is named in `refused`, and the rest is read all the same."""

    given: "Given"

    async def of(self, object: RecordObject, ids: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
        """Id -> its entries in no certain order; a record without any is left out. Raises ConnectorError."""
        ...


OpenHistories = Callable[[Any], Histories]
"""(the open Target) -> its histories; shares its client and limiter."""


def is_refusal(error: ConnectorError) -> bool:
    """Whether it is this one thing that the account refuses, and not everything."""
    return isinstance(error, PermanentError) or (isinstance(error, AuthError) and error.status != 401)


async def together(reads: Iterable[Awaitable[Rows]]) -> list[Rows]:
    """All at once, so that they leave together; the first error is raised when the others have ended."""
    found = await asyncio.gather(*reads, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


class Given:
    """Which lists an account gives, and so what of a history cannot be read: `refused`."""

    def __init__(self) -> None:
        self.refused: set[Part] = set()
        self._read: set[tuple[Part, ...]] = set()
        self._broken: Counter[tuple[Part, ...]] = Counter()

    async def ask(self, parts: tuple[Part, ...], read: Callable[[], Awaitable[Rows]]) -> Rows | None:
        """What `read` of the list that holds `parts` gives; None where the account does not give that list at all.

        Raises ConnectorError for what may pass.
        """
        if self.refused.issuperset(parts):
            return None
        try:
            rows = await read()
        except ConnectorError as error:
            if not self._is_refusal(parts, error):
                raise
            self.refused.update(parts)
            return None
        self._read.add(parts)
        return rows

    def _is_refusal(self, parts: tuple[Part, ...], error: ConnectorError) -> bool:
        """A refusal of what the records themselves are not refused: no such list, no rights for it. Also a list that
        has only ever ended in the vendor's own error."""
        if is_refusal(error):
            return True
        if error.status < 500 or isinstance(error, RateLimitedError) or parts in self._read:
            return False
        self._broken[parts] += 1
        return self._broken[parts] >= TRIES
