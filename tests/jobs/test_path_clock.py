"""A machine whose clock is set while a write is on its way: nothing is sent twice for it."""

from tests.support.hub_on_virtual_time import hub, virtual


@virtual
async def test_a_clock_set_forward_between_two_processes_does_not_shorten_the_wait_for_a_late_write() -> None:
    async with hub() as h:
        h.fault("amocrm", "slow", "POST /api/v4/leads", times=1, delay_s=25.0)
        lead_id = await h.post("site", {"name": "Иван", "phone": "+79161234567"})
        sent = h.world.layers["amocrm"].requests
        await h.until(lambda: any((method, path) == ("POST", "/api/v4/leads") for _, method, path in sent))
        await h.kill()
        h.jump(3600.0)
        await h.start("two")
        await h.until(lambda: h.delivery(lead_id).state == "delivered", 120.0)
        await h.wait(60.0)
        assert h.deal_ids("amo") == [h.delivery(lead_id).record_id]
