"""Notes, tasks and calls of a moved record as another CRM's own: what it takes, written many at a time, found again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args

from connectors.errors import ConnectorError
from connectors.histories import Entry
from mappings.attributes import RecordObject

ActivityKind = Literal["note", "task", "call"]
ACTIVITY_KINDS: Final[tuple[ActivityKind, ...]] = get_args(ActivityKind)


@dataclass(frozen=True, slots=True)
class Activity:
    """One note, task or call on one record of the CRM that is written to.

    `key` is ours, one for each, at most 64 characters of a-z, 0-9 and `-`. `entry` is of that `kind` and names that
    CRM's users; its text is whole, with what the CRM has no field for. A note without `at` is of now.
    """

    key: str
    about: RecordObject
    record_id: str
    kind: ActivityKind
    entry: Entry


Made = str | ConnectorError
"""The new one's id as `Entry.id` of the same CRM's history tells it. UnknownOutcomeError: it may be there; any other
error: it is not."""


class Activities(Protocol):
    """Shares the open account's client and limiter. All methods are safe to call at the same time."""

    dated: frozenset[ActivityKind]
    """Kinds that keep when they were made."""
    signed: frozenset[ActivityKind]
    """Kinds that keep who made them."""

    def takes(self, entry: Entry) -> bool:
        """Whether this note, task or call can be one of the CRM's own."""
        ...

    async def write(self, some: Sequence[Activity]) -> list[Made]:
        """All that fit in the vendor's batches; nothing that may have been written is sent again. Raises nothing."""
        ...

    async def find(self, some: Sequence[Activity], sent_at: datetime) -> dict[str, str]:
        """Key -> id of what earlier tries have written, the last of them at `sent_at`; from the lists of the records,
        not from a search. Raises ConnectorError, TooEarlyError while what is absent may still come."""
        ...


OpenActivities = Callable[[Any], Activities]
"""(the open Target) -> its activities."""


async def each(works: Iterable[Awaitable[str]]) -> list[Made]:
    """All at once, so that they leave together; an error in the place of what it is about."""
    found = await asyncio.gather(*works, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, ConnectorError):
            raise one
    return [one for one in found if isinstance(one, str | ConnectorError)]


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
