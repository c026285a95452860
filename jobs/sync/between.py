"""Between which accounts a sync goes: numbers of records name something else in another one."""

from typing import Final

from connectors.errors import PermanentError
from jobs.sync.model import SIDES, Sync
from store import cursors
from store.db import Database

OTHER_ACCOUNTS: Final = "it kept other accounts equal before"


async def other_accounts(sync: Sync, db: Database) -> str:
    """Those that it went between before, as `left = right`: what is known of them would join strangers; "" if none."""
    before = await db.read(cursors.load, _cursor(sync))
    return "" if before is None or before == _accounts(sync) else f"{before['left']} = {before['right']}"


def refusal(before: str) -> PermanentError:
    return PermanentError(f"{OTHER_ACCOUNTS} ({before})", "sync")


async def accept_accounts(sync: Sync, db: Database) -> None:
    """From now on it goes between these."""
    if await db.read(cursors.load, _cursor(sync)) != _accounts(sync):
        await db.write(cursors.save, _cursor(sync), _accounts(sync))


def _accounts(sync: Sync) -> dict[str, str]:
    ends = {side: sync.end(side) for side in SIDES}
    return {side: f"{end.connection}@{end.address}" for side, end in ends.items()}


def _cursor(sync: Sync) -> str:
    return f"sync:{sync.name}:accounts"
