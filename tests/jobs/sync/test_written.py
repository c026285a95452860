"""Answers that are lost, refused, late or put another way by the CRM: nothing is written twice, nothing comes back."""

from dataclasses import replace

from jobs.checkpoints import passed
from jobs.sync.rounds import SWEEPS
from store import sync_log, sync_records
from tests.support.sync_stage import OTHER_PHONE, PHONE, Stage


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
    stale.values["first_name"], stale.modified_at = "Анна", old[right].modified_at
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


async def test_a_source_that_changes_often_is_followed(stage: Stage) -> None:
    sync = replace(stage.sync(direction="left_to_right", flips=3), others={"left": (("other", "right"),)})
    left = stage.left.put("contact", first_name="0", phones=(PHONE,))
    await stage.run(sync)
    for turn in range(12):
        stage.left.edit("contact", left, first_name=str(turn))
        await stage.run(sync)
        assert stage.values(stage.right, "contact", "first_name") == [str(turn)]
