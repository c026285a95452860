"""OAuth tokens of a connection: durable, sealed, refreshed by one at a time over processes."""

import asyncio
from typing import Any

from sqlalchemy import select

from leads.clock import SystemClock
from store.db import InlineDatabase
from store.sealing import Sealer
from store.tables import t_token
from store.tokens import StoredTokens

OLD, NEW = "old-secret-key-000001", "new-secret-key-000002"


async def test_tokens_come_back_and_are_not_readable_in_the_database(database_url: str) -> None:
    db = InlineDatabase(database_url)
    tokens = StoredTokens(db, Sealer([OLD]), "sales", SystemClock())
    assert await tokens.load() is None
    await tokens.save({"access_token": "very-secret", "refresh_token": "one"})
    await tokens.save({"access_token": "very-secret", "refresh_token": "two"})
    assert await tokens.load() == {"access_token": "very-secret", "refresh_token": "two"}
    row = await db.read(lambda conn: conn.execute(select(t_token)).one())
    assert b"very-secret" not in bytes(row.sealed)
    await tokens.forget()
    assert await tokens.load() is None
    await db.close()


async def test_loading_under_a_new_key_seals_anew(database_url: str) -> None:
    db, clock = InlineDatabase(database_url), SystemClock()
    await StoredTokens(db, Sealer([OLD]), "sales", clock).save({"access_token": "a"})
    await StoredTokens(db, Sealer([NEW, OLD]), "sales", clock).load()
    assert await StoredTokens(db, Sealer([NEW]), "sales", clock).load() == {"access_token": "a"}
    await db.close()


async def test_sealing_anew_never_puts_an_old_pair_back(database_url: str) -> None:
    """Readers do not wait for who refreshes: what they have read is old by the time they seal it."""

    class Between(InlineDatabase):
        """Lets another process store a new pair after the first of our statements."""

        async def write(self, *args: Any, **kwargs: Any) -> Any:
            done = await super().write(*args, **kwargs)
            if not self.overtaken:
                self.overtaken = True
                await StoredTokens(db, Sealer([NEW]), "sales", clock).save({"access_token": "b"})
            return done

        overtaken = False

    db, clock = InlineDatabase(database_url), SystemClock()
    await StoredTokens(db, Sealer([OLD]), "sales", clock).save({"access_token": "a"})
    reader = Between(database_url)
    assert await StoredTokens(reader, Sealer([NEW, OLD]), "sales", clock).load() == {"access_token": "a"}
    assert await StoredTokens(db, Sealer([NEW]), "sales", clock).load() == {"access_token": "b"}
    await reader.close()
    await db.close()


async def test_a_pair_replaces_only_the_one_that_it_was_got_for(database_url: str) -> None:
    db = InlineDatabase(database_url)
    tokens = StoredTokens(db, Sealer([OLD]), "sales", SystemClock())
    first, second, third = ({"access_token": f"a{n}", "refresh_token": f"r{n}"} for n in range(3))
    assert not await tokens.replace(second, used=first), "signed out meanwhile"
    await tokens.save(first)
    assert await tokens.replace(second, used=first)
    assert await tokens.replace(second, used=first), "stored already: the answer to the first try was lost"
    assert not await tokens.replace(third, used=first)
    assert await tokens.load() == second
    await db.close()


async def test_two_processes_never_refresh_at_the_same_time(database_url: str) -> None:
    sealer, clock = Sealer([OLD]), SystemClock()
    databases = [InlineDatabase(database_url) for _ in range(2)]
    inside, most = 0, 0

    async def refresh(db: InlineDatabase) -> None:
        nonlocal inside, most
        async with StoredTokens(db, sealer, "sales", clock).exclusively():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.02)
            inside -= 1

    await asyncio.gather(*(refresh(db) for db in databases for _ in range(3)))
    assert most == 1
    for db in databases:
        await db.close()
