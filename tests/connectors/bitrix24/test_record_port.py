"""What is Bitrix24's own in its records: two faces, phones with ids, windows of ids, stages that are no error."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import pytest

from connectors.base import FieldInfo, Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.bitrix24.record_values import completed, to_fields, to_record
from connectors.records import Change, LinkChange, NewRecord
from connectors.sandbox.base import FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from tests.connectors.records.bitrix24_scene import Bitrix24Scene, bitrix24
from tests.connectors.records.scene import AheadClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

INFOS = {
    "UF_CRM_AREA": FieldInfo("UF_CRM_AREA", "Площадь", type="double", kind="number"),
    "UF_CRM_DAY": FieldInfo("UF_CRM_DAY", "День", type="date", kind="date"),
    "UF_CRM_FLAG": FieldInfo("UF_CRM_FLAG", "Да", type="boolean", kind="bool"),
    "UF_CRM_KIND": FieldInfo("UF_CRM_KIND", "Виды", type="enumeration", kind="enum", several=True),
    "OPENED": FieldInfo("OPENED", "Доступен", type="char", kind="bool"),
}
MOBILE = {"ID": "5", "VALUE": "8 (916) 123-45-67", "VALUE_TYPE": "MOBILE"}
OFFICE = {"ID": "6", "VALUE": "+74951234567", "VALUE_TYPE": "WORK"}


@pytest.fixture
async def scene() -> AsyncIterator[Bitrix24Scene]:
    async with bitrix24() as made:
        assert isinstance(made, Bitrix24Scene)
        yield made


async def everything(scene: Bitrix24Scene, since: datetime | None = None) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = await scene.port.changed("contact", since, ("first_name",), cursor)
        found += [record.id for record in page.records]
        cursor = page.cursor
        if not cursor:
            return found


def test_values_of_every_kind_survive_a_write_and_a_read() -> None:
    values = {
        "UF_CRM_AREA": "54.5",
        "UF_CRM_DAY": date(2026, 5, 1),
        "UF_CRM_FLAG": True,
        "UF_CRM_KIND": ("11", "12"),
        "OPENED": True,
        "title": "Окна",
        "price": "1500",
    }
    fields = to_fields(values, "deal", INFOS)
    assert (fields["UF_CRM_FLAG"], fields["OPENED"]) == ("1", "Y")
    assert to_record({"ID": "7", **fields}, "deal", list(values), INFOS).values == values


def test_nothing_is_an_empty_value() -> None:
    row = {"ID": "7", "OPPORTUNITY": "0.00", "UF_CRM_KIND": False, "UF_CRM_DAY": "", "NAME": None}
    wanted = ("price", "UF_CRM_KIND", "UF_CRM_DAY", "phones")
    record = to_record(row, "deal", wanted, INFOS)
    assert record.values == {"price": "", "UF_CRM_KIND": (), "UF_CRM_DAY": "", "phones": ()}


def test_a_list_of_phones_is_told_as_what_changes_of_it() -> None:
    new = ("+79161234567", "+79031112233")
    fields = to_fields({"phones": new}, "contact", INFOS, {"PHONE": [MOBILE, OFFICE]})
    assert fields["PHONE"] == [
        {"ID": "5", "VALUE": "+79161234567", "VALUE_TYPE": "MOBILE"},
        {"VALUE": "+79031112233", "VALUE_TYPE": "MOBILE"},
        {"ID": "6", "VALUE": "", "DELETE": "Y"},
    ]
    same = to_fields({"phones": (MOBILE["VALUE"], OFFICE["VALUE"])}, "contact", INFOS, {"PHONE": [MOBILE, OFFICE]})
    assert same == {}


def test_a_contact_without_a_name_is_called_by_its_phone_and_nobody_takes_that_for_a_name() -> None:
    made = completed(to_fields({"phones": ("+79161234567",)}, "contact", INFOS), "contact", "sync:1")
    assert made["NAME"] == "+79161234567"
    record = to_record({"ID": "1", **made}, "contact", ("first_name", "name", "phones"), INFOS)
    assert record.values == {"first_name": "", "name": "", "phones": ("+79161234567",)}
    assert record.key == "sync:1"


async def test_a_thousand_records_take_a_handful_of_requests(scene: Bitrix24Scene) -> None:
    ids = [scene.put("contact", first_name=f"Имя {number}") for number in range(1200)]
    before = len(scene.layer.requests)
    assert await everything(scene) == ids
    assert len(scene.layer.requests) - before <= 8


async def test_ids_with_long_gaps_are_read_without_a_loss(scene: Bitrix24Scene) -> None:
    box = scene.box.crm.boxes["contact"]
    ids = []
    for number in range(400):
        if number == 200:
            box.last_id += 40_000
        ids.append(scene.put("contact", first_name=f"Имя {number}"))
        box.last_id += 7 if number % 3 else 0
    assert await everything(scene) == ids


async def test_a_stage_that_the_portal_does_not_have_is_told_instead_of_dropped(scene: Bitrix24Scene) -> None:
    values = {"title": "Окна", "stage": "NO_SUCH", "pipeline": "0"}
    (written,) = await scene.port.create("deal", [NewRecord("sync:1", values)])
    assert written.error is None
    assert set(written.left_out) == {"stage", "pipeline"}
    (written,) = await scene.port.update("deal", [Change(written.id, {"stage": "C5:WON", "pipeline": "5"})])
    assert (written.error, written.left_out) == (None, {})
    held = scene.box.deals[written.id]
    assert (held["CATEGORY_ID"], held["STAGE_ID"]) == ("5", "C5:WON")


async def test_an_error_that_came_after_the_save_does_not_make_a_second_record(scene: Bitrix24Scene) -> None:
    scene.box.crm.robots_fail = True
    (written,) = await scene.port.create("contact", [NewRecord("sync:1", {"first_name": "Иван"})])
    assert written.error is None
    assert [*scene.box.contacts] == [written.id]


async def test_a_filter_that_counts_in_another_zone_loses_nothing(scene: Bitrix24Scene) -> None:
    """The classic filters may shift what they are asked by the zone of the user."""
    old = scene.put("contact", first_name="Давно")
    scene.later(3600 * 30)
    since = scene.clock.now() - timedelta(seconds=1)
    new = scene.put("contact", first_name="Сейчас")
    plain = scene.box.crm.methods["crm.contact.list"]

    def shifted(params: dict[str, object]) -> object:
        given = params.get("filter")
        if isinstance(given, dict) and ">=DATE_MODIFY" in given:
            at = datetime.fromisoformat(str(given[">=DATE_MODIFY"])) + timedelta(hours=5)
            params = {**params, "filter": {**given, ">=DATE_MODIFY": at.isoformat()}}
        return plain(params)

    scene.box.crm.methods["crm.contact.list"] = shifted
    assert await everything(scene, since) == [new]
    assert old not in await everything(scene, since)


async def test_where_links_cannot_be_made_one_by_one_the_set_is_written(scene: Bitrix24Scene) -> None:
    scene.box.without = {f"crm.deal.contact.{verb}" for verb in ("add", "delete", "items.get")}
    first, second = scene.put("contact", first_name="Иван"), scene.put("contact", first_name="Анна")
    deal = scene.put("deal", title="Окна")
    scene.connect("deal", deal, "contact", first)
    (made,) = await scene.port.link("deal", [LinkChange(deal, "contact", second, main=True)])
    assert made.error is None
    assert await scene.port.links("deal", [deal], "contact") == {deal: (second, first)}
    (parted,) = await scene.port.link("deal", [LinkChange(deal, "contact", second, remove=True)])
    assert parted.error is None
    assert await scene.port.links("deal", [deal], "contact") == {deal: (first,)}


async def test_text_of_people_never_becomes_a_reference_of_the_batch(scene: Bitrix24Scene) -> None:
    new = [NewRecord(f"sync:{number}", {"first_name": f"$result[c{number}]"}) for number in range(3)]
    written = await scene.port.create("contact", new)
    assert [each.error for each in written] == [None] * 3
    names = [scene.box.contacts[each.id]["NAME"] for each in written]
    assert all(name.endswith(f"result[c{number}]") for number, name in enumerate(names))


async def test_an_application_learns_of_deletions_from_the_offline_queue() -> None:
    clock = AheadClock()
    box = Bitrix24Sandbox(clock, rate=None)
    async with serve(FaultLayer(box, clock), path="/bitrix24") as url:
        access, refresh = box.authority.pair()
        settings = {
            "base_url": url,
            "rate": {"calls": 1000},
            "oauth": {"client_id": "local.sandbox", "client_secret": "sandbox-secret", "server": url},
        }
        tokens = MemoryTokens({"access_token": access, "refresh_token": refresh})
        client = Bitrix24Client(Opening("b24", Bitrix24Settings.model_validate(settings), clock, tokens))
        port = client.records()
        assert port.capabilities.sees_deleted
        handler = "https://hub.example.com/hooks/b24"
        assert (await client.subscribe(handler, False)).missing
        assert (await client.subscribe(handler, True)).missing == ()
        assert (await client.subscribe(handler, True)).missing == ()
        stays, gone = (box.crm.save("contact", {"NAME": name}) for name in ("Иван", "Анна"))
        since = clock.now() - timedelta(seconds=5)
        box.crm.remove("contact", gone)
        assert [record.id for record in await port.deleted("contact", since)] == [gone]
        assert await port.deleted("deal", since) == ()
        assert stays in box.contacts
        await client.close()


async def test_a_webhook_cannot_ask_for_events_and_says_what_to_click(scene: Bitrix24Scene) -> None:
    assert not scene.port.capabilities.sees_deleted
    told = await scene.target.subscribe("https://hub.example.com/hooks/b24", True)
    assert told.by_hand is not None
    assert "ONCRMDEALUPDATE" in told.missing
