"""A CRM that refuses a record without saying why: less and less is sent, and the lead arrives all the same."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

IVAN = {"name": "Иван", "phone": "+79161234567", "email": "ivan@example.ru", "comment": "Нужны окна"}
LANDING = {**IVAN, "utm_source": "yandex", "utm_medium": "cpc"}
ROUTE = "  - {from: [site], to: [amo]}"
Demand = Callable[[str, dict[str, Any]], list[tuple[str, str]]]


def custom(item: dict[str, Any]) -> list[Any]:
    return item.get("custom_fields_values") or []


def no_custom_fields(entity: str, item: dict[str, Any]) -> list[tuple[str, str]]:
    return [("FieldMissing", "")] if custom(item) else []


def no_deal_with_more_than_a_name(entity: str, item: dict[str, Any]) -> list[tuple[str, str]]:
    more = {"custom_fields_values", "price", "responsible_user_id", "status_id"} & item.keys()
    tags = len(item.get("_embedded", {}).get("tags", []))
    return [("FieldMissing", "somewhere")] if entity == "leads" and (more or tags) else []


def no_contact(entity: str, item: dict[str, Any]) -> list[tuple[str, str]]:
    return [("FieldMissing", "")] if entity == "contacts" else []


@pytest.mark.parametrize("demand", [no_custom_fields, no_deal_with_more_than_a_name, no_contact])
@virtual
async def test_a_refusal_that_names_nothing_leaves_out_more_until_the_lead_is_there(demand: Demand) -> None:
    def insist(h: VirtualHub) -> None:
        h.amocrm.demands = demand

    async with hub(config(ROUTE), prepare=insist) as h:
        lead_id = await h.post("site", LANDING)
        await h.wait(20.0)
        row = h.delivery(lead_id)
        assert (row.state, row.error_kind) == ("delivered", "incomplete"), row.last_error
        assert len(h.amocrm.deals) == 1
        note = h.notes("amo")[0]
        assert "Нужны окна" in note
        assert "916" in note
        assert any(text.startswith("🟡") for text in h.told())


def mandatory_city(named: bool) -> Demand:
    def demand(entity: str, item: dict[str, Any]) -> list[tuple[str, str]]:
        if entity != "leads" or any(one.get("field_id") == 620002 for one in custom(item)):
            return []
        return [("FieldMissing", "custom_fields_values.620002" if named else "custom_fields_values")]

    return demand


@pytest.mark.parametrize("named", [True, False])
@virtual
async def test_a_field_made_mandatory_in_amocrm_is_sent_with_a_stand_in(named: bool) -> None:
    def insist(h: VirtualHub) -> None:
        h.amocrm.demands = mandatory_city(named)
        h.amocrm.fields["leads"][620002]["required_statuses"] = [{"status_id": 1, "pipeline_id": 1}]

    async with hub(config(ROUTE), prepare=insist) as h:
        lead_id = await h.post("site", LANDING)
        await h.wait(20.0)
        assert h.delivery(lead_id).state == "delivered", h.delivery(lead_id).last_error
        (deal,) = h.amocrm.deals.values()
        sent = {one["field_id"]: one["values"][0]["value"] for one in deal["custom_fields_values"]}
        assert sent[620002] == "-"
        assert "yandex" in sent.values(), "nothing else was given up for it"
        assert any("Адрес объекта" in text for text in h.told())
        second = await h.post("site", {**LANDING, "phone": "+79160000002", "email": ""})
        await h.wait(20.0)
        assert h.delivery(second).attempts == 1
        assert len(h.amocrm.deals) == 2
