"""What a CRM cannot take never stops a lead: it goes at once with what a manager needs, and is completed later."""

from typing import Any

import pytest

from tests.support.hub_on_virtual_time import PATIENT, VirtualHub, config, hub, virtual

IVAN = {"name": "Иван", "phone": "+79161234567", "comment": "Нужны окна", "city": "Казань"}
AMO_ROUTE = "  - {from: [site], to: [amo], mapping: ours}"
B24_ROUTE = "  - {from: [site], to: [b24], mapping: ours}"
HS_ROUTE = "  - {from: [site], to: [hs], mapping: ours}"


def mapping(preset: str, deal: str) -> dict[str, str]:
    return {"ours": f"extends: {preset}-leads\ndeal:\n  {deal}\n"}


def arrived_in_essence(h: VirtualHub, connection: str, lead_id: str) -> None:
    """The lead is there at once, with all that a manager needs to call, and marked incomplete."""
    assert len(h.crm(connection).deals) == 1
    (contact,) = h.crm(connection).contacts.values()
    assert "Иван" in str(contact)
    assert "79161234567" in str(contact)
    assert "Нужны окна" in h.notes(connection)[0]
    row = h.delivery(lead_id)
    assert (row.state, row.error_kind) == ("delivered", "incomplete")
    assert h.lead(lead_id).status == "delivered"


def one_warning(h: VirtualHub) -> str:
    incidents = [one for one in h.incidents() if one.kind == "field_removed"]
    assert len(incidents) == 1, [(one.kind, one.cause) for one in incidents]
    return next(text for text in h.told() if text.startswith(("🟡", "🟢")))


def amo_field(h: VirtualHub, field_id: int) -> list[Any]:
    (deal,) = h.amocrm.deals.values()
    custom = deal["custom_fields_values"] or []
    return [one["values"][0]["value"] for one in custom if one["field_id"] == field_id]


@virtual
async def test_a_field_deleted_in_amocrm_goes_into_the_note_and_is_written_when_it_is_back() -> None:
    ours = mapping("amocrm", 'fields: {"Адрес объекта": "{{ lead.extra.city }}"}')
    kept = {}

    def remove(h: VirtualHub) -> None:
        kept.update(h.amocrm.fields["leads"].pop(620002))

    async with hub(config(AMO_ROUTE), mappings=ours, prepare=remove, pace=PATIENT) as h:
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 3.0
        arrived_in_essence(h, "amo", lead_id)
        assert "Адрес объекта: Казань (в CRM нет такого поля)" in h.notes("amo")[0]
        await h.wait(70.0)
        warning = one_warning(h)
        assert warning.startswith(
            "🟡 amoCRM «amo»: не записывается поле «Адрес объекта»\nС 11:01 · 1 лид доставлен без"
        )
        assert "mappings/ours.yaml:3" in warning
        h.amocrm.fields["leads"][620002] = kept
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3600.0)
        assert amo_field(h, 620002) == ["Казань"]
        await h.wait(70.0)
        assert "снова в порядке" in h.told()[-1]
        assert h.open_incidents() == set()


@virtual
async def test_a_field_deleted_while_the_hub_remembers_it_is_left_out_at_once() -> None:
    ours = mapping("amocrm", 'fields: {"Адрес объекта": "{{ lead.extra.city }}"}')
    async with hub(config(AMO_ROUTE), mappings=ours) as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001", "city": "Пермь"})
        await h.quiet()
        h.amocrm.delete_field("leads", "620002")
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 3.0
        assert h.delivery(lead_id).error_kind == "incomplete"
        assert "Адрес объекта: Казань" in h.notes("amo")[1]
        await h.wait(10.0)
        assert "mappings/ours.yaml:3" in one_warning(h)


@virtual
async def test_a_value_that_the_list_does_not_have_goes_into_the_note() -> None:
    ours = mapping("amocrm", 'fields: {"Тип объекта": "{{ lead.extra.kind }}"}')
    async with hub(config(AMO_ROUTE), mappings=ours, pace=PATIENT) as h:
        lead_id = await h.post("site", {**IVAN, "kind": "Дача"})
        await h.quiet()
        arrived_in_essence(h, "amo", lead_id)
        assert "Тип объекта: Дача (в списке поля нет такого значения)" in h.notes("amo")[0]
        await h.wait(70.0)
        assert "mappings/ours.yaml:3" in one_warning(h)
        field = h.amocrm.fields["leads"][620001]
        field["enums"].append({"id": 6200019, "value": "Дача", "code": None, "sort": 9})
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3600.0)
        assert amo_field(h, 620001) == ["Дача"]


@pytest.mark.parametrize(
    ("route", "connection", "preset"),
    [
        (AMO_ROUTE, "amo", "amocrm"),
        (B24_ROUTE, "b24", "bitrix24"),
        (HS_ROUTE, "hs", "hubspot"),
    ],
)
@virtual
async def test_an_unknown_stage_is_left_to_the_crm_and_told_of(route: str, connection: str, preset: str) -> None:
    async with hub(config(route), mappings=mapping(preset, "stage: Нет такого")) as h:
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 5.0
        arrived_in_essence(h, connection, lead_id)
        assert "Этап: Нет такого (" in h.notes(connection)[0] or "stage: Нет такого (" in h.notes(connection)[0]
        await h.wait(10.0)
        assert "mappings/ours.yaml:3" in one_warning(h)


@virtual
async def test_a_stage_that_the_crm_refuses_is_left_out() -> None:
    async with hub(config(AMO_ROUTE), mappings=mapping("amocrm", "stage: Переговоры")) as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        await h.quiet()
        statuses = h.amocrm.pipelines[0]["_embedded"]["statuses"]
        statuses[:] = [one for one in statuses if one["name"] != "Переговоры"]
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 3.0
        assert (h.delivery(lead_id).state, h.delivery(lead_id).error_kind) == ("delivered", "incomplete")


@virtual
async def test_a_responsible_who_was_switched_off_meanwhile_does_not_stop_the_lead() -> None:
    routes = "  - {from: [site], to: [amo], assign: {strategy: fixed, users: [1010102]}}"
    async with hub(config(routes)) as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        await h.quiet()
        h.amocrm.users[1]["rights"]["is_active"] = False
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 3.0
        assert h.delivery(lead_id).state == "delivered"
        assert len(h.amocrm.deals) == 2


@virtual
async def test_one_bad_e_mail_does_not_cost_bitrix24_the_lead() -> None:
    async with hub(config("  - {from: [site], to: [b24]}")) as h:
        lead_id = await h.post("site", {**IVAN, "email": "ivan@localhost"})
        assert await h.quiet() < 3.0
        assert h.delivery(lead_id).state == "delivered"
        assert "ivan@localhost" in h.notes("b24")[0]
        (contact,) = h.bitrix24.contacts.values()
        assert contact["PHONE"][0]["VALUE"] == "+79161234567"


@virtual
async def test_a_field_that_became_mandatory_does_not_stop_leads() -> None:
    def demand(h: VirtualHub) -> None:
        h.bitrix24.crm.custom["deal"]["UF_CRM_CITY"] = {"FIELD_NAME": "UF_CRM_CITY", "USER_TYPE_ID": "string"}
        h.bitrix24.crm.mandatory.add("UF_CRM_CITY")

    async with hub(config("  - {from: [site], to: [b24]}"), prepare=demand) as h:
        lead_id = await h.post("site", IVAN)
        await h.wait(30.0)
        print(h.story(), h.told())
        assert h.delivery(lead_id).state in ("delivered", "dead")


@virtual
async def test_an_expression_that_fails_leaves_its_field_out_and_names_the_line() -> None:
    ours = mapping("amocrm", 'price: "{{ lead.extra.amount | number / 0 }}"')
    async with hub(config(AMO_ROUTE), mappings=ours) as h:
        lead_id = await h.post("site", {**IVAN, "amount": "100"})
        await h.quiet()
        arrived_in_essence(h, "amo", lead_id)
        await h.wait(10.0)
        assert "mappings/ours.yaml:3" in one_warning(h)


@pytest.mark.parametrize("path", ["POST /api/v4/tasks", "/api/v4/tasks", "/notes"])
@virtual
async def test_a_note_or_task_that_fails_never_fails_the_lead(path: str) -> None:
    async with hub() as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        await h.quiet()
        h.fault("amocrm", "500", path)
        lead_id = await h.post("site", IVAN)
        await h.until(lambda: h.delivery(lead_id).state == "delivered", 120.0)
        assert h.delivery(lead_id).error_kind == "incomplete"
        assert len(h.amocrm.deals) == 2
        await h.wait(60.0)
        assert not any("🟡" in text for text in h.told())
        await h.wait(15 * 60.0)
        assert sum("нет примечания" in text or "нет задачи" in text for text in h.told()) >= 1
        h.calm()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        assert (len(h.notes("amo")), len(h.tasks("amo"))) == (2, 2)


@virtual
async def test_a_note_that_fails_where_no_task_is_owed_is_all_that_is_missing() -> None:
    talked = {"uniqueid": "c1", "event": "hangup", "dialstatus": "ANSWER", "billsec": "60", "caller": "+79161234567"}
    async with hub(config("  - {from: [pbx], to: [amo]}", sources="pbx: {type: asterisk}")) as h:
        h.fault("amocrm", "500", "/notes")
        answer = await h.request("POST", "/in/pbx", data={**talked, "direction": "in", "did": "+74951112233"})
        assert answer.status_code == 200
        await h.until(lambda: h.leads() and h.delivery(h.leads()[0].id).state == "delivered", 120.0)
        lead_id = h.leads()[0].id
        assert [one["field"] for one in h.delivery(lead_id).incomplete] == ["note"]
        h.calm()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        assert h.tasks("amo") == []


@virtual
async def test_a_company_that_people_keep_in_the_crm_already_is_used() -> None:
    def known(h: VirtualHub) -> None:
        h.bitrix24.crm.save("company", {"TITLE": "ООО Окна"})

    async with hub(config("  - {from: [site], to: [b24]}"), prepare=known) as h:
        await h.post("site", {**IVAN, "company": "ооо окна"})
        await h.quiet()
        (company,) = h.bitrix24.companies.values()
        assert company["TITLE"] == "ООО Окна"
        assert [deal["COMPANY_ID"] for deal in h.bitrix24.deals.values()] == [company["ID"]]


@virtual
async def test_a_search_for_the_company_that_fails_or_hangs_does_not_stop_the_lead() -> None:
    async with hub() as h:
        for kind, phone in (("500", "+79160000001"), ("hang", "+79160000002")):
            h.fault("amocrm", kind, "GET /api/v4/companies", delay_s=600.0)
            lead_id = await h.post("site", {"name": "Гость", "phone": phone, "company": f"ООО {kind}"})
            await h.until(lambda done=lead_id: h.delivery(done).state == "delivered", 30.0)  # type: ignore[misc]  # now
            h.calm()
        assert [company["name"] for company in h.amocrm.companies.values()] == ["ООО 500", "ООО hang"]
        assert all(deal["_embedded"]["companies"] for deal in h.amocrm.deals.values())


@virtual
async def test_a_company_named_twice_at_once_is_made_once_and_linked() -> None:
    async with hub() as h:
        for number in range(4):
            await h.post("site", {"name": f"Гость {number}", "phone": f"+7916000000{number}", "company": "ООО «Окна»"})
        await h.quiet()
        await h.post("site", {"name": "Позже", "phone": "+79160000009", "company": 'ооо "окна"'})
        await h.quiet()
        (company,) = h.amocrm.companies.values()
        links = [deal["_embedded"]["companies"] for deal in h.amocrm.deals.values()]
        assert [[one["id"] for one in each] for each in links] == [[company["id"]]] * 5


@virtual
async def test_a_value_that_the_mapping_cannot_give_is_told_with_its_line_and_reason() -> None:
    ours = mapping("amocrm", 'fields: {"Адрес объекта": {value: "{{ lead.extra.street }}", required: true}}')
    async with hub(config(AMO_ROUTE), mappings=ours, pace=PATIENT) as h:
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 3.0
        assert h.delivery(lead_id).state == "delivered"
        await h.wait(70.0)
        assert one_warning(h).startswith(
            '🟡 amoCRM «amo»: не заполнено поле «deal.fields["Адрес объекта"]»\n'
            "С 11:01 · 1 лид доставлен без него: обязательно и пусто\n"
            "Где: mappings/ours.yaml:3.\n"
            "Исправьте строку маппинга"
        )


@virtual
async def test_a_word_in_a_date_field_of_bitrix24_is_told_and_stands_in_the_note() -> None:
    ours = mapping("bitrix24", 'fields: {UF_CRM_DAY: "{{ lead.extra.day }}"}')

    def prepare(h: VirtualHub) -> None:
        h.bitrix24.crm.custom["deal"]["UF_CRM_DAY"] = {"FIELD_NAME": "UF_CRM_DAY", "USER_TYPE_ID": "date"}

    async with hub(config(B24_ROUTE), mappings=ours, prepare=prepare, pace=PATIENT) as h:
        lead_id = await h.post("site", {**IVAN, "day": "послезавтра"})
        await h.quiet()
        arrived_in_essence(h, "b24", lead_id)
        assert "UF_CRM_DAY: послезавтра (поле другого типа)" in h.notes("b24")[0]


@virtual
async def test_a_field_that_a_known_contact_does_not_take_keeps_no_new_phone_away() -> None:
    ours = {"ours": 'extends: amocrm-leads\ncontact:\n  fields: {"Должность": "{{ lead.extra.job }}"}\n'}
    async with hub(config(AMO_ROUTE), mappings=ours) as h:
        await h.post("site", IVAN)
        await h.quiet()
        again = {**IVAN, "phone": "+79161234567, +79160000002", "job": "директор " * 40}
        await h.post("site", again)
        await h.quiet()
        (contact,) = h.amocrm.contacts.values()
        phones = [row["values"] for row in contact["custom_fields_values"] if row["field_code"] == "PHONE"]
        assert [value["value"] for value in phones[0]] == ["+79161234567", "+79160000002"]
