"""Calls whose last event never came are ended."""

import logging
from collections.abc import Callable
from datetime import datetime

from connectors.doors import Inbound
from jobs.intake.events import EventIntake
from jobs.intake.inbox import EventInbox
from store.db import Database, StoreUnavailable

log = logging.getLogger(__name__)

END_OF_CALL = "END OF CALL"
"""What stands for the method where a call that cannot be ended waits among the requests; the body is its id."""


async def judge_calls(
    db: Database, calls: EventIntake, inbox: EventInbox, wake: Callable[[tuple[str, ...]], None]
) -> None:
    """`wake` is told where something became due. Raises StoreUnavailable.

    One that a fault of ours keeps from being ended goes to the inbox as if a request had failed: it is tried again
    there, and told of.
    """
    try:
        wake(await db.write(calls.judge))
        return
    except StoreUnavailable:
        raise
    except Exception as fault:  # one of them is at fault: each alone, so that the others pass
        log.warning("calls are ended one by one", extra={"event": "intake.bug", "error": type(fault).__name__})
    for call in await db.read(calls.to_judge):
        try:
            wake(await db.write(calls.judge, [(call.source, call.key)]))
        except StoreUnavailable:
            raise
        except Exception as fault:  # of ours
            await inbox.set_call_aside(call, end_of_call(call.key, call.received_at), fault)


def end_of_call(key: str, at: datetime) -> Inbound:
    return Inbound(END_OF_CALL, "", [], {}, key.encode("utf-8", "surrogateescape"), "", at)


def call_to_end(inbound: Inbound) -> str | None:
    """Its id; None: this is a request."""
    return inbound.body.decode("utf-8", "surrogateescape") if inbound.method == END_OF_CALL else None
