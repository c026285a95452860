"""How the real `leadhub serve` ends: at once when killed, cleanly when asked, and who goes on with its work."""

import asyncio
import contextlib
import signal
import time

from jobs.checkpoints import HOLD_AT
from store.tables import t_delivery, t_lease
from tests.crash.scene import LOOK_S, Scene
from tests.support.hub_process import PATIENCE_S, HubProcess
from tests.support.promises import rows

MOST_TO_END_S = 15.0
MOST_TO_TAKE_OVER_S = 30.0


async def test_asked_to_end_while_crms_hang_it_hands_back_and_ends_well(scene: Scene) -> None:
    hub = await HubProcess.start_serve(scene.config, scene.folder / "serve.log")
    scene.hubs.append(hub)
    await hub.says("leadhub is ready")
    with contextlib.ExitStack() as hanging:
        faults = [hanging.enter_context(crm.failing("hang", match="POST", delay_s=40.0)) for crm in scene.crms]
        await scene.send(4, each=2)
        async with asyncio.timeout(PATIENCE_S):
            while not all(fault.hits for fault in faults):
                await asyncio.sleep(LOOK_S)
        started = time.monotonic()
        assert await hub.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < MOST_TO_END_S
    assert {row.state for row in rows(scene.database, t_delivery)} == {"ready", "waiting"}
    assert [row.name for row in rows(scene.database, t_lease) if row.owner] == []
    await scene.boot()
    await scene.every_lead_arrives_once(8)


async def test_a_hub_that_delivers_ends_well_at_ctrl_c(scene: Scene) -> None:
    hub = await HubProcess.start_serve(scene.config, scene.folder / "serve.log")
    scene.hubs.append(hub)
    await hub.says("leadhub is ready")
    sending = asyncio.create_task(scene.send(4, each=2))
    async with asyncio.timeout(PATIENCE_S):
        while not scene.crms["hs"].vendor.deals:
            await asyncio.sleep(0.01)
    started = time.monotonic()
    assert await hub.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < MOST_TO_END_S
    await scene.boot()
    await sending
    await scene.every_lead_arrives_once(8)


async def test_the_work_of_a_killed_worker_is_taken_over_within_half_a_minute(scene: Scene) -> None:
    """At the pace of production."""
    worker = await HubProcess.start_serve(
        scene.config, scene.folder / "worker.log", roles="worker", env={HOLD_AT: "claimed"}
    )
    scene.hubs.append(worker)
    async with asyncio.timeout(PATIENCE_S):
        while not {"amo", "b24", "hs"} <= {row.name for row in rows(scene.database, t_lease)}:
            await asyncio.sleep(LOOK_S)
    other = await HubProcess.start_serve(scene.config, scene.folder / "serve.log")
    scene.hubs.append(other)
    await other.says("leadhub is ready")
    await scene.send(3)
    await worker.held("claimed")
    await worker.kill()
    assert await scene.all_arrived() < MOST_TO_TAKE_OVER_S
    await scene.every_lead_arrives_once(3)
