"""What a delivered record still lacks is written beside the leads: neither waits for the other."""

import asyncio
from typing import Any

from tests.support.hub_on_virtual_time import VirtualHub, hub, virtual


def guest(number: int) -> dict[str, Any]:
    return {"name": f"Гость {number}", "phone": f"+7916{number:07d}"}


async def delivered_without_note(h: VirtualHub, *numbers: int) -> list[str]:
    h.fault("amocrm", "500", "/notes")
    lead_ids = [await h.post("site", guest(number)) for number in numbers]
    await h.until(lambda: all(h.delivery(one).state == "delivered" for one in lead_ids), 120.0)
    h.calm()
    return lead_ids


@virtual
async def test_what_a_record_lacks_is_written_while_leads_keep_coming() -> None:
    async with hub() as h:
        (lead_id,) = await delivered_without_note(h, 1)
        h.fault("amocrm", "slow", delay_s=0.5)
        await h.wait(55.0)  # it is due in a moment
        coming = 2

        async def come() -> None:
            nonlocal coming
            while True:
                await h.post("site", guest(coming))
                coming += 1
                await asyncio.sleep(1.0)  # virtual: a lead a second is the traffic that this is about

        traffic = asyncio.create_task(come())
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 120.0)
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)
        assert coming > 30
        await h.quiet()
        assert len(h.notes("amo")) == len(h.tasks("amo")) == coming - 1


@virtual
async def test_a_fresh_lead_does_not_wait_for_what_others_lack() -> None:
    async with hub() as h:
        lacking = await delivered_without_note(h, *range(1, 9))
        h.fault("amocrm", "slow", delay_s=1.0)
        await h.until(lambda: any(h.delivery(one).error_kind == "" for one in lacking), 300.0)
        assert sum(h.delivery(one).error_kind == "incomplete" for one in lacking) > 3
        fresh = await h.post("site", guest(99))
        await h.until(lambda: h.delivery(fresh).state == "delivered", 10.0)
        assert any(h.delivery(one).error_kind == "incomplete" for one in lacking)
        await h.until(lambda: all(h.delivery(one).error_kind == "" for one in lacking), 120.0)
        assert len(h.notes("amo")) == len(h.tasks("amo")) == 9


@virtual
async def test_a_lead_of_the_same_person_and_what_an_earlier_one_lacks_take_turns() -> None:
    async with hub() as h:
        await h.post("site", guest(1))
        await h.quiet()
        h.fault("amocrm", "500", "PATCH /api/v4/contacts")
        second = await h.post("site", {**guest(1), "email": "second@example.com"})
        await h.until(lambda: h.delivery(second).state == "delivered", 120.0)
        h.calm()
        assert [one.kind for one in h.follow_ups()] == ["enrich"]
        h.fault("amocrm", "slow", "PATCH", delay_s=3.0)
        await h.wait(62.0)  # due, and done as soon as something wakes the hub
        assert h.follow_ups()
        await h.post("site", {**guest(1), "email": "third@example.com"})
        await h.quiet()
        await h.until(lambda: not h.follow_ups(), 60.0)
        (contact,) = h.amocrm.contacts.values()
        assert "second@example.com" in str(contact)
        assert "third@example.com" in str(contact)
