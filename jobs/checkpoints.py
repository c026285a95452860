"""Named points of the path where a test may stop, kill or crash the hub. In production they do nothing."""

from collections.abc import Awaitable, Callable
from typing import Final

NAMES: Final = (
    "accepted",  # the lead is committed, the sender not answered
    "claimed",  # deliveries are claimed, nothing was sent
    "intended",  # what will be sent is stored, not one byte left
    "written",  # the CRM answered, we have not stored it
    "settling",  # everything is written, the outcome not stored
    "refreshing",  # the vendor gave a new token, it is not stored
)

Checkpoint = Callable[[str], Awaitable[None]]


async def passed(name: str) -> None:
    """The checkpoint of production."""
