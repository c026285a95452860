"""What goes to and fro or round through several syncs is stopped and told."""

from dataclasses import replace

import pytest

from jobs.sync.model import Sibling
from jobs.sync.resolving import CannotResolve, resolve
from leads.merge import Side
from store import sync_log
from tests.support.sync_stage import PHONE, Stage


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
