"""Who a lead is of, where that person came from, and what a second enquiry makes."""

from typing import Any

import pytest

from store.tables import t_follow_up
from tests.support.hub_on_virtual_time import UNHURRIED, VirtualHub, config, hub, virtual

PHONE, OTHER_PHONE = "+79161234567", "+79031112233"
EVERYWHERE = "  - {from: [site], to: [amo, b24, hs]%s}"
CRMS = ("amo", "b24", "hs")


async def come(h: VirtualHub, **fields: Any) -> str:
    """One enquiry, delivered."""
    lead_id = await h.post("site", fields)
    await h.quiet()
    await h.wait(1.0)
    return lead_id


def touch_field(h: VirtualHub, connection: str, which: str) -> list[str]:
    """What the field "first touch" or "last touch" of each deal says."""
    crm = h.crm(connection)
    code = f"LEADHUB_{which.upper()}_TOUCH"
    match crm.name:
        case "amocrm":
            fields = [
                {one["field_code"]: one["values"][0]["value"] for one in deal["custom_fields_values"] or []}
                for deal in crm.deals.values()
            ]
            return [str(one.get(code, "")) for one in fields]
        case "bitrix24":
            return [str(deal.get(f"UF_CRM_{code}") or "") for deal in crm.deals.values()]
        case _:
            return [str(deal["properties"].get(code.lower()) or "") for deal in crm.deals.values()]


async def set_up(h: VirtualHub) -> None:
    """What `leadhub setup` does for all three."""
    for connection in h.lives["one"].hub.connections.values():  # type: ignore[union-attr]  # it runs
        await connection.target.ensure_fields(connection.connector.needed_fields, create=True)
    await h.wait(1.0)


# --- persons ---------------------------------------------------------------------------------------------------


@virtual
async def test_one_person_with_two_phones_is_one_contact_in_each_crm() -> None:
    async with hub(config(EVERYWHERE % "")) as h:
        await come(h, name="Иван", phone=f"{PHONE}, {OTHER_PHONE}")
        await come(h, name="Иван", phone="8 903 111-22-33", comment="ещё раз")
        assert len(h.persons()) == 1
        assert [len(h.crm(name).contacts) for name in CRMS] == [1, 1, 1]


@pytest.mark.parametrize(
    ("connection", "vendor", "path"),
    [
        ("amo", "amocrm", "PATCH /api/v4/contacts"),
        ("b24", "bitrix24", "crm.contact.update"),
        ("hs", "hubspot", "PATCH /crm/objects"),
    ],
)
@virtual
async def test_a_new_e_mail_that_could_not_be_added_to_the_contact_is_added_later(
    connection: str, vendor: str, path: str
) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}")) as h:
        await come(h, name="Иван", phone=PHONE)
        h.fault(vendor, "500", path)
        lead_id = await come(h, name="Иван", phone=PHONE, email="ivan@example.ru")
        assert (h.delivery(lead_id).state, h.delivery(lead_id).error_kind) == ("delivered", "")
        assert "ivan@example.ru" not in str(h.crm(connection).contacts)
        h.calm()
        await h.until(lambda: "ivan@example.ru" in str(h.crm(connection).contacts), 600.0)
        await h.until(lambda: not h.rows(t_follow_up), 60.0)


@virtual
async def test_an_e_mail_ties_an_enquiry_without_a_phone_to_the_person() -> None:
    async with hub(config(EVERYWHERE % "")) as h:
        await come(h, name="Иван", phone=PHONE, email="Ivan@Example.ru")
        await come(h, name="Иван", email="ivan@example.ru")
        assert len(h.persons()) == 1
        assert [len(h.crm(name).contacts) for name in CRMS] == [1, 1, 1]


@virtual
async def test_a_new_phone_of_a_known_person_is_added_to_the_contact() -> None:
    async with hub(config(EVERYWHERE % "")) as h:
        await come(h, phone=PHONE, email="ivan@example.ru")
        await come(h, phone=OTHER_PHONE, email="ivan@example.ru")
        kept = [str(list(h.crm(name).contacts.values())) for name in CRMS]
        assert all(len(h.crm(name).contacts) == 1 for name in CRMS)
        assert all("9031112233" in text and "9161234567" in text for text in kept)


@virtual
async def test_a_contact_that_people_made_in_the_crm_is_used_and_nothing_of_it_overwritten() -> None:
    def known(h: VirtualHub) -> None:
        h.bitrix24.crm.save("contact", {"NAME": "Иван Иванович", "PHONE": [{"VALUE": "8 (916) 123-45-67"}]})

    async with hub(config("  - {from: [site], to: [b24]}"), prepare=known) as h:
        await come(h, name="ivan", phone=PHONE)
        (contact,) = h.bitrix24.contacts.values()
        assert contact["NAME"] == "Иван Иванович"
        assert [deal["CONTACT_ID"] for deal in h.bitrix24.deals.values()] == [contact["ID"]]


@virtual
async def test_a_lead_that_ties_two_known_persons_together_is_flagged_and_nobody_is_merged() -> None:
    async with hub() as h:
        await come(h, name="Иван", phone=PHONE)
        await come(h, name="Мария", email="maria@example.ru")
        both = await come(h, name="Иван", phone=PHONE, email="maria@example.ru")
        first, second = h.persons()
        lead = h.lead(both)
        assert lead.flags == ("identity_conflict",)
        assert (lead.person_id, lead.data["other_persons"]) == (first.id, [second.id])
        assert len(h.amocrm.contacts) == 2
        assert "подходит двум известным людям" in h.notes("amo")[-1]


# --- attribution -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_the_first_touch_is_written_once_and_stands_on_every_later_deal(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}], repeat: {{do: new_deal}}}}")) as h:
        await set_up(h)
        await h.restart()  # what the accounts are made of is read anew
        await come(h, phone=PHONE, utm_source="yandex", utm_medium="cpc", utm_campaign="okna")
        await come(h, phone=PHONE, utm_source="google", utm_medium="cpc", utm_campaign="dveri", comment="2")
        first, last = touch_field(h, connection, "first"), touch_field(h, connection, "last")
        assert ["okna" in text for text in first] == [True, True]
        assert ["okna" in text for text in last] == [True, False]
        assert "dveri" in last[1]
        (person,) = h.persons()
        assert person.first_touch["utm"]["utm_campaign"] == "okna"


@virtual
async def test_the_whole_journey_of_a_person_is_kept() -> None:
    from store.tables import t_touch

    async with hub() as h:
        for source in ("yandex", "google", "vk"):
            await come(h, phone=PHONE, utm_source=source, comment=source)
        assert [row.data["utm"]["utm_source"] for row in h.rows(t_touch)] == ["yandex", "google", "vk"]


@virtual
async def test_the_first_visit_that_the_browser_remembers_counts_for_a_new_person() -> None:
    async with hub() as h:
        visit = {"utm_source": "vk", "at": "2026-11-02T10:00:00+00:00"}
        await come(h, phone=PHONE, utm_source="yandex", leadhub_first=visit)
        (person,) = h.persons()
        assert person.first_touch["utm"]["utm_source"] == "vk"
        assert "Впервые: 02.11.2026" in h.notes("amo")[0]


# --- repeats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_repeat_becomes_a_note_and_a_call_task_on_the_open_deal(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}")) as h:
        await come(h, name="Иван", phone=PHONE, comment="окна")
        again = await come(h, name="Иван", phone=PHONE, comment="и двери")
        assert len(h.crm(connection).deals) == 1
        assert len(h.tasks(connection)) == 2
        assert h.notes(connection)[1].startswith("Повторное обращение (2-е за 30 дней)\n")
        assert "Комментарий: и двери" in h.notes(connection)[1]
        settled = h.delivery(again)
        assert (settled.outcome, settled.record_id) == ("joined", h.deal_ids(connection)[0])


@virtual
async def test_notes_and_tasks_speak_the_hub_s_language() -> None:
    english = config().replace("locale: ru", "locale: en")
    async with hub(english) as h:
        await come(h, name="John", phone=PHONE, comment="windows")
        await come(h, name="John", phone=PHONE, comment="doors")
        assert "Comment: windows" in h.notes("amo")[0]
        assert h.notes("amo")[1].startswith("Repeat enquiry (no. 2 in 30 days)")
        assert h.tasks("amo")[0][0].startswith("Call: John")


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_repeat_makes_a_new_deal_when_the_last_one_is_closed(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}")) as h:
        await come(h, phone=PHONE, comment="окна")
        await h.close_deal(connection)
        await come(h, phone=PHONE, comment="двери")
        assert len(h.crm(connection).deals) == 2
        assert len(h.crm(connection).contacts) == 1


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_with_reopen_the_closed_deal_opens_again(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}], repeat: {{do: reopen}}}}")) as h:
        await come(h, phone=PHONE, comment="окна")
        await h.close_deal(connection)
        again = await come(h, phone=PHONE, comment="двери")
        assert len(h.crm(connection).deals) == 1
        assert h.delivery(again).outcome == "joined"
        target = h.lives["one"].hub.connections[connection].target  # type: ignore[union-attr]  # it runs
        state = await target.deal_state(h.deal_ids(connection)[0])
        assert state is not None
        assert not state.closed


@virtual
async def test_with_new_deal_every_enquiry_is_a_deal() -> None:
    async with hub(config("  - {from: [site], to: [amo], repeat: {do: new_deal}}")) as h:
        await come(h, phone=PHONE, comment="окна")
        await come(h, phone=PHONE, comment="двери")
        assert (len(h.amocrm.deals), len(h.amocrm.contacts)) == (2, 1)


@virtual
async def test_after_the_window_an_enquiry_is_a_new_deal() -> None:
    async with hub(config("  - {from: [site], to: [amo], repeat: {within: 1h, do: note}}"), pace=UNHURRIED) as h:
        await come(h, phone=PHONE, comment="окна")
        await h.wait(3_700.0)
        await come(h, phone=PHONE, comment="двери")
        assert len(h.amocrm.deals) == 2


@virtual
async def test_without_task_a_repeat_is_only_a_note() -> None:
    async with hub(config("  - {from: [site], to: [amo], repeat: {task: false}}")) as h:
        await come(h, phone=PHONE, comment="окна")
        await come(h, phone=PHONE, comment="двери")
        assert (len(h.notes("amo")), len(h.tasks("amo"))) == (2, 1)


@virtual
async def test_the_task_of_a_repeat_goes_to_who_is_responsible_for_the_deal_now() -> None:
    routes = "  - {from: [site], to: [amo], assign: {strategy: round_robin, users: [1010101, 1010102]}}"
    async with hub(config(routes)) as h:
        await come(h, phone=PHONE, comment="окна")
        (named,) = [line for line in "\n".join(h.notes("amo")).splitlines() if line.startswith("Ответственный: ")]
        assert named.endswith(" (по кругу)")  # whose turn it was is said once
        (deal,) = h.amocrm.deals.values()
        deal["responsible_user_id"] = 1010103  # a person gave it to a colleague
        again = await come(h, phone=PHONE, comment="двери")
        assert [user for _, user in h.tasks("amo")] == ["1010101", "1010103"]
        assert h.delivery(again).assigned_to == "1010103"


@virtual
async def test_leads_of_one_person_are_delivered_in_the_order_received() -> None:
    async with hub(config(EVERYWHERE % ", repeat: {do: new_deal}")) as h:
        await come(h, phone=OTHER_PHONE)
        h.fault("amocrm", "500", "POST /api/v4/leads", times=2)
        ids = [await h.post("site", {"phone": PHONE, "comment": str(number)}) for number in range(6)]
        await h.quiet()
        assert [h.keys(name)[1:] for name in CRMS] == [ids] * 3


@pytest.mark.parametrize(("closed", "deals"), [(False, 1), (True, 2)])
@virtual
async def test_a_person_whose_contact_was_merged_in_hubspot_is_known_by_the_new_one(closed: bool, deals: int) -> None:
    async with hub(config("  - {from: [site], to: [hs]}")) as h:
        await come(h, name="Иван", phone=PHONE)
        records = h.hubspot.records
        ((deal_id, deal),), (contact_id,) = records.live["deals"].items(), records.live["contacts"]
        if closed:
            records.update("deals", deal, {"dealstage": "closedwon"})
        other = records.create("contacts", {"firstname": "Иван"}, [])
        new_id = records.merge("contacts", other["id"], contact_id)["id"]
        again = h.delivery(await come(h, name="Иван", phone=PHONE, comment="Ещё вопрос"))
        assert (again.state, again.error_kind, again.contact_id) == ("delivered", "", new_id)
        assert len(records.live["deals"]) == deals
        assert (again.record_id == deal_id) is not closed
        assert all(h.hubspot.linked("deals", one, "contacts") == [new_id] for one in records.live["deals"])
        assert sum("Ещё вопрос" in note for note in h.notes("hs")) == 1
        assert not [one for one in h.incidents() if one.kind == "field_removed"]
