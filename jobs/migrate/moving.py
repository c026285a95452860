"""The move itself: each kind of record by its sync, one after the other; again from where it was, whatever happened."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from jobs.migrate.again import look_anew
from jobs.migrate.model import Step
from jobs.migrate.opening import Ready
from jobs.sync.beside import under_lease
from jobs.sync.between import accept_accounts, other_accounts
from jobs.sync.opening import CannotSync
from jobs.sync.passes import PassResult, Wish, run_pass
from store.leases import Held

LEASE_WAIT_S: Final = 45.0
"""Longer than a killed run keeps its lease."""
Told = Callable[[Step, Mapping[str, int]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Moved:
    step: Step
    result: PassResult


async def assert_same_accounts(ready: Ready, *, renamed: bool = False) -> None:
    """Raises CannotSync if this move went between other accounts before: what it knows of them would join strangers.

    `renamed`: a person says that they only have other addresses now.
    """
    for step in ready.move.steps:
        sync = ready.sync(step)
        before = await other_accounts(sync, ready.db)
        if before and not renamed:
            raise CannotSync(
                f"this move went between other accounts before ({before}): give the connection to the new account"
                " another name; if it is the same account under a new address, add --renamed",
                f"раньше переезд шёл между другими аккаунтами ({before}): назовите подключение к новому аккаунту"
                " иначе; если это тот же аккаунт под новым адресом, добавьте --renamed",
            )
        if before:
            await accept_accounts(sync, ready.db)


async def move_all(ready: Ready, told: Told) -> list[Moved]:
    """Up to the first kind that could not be finished. Raises CannotSync."""
    done: list[Moved] = []
    for step in ready.move.steps:
        moved = Moved(step, await _move(ready, step, told))
        done.append(moved)
        if moved.result.state != "done":
            break
    return done


async def _move(ready: Ready, step: Step, told: Told) -> PassResult:
    async def progress(counts: Mapping[str, int]) -> None:
        await told(step, counts)

    async def work(held: Held) -> PassResult:
        again = await look_anew(ready, step, held)
        wish = Wish(full=again, yes=True, patient=True)
        return await run_pass(ready.sync(step), ready.db, ready.clock, held, wish, progress=progress)

    result = await under_lease(step.sync, ready.db, ready.clock, work, LEASE_WAIT_S)
    if result is None:
        raise CannotSync(
            f'another process is at "{step.sync}": wait for it, or stop `leadhub serve` while the move goes on',
            f"«{step.sync}» занята другим процессом: дождитесь его или остановите `leadhub serve` на время переезда",
        )
    return result
