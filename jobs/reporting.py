"""Where those who work on a connection tell what a person should hear of."""

from typing import Any, Protocol


class Reporter(Protocol):
    """Where the owner tells what a person should hear of; `jobs.alerts.incidents` is the real one. Never raises."""

    async def observe(
        self, kind: str, connection: str, *, cause: str = "", data: dict[str, Any] | None = None
    ) -> None: ...

    async def resolve(self, kind: str, connection: str, *, data: dict[str, Any] | None = None) -> None: ...
