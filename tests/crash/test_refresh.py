"""Killed during a token refresh: the vendor gave new tokens and they were not stored."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from leads.clock import SystemClock
from store.db import InlineDatabase
from store.sealing import Sealer
from store.tables import t_incident
from store.tokens import StoredTokens
from tests.crash.scene import ALL, LOOK_S, Scene, staged
from tests.support.hub_process import PATIENCE_S, HubProcess, Zygote
from tests.support.promises import owed, rows

CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


@pytest_asyncio.fixture
async def signed_in(tmp_path: Path, database_url: str, zygote: Zygote) -> AsyncIterator[Scene]:
    """amoCRM and HubSpot by OAuth, their access tokens run out."""
    async with staged(tmp_path, database_url, zygote, oauth=True) as scene:
        await _sign_in(scene, "amo")
        await _sign_in(scene, "hs")
        _expire(scene)
        yield scene


async def _sign_in(scene: Scene, name: str) -> None:
    """As `leadhub auth` does."""
    vendor = scene.crms[name].vendor
    if name == "amo":
        pair: dict[str, Any] = vendor.issue_tokens()
    else:
        pair = vendor.tokens.grant({**CLIENT, "grant_type": "authorization_code", "code": vendor.tokens.code}).body
    now = time.time()
    db = InlineDatabase(scene.database)
    try:
        tokens = StoredTokens(db, Sealer(("secret-key-of-the-crash-tests",)), name, SystemClock())
        await tokens.save({**pair, "obtained_at": now, "expires_at": now + float(pair["expires_in"])})
    finally:
        await db.close()


def _expire(scene: Scene) -> None:
    amo, hs = scene.crms["amo"].vendor, scene.crms["hs"].vendor
    amo.access_tokens = dict.fromkeys(amo.access_tokens, 0.0)
    hs.tokens.expire()


async def _held(hub: HubProcess, point: str, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while hub.lines.count(f"held: {point}") < times:
            await asyncio.sleep(LOOK_S)


def _refused_tokens(scene: Scene) -> list[str]:
    return [row.connection for row in rows(scene.database, t_incident) if row.kind == "token_refused"]


async def test_a_pair_lost_with_its_process_is_asked_for_again_or_a_person_hears_of_it(signed_in: Scene) -> None:
    scene = signed_in
    hub = await scene.boot(hold_at="refreshing")
    await scene.send(3)
    await _held(hub, "refreshing", 2)
    await hub.kill()
    await scene.boot()
    # HubSpot's refresh token may be used again; amoCRM's was spent: its owner has to sign in, and is told so.
    async with asyncio.timeout(PATIENCE_S):
        while {one.split(" to ")[1].split(":")[0] for one in owed(scene.database)} != {"amo"}:
            await asyncio.sleep(LOOK_S)
        while _refused_tokens(scene) != ["amo"]:
            await asyncio.sleep(LOOK_S)
    await _sign_in(scene, "amo")
    await scene.every_lead_arrives_once(3)


async def test_a_refresh_is_made_once_whoever_is_killed_after_it_was_stored(signed_in: Scene) -> None:
    scene = signed_in
    hub = await scene.boot(hold_at="written")
    await scene.send(3)
    await _held(hub, "written", 3 * len(ALL))  # so that no refresh is under way
    await hub.kill()
    await scene.boot()
    await scene.every_lead_arrives_once(3)
    assert scene.crms["amo"].vendor.refreshes == 1
