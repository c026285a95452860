"""Deliberate bugs: each must be caught by the simulator, else its silence about the real hub means little."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import true

from connectors.doors import Receipt
from connectors.oauth import OAuthTokens
from jobs import leasing
from jobs.delivery import deliver, outcomes, owner, writing
from jobs.intake import service as intake
from leads.identity import Resolution
from store import intake as store_intake
from store import leases, mending, outbox
from store.tables import t_delivery


@contextlib.contextmanager
def settle_before_write() -> Iterator[None]:
    """A delivery is called delivered first and written afterwards."""

    async def claims_success(self: Any, kind: Any, draft: Any) -> str:
        async def later() -> None:
            with contextlib.suppress(Exception):
                await self.target.create(draft)

        if kind != "deal":
            return await real(self, kind, draft)  # type: ignore[no-any-return]
        asyncio.get_running_loop().create_task(later())
        return "1"

    real = deliver.Run._send
    with patch.object(deliver.Run, "_send", claims_success):
        yield


@contextlib.contextmanager
def no_look_up_after_a_lost_reply() -> Iterator[None]:
    """A write with unknown outcome is simply sent again."""

    async def never_looks(self: Any, kind: Any, draft: Any) -> bool:
        return False

    with patch.object(deliver.Run, "_settle_unknown", never_looks):
        yield


@contextlib.contextmanager
def no_second_look() -> Iterator[None]:
    """One look at once that finds nothing is believed: a write that lands a little later is doubled."""
    with (
        patch.object(writing, "next_look", lambda elapsed, delays: None),
        patch.object(outcomes, "earliest_look", lambda sent_at, delays: sent_at),
    ):
        yield


@contextlib.contextmanager
def no_intent_before_the_write() -> Iterator[None]:
    """What is being sent is not stored before: after a crash nobody knows of it."""

    async def forgets(self: Any, held: Any, delivery_id: str, progress: Any) -> None:
        return None

    with patch.object(owner.ConnectionOwner, "_intend", forgets):
        yield


@contextlib.contextmanager
def answer_before_the_commit() -> Iterator[None]:
    """The sender hears 202 while the lead is still on its way to the disk."""
    real = intake.IntakeService._store

    async def too_early(self: Any, source: Any, inbound: Any, parsed: Any, ids: Any, **kwargs: Any) -> Any:
        async def later() -> None:
            await asyncio.sleep(0.5)
            await real(self, source, inbound, parsed, ids, **kwargs)

        asyncio.get_running_loop().create_task(later())
        return [Receipt(lead_id) for lead_id in ids]

    with patch.object(intake.IntakeService, "_store", too_early):
        yield


@contextlib.contextmanager
def repeats_of_the_sender_are_new_leads() -> Iterator[None]:
    """A webhook that comes twice with one id makes two leads."""
    real = intake.dedup_keys

    def unique(source: str, settings: Any, parsed: Any, at: Any) -> Any:
        return real(source, settings, replace(parsed, lead_uid=""), at)

    with patch.object(intake, "dedup_keys", unique):
        yield


@contextlib.contextmanager
def no_lanes() -> Iterator[None]:
    """Leads of one person are delivered side by side."""

    def nobody_is_busy(conn: Any, persons: Any) -> dict[Any, Any]:
        return {key: (place, False) for key, (place, _) in real(conn, persons).items()}

    real = store_intake.read_lanes
    with patch.object(store_intake, "read_lanes", nobody_is_busy), _no_busy_within_a_batch():
        yield


@contextlib.contextmanager
def _no_busy_within_a_batch() -> Iterator[None]:
    real = outbox.claim

    def everything(conn: Any, held: Any, now: Any, **kwargs: Any) -> Any:
        waiting = (t_delivery.c.connection == held.name) & (t_delivery.c.state == "waiting")
        conn.execute(t_delivery.update().where(waiting).values(state="ready"))
        return real(conn, held, now, **kwargs)

    with patch.object(outbox, "claim", everything):
        yield


@contextlib.contextmanager
def token_used_before_it_is_stored() -> Iterator[None]:
    """A refreshed single-use token is stored some time after it was first used."""

    async def keep(self: Any, fresh: dict[str, Any]) -> str:
        async def later() -> None:
            await asyncio.sleep(20.0)
            await self._tokens.save(fresh)

        self._token = fresh
        asyncio.get_running_loop().create_task(later())
        return str(fresh["access_token"])

    with patch.object(OAuthTokens, "_keep", keep):
        yield


@contextlib.contextmanager
def every_lead_is_a_new_person() -> Iterator[None]:
    """Nobody is recognised: one person gets several contacts."""

    def stranger(keys: Any, known: Any) -> Resolution:
        return Resolution(None, ())

    with patch("leads.identity.resolve", stranger):
        yield


@contextlib.contextmanager
def a_failed_try_is_the_last() -> Iterator[None]:
    """Failures are taken for final, and nobody is told."""
    real = outcomes.Outcomes.after_failure

    async def gives_up(self: Any, held: Any, run: Any, error: Any) -> Any:
        settlement = await real(self, held, run, error)
        return dataclasses.replace(settlement, state="delivered", record_id="1", outcome="created")

    with patch.object(outcomes.Outcomes, "after_failure", gives_up):
        yield


@contextlib.contextmanager
def claims_of_the_dead_stay_claimed() -> Iterator[None]:
    """What a killed worker had in hand is never taken over."""
    with patch.object(mending, "take_over", lambda conn, held, now: 0):
        yield


@contextlib.contextmanager
def lease_without_fencing() -> Iterator[None]:
    """A process that was frozen goes on as if it still owned the connection."""
    outbox._changing.cache_clear()
    with (
        patch.object(outbox, "is_held", lambda name, owner, fence: true()),
        patch.object(outbox, "assert_held", lambda conn, held: None),
        patch.object(mending, "assert_held", lambda conn, held: None),
        patch.object(leases, "renew", lambda conn, held, now, ttl_s: None),
        patch.object(leasing.LeaseKeeper, "surely_ours", lambda self: True),
    ):
        yield
    outbox._changing.cache_clear()


MUTANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    bug.__name__: bug
    for bug in (
        settle_before_write,
        no_look_up_after_a_lost_reply,
        no_second_look,
        no_intent_before_the_write,
        answer_before_the_commit,
        repeats_of_the_sender_are_new_leads,
        no_lanes,
        token_used_before_it_is_stored,
        every_lead_is_a_new_person,
        a_failed_try_is_the_last,
        claims_of_the_dead_stay_claimed,
        lease_without_fencing,
    )
}
