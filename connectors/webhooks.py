"""Whether a CRM tells the hub of changes, and asking it to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Subscribed:
    """`missing`: events, in the vendor's words, that it does not send to this address (yet).

    `by_hand`: what a person has to click, (English, Russian), where it cannot be asked for by the API; the address
    goes in place of `{address}`, the events in place of `{events}`.
    """

    address: str
    missing: tuple[str, ...] = ()
    by_hand: tuple[str, str] | None = None


Subscribe = Callable[[Any, str, bool], Awaitable[Subscribed]]
"""(the open Target, `https://HUB/hooks/CONNECTION`, make) -> what is missing, afterwards. Safe to repeat.

Raises AuthError without an administrator's rights."""
