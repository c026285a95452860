"""A connection that is pointed at another account under its old name: from the sandbox to one's own, or to a new one.

Numbers of records name something else there: without care a returning person's enquiry became a note on a stranger's
deal, and counted as delivered.
"""

from tests.support.hub_on_virtual_time import CONNECTIONS, VirtualHub, config, hub, virtual

ROUTE = "  - {from: [site], to: [b24]}"
ELSEWHERE = CONNECTIONS.replace("http://b24.test/", "http://own.test/")
ANNA = {"name": "Анна", "phone": "+7 916 123-45-67", "comment": "Окна"}


def hand_over(h: VirtualHub) -> None:
    """The records of the sandbox portal become those of strangers: it is another portal now."""
    for number, contact in enumerate(h.bitrix24.contacts.values()):
        contact["NAME"] = "Чужой"
        contact["PHONE"] = [{"ID": "1", "VALUE": f"+7921000000{number}", "VALUE_TYPE": "WORK", "TYPE_ID": "PHONE"}]
    for record in (*h.bitrix24.contacts.values(), *h.bitrix24.deals.values()):
        record |= {"ORIGINATOR_ID": None, "ORIGIN_ID": None}


@virtual
async def test_a_returning_person_is_unknown_in_another_account_and_known_again_when_the_old_one_comes_back() -> None:
    async with hub(config(ROUTE)) as h:
        first = await h.post("site", ANNA)
        await h.quiet()
        hand_over(h)
        await h.restart(config(ROUTE, connections=ELSEWHERE))
        second = await h.post("site", ANNA | {"comment": "Двери"})
        await h.quiet()
        assert len(h.bitrix24.contacts) == len(h.bitrix24.deals) == 2
        assert [one["NAME"] for one in h.bitrix24.contacts.values()] == ["Чужой", "Анна"]
        assert h.lead(first).status == h.lead(second).status == "delivered"
        assert h.delivery(first).connection == "b24@b24.test"

        await h.restart(config(ROUTE))
        assert h.delivery(first).connection == "b24"
        assert h.delivery(second).connection == "b24@own.test"


@virtual
async def test_what_is_owed_goes_to_the_new_account_whole_though_it_was_begun_in_the_old_one() -> None:
    async with hub(config(ROUTE)) as h:
        await h.post("site", ANNA)
        await h.quiet()
        h.fault("bitrix24", "slow", delay_s=1.0)
        lead_id = await h.post("site", {"name": "Борис", "phone": "+7 916 765-43-21"})
        await h.until(lambda: h.delivery(lead_id).progress.get("contact", {}).get("id"), 30.0)
        await h.kill()
        h.calm()
        hand_over(h)
        h.config_file.write_text(config(ROUTE, connections=ELSEWHERE), encoding="utf-8")
        await h.start()
        await h.until(lambda: h.delivery(lead_id).state == "delivered", 300.0)
        [boris] = [one["ID"] for one in h.bitrix24.contacts.values() if one["NAME"] == "Борис"]
        [deal] = [one["ID"] for one in h.bitrix24.deals.values() if str(one["CONTACT_ID"]) == str(boris)]
        assert (h.delivery(lead_id).contact_id, h.delivery(lead_id).record_id) == (str(boris), str(deal))


@virtual
async def test_an_account_that_only_got_a_new_address_gets_nothing_twice() -> None:
    async with hub(config(ROUTE)) as h:
        first = await h.post("site", ANNA)
        await h.quiet()
        h.fault("bitrix24", "reset_after", match="crm.deal.add")
        begun = await h.post("site", {"name": "Борис", "phone": "+7 916 765-43-21"})
        await h.until(lambda: len(h.bitrix24.deals) == 2, 30.0)
        await h.kill()
        h.calm()
        h.config_file.write_text(config(ROUTE, connections=ELSEWHERE), encoding="utf-8")
        await h.start()
        again = await h.post("site", ANNA | {"comment": "Двери"})
        await h.quiet()
        await h.wait(120.0)
        assert h.delivery(again).state == h.delivery(begun).state == "delivered"
        assert len(h.bitrix24.contacts) == len(h.bitrix24.deals) == 2
        assert h.delivery(again).record_id == h.delivery(first).record_id
