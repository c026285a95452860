"""Records that are gone on one side: what a plan, a shadow, a pass and its cap do about their partners."""

from collections import Counter
from dataclasses import replace

import pytest

from jobs.checkpoints import passed
from jobs.sync.model import Sync
from jobs.sync.passes import plan
from jobs.sync.run import Run
from jobs.sync.undoing import undo
from store import sync_log
from tests.support.memory_crm import Died
from tests.support.sync_stage import OTHER_PHONE, PHONE, Stage

PEOPLE = {"Анна": PHONE, "Борис": OTHER_PHONE}


async def _planned(stage: Stage, sync: Sync) -> tuple[Counter[str], list[str]]:
    async def look(run: Run) -> tuple[Counter[str], list[str]]:
        rows = await run.db.read(sync_log.writes_of, run.pass_id)
        return run.counts, sorted(row.op for row in rows)

    stage.clock.forward(120)
    found: tuple[Counter[str], list[str]] = await plan(sync, stage.db, stage.clock, look, full=True)
    return found


@pytest.mark.parametrize("sees_deleted", [False, True])
async def test_a_plan_counts_each_removal_once(stage: Stage, sees_deleted: bool) -> None:
    stage.left.capabilities = replace(stage.left.capabilities, sees_deleted=sees_deleted)
    sync = stage.sync(deletions="archive")
    ids = [stage.left.put("contact", first_name=f"N{n}", phones=(f"+7916000000{n}",)) for n in range(3)]
    await stage.run(sync)
    for id in ids:
        stage.left.remove("contact", id)
    counts, ops = await _planned(stage, sync)
    assert (counts["archive_right"], ops) == (3, ["archive"] * 3)
    assert (await stage.run(sync, full=True)).counts["archive_right"] == 3


@pytest.mark.parametrize("sees_deleted", [False, True])
async def test_what_a_shadow_would_have_removed_is_told_once_planned_and_removed_in_earnest(
    stage: Stage, sees_deleted: bool
) -> None:
    stage.left.capabilities = replace(stage.left.capabilities, sees_deleted=sees_deleted)
    shadow, real = stage.sync(shadow=True, deletions="archive"), stage.sync(deletions="archive")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(real)
    stage.left.remove("contact", one)
    assert [(await stage.run(shadow, full=True)).counts.get("archive_right") for _ in range(2)] == [1, None]
    stage.left.put("contact", first_name="Борис", phones=(OTHER_PHONE,))
    await stage.run(shadow)
    counts, ops = await _planned(stage, real)
    assert (counts["archive_right"], counts["create_right"], ops) == (1, 1, ["archive", "create"])
    await stage.run(real)
    assert stage.values(stage.right, "contact", "first_name") == ["Борис"]
    await stage.quiet(real)


async def test_more_removals_than_the_cap_wait_for_a_person(stage: Stage) -> None:
    sync = stage.sync(deletions="archive", delete_cap=2)
    ids = [stage.left.put("contact", first_name=f"N{n}", phones=(f"+7916000000{n}",)) for n in range(5)]
    await stage.run(sync)
    for id in ids:
        stage.left.remove("contact", id)
    for _ in range(3):  # a cap that is full again with the next pass, a minute later, would be none
        result = await stage.run(sync, full=True, yes=False)
        assert (result.state, len(stage.right.alive("contact"))) == ("braked", 5)
        assert result.error == "would remove 5 records, more than 2"
    result = await stage.run(sync, full=True)
    assert (result.state, len(stage.right.alive("contact"))) == ("done", 0)


async def test_a_crm_that_cannot_delete_for_good_puts_it_into_its_bin(stage: Stage) -> None:
    stage.right.capabilities = replace(stage.right.capabilities, deletes=frozenset())
    sync = stage.sync(deletions="delete")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.remove("contact", one)
    result = await stage.run(sync, full=True)
    assert (result.counts["archive_right"], stage.right.alive("contact")) == (1, {})


async def test_a_partner_stays_where_the_crm_cannot_do_what_the_policy_says_and_the_reason_is_told(
    stage: Stage,
) -> None:
    stage.right.capabilities = replace(stage.right.capabilities, archives=frozenset(), deletes=frozenset())
    sync = stage.sync(deletions="archive")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.remove("contact", one)
    await stage.run(sync, full=True)
    (issue,) = await stage.db.read(lambda conn: sync_log.issues(conn, sync.name))
    assert issue.data["why"] == "right cannot archive by its API; deletions: tag would work"


async def test_a_plan_knows_the_removal_whose_outcome_a_killed_pass_did_not_store(stage: Stage) -> None:
    sync = stage.sync(deletions="archive")
    stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    gone = stage.right.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.right.remove("contact", gone)
    stage.left.put("contact", first_name="Борис", phones=(PHONE,), emails=("b@example.ru",))
    stage.right.put("contact", first_name="Борис", phones=(OTHER_PHONE,), emails=("b@example.ru",))

    async def die(name: str) -> None:
        if name == "written":
            raise Died

    stage.checkpoint = die
    with pytest.raises(Died):
        await stage.run(sync, full=True)
    stage.checkpoint = passed
    counts, _ = await _planned(stage, sync)
    done = (await stage.run(sync, full=True)).counts
    writes = ("update_left", "update_right", "create_left", "create_right")
    assert {name: counts[name] for name in writes} == {name: done.get(name, 0) for name in writes}
    assert done["matched"] == counts["matched"] == 1
    assert stage.values(stage.right, "contact", "first_name") == ["Борис"]
    await stage.quiet(sync)


async def test_a_removal_is_seen_without_a_comparison_where_no_record_was_there_at_first(stage: Stage) -> None:
    """Nothing was ever seen to change in that CRM: all that it has was made by us, and then removed."""
    stage.right.capabilities = replace(stage.right.capabilities, sees_deleted=True)
    sync = stage.sync(deletions="archive")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    (copy,) = stage.right.alive("contact")
    stage.right.remove("contact", copy)
    assert (await stage.run(sync)).counts["archive_left"] == 1
    assert one not in stage.left.alive("contact")


async def test_who_is_removed_is_told_beforehand_kept_in_the_log_and_not_forgotten_by_undo(stage: Stage) -> None:
    sync = stage.sync(deletions="archive")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.remove("contact", one)

    async def look(run: Run) -> list[tuple[str, str]]:
        return [(row.op, row.before["first_name"]) for row in await run.db.read(sync_log.writes_of, run.pass_id)]

    stage.clock.forward(120)
    assert await plan(sync, stage.db, stage.clock, look, full=True) == [("archive", "Анна")]
    done = await stage.run(sync, full=True)
    (row,) = await stage.db.read(sync_log.writes_of, done.id)
    assert (row.op, row.before["first_name"], row.before["phones"]) == ("archive", "Анна", [PHONE])
    taken = await undo(sync, stage.db, stage.clock, await stage.held("sync:contacts"), done.id)
    assert taken.counts == {"removed_stay": 1}


async def test_a_partner_that_stays_is_told_by_its_name(stage: Stage) -> None:
    stage.right.capabilities = replace(stage.right.capabilities, archives=frozenset())
    sync = stage.sync(deletions="archive")
    one = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    await stage.run(sync)
    stage.left.remove("contact", one)
    await stage.run(sync, full=True)
    (issue,) = await stage.db.read(sync_log.issues, "contacts")
    assert issue.data["names"]["right"] == {issue.right_ids[0]: "Анна"}


async def test_records_of_ours_that_a_crm_merges_without_telling_are_no_removal(stage: Stage) -> None:
    """The one that is gone bore our key, which the survivor does not have."""
    sync = stage.sync(deletions="archive")
    ids = [stage.left.put("contact", first_name=name, phones=(phone,)) for name, phone in PEOPLE.items()]
    await stage.run(sync)
    kept, gone = stage.right.alive("contact")
    stage.right.edit("contact", kept, phones=tuple(PEOPLE.values()))
    stage.right.remove("contact", gone)
    await stage.run(sync, full=True)
    assert sorted(stage.left.alive("contact")) == sorted(ids)
    (issue,) = await stage.db.read(sync_log.issues, "contacts")
    assert (issue.kind, sorted(issue.left_ids), issue.right_ids) == ("merged", sorted(ids), [kept])


async def test_a_plan_knows_who_is_clear_once_another_is_removed(stage: Stage) -> None:
    sync = stage.sync(deletions="archive")
    right = stage.right.put("contact", first_name="Борис", phones=(PHONE,))
    await stage.run(sync)
    stage.left.put("contact", first_name="Вера", phones=(PHONE,))
    await stage.run(sync)
    stage.right.remove("contact", right)
    counts, ops = await _planned(stage, sync)
    did = (await stage.run(sync, full=True)).counts
    assert (counts["archive_left"], counts["create_right"], ops) == (1, 1, ["archive", "create"])
    assert (did["archive_left"], did["create_right"]) == (1, 1)
