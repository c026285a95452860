"""What a connector with OAuth needs kept."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class TokenStore(Protocol):
    """The tokens of one connection. Handed in by `jobs`; encrypted at rest."""

    async def load(self) -> dict[str, Any] | None:
        """None before anybody has signed in. Raises CannotUnseal."""
        ...

    async def save(self, token: dict[str, Any]) -> None:
        """Durable when it returns: a new refresh token is never used before this."""
        ...

    async def replace(self, token: dict[str, Any], used: dict[str, Any]) -> bool:
        """Stores `token` if the store still holds the pair `used` that it was got for, or `token` itself.

        False: somebody has stored another one meanwhile. Needs no `exclusively`.
        """
        ...

    def exclusively(self) -> AbstractAsyncContextManager[None]:
        """One refresher at a time over all processes; holds as long as the refresh takes."""
        ...
