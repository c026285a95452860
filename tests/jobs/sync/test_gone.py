"""Records that are removed or merged in one CRM: what becomes of their partners."""

import pytest

from store import sync_log, sync_pairs
from tests.support.sync_stage import OTHER_PHONE, PHONE, Stage


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
