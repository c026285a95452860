"""SIGKILL at every named point of the path: all leads arrive, none twice, in all three CRMs."""

import pytest

from tests.crash.scene import Scene

POINTS = ("claimed", "intended", "written", "settling")


@pytest.mark.parametrize("point", POINTS)
async def test_one_hub_killed_at_a_point_of_delivery_leaves_nothing_undone_or_done_twice(
    scene: Scene, point: str
) -> None:
    hub = await scene.boot(hold_at=point)
    await scene.send(4, each=2)
    await hub.held(point)
    await hub.kill()
    await scene.boot()
    await scene.every_lead_arrives_once(8)


@pytest.mark.parametrize("point", POINTS)
async def test_another_worker_takes_over_from_one_killed_at_a_point_of_delivery(scene: Scene, point: str) -> None:
    worker = await scene.boot(roles="worker", hold_at=point)
    await scene.boot(roles="web")
    await scene.send(4, each=2)
    await worker.held(point)
    # Not before: it would take the connection over from a worker that the machine made wait.
    await scene.boot(roles="worker,scheduler")
    await worker.kill()
    await scene.send(4)
    await scene.every_lead_arrives_once(12)
