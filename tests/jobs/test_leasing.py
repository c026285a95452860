"""A lease is surely ours for as long as it lasts since it was last confirmed, and not a moment longer."""

from dataclasses import replace

import pytest

from jobs.leasing import LeaseKeeper
from jobs.pace import NORMAL
from tests.support.hub_on_virtual_time import hub, virtual

QUICK = replace(NORMAL, lease_ttl_s=12.0, renew_s=3.0)


@virtual
async def test_an_owner_is_sure_of_its_lease_until_it_cannot_renew_it_for_its_whole_life() -> None:
    async with hub(pace=QUICK) as h:
        await h.wait(60.0)
        keeper: LeaseKeeper = h.owner("amo")._keeper
        assert keeper.surely_ours()
        h.world.database_down = True
        await h.wait(8.0)
        assert keeper.surely_ours()
        await h.wait(5.0)
        assert not keeper.surely_ours()
        h.world.database_down = False
        await h.wait(4.0)
        assert keeper.surely_ours()


@virtual
async def test_what_was_to_be_sent_while_it_was_unsure_is_sent_afterwards_and_once() -> None:
    async with hub(pace=QUICK) as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        await h.quiet()
        life = h.lives["one"]
        h.fault("amocrm", "slow", "GET /api/v4/contacts", times=1, delay_s=3.0)
        lead_id = await h.post("site", {"name": "Иван", "phone": "+79161234567"})
        await h.wait(1.0)
        life.thawed.clear()  # frozen in the middle of a delivery, for longer than its lease
        await h.wait(30.0)
        life.thawed.set()
        await h.until(lambda: h.delivery(lead_id).state == "delivered", 120.0)
        await h.wait(60.0)
        assert h.deal_ids("amo")[1:] == [h.delivery(lead_id).record_id]


@virtual
async def test_a_hub_that_starts_without_its_database_says_once_that_it_has_no_lease(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with hub(pace=QUICK) as h:
        await h.kill()
        h.world.database_down = True
        caplog.clear()
        await h.start()
        await h.wait(600.0)
        h.world.database_down = False
        await h.wait(60.0)
        said = [one.event for one in caplog.records if getattr(one, "lease", "") == "amo"]
    assert said == ["lease.lost", "lease.taken"]
