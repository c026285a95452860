"""What one pass does to two CRMs."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from jobs.checkpoints import passed
from jobs.sync.model import Sibling
from jobs.sync.resolving import CannotResolve, resolve
from jobs.sync.rounds import SWEEPS
from leads.merge import Side
from store import sync_log, sync_pairs, sync_records
from tests.support.sync_stage import Stage


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    made = Stage(database_url)
    yield made
    await made.db.close()


PHONE, OTHER_PHONE = "+79161234567", "+79031112233"


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


@pytest.mark.parametrize(("policy", "left_over"), [("ignore", 1), ("archive", 0), ("delete", 0), ("tag", 1)])
async def test_a_removed_record_does_to_its_partner_what_the_policy_says(
    stage: Stage, policy: str, left_over: int
) -> None:
    sync = stage.sync(deletions=policy)
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.remove("contact", left)
    await stage.run(sync, full=True)
    assert len(stage.right.alive("contact")) == left_over
    assert not stage.left.alive("contact"), "it is not made again"
    tagged = [one.values.get("tags", ()) for one in stage.right.alive("contact").values()]
    assert tagged == ([] if not left_over else [("leadhub: deleted",)] if policy == "tag" else [()])
    await stage.quiet(sync)


async def test_what_a_crm_put_into_a_record_by_itself_does_not_keep_it_from_being_deleted(stage: Stage) -> None:
    text = "object: deal\nmatch: []\nfields: {title: title, currency: currency}\n"
    sync = stage.sync("deal", text=text, deletions="delete")
    left = stage.left.put("deal", title="Окна")
    await stage.run(sync)
    (right,) = stage.right.alive("deal")
    stage.right.records["deal", right].values["currency"] = "RUB"
    stage.left.remove("deal", left)
    await stage.run(sync, full=True)
    assert not stage.right.alive("deal")
    await stage.quiet(sync)


async def test_what_a_crm_put_into_records_by_itself_costs_no_reading_of_their_partners(stage: Stage) -> None:
    text = "object: deal\nmatch: []\nfields: {title: title, currency: currency}\n"
    sync = stage.sync("deal", text=text)
    left = [stage.left.put("deal", title=f"N{n}") for n in range(20)]
    await stage.run(sync)
    for one in stage.right.alive("deal").values():
        one.values["currency"] = "RUB"
    reads = stage.left.calls["read"]
    await stage.run(sync)
    assert stage.left.calls["read"] == reads
    stage.left.edit("deal", left[0], currency="USD")
    await stage.run(sync)
    assert sorted(stage.values(stage.right, "deal", "currency")) == ["RUB"] * 19 + ["USD"]
    await stage.quiet(sync)


async def test_a_partner_that_somebody_works_with_is_not_deleted(stage: Stage) -> None:
    sync = stage.sync(deletions="delete")
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.right.edit("contact", right, position="директор")
    stage.left.remove("contact", left)
    await stage.run(sync, full=True)
    assert right in stage.right.alive("contact")
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.right_ids) == ("deleted", [right])
    await stage.quiet(sync)


async def test_a_merge_moves_the_pair_to_the_survivor(stage: Stage) -> None:
    sync = stage.sync(deletions="delete")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    two = stage.left.put("contact", first_name="Анна Петрова", emails=("a@example.ru",))
    stage.left.merge("contact", two, one)
    await stage.run(sync, full=True)
    assert list(stage.right.alive("contact")) == [right]
    pairs = await stage.db.read(lambda conn: sync_pairs.partners(conn, sync.name, "left", [two]))
    assert pairs[two].right_id == right
    assert stage.values(stage.right, "contact", "emails") == [("a@example.ru",)]
    await stage.quiet(sync)


@pytest.mark.parametrize("same", [True, False])
async def test_where_two_pairs_become_one_record_a_person_is_told_until_the_others_are_merged_too(
    stage: Stage, same: bool
) -> None:
    sync = stage.sync(deletions="delete")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    two = stage.left.put("contact", first_name="Аня", phones=(OTHER_PHONE,))
    await stage.run(sync)
    stage.left.merge("contact", two, one)
    await stage.run(sync, full=True)
    assert len(stage.right.alive("contact")) == 2
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.left_ids, len(issue.right_ids)) == ("merged", [two], 2)
    await stage.quiet(sync)
    first, second = stage.right.alive("contact")
    stage.right.merge("contact", *((second, first) if same else (first, second)))
    await stage.run(sync, full=True)
    assert await stage.db.read(lambda conn: sync_log.issues(conn, sync.name)) == []
    stage.left.edit("contact", two, first_name="Анна Петрова")
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == ["Анна Петрова"]


async def test_a_lost_answer_to_a_create_is_looked_up_and_not_repeated(stage: Stage) -> None:
    sync = stage.sync()
    for n in range(7):
        stage.left.put("contact", first_name=f"N{n}", phones=(f"+7916000000{n}",))
    stage.right.lose_replies = 1
    await stage.run(sync, patient=True)
    assert stage.values(stage.right, "contact", "first_name") == [f"N{n}" for n in range(7)]
    await stage.quiet(sync)


async def test_a_field_whose_write_to_one_side_was_lost_is_not_agreed_on(stage: Stage) -> None:
    sync = stage.sync()
    stage.left.put("contact", first_name="Анна", phones=(PHONE,), emails=("a@example.ru",))
    stage.right.put("contact", first_name="Анна", phones=(OTHER_PHONE,), emails=("a@example.ru",))
    stage.left.lose_replies = 1  # both sides get the other's phone
    await stage.run(sync)
    for crm in (stage.left, stage.right):
        assert set(*stage.values(crm, "contact", "phones")) == {PHONE, OTHER_PHONE}
    await stage.quiet(sync)


async def test_a_record_that_is_refused_is_told_and_the_others_of_its_batch_are_made(stage: Stage) -> None:
    sync = stage.sync()
    stage.right.bad = lambda values: values.get("first_name") == "плохой"
    bad = stage.left.put("contact", first_name="плохой", phones=(PHONE,))
    stage.left.put("contact", first_name="хороший", phones=(OTHER_PHONE,))
    result = await stage.run(sync)
    assert (result.state, result.counts["failed"]) == ("done", 1)
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.left_ids) == ("refused", [bad])
    await stage.quiet(sync)
    stage.left.edit("contact", bad, first_name="исправлен")
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == ["исправлен", "хороший"]
    assert await stage.db.read(lambda conn: sync_log.issues(conn, sync.name)) == []


async def test_what_was_there_already_under_a_unique_email_becomes_the_partner(stage: Stage) -> None:
    sync = stage.sync()
    await stage.run(sync)
    stage.right.unique_email, stage.right.lag_s = True, 1e6  # its index shows nothing of it yet
    stage.right.put("contact", first_name="Анна", emails=("a@example.ru",))
    stage.left.put("contact", first_name="Анна", emails=("A@example.ru",), phones=(PHONE,))
    await stage.run(sync)
    assert len(stage.right.alive("contact")) == 1
    assert stage.values(stage.right, "contact", "phones") == [(PHONE,)]
    await stage.quiet(sync)


async def test_a_lagging_index_that_still_shows_the_old_value_undoes_nothing(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    stage.left.edit("contact", left, first_name="Аня")
    await stage.run(sync)
    old = await stage.db.read(lambda conn: sync_records.rows(conn, sync.name, "right", [right]))
    shown = sync.seen("right", (await stage.right.read("contact", [right], sync.keys("right")))[right])
    assert shown.mark == old[right].mark
    stale = stage.right.records["contact", right]
    stale.values["first_name"], stale.modified_at = "Анна", old[right].modified_at  # type: ignore[assignment]
    page = await stage.right.changed("contact", None, sync.keys("right"))
    stale.values["first_name"] = "Аня"
    held = await stage.held(f"sync:{sync.name}")
    seen = [sync.seen("right", record) for record in page.records]
    arrived = await stage.db.write(
        lambda conn: sync_records.see(conn, held, sync.name, "right", seen, stage.clock.now())
    )
    assert arrived.changed == 0
    await stage.quiet(sync)


async def test_a_value_that_the_crm_writes_its_own_way_does_not_come_back_as_a_change(stage: Stage) -> None:
    sync = stage.sync()
    stage.right.normalise = lambda name, value: value.upper() if name == "first_name" else value
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.edit("contact", left, first_name="Аня")
    await stage.run(sync)
    assert stage.values(stage.left, "contact", "first_name") == ["Аня"]
    await stage.quiet(sync)


async def test_a_record_that_changes_as_fast_as_it_is_written_does_not_keep_a_pass_from_ending(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="0", phones=(PHONE,))
    await stage.run(sync)
    writes = len(stage.right.writes)

    async def somebody_types_on(name: str) -> None:
        if name == "written":
            stage.left.edit("contact", left, first_name=str(len(stage.right.writes)))
            await stage.db.write(lambda conn: sync_records.hint(conn, sync.name, "left", left))

    stage.checkpoint = somebody_types_on
    stage.left.edit("contact", left, first_name="1")
    assert (await stage.run(sync)).state == "done"
    assert len(stage.right.writes) == writes + SWEEPS
    stage.checkpoint = passed
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == [str(writes + SWEEPS)], "what was left is done next"
    await stage.quiet(sync)


async def test_a_pair_that_goes_to_and_fro_is_stopped_and_told(stage: Stage) -> None:
    sync = stage.sync(flips=3)
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (right,) = stage.right.alive("contact")
    for turn in range(12):  # a robot on each side that insists
        crm, id = ((stage.left, left), (stage.right, right))[turn % 2]
        crm.edit("contact", id, first_name="лево" if turn % 2 == 0 else "право")
        await stage.run(sync)
    writes = len(stage.left.writes) + len(stage.right.writes)
    assert writes <= 1 + 5
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert (issue.kind, issue.field) == ("loop", "first_name")
    await stage.quiet(sync)
    with pytest.raises(CannotResolve):  # off the list it would stay stopped, and nobody would know
        await stage.db.write(resolve, stage.clock, issue, "done", "anna")
    await stage.db.write(resolve, stage.clock, issue, "resume", "anna")
    await stage.run(sync)
    assert stage.values(stage.left, "contact", "first_name") == stage.values(stage.right, "contact", "first_name")


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


@pytest.mark.parametrize("told", [True, False], ids=["told with the record", "asked for"])
@pytest.mark.parametrize("heard", ["compared", "hinted"])
async def test_links_are_made_when_both_ends_have_partners(stage: Stage, told: bool, heard: str) -> None:
    stage.left.links_in_records = stage.right.links_in_records = told
    companies = stage.sync("company", siblings=[Sibling("contacts", "contact")])
    contacts = stage.sync("contact", siblings=[Sibling("companys", "company")])
    company = stage.left.put("company", name="ООО Ромашка", inn="7707083893")
    contact = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts)
    assert [one.links["company"] for one in stage.right.alive("contact").values()] == [[]]
    await stage.run(companies)
    await stage.run(contacts)
    (right_company,) = stage.right.alive("company")
    (right_contact,) = stage.right.alive("contact")
    assert stage.right.records["contact", right_contact].links["company"] == [right_company]
    await stage.quiet(contacts)
    stage.right.connect("contact", right_contact, "company", right_company, off=True)
    if heard == "hinted":
        await stage.db.write(lambda conn: sync_records.hint(conn, "contacts", "right", right_contact))
    await stage.run(contacts, full=heard == "compared", hints=heard == "hinted")
    assert stage.left.records["contact", contact].links["company"] == []
    await stage.quiet(contacts)
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts, full=True)
    assert stage.right.records["contact", right_contact].links["company"] == [right_company]
    await stage.quiet(contacts)


async def test_one_way_a_link_that_somebody_took_out_of_the_copy_stays_out(stage: Stage) -> None:
    companies = stage.sync("company", siblings=[Sibling("contacts", "contact")], direction="left_to_right")
    contacts = stage.sync("contact", siblings=[Sibling("companys", "company")], direction="left_to_right")
    company, contact = stage.left.put("company", name="Ромашка"), stage.left.put("contact", first_name="Анна")
    stage.left.connect("contact", contact, "company", company)
    await stage.run(companies)
    await stage.run(contacts)
    (there,), (copy,) = stage.right.alive("company"), stage.right.alive("contact")
    assert stage.right.records["contact", copy].links["company"] == [there]
    stage.right.connect("contact", copy, "company", there, off=True)
    for _ in range(2):
        await stage.run(contacts, full=True)
        assert stage.right.records["contact", copy].links["company"] == []
    stage.left.connect("contact", contact, "company", company, off=True)
    await stage.run(contacts, full=True)
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts, full=True)
    assert stage.right.records["contact", copy].links["company"] == [there]


async def test_what_a_robot_puts_back_in_the_moment_of_our_write_is_seen(stage: Stage) -> None:
    """A poll shows the same as a lagging index would: what was there before our write, with its time."""
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,), position="директор")
    right = stage.right.put("contact", first_name="Анна", phones=(PHONE,), position="директор")
    await stage.run(sync)
    stage.right.edit("contact", right, position="бухгалтер")
    await stage.run(sync)
    stage.left.edit("contact", left, position="директор")
    assert stage.left.records["contact", left].modified_at == stage.clock.now()
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "position") == ["директор"]
    await stage.quiet(sync)


async def test_a_link_that_goes_to_and_fro_is_stopped_and_told(stage: Stage) -> None:
    companies = stage.sync("company", siblings=[Sibling("contacts", "contact")])
    contacts = stage.sync("contact", siblings=[Sibling("companys", "company")], flips=3)
    company, contact = stage.left.put("company", name="Ромашка"), stage.left.put("contact", first_name="Анна")
    stage.left.connect("contact", contact, "company", company)
    await stage.run(companies)
    await stage.run(contacts)
    (there,), (copy,) = stage.right.alive("company"), stage.right.alive("contact")
    before = len(stage.left.writes) + len(stage.right.writes)
    for turn in range(12):  # a robot on one side parts what a robot on the other one joins
        if turn % 2:
            stage.left.connect("contact", contact, "company", company)
        else:
            stage.right.connect("contact", copy, "company", there, off=True)
        await stage.run(contacts, full=True)
    assert len(stage.left.writes) + len(stage.right.writes) - before <= 5
    (issue,) = await stage.db.read(sync_log.issues, "contacts")
    assert (issue.kind, issue.field) == ("loop", "link:company")


async def test_a_value_that_goes_round_through_two_syncs_is_stopped_and_told(stage: Stage) -> None:
    """Each writes its own side only, so that in neither of them the value changes sides."""
    match = "object: contact\nmatch: [phones]\nfields: {phones: {conflict: append}, last_name: "
    there = match + '{direction: left_to_right, to_right: "{{ left.last_name }}!"}}\n'
    syncs = {
        "there": stage.sync(name="there", text=there, direction="left_to_right", flips=3),
        "back": stage.sync(name="back", text=match + "last_name}\n", direction="right_to_left", flips=3),
    }
    for name, other in (("there", "back"), ("back", "there")):
        ends: dict[Side, tuple[tuple[str, Side], ...]] = {side: ((other, side),) for side in ("left", "right")}
        syncs[name] = replace(syncs[name], others=ends)
    for crm in (stage.left, stage.right):
        crm.put("contact", phones=(PHONE,), last_name="Орлова")
    for _ in range(12):
        for sync in syncs.values():
            await stage.run(sync)
    assert stage.values(stage.left, "contact", "last_name") == ["Орлова!!!!"]
    (issue,) = [one for name in syncs for one in await stage.db.read(sync_log.issues, name)]
    assert (issue.kind, issue.field, issue.sync) == ("loop", "last_name", "there")
    assert issue.data["why"] == 'the sync "back" writes it, too'


async def test_a_source_that_changes_often_is_followed(stage: Stage) -> None:
    sync = replace(stage.sync(direction="left_to_right", flips=3), others={"left": (("other", "right"),)})
    left = stage.left.put("contact", first_name="0", phones=(PHONE,))
    await stage.run(sync)
    for turn in range(12):
        stage.left.edit("contact", left, first_name=str(turn))
        await stage.run(sync)
        assert stage.values(stage.right, "contact", "first_name") == [str(turn)]
