"""What is amoCRM's own in its records: kinds of fields, paid filters that lie, kinds of phones, refusals."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.amocrm.record_values import Fields, to_body, to_record
from connectors.amocrm.records import field_info
from connectors.records import Change, NewRecord
from connectors.sandbox import amocrm_data
from tests.connectors.amocrm.support import Connected, connected


def custom(rows: list[dict[str, Any]]) -> Fields:
    infos = {key: info for info in map(field_info, rows) for key in (info.code, info.id) if key}
    return Fields(infos)


ROWS = list(amocrm_data.fields()["leads"].values())
CHOICE = next(row for row in ROWS if row["name"] == "Тип объекта")
HOUSE = str(CHOICE["enums"][1]["id"])
VALUES = {
    "620001": HOUSE,
    "620002": "Мира, 1",
    "620003": "54.5",
    "620004": date(2026, 5, 1),
    "620005": True,
    "utm_source": "yandex",
    "title": "Окна",
    "price": "1500",
    "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def test_values_of_every_kind_survive_a_write_and_a_read() -> None:
    fields = custom(ROWS)
    row = {**to_body(VALUES, "deal", fields).json, "id": 5, "updated_at": 1_700_000_000, "_embedded": {}}
    for item in row["custom_fields_values"]:
        if item.get("field_id") == 620001:
            assert item["values"] == [{"enum_id": int(HOUSE)}]
    assert to_record(row, "deal", list(VALUES), fields).values == VALUES


def test_a_date_is_the_day_that_people_in_the_accounts_zone_see() -> None:
    from zoneinfo import ZoneInfo

    for name in ("Asia/Kamchatka", "Europe/Moscow", "America/Los_Angeles"):
        zone = ZoneInfo(name)
        fields = Fields(custom(ROWS).infos, zone=zone)
        sent = to_body({"620004": date(2026, 5, 1)}, "deal", fields).json["custom_fields_values"][0]["values"][0]
        assert datetime.fromtimestamp(sent["value"], zone).date() == date(2026, 5, 1)
        midnight = int(datetime(2026, 5, 1, tzinfo=zone).timestamp())
        held = {"id": 1, "custom_fields_values": [{"field_id": 620004, "values": [{"value": midnight}]}]}
        assert to_record(held, "deal", ["620004"], fields).values == {"620004": date(2026, 5, 1)}


def test_nothing_is_an_empty_value_and_every_wanted_key_is_there() -> None:
    record = to_record({"id": 7, "price": 0, "name": None}, "deal", list(VALUES), custom(ROWS))
    assert record.values == dict.fromkeys(VALUES, "")
    cleared = to_body({"620002": "", "price": "", "utm_source": None}, "deal", custom(ROWS)).json
    assert cleared["price"] == 0
    assert [item["values"] for item in cleared["custom_fields_values"]] == [None, None]


def test_a_contact_that_has_only_a_whole_name_gives_it_as_first_name() -> None:
    row = {"id": 1, "name": "Иван Орлов", "first_name": "", "last_name": ""}
    record = to_record(row, "contact", ("name", "first_name", "last_name"), Fields())
    assert record.values == {"name": "Иван Орлов", "first_name": "Иван Орлов", "last_name": ""}


async def read_all(x: Connected, since: datetime | None) -> set[str]:
    port, found, cursor = x.crm.records(), set[str](), ""
    while True:
        page = await port.changed("contact", since, ("name",), cursor)
        found |= {record.id for record in page.records}
        cursor = page.cursor
        if not cursor:
            return found


@pytest.mark.parametrize("filters", [True, False])
async def test_a_filter_is_tested_before_it_is_believed(filters: bool) -> None:
    async with connected(filters=filters) as x:
        ids = {x.box.put("contacts", {"name": f"Имя {number}", "updated_at": 1_700_000_000}) for number in range(3)}
        new = x.box.put("contacts", {"name": "Новое"})
        assert await read_all(x, None) == {*ids, new}
        since = x.clock.now() - timedelta(minutes=5)
        assert await read_all(x, since) == {new}
        asked = [path for path in x.paths() if path == "GET /api/v4/contacts"]
        assert len(asked) >= 3


async def test_a_filter_that_stops_working_is_noticed_by_its_rows() -> None:
    async with connected(filters=True) as x:
        x.box.put("contacts", {"name": "Старое", "updated_at": 1_700_000_000})
        new = x.box.put("contacts", {"name": "Новое"})
        since = x.clock.now() - timedelta(minutes=5)
        assert await read_all(x, since) == {new}
        x.box.filters = False
        assert await read_all(x, since) == {new}
        known = await x.crm.records().read("contact", [new, "1"], ("name",))
        assert set(known) == {new}


async def test_the_mobile_phone_stays_the_mobile_phone() -> None:
    async with connected() as x:
        mobile = {"value": "+79161234567", "enum_code": "MOB"}
        values = [{"field_code": "PHONE", "values": [mobile, {"value": "+74951234567"}]}]
        id = x.box.put("contacts", {"name": "Иван", "custom_fields_values": values})
        phones = ("+79161234567", "+79998887766")
        (written,) = await x.crm.records().update("contact", [Change(id, {"phones": phones})])
        assert written.error is None
        (held,) = (row for row in x.box.contacts[id]["custom_fields_values"] if row["field_code"] == "PHONE")
        assert [(value["value"], value["enum_code"]) for value in held["values"]] == [
            ("+79161234567", "MOB"),
            ("+79998887766", "WORK"),
        ]


async def test_a_batch_names_each_record_and_the_refused_field_is_left_out() -> None:
    async with connected() as x:
        port = x.crm.records()
        new = [NewRecord(f"k{number}", {"first_name": "Имя", "responsible": "1010103"}) for number in range(3)]
        new[1] = NewRecord("k1", {"first_name": "Имя", "responsible": "4", "999": "нет такого поля"})
        written = await port.create("contact", new)
        assert [each.error for each in written] == [None] * 3
        assert [sorted(each.left_out) for each in written] == [[], ["999", "responsible"], []]
        assert all("Имя" not in text for each in written for text in each.left_out.values())
        posts = [path for path in x.paths() if path == "POST /api/v4/contacts"]
        assert len(posts) == 3  # each refusal names one thing


async def test_the_key_stands_in_our_field_of_companies_too() -> None:
    async with connected() as x:
        port = x.crm.records()
        await port.fields("company")  # before our field is made
        for key in ("sync:9", "sync:10"):
            (written,) = await port.create("company", [NewRecord(key, {"name": "ООО Ромашка"})])
            assert x.box.key_of(x.box.companies[written.id]) == key
            await port.read("company", [written.id], ("name",))
        assert port.capabilities.finds_created


async def test_without_our_field_nobody_claims_to_find_a_lost_create() -> None:
    async with connected(admin=False) as x:
        port = x.crm.records()
        await port.create("company", [NewRecord("sync:9", {"name": "ООО Ромашка"})])
        assert not port.capabilities.finds_created


async def test_every_request_goes_as_the_vendor_wants_it() -> None:
    async with connected() as x:
        port = x.crm.records()
        ids = [x.box.put("contacts", {"name": f"Имя {number}"}) for number in range(2)]
        await port.update("contact", [Change(id, {"last_name": "Орлов"}) for id in ids])
        await port.update("contact", [Change(ids[0], {"last_name": "Соколов"})])
        changes = [path for path in x.paths() if path.startswith("PATCH")]
        assert changes == ["PATCH /api/v4/contacts", f"PATCH /api/v4/contacts/{ids[0]}"]
        assert x.box.contacts[ids[1]]["last_name"] == "Орлов"
