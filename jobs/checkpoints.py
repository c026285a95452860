"""Named points of the path where a test may stop, kill or crash the hub. In production they do nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

NAMES: Final = (
    "accepted",  # the lead is committed, the sender not answered
    "claimed",  # deliveries are claimed, nothing was sent
    "intended",  # what will be sent is stored, not one byte left
    "written",  # the CRM answered, we have not stored it
    "settling",  # everything is written, the outcome not stored
    "fetched",  # a vendor told what an errand stands for, nothing of it is stored
    "refreshing",  # the vendor gave a new token, it is not stored
)

Checkpoint = Callable[[str], Awaitable[None]]


async def passed(name: str) -> None:
    """The checkpoint of production."""


HOLD_AT = "LEADHUB_HOLD_AT"
"""For crash tests: the process says `held: NAME` at that point and goes no further, so that it can be killed there."""


def from_environment() -> Checkpoint:
    """`passed`, or one that stops for good at the point named in LEADHUB_HOLD_AT."""
    name = os.environ.get(HOLD_AT, "")
    if not name:
        return passed
    if name not in NAMES:
        raise ValueError(f"{HOLD_AT}: no point {name!r}; there are {', '.join(NAMES)}")

    async def hold(at: str) -> None:
        if at == name:
            print(f"held: {name}", flush=True)  # noqa: T201  # the test waits for this line
            await asyncio.Event().wait()

    return hold
