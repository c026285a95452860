"""What one pass does to two CRMs."""

from dataclasses import replace

import pytest

from jobs.alerts.causes import code_of
from jobs.sync.undoing import undo
from store import sync_log
from tests.support.sync_stage import OTHER_PHONE, PHONE, Stage


async def test_a_record_is_made_on_the_other_side_once_and_what_comes_back_is_no_news(stage: Stage) -> None:
    sync = stage.sync()
    stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    stage.right.put("contact", first_name="Борис", emails=("boris@example.ru",))
    result = await stage.run(sync)
    assert (result.state, result.counts["create_left"], result.counts["create_right"]) == ("done", 1, 1)
    assert stage.values(stage.right, "contact", "first_name") == ["Анна", "Борис"]
    assert stage.values(stage.left, "contact", "first_name") == ["Анна", "Борис"]
    reads = stage.left.calls["read"] + stage.right.calls["read"]
    await stage.quiet(sync)
    assert stage.left.calls["read"] + stage.right.calls["read"] == reads, "an echo costs no call"


async def test_pairs_of_other_accounts_are_no_pairs_of_these(stage: Stage) -> None:
    """The right side was pointed at another portal, where the same numbers are other people."""
    sync = stage.sync()
    stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    made = await stage.run(sync, yes=False)
    await stage.run(sync, yes=False)
    [stranger] = stage.right.alive("contact")
    stage.right.edit("contact", stranger, first_name="Чужой")
    moved = replace(sync, right=replace(sync.right, address="new.example.ru"))
    writes = len(stage.left.writes)
    result = await stage.run(moved, yes=False)
    assert (result.state, stage.left.writes[writes:]) == ("failed", [])
    assert code_of(result.error) == "other_accounts:left@ = right@"
    taken_back = await undo(moved, stage.db, stage.clock, await stage.held("sync:contacts"), made.id)
    assert (taken_back.state, code_of(taken_back.error)) == ("failed", "other_accounts:left@ = right@")
    assert (await stage.run(sync, hints=True, yes=False)).state == "done", "it is put back"
    assert (await stage.run(moved)).state == "done", "a person says that only the name is new"
    assert (await stage.run(moved, yes=False)).state == "done"


async def test_existing_records_are_matched_by_phone_however_it_is_written(stage: Stage) -> None:
    sync = stage.sync()
    stage.left.put("contact", first_name="Анна", phones=("8 (916) 123-45-67",), last_name="Петрова")
    stage.right.put("contact", first_name="Анна", phones=(PHONE,), emails=("a@example.ru",))
    result = await stage.run(sync)
    assert result.counts["matched"] == 1
    assert len(stage.left.alive("contact")) == len(stage.right.alive("contact")) == 1
    assert stage.values(stage.right, "contact", "last_name") == ["Петрова"]
    assert stage.values(stage.left, "contact", "emails") == [("a@example.ru",)]
    await stage.quiet(sync)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("https://www.romashka.ru/about?x=1", "romashka.ru", True),
        ("www.romashka.ru:8080/", "http://romashka.ru/contacts", True),
        ("https://vk.com/romashka", "vk.com/romashka/", True),
        ("https://vk.com/romashka", "https://vk.com/luch", False),
        ("https://shop.romashka.ru", "romashka.ru", False),
    ],
)
async def test_firms_are_matched_by_the_domain_of_their_site(stage: Stage, left: str, right: str, same: bool) -> None:
    sync = stage.sync("company")
    stage.left.put("company", name="ООО Ромашка", website=left)
    stage.right.put("company", name="Romashka LLC", website=right)
    result = await stage.run(sync)
    assert ("create_left" not in result.counts) == same


async def test_ambiguous_records_are_listed_and_neither_paired_nor_doubled(stage: Stage) -> None:
    sync = stage.sync()
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    two = stage.left.put("contact", first_name="Игорь", phones=(PHONE,))
    right = stage.right.put("contact", first_name="Анна", phones=(PHONE,))
    result = await stage.run(sync)
    assert result.counts["ambiguous"] == 1
    assert (stage.left.writes, stage.right.writes) == ([], [])
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.left_ids, issue.right_ids) == ("ambiguous", [one, two], [right])
    await stage.quiet(sync)
    stage.left.edit("contact", two, phones=(OTHER_PHONE,))  # a person makes it clear
    await stage.run(sync)
    assert await stage.db.read(lambda conn: sync_log.issues(conn, sync.name)) == []
    assert len(stage.right.alive("contact")) == 2
    await stage.quiet(sync)


async def test_changes_of_different_fields_both_survive(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", last_name="Петрова", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.left.edit("contact", left, first_name="Аня")
    stage.right.edit("contact", right, last_name="Сидорова")
    await stage.run(sync)
    for crm in (stage.left, stage.right):
        assert stage.values(crm, "contact", "first_name") == ["Аня"]
        assert stage.values(crm, "contact", "last_name") == ["Сидорова"]
    await stage.quiet(sync)


async def test_the_newest_change_wins_whatever_the_clocks_say(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.left.skew_s = 600.0  # ten minutes ahead
    stage.left.edit("contact", left, first_name="раньше")
    stage.clock.forward(60)
    stage.right.edit("contact", right, first_name="позже")
    await stage.run(sync)
    assert stage.values(stage.left, "contact", "first_name") == ["позже"]
    await stage.quiet(sync)


async def test_a_field_to_be_asked_about_waits_for_a_person_and_ends_when_the_sides_agree(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", position="a", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.left.edit("contact", left, position="b")
    stage.right.edit("contact", right, position="c", first_name="Аня")
    await stage.run(sync)
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.field, issue.data["left"], issue.data["right"]) == ("conflict", "position", "b", "c")
    assert (issue.data["left_by"], issue.left_ids, issue.right_ids) == ("person", [left], [right])
    assert stage.values(stage.left, "contact", "first_name") == ["Аня"], "other fields go on"
    await stage.quiet(sync)
    stage.left.edit("contact", left, position="c")
    await stage.run(sync)
    assert await stage.db.read(lambda conn: sync_log.issues(conn, sync.name)) == []


async def test_phones_of_both_sides_are_kept_and_one_taken_out_stays_out(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE, OTHER_PHONE))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.left.edit("contact", left, phones=(PHONE,))
    stage.right.edit("contact", right, phones=(PHONE, OTHER_PHONE, "+79990000000"))
    await stage.run(sync)
    for crm in (stage.left, stage.right):
        assert stage.values(crm, "contact", "phones") == [(PHONE, "+79990000000")]
    await stage.quiet(sync)


async def test_one_way_nothing_goes_back_and_a_change_of_the_copy_is_left(stage: Stage) -> None:
    sync = stage.sync(direction="left_to_right")
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    stage.right.put("contact", first_name="Чужой", phones=(OTHER_PHONE,))
    await stage.run(sync)
    assert len(stage.left.alive("contact")) == 1
    copy = next(id for id, one in stage.right.alive("contact").items() if one.values["first_name"] == "Анна")
    stage.right.edit("contact", copy, first_name="Правка")
    await stage.quiet(sync)
    stage.left.edit("contact", left, first_name="Аня")
    await stage.run(sync)
    assert stage.right.records["contact", copy].values["first_name"] == "Аня"
    assert not stage.left.writes


async def test_a_condition_keeps_records_out_and_lets_them_in_when_they_fit(stage: Stage) -> None:
    sync = stage.sync(left_when="left.position != 'уволен'")
    left = stage.left.put("contact", first_name="Анна", position="уволен", phones=(PHONE,))
    await stage.run(sync)
    assert not stage.right.alive("contact")
    stage.left.edit("contact", left, position="директор")
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == ["Анна"]
    stage.left.edit("contact", left, position="уволен", first_name="Аня")
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == ["Анна"]
    await stage.quiet(sync)


async def test_a_mass_change_stops_before_its_first_write_and_goes_on_with_a_yes(stage: Stage) -> None:
    sync = stage.sync(brake={"share": 30, "at_least": 5, "records": 1000})
    ids = [stage.left.put("contact", first_name=f"N{n}", phones=(f"+791600000{n:02}",)) for n in range(20)]
    await stage.run(sync)
    writes = len(stage.right.writes)
    for id in ids[:10]:
        stage.left.edit("contact", id, first_name="")
    result = await stage.run(sync, yes=False)
    assert result.state == "braked"
    assert "10 of 20" in result.error
    assert len(stage.right.writes) == writes
    assert (await stage.run(sync, yes=True)).state == "done"
    assert len(stage.right.writes) == writes + 10
    await stage.quiet(sync)
