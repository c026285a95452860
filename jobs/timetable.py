"""What happens at a time of day, in the hub's zone: APScheduler knows when that is, also when the clocks change."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import time
from zoneinfo import ZoneInfo

from leads.clock import Clock

MISFIRE_S = 3600
"""A busy hub may be late by so much and still does it."""


async def daily(at: time, zone: ZoneInfo, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Does `work` every day at `at` until cancelled; at once, if the hour is past: the hub may have been down then.

    So `work` must be such that doing it twice on one day is doing it once.
    """
    from apscheduler.schedulers.asyncio import AsyncIOScheduler  # late: costs start-up time and few need it
    from apscheduler.triggers.cron import CronTrigger

    scheduler = AsyncIOScheduler(timezone=zone)
    trigger = CronTrigger(hour=at.hour, minute=at.minute, timezone=zone)
    scheduler.add_job(work, trigger, max_instances=1, coalesce=True, misfire_grace_time=MISFIRE_S)
    if clock.now().astimezone(zone).time() >= at:
        await work()
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)
