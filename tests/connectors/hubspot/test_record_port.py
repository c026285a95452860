"""What is HubSpot's own in its records: unique e-mails, merges, one millisecond for thousands, names that must be."""

from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.base import FieldInfo
from connectors.errors import PermanentError
from connectors.hubspot import CONNECTOR
from connectors.hubspot.record_values import completed, to_properties, to_record
from connectors.records import Change, LinkChange, NewRecord
from connectors.sandbox.hubspot_schema import stamp
from jobs.accounts import account_of
from leads.identity import Key
from tests.connectors.hubspot.conftest import Account

INFOS = {
    "area": FieldInfo("area", "Площадь", kind="number"),
    "moved": FieldInfo("moved", "Переезд", kind="date"),
    "seen": FieldInfo("seen", "Видели", kind="datetime"),
    "vip": FieldInfo("vip", "VIP", kind="bool"),
    "kinds": FieldInfo("kinds", "Виды", kind="enum", several=True),
    "amount": FieldInfo("amount", "Сумма", kind="number"),
}


def test_values_of_every_kind_survive_a_write_and_a_read() -> None:
    values = {
        "area": "54.5",
        "moved": date(2026, 5, 1),
        "seen": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "vip": True,
        "kinds": ("a", "b"),
        "price": "1500",
        "title": "Окна",
    }
    written = to_properties(values, "deal", INFOS)
    assert written["moved"] == "2026-05-01"
    assert written["seen"] == "2026-01-02T03:04:05.000Z"
    assert to_record({"id": 7, "properties": written}, "deal", list(values), INFOS).values == values


def test_nothing_is_an_empty_value_and_no_price_is_nothing() -> None:
    wanted = ("phones", "emails", "first_name", "kinds", "moved")
    record = to_record({"id": "7", "properties": {"phone": None}}, "contact", wanted, INFOS)
    assert record.values == {"phones": (), "emails": (), "first_name": "", "kinds": (), "moved": ""}
    assert to_record({"id": "7", "properties": {"amount": "0"}}, "deal", ["price"], INFOS).values == {"price": ""}
    assert to_properties({"phones": (), "emails": ()}, "contact", INFOS) == {
        "phone": "",
        "mobilephone": "",
        "email": "",
    }


def test_a_contact_with_a_phone_alone_is_called_by_it_and_nobody_takes_that_for_a_name() -> None:
    made = completed({"phone": "+79161234567"}, "contact", ("", ""))
    assert made["firstname"] == "+79161234567"
    record = to_record({"id": "7", "properties": made}, "contact", ("first_name", "name", "phones"), {})
    assert record.values == {"first_name": "", "name": "", "phones": ("+79161234567",)}


async def test_a_contact_with_an_email_that_is_taken_is_the_one_that_has_it(account: Account) -> None:
    port = account.client().records()
    (first,) = await port.create("contact", [NewRecord("sync:1", {"first_name": "Иван", "emails": ("i@example.ru",)})])
    new = [
        NewRecord("sync:2", {"first_name": "Пётр", "emails": ("p@example.ru",)}),
        NewRecord("sync:3", {"first_name": "Ваня", "emails": ("i@example.ru",)}),
    ]
    made, met = await port.create("contact", new)
    assert (made.existed, made.error) == (False, None)
    assert (met.existed, met.id) == (True, first.id)
    assert account.sandbox.contacts[first.id]["properties"]["firstname"] == "Иван"


async def test_an_email_of_another_contact_is_left_out_of_an_update(account: Account) -> None:
    port = account.client().records()
    new = [NewRecord(f"sync:{n}", {"first_name": "Имя", "emails": (f"{n}@example.ru",)}) for n in (1, 2)]
    one, two = await port.create("contact", new)
    changes = [
        Change(one.id, {"last_name": "Орлов", "emails": ("2@example.ru",)}),
        Change(two.id, {"last_name": "Ким"}),
    ]
    written = await port.update("contact", changes)
    assert [each.error for each in written] == [None, None]
    assert written[0].left_out == {"emails": "another contact has this e-mail"}
    assert account.sandbox.contacts[one.id]["properties"]["lastname"] == "Орлов"


async def test_a_repeated_create_meets_the_record_that_has_our_key(account: Account) -> None:
    port = account.client().records()
    (first,) = await port.create("deal", [NewRecord("sync:d", {"title": "Окна"})])
    (again,) = await port.create("deal", [NewRecord("sync:d", {"title": "Окна"})])
    assert (again.existed, again.id) == (True, first.id)
    assert len(account.sandbox.deals) == 1


async def test_who_changed_a_record_is_told_by_name(account: Account) -> None:
    client, sandbox = account.client(), account.sandbox
    id = sandbox.records.create("contacts", {"firstname": "Анна"}, [])["id"]
    sandbox.contacts[id]["properties"]["hs_updated_by_user_id"] = "61010002"
    (record,) = (await client.records().read("contact", [id], ["first_name"])).values()
    known = account_of(CONNECTOR, "hs", await client.metadata(), "contact")
    assert (known.who(record.modified_by), known.who("7"), known.who("")) == ("Олег Смирнов", "7", "")


async def test_a_merge_is_told_by_its_survivor(account: Account) -> None:
    port, records = account.client().records(), account.sandbox.records
    ids = [records.create("contacts", {"firstname": f"Имя {n}"}, [])["id"] for n in range(2)]
    since = account.sandbox.clock.now() - timedelta(minutes=1)
    survivor = records.merge("contacts", *ids)["id"]
    page = await port.changed("contact", since, ("first_name",))
    assert {record.id: record.merged_into for record in page.records} == {survivor: "", **dict.fromkeys(ids, survivor)}
    found = await port.read("contact", ids, ("first_name",))
    assert {found[id].id for id in ids} == {survivor}
    (written,) = await port.update("contact", [Change(ids[0], {"first_name": "Другое"})])
    assert isinstance(written.error, PermanentError)
    assert written.error.gone


async def test_thousands_of_one_millisecond_are_all_read(account: Account) -> None:
    """An import: more of one time than a page holds, and the search stops at an offset of 10,000."""
    port, box = account.client().records(), account.sandbox
    ids = {box.records.create("contacts", {"firstname": f"Имя {n}"}, [])["id"] for n in range(450)}
    at = box.clock.now()
    for id in ids:
        box.contacts[id]["properties"]["lastmodifieddate"] = stamp(at)
    found, cursor = set[str](), ""
    while True:
        page = await port.changed("contact", at - timedelta(seconds=1), ("first_name",), cursor)
        found |= {record.id for record in page.records}
        cursor = page.cursor
        if not cursor:
            break
    assert found == ids


@pytest.mark.parametrize("status", [403, 404])
async def test_where_there_is_no_search_changes_are_read_from_the_list(account: Account, status: int) -> None:
    port, box = account.client().records(), account.sandbox
    ids = [str(box.records.create("contacts", {"firstname": f"N{n}"}, [])["id"]) for n in range(220)]
    for id in ids[:210]:
        box.contacts[id]["properties"]["lastmodifieddate"] = stamp(box.clock.now() - timedelta(days=1))
    box.no_search = status
    for _ in range(2):
        found, cursor = list[str](), ""
        while True:
            page = await port.changed("contact", box.clock.now() - timedelta(hours=1), ("first_name",), cursor)
            found += [record.id for record in page.records]
            cursor = page.cursor
            if not cursor:
                break
        assert sorted(found) == sorted(ids[210:])
    searches = [line for line in box.lines() if line.endswith("/search")]
    assert len(searches) <= 2, "not each time anew"  # a path that is not there has another name
    assert await port.find("contact", [Key("phone", "+79161234567")]) == {}


async def test_a_question_too_long_for_the_search_is_asked_by_id(account: Account) -> None:
    port, box = account.client().records(), account.sandbox
    id = box.records.create("contacts", {"firstname": "Иван"}, [])["id"]
    names = ["first_name", *(f"property_with_a_rather_long_name_{n}" for n in range(90))]
    page = await port.changed("contact", box.clock.now() - timedelta(minutes=1), names)
    assert page.records[0].values["first_name"] == "Иван"
    assert [record.id for record in page.records] == [id]


async def test_the_primary_company_comes_first(account: Account) -> None:
    port, records = account.client().records(), account.sandbox.records
    contact = records.create("contacts", {"firstname": "Иван"}, [])["id"]
    plain, primary = (records.create("companies", {"name": name}, [])["id"] for name in ("ООО Первая", "ООО Главная"))
    await port.link(
        "contact", [LinkChange(contact, "company", plain), LinkChange(contact, "company", primary, main=True)]
    )
    assert await port.links("contact", [contact], "company") == {contact: (primary, plain)}


async def test_a_deal_gets_the_stage_that_hubspot_wants_and_tells_it(account: Account) -> None:
    port = account.client().records()
    (written,) = await port.create("deal", [NewRecord("sync:d", {"title": "Окна", "price": "1500.50"})])
    held = account.sandbox.deals[written.id]["properties"]
    assert (held["pipeline"], held["dealstage"]) == ("default", "appointmentscheduled")
    assert written.values == {"title": "Окна", "price": "1500.5"}
    assert await port.count("deal") in (0, 1)


async def test_a_link_to_a_record_that_is_gone_is_left_out(account: Account) -> None:
    port = account.client().records()
    gone = "70000999999"
    new = [
        NewRecord("sync:1", {"title": "Есть контакт"}, {"contact": (gone,)}),
        NewRecord("sync:2", {"title": "Без него"}),
    ]
    written = await port.create("deal", new)
    assert [each.error for each in written] == [None, None]
    assert set(written[0].left_out) == {"contact"}
