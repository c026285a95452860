"""Fields that cannot be carried over: told of every record, also of new ones, and tried again once that may work."""

from typing import Any

from jobs.sync.passes import plan
from jobs.sync.run import Run
from store import sync_log
from tests.support.sync_stage import CONTACT, Stage

NUMBER = CONTACT.replace("position: {conflict: ask}", "position: {type: number}")


async def _told(stage: Stage) -> list[Any]:
    rows = await stage.db.read(sync_log.issues, "contacts", ("left_out",))
    return [(row.field, row.left_ids, row.right_ids, row.data["why"]) for row in rows]


async def test_a_record_that_is_made_without_one_of_its_fields_is_told(stage: Stage) -> None:
    left = stage.left.put("contact", first_name="Анна", position="директор")

    async def look(run: Run) -> Any:
        return [(row.field, row.left_ids) for row in await run.db.read(sync_log.issues, "contacts")]

    planned = await plan(stage.sync(text=NUMBER), stage.db, stage.clock, look, full=True)
    assert planned == [("position", [left])]
    await stage.run(stage.sync(text=NUMBER), full=True)
    (right,) = stage.right.alive("contact")
    assert await _told(stage) == [("position", [left], [right], "is not a number")]


async def test_what_was_left_out_is_tried_again_by_the_first_full_pass_with_a_mended_mapping(stage: Stage) -> None:
    stage.left.put("contact", first_name="Анна", position="директор")
    stage.right.put("contact", first_name="Борис", position="бухгалтер")
    wrong, mended = stage.sync(text=NUMBER), stage.sync(text=CONTACT)
    await stage.run(wrong, full=True)
    assert len(await _told(stage)) == 2
    await stage.quiet(wrong)
    reads = stage.left.calls["read"] + stage.right.calls["read"]
    await stage.quiet(wrong)
    assert stage.left.calls["read"] + stage.right.calls["read"] == reads, "nothing is mended: nothing to be read again"
    assert len(await _told(stage)) == 2
    await stage.run(mended)
    assert "директор" not in stage.values(stage.right, "contact", "position"), "a quick pass looks at changes only"
    await stage.run(mended, full=True)
    for crm in (stage.left, stage.right):
        assert stage.values(crm, "contact", "position") == ["бухгалтер", "директор"]
    assert await _told(stage) == []
    await stage.quiet(mended)


async def test_what_somebody_wrote_there_by_hand_meanwhile_stays_and_is_no_question(stage: Stage) -> None:
    stage.left.put("contact", first_name="Анна", position="директор")
    await stage.run(stage.sync(text=NUMBER), full=True)
    (right,) = stage.right.alive("contact")
    stage.right.edit("contact", right, position="директор")
    await stage.run(stage.sync(text=CONTACT), full=True)
    assert stage.values(stage.right, "contact", "position") == ["директор"]
    assert await _told(stage) == []


async def test_what_a_shadow_told_is_told_once_when_it_ends(stage: Stage) -> None:
    stage.left.put("contact", first_name="Анна", position="директор")
    await stage.run(stage.sync(text=NUMBER, shadow=True), full=True)
    await stage.run(stage.sync(text=NUMBER), full=True)
    assert len(await _told(stage)) == 1


async def test_what_a_crm_put_into_a_record_whose_answer_was_lost_does_not_go_back(stage: Stage) -> None:
    """Nothing was agreed on yet, and that record is the newer one."""
    left = stage.left.put("contact", first_name="Анна", position="директор")
    stage.right.lose_replies = 1
    await stage.run(stage.sync(text=NUMBER))
    (right,) = stage.right.alive("contact")
    stage.right.records["contact", right].values["position"] = "1"  # by itself, where nothing was named
    await stage.run(stage.sync(text=NUMBER))
    assert stage.left.records["contact", left].values["position"] == "директор"
    assert await _told(stage) == [("position", [left], [right], "is not a number")]
    stage.right.edit("contact", right, position="2")
    await stage.run(stage.sync(text=NUMBER))
    assert stage.left.records["contact", left].values["position"] == 2, "that was somebody"
