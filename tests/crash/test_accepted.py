"""Killed after the commit and before the answer: the sender asks again and gets the first lead's id."""

import asyncio

from store.tables import t_lead
from tests.crash.scene import Scene
from tests.support.promises import rows


async def test_a_lead_committed_before_the_kill_is_not_taken_in_again(scene: Scene) -> None:
    hub = await scene.boot(hold_at="accepted")
    sending = asyncio.create_task(scene.send(4, each=2))
    await hub.held("accepted")
    before = {row.id for row in rows(scene.database, t_lead)}
    await hub.kill()
    await scene.boot()
    await sending
    answered = {one.lead_id for one in scene.senders.accepted.values()}
    assert before
    assert before < answered
    await scene.every_lead_arrives_once(8)


async def test_what_one_process_took_in_before_its_kill_another_delivers(scene: Scene) -> None:
    web = await scene.boot(roles="web", hold_at="accepted")
    await scene.boot(roles="worker,scheduler")
    sending = asyncio.create_task(scene.send(4))
    await web.held("accepted")
    await web.kill()
    await scene.all_arrived()
    assert rows(scene.database, t_lead)
    await scene.boot(roles="web")
    await sending
    await scene.every_lead_arrives_once(4)
