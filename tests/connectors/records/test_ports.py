"""Every port of records keeps the protocol of connectors.records: the CRM in memory and the real ones alike."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from connectors.errors import ConnectorError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.records import Change, LinkChange, NewRecord, Record, RecordObject, Written
from leads.identity import Key
from tests.connectors.records.amocrm_scene import amocrm, amocrm_without_filters, essential_amocrm
from tests.connectors.records.bitrix24_scene import bitrix24, new_bitrix24, old_bitrix24
from tests.connectors.records.hubspot_scene import essential_hubspot, hubspot
from tests.connectors.records.scene import Scene, SceneMaker, memory

SCENES: dict[str, SceneMaker] = {
    "memory": memory,
    "amocrm": amocrm,
    "amocrm without filters": amocrm_without_filters,
    "amocrm with the essentials": essential_amocrm,
    "bitrix24": bitrix24,
    "an old bitrix24": old_bitrix24,
    "bitrix24 without the classic face": new_bitrix24,
    "hubspot": hubspot,
    "hubspot with the essentials": essential_hubspot,
}
CONTACT = ("first_name", "last_name", "phones", "emails", "responsible")
IVAN = {
    "first_name": "Иван",
    "last_name": "Орлов",
    "phones": ("+79161234567", "+74951234567"),
    "emails": ("ivan@example.ru",),
}


@pytest.fixture(params=list(SCENES))
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with SCENES[request.param]() as made:
        yield made


async def changed(
    scene: Scene, object: RecordObject = "contact", since: datetime | None = None, fields: Sequence[str] = CONTACT
) -> dict[str, Record]:
    found: dict[str, Record] = {}
    cursor = ""
    while True:
        page = await scene.port.changed(object, since, fields, cursor)
        found |= {record.id: record for record in page.records}
        cursor = page.cursor
        if not cursor:
            return found


async def listed(scene: Scene, object: RecordObject = "contact") -> dict[str, datetime | None]:
    found: dict[str, datetime | None] = {}
    cursor = ""
    while True:
        page = await scene.port.listing(object, cursor)
        found |= {stub.id: stub.modified_at for stub in page.stubs}
        cursor = page.cursor
        if not cursor:
            return found


async def made(scene: Scene, key: str = "sync:1", object: RecordObject = "contact", **values: object) -> str:
    (written,) = await scene.port.create(object, [NewRecord(key, values or dict(IVAN))])
    assert written.error is None
    assert written.id
    return written.id


async def one(scene: Scene, id: str, object: RecordObject = "contact", fields: Sequence[str] = CONTACT) -> Record:
    return (await scene.port.read(object, [id], fields))[id]


def errors(written: Sequence[Written]) -> list[type[ConnectorError] | None]:
    return [type(each.error) if each.error else None for each in written]


# --- reading --------------------------------------------------------------------------------------------------------


async def test_fields_name_the_shared_attributes(scene: Scene) -> None:
    fields = {field.key: field for field in await scene.port.fields("contact")}
    assert {"first_name", "last_name", "phones", "emails", "responsible"} <= fields.keys()
    assert fields["phones"].several
    assert fields["emails"].several
    assert not fields["first_name"].several


async def test_a_first_reading_shows_every_record_with_every_wanted_value(scene: Scene) -> None:
    ivan = scene.put("contact", **IVAN)
    bare = scene.put("contact", first_name="Без номера")
    scene.later()
    found = await changed(scene)
    assert set(found) == {ivan, bare}
    assert found[ivan].values["phones"] == IVAN["phones"]
    assert found[ivan].values["emails"] == IVAN["emails"]
    assert (found[ivan].values["first_name"], found[ivan].values["last_name"]) == ("Иван", "Орлов")
    assert found[bare].values.get("phones", ()) in ((), "", None)
    at = found[ivan].modified_at
    assert at is not None
    assert at.tzinfo is not None


async def test_many_records_come_in_pages_and_none_is_missing(scene: Scene) -> None:
    ids = {scene.put("contact", first_name=f"Имя {number}") for number in range(scene.many)}
    scene.later()
    assert set(await changed(scene)) == ids
    assert set(await listed(scene)) == ids


async def test_a_later_reading_shows_what_was_changed_since(scene: Scene) -> None:
    old = scene.put("contact", **IVAN)
    edited = scene.put("contact", first_name="Анна")
    scene.later(100)
    since = scene.clock.now().replace(microsecond=0)
    scene.later(2)
    scene.edit("contact", edited, first_name="Мария")
    new = scene.put("contact", first_name="Новый")
    scene.later()
    found = await changed(scene, since=since)
    assert set(found) == {edited, new}
    assert found[edited].values["first_name"] == "Мария"
    assert old not in found


async def test_what_changed_in_the_very_second_asked_for_is_shown(scene: Scene) -> None:
    id = scene.put("contact", **IVAN)
    scene.later()
    at = (await one(scene, id)).modified_at
    assert at is not None
    assert id in await changed(scene, since=at)


async def test_a_record_that_changes_while_pages_are_read_is_not_lost(scene: Scene) -> None:
    ids = [scene.put("contact", first_name=f"Имя {number}") for number in range(scene.many)]
    scene.later(100)
    page = await scene.port.changed("contact", None, CONTACT)
    seen = {record.id for record in page.records}
    assert page.cursor
    for id in ids[:3]:
        scene.edit("contact", id, first_name="Другое")
    while page.cursor:
        page = await scene.port.changed("contact", None, CONTACT, page.cursor)
        seen |= {record.id for record in page.records}
    assert seen == set(ids)


async def test_the_listing_has_times_and_no_deleted_ones(scene: Scene) -> None:
    stays, gone = scene.put("contact", **IVAN), scene.put("contact", first_name="Уйдёт")
    scene.remove("contact", gone)
    scene.later()
    found = await listed(scene)
    assert set(found) == {stays}
    assert found[stays] == (await one(scene, stays)).modified_at


async def test_reading_by_id_is_fresh_and_leaves_out_what_is_not_there(scene: Scene) -> None:
    ids = [scene.put("contact", first_name=f"Имя {number}", phones=(f"+7916123450{number}",)) for number in range(5)]
    scene.edit("contact", ids[1], first_name="Свежее")
    scene.remove("contact", ids[2])
    found = await scene.port.read("contact", [*ids, "99999999"], CONTACT)
    assert {id for id, record in found.items() if not record.deleted} == {ids[0], ids[1], ids[3], ids[4]}
    assert found[ids[1]].values["first_name"] == "Свежее"
    assert found[ids[3]].values["phones"] == ("+79161234503",)


async def test_of_two_that_were_merged_the_survivor_is_read(scene: Scene) -> None:
    survivor = scene.put("contact", **IVAN)
    loser = scene.put("contact", first_name="Ваня", phones=("+79031112233",))
    scene.merge("contact", survivor, loser)
    scene.later()
    found = await scene.port.read("contact", [survivor, loser], CONTACT)
    assert "+79161234567" in found[survivor].values["phones"]
    gone = found.get(loser)
    assert gone is None or gone.deleted or gone.merged_into or gone.id != loser


async def test_records_are_found_by_phone_and_email_and_only_those(scene: Scene) -> None:
    finds = scene.port.capabilities.finds_by
    ivan = scene.put("contact", **IVAN)
    other = scene.put("contact", first_name="Однофамилец", phones=("8 (903) 111-22-33",), emails=("b@example.ru",))
    scene.later()
    keys = [
        Key("phone", "+79161234567"),
        Key("phone", "+79031112233"),
        Key("email", "ivan@example.ru"),
        Key("email", "nobody@example.ru"),
    ]
    found = await scene.port.find("contact", [key for key in keys if key.kind in finds])
    expected = {keys[0]: (ivan,), keys[1]: (other,), keys[2]: (ivan,)}
    assert {"phone", "email"} <= finds
    assert found == expected


async def test_deletions_are_told_where_the_vendor_tells_them(scene: Scene) -> None:
    id = scene.put("contact", **IVAN)
    scene.later(100)
    since = scene.clock.now() - timedelta(seconds=5)
    scene.remove("contact", id)
    scene.later()
    told = await scene.port.deleted("contact", since)
    if scene.port.capabilities.sees_deleted:
        assert [(record.id, record.deleted) for record in told] == [(id, True)]
    else:
        assert told == ()


async def test_the_clock_of_the_crm_is_known_or_said_to_be_unknown(scene: Scene) -> None:
    told = await scene.port.server_time()
    assert told is not None
    assert abs((told - scene.clock.now()).total_seconds()) < 5 + scene.clock.ahead_s


# --- writing --------------------------------------------------------------------------------------------------------


async def test_a_new_record_has_its_values_its_links_and_our_key(scene: Scene) -> None:
    company = await made(scene, "sync:c", "company", name="ООО Ромашка", phones=("+74957654321",))
    id = await made(scene, "sync:a", "contact", **IVAN)
    values = {"title": "Окна", "price": "1500"}
    new = NewRecord("sync:d", values, {"contact": (id,), "company": (company,)})
    can = scene.port.capabilities
    (written,) = await scene.port.create("deal", [new if can.creates_links else NewRecord("sync:d", values)])
    assert written.error is None
    if not can.creates_links:
        changes = [LinkChange(written.id, "contact", id, main=True), LinkChange(written.id, "company", company)]
        assert errors(await scene.port.link("deal", changes)) == [None, None]
    scene.later()
    deal = await one(scene, written.id, "deal", ("title", "price"))
    assert deal.values == {"title": "Окна", "price": "1500"}
    assert (await scene.port.links("deal", [written.id], "contact")).get(written.id) == (id,)
    assert (await scene.port.links("deal", [written.id], "company")).get(written.id) == (company,)
    contact = await one(scene, id)
    assert contact.values["phones"] == IVAN["phones"]
    assert contact.key == "sync:a"


async def test_a_whole_batch_is_created_and_found_by_its_keys(scene: Scene) -> None:
    sent_at = scene.clock.now()
    size = scene.port.capabilities.create_batch
    new = [NewRecord(f"sync:{number}", {"first_name": f"Имя {number}"}) for number in range(size)]
    written = await scene.port.create("contact", new)
    assert errors(written) == [None] * size
    assert scene.count("contact") == size
    scene.later()
    found = await scene.port.find_created("contact", [one.key for one in new] + ["sync:never"], sent_at)
    assert found == {one.key: each.id for one, each in zip(new, written, strict=True)}


async def test_a_bad_record_does_not_take_the_others_of_its_batch_along(scene: Scene) -> None:
    new = [NewRecord(f"sync:{number}", {"first_name": f"Имя {number}"}) for number in range(4)]
    new[2] = NewRecord("sync:2", {"first_name": "Имя 2", **scene.spoiled})
    written = await scene.port.create("contact", new)
    assert [each.error for index, each in enumerate(written) if index != 2] == [None] * 3
    bad = written[2]
    assert isinstance(bad.error, PermanentError) or set(bad.left_out) == set(scene.spoiled)
    assert scene.count("contact") == (3 if bad.error else 4)


async def test_a_create_without_answer_is_unknown_and_can_be_found(scene: Scene) -> None:
    await made(scene, "sync:warm")
    sent_at = scene.clock.now()
    scene.lose_answer("contact", "create")
    with pytest.raises(UnknownOutcomeError):
        (written,) = await scene.port.create("contact", [NewRecord("sync:lost", {"first_name": "Пётр"})])
        raise written.error or AssertionError("it is no unknown outcome")
    scene.later(60)
    found = await scene.port.find_created("contact", ["sync:lost", "sync:other"], sent_at)
    assert set(found) == {"sync:lost"}
    assert (await one(scene, found["sync:lost"])).values["first_name"] == "Пётр"
    assert scene.count("contact") == 2


async def test_an_update_sets_what_it_names_and_leaves_the_rest(scene: Scene) -> None:
    id = await made(scene)
    scene.later()
    phones = ("+79161234567", "+79998887766")
    (written,) = await scene.port.update("contact", [Change(id, {"last_name": "Соколов", "phones": phones})])
    assert written.error is None
    record = await one(scene, id)
    assert (record.values["first_name"], record.values["last_name"]) == ("Иван", "Соколов")
    assert set(record.values["phones"]) == set(phones)
    assert record.values["emails"] == IVAN["emails"]


async def test_an_empty_value_clears_a_field(scene: Scene) -> None:
    id = await made(scene)
    (written,) = await scene.port.update("contact", [Change(id, {"emails": (), "last_name": ""})])
    assert written.error is None
    record = await one(scene, id)
    assert not record.values.get("emails")
    assert not record.values.get("last_name")
    assert record.values["phones"] == IVAN["phones"]


async def test_many_updates_go_in_one_batch_and_a_missing_record_is_told_in_its_place(scene: Scene) -> None:
    await made(scene)
    ids = [scene.put("contact", first_name=f"Имя {number}") for number in range(4)]
    scene.remove("contact", ids[1])
    written = await scene.port.update("contact", [Change(id, {"last_name": "Общая"}) for id in ids])
    gone = written[1].error
    assert isinstance(gone, PermanentError)
    assert gone.gone
    assert [each.error for index, each in enumerate(written) if index != 1] == [None] * 3
    found = await scene.port.read("contact", ids, CONTACT)
    assert [found[id].values["last_name"] for id in (ids[0], ids[2], ids[3])] == ["Общая"] * 3


async def test_an_update_without_answer_can_be_repeated(scene: Scene) -> None:
    id = await made(scene)
    change = Change(id, {"last_name": "Соколов", "phones": ("+79161234567",)})
    scene.lose_answer("contact", "update")
    with pytest.raises((UnknownOutcomeError, RetryableError)):
        results = await scene.port.update("contact", [change])
        if results[0].error:
            raise results[0].error
    assert errors(await scene.port.update("contact", [change])) == [None]
    record = await one(scene, id)
    assert (record.values["last_name"], record.values["phones"]) == ("Соколов", ("+79161234567",))


async def test_tags_are_added_to_those_that_are_there(scene: Scene) -> None:
    if "contact" not in scene.port.capabilities.tags:
        pytest.skip("this CRM has no tags")
    id = await made(scene, "sync:1", "contact", first_name="Иван", tags=("важный",))
    for _ in range(2):
        assert errors(await scene.port.tag("contact", [id], "удалён")) == [None]
    assert (await one(scene, id, fields=("tags",))).values["tags"] == ("важный", "удалён")


@pytest.mark.parametrize("way", ["archive", "delete"])
async def test_what_can_be_removed_is_removed_once(scene: Scene, way: str) -> None:
    able = scene.port.capabilities.archives if way == "archive" else scene.port.capabilities.deletes
    id = await made(scene)
    remove = scene.port.archive if way == "archive" else scene.port.delete
    if "contact" not in able:
        assert errors(await remove("contact", [id])) == [PermanentError]
        assert scene.count("contact") == 1
        return
    for _ in range(2):
        assert errors(await remove("contact", [id])) == [None]
    assert scene.count("contact") == 0
    found = await scene.port.read("contact", [id], CONTACT)
    assert id not in found or found[id].deleted


# --- links ----------------------------------------------------------------------------------------------------------


async def test_links_that_people_make_are_read_the_main_one_first(scene: Scene) -> None:
    first, second = scene.put("contact", **IVAN), scene.put("contact", first_name="Анна")
    company = scene.put("company", name="ООО Ромашка")
    deals = [scene.put("deal", title=f"Сделка {number}") for number in range(3)]
    scene.connect("deal", deals[0], "contact", second)
    scene.connect("deal", deals[0], "contact", first)
    scene.connect("deal", deals[1], "company", company)
    scene.connect("contact", first, "company", company)
    scene.later()
    contacts = await scene.port.links("deal", deals, "contact")
    linked = contacts.get(deals[0], ())
    assert linked == (second, first) if scene.has_main else sorted(linked) == [first, second]
    assert not contacts.get(deals[1])
    assert not contacts.get(deals[2])
    assert await scene.port.links("deal", [deals[1]], "company") == {deals[1]: (company,)}
    assert await scene.port.links("contact", [first], "company") == {first: (company,)}


async def test_links_in_records_agree_with_links_that_are_asked_for(scene: Scene) -> None:
    contact, company = scene.put("contact", **IVAN), scene.put("company", name="ООО Ромашка")
    deal = scene.put("deal", title="Окна")
    scene.connect("deal", deal, "contact", contact)
    scene.connect("deal", deal, "company", company)
    scene.later()
    record = (await changed(scene, "deal", fields=("title",)))[deal]
    if record.links is not None:
        assert record.links["contact"] == (contact,)
        assert record.links["company"] == (company,)


async def test_links_are_made_and_removed_and_both_may_be_repeated(scene: Scene) -> None:
    contact, other = scene.put("contact", **IVAN), scene.put("contact", first_name="Анна")
    company = scene.put("company", name="ООО Ромашка")
    deals = [scene.put("deal", title=f"Сделка {number}") for number in range(2)]
    changes = [
        LinkChange(deals[0], "contact", contact, main=True),
        LinkChange(deals[1], "contact", other),
        LinkChange(deals[1], "company", company),
    ]
    for _ in range(2):
        assert errors(await scene.port.link("deal", changes)) == [None] * 3
    assert errors(await scene.port.link("contact", [LinkChange(contact, "company", company)])) == [None]
    assert await scene.port.links("deal", deals, "contact") == {deals[0]: (contact,), deals[1]: (other,)}
    assert await scene.port.links("contact", [contact], "company") == {contact: (company,)}
    parted = [
        LinkChange(deals[1], "contact", other, remove=True),
        LinkChange(deals[1], "company", company, remove=True),
    ]
    for _ in range(2):
        assert errors(await scene.port.link("deal", parted)) == [None] * 2
    assert not (await scene.port.links("deal", [deals[1]], "contact")).get(deals[1])
    assert not (await scene.port.links("deal", [deals[1]], "company")).get(deals[1])


async def test_a_link_change_is_seen_whether_or_not_it_moves_the_time(scene: Scene) -> None:
    contact, deal = scene.put("contact", **IVAN), scene.put("deal", title="Окна")
    scene.later(100)
    since = scene.clock.now().replace(microsecond=0)
    scene.later(2)
    scene.connect("deal", deal, "contact", contact)
    scene.later()
    seen = deal in await changed(scene, "deal", since, ("title",))
    assert seen or not scene.port.capabilities.links_move
