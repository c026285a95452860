"""What the conformance suite needs of a CRM: a port on it, and people who work in it meanwhile."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol

from connectors.records import RecordObject, RecordPort
from leads.clock import SystemClock
from tests.support.memory_crm import MemoryCrm


class AheadClock(SystemClock):
    """The machine's clock, moved ahead by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def forward(self, seconds: float) -> None:
        self.ahead_s += seconds


class Scene(Protocol):
    """Values of `put` and `edit` are in the words of connectors.records; the scene knows how its CRM keeps them.

    `spoiled`: values that the CRM will not have as they are. `many`: enough records for more than one page.
    `has_main`: one of a deal's contacts is the main one.
    """

    port: RecordPort
    clock: AheadClock
    many: int
    user: str
    spoiled: Mapping[str, Any]
    has_main: bool

    def put(self, object: RecordObject, /, **values: Any) -> str: ...
    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None: ...
    def remove(self, object: RecordObject, id: str) -> None: ...
    def merge(self, object: RecordObject, survivor: str, loser: str) -> None: ...
    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None: ...
    def count(self, object: RecordObject) -> int:
        """How many are there, deleted ones aside."""
        ...

    def lose_answer(self, object: RecordObject, operation: str) -> None:
        """The next create or update of this kind is done, and its answer is lost."""
        ...

    def later(self, seconds: float = 10.0) -> None: ...


class MemoryScene:
    def __init__(self) -> None:
        self.clock = AheadClock()
        self.crm = MemoryCrm("memory", self.clock, bad=lambda values: values.get("first_name") == "spoiled")
        self.port: RecordPort = self.crm
        self.many, self.user = 10, "7"
        self.spoiled = {"first_name": "spoiled"}
        self.has_main = True

    def put(self, object: RecordObject, /, **values: Any) -> str:
        return self.crm.put(object, **values)

    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None:
        self.crm.edit(object, id, **values)

    def remove(self, object: RecordObject, id: str) -> None:
        self.crm.remove(object, id)

    def merge(self, object: RecordObject, survivor: str, loser: str) -> None:
        self.crm.merge(object, survivor, loser)

    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None:
        self.crm.connect(object, id, to, to_id, off=off)

    def count(self, object: RecordObject) -> int:
        return len(self.crm.alive(object))

    def lose_answer(self, object: RecordObject, operation: str) -> None:
        self.crm.lose_replies = 1

    def later(self, seconds: float = 10.0) -> None:
        self.clock.forward(seconds)


@asynccontextmanager
async def memory() -> AsyncIterator[Scene]:
    yield MemoryScene()


SceneMaker = Callable[[], AbstractAsyncContextManager[Scene]]
