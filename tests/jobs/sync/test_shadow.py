"""Syncs that write nothing yet: what they would have done, and what becomes of it when they begin in earnest."""

from typing import Any

import pytest

from jobs.sync.resolving import resolve
from jobs.sync.status import status
from store import sync_log
from tests.support.sync_stage import OTHER_PHONE, PHONE, Stage


async def test_a_shadow_writes_nothing_says_what_it_would_and_begins_in_earnest_later(stage: Stage) -> None:
    shadow = stage.sync(shadow=True)
    left = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    stage.left.put("contact", first_name="Борис", phones=(OTHER_PHONE,))
    stage.right.put("contact", phones=(PHONE,))
    result = await stage.run(shadow)
    assert (result.counts["create_right"], result.counts["update_right"]) == (1, 1)
    stage.left.edit("contact", left, last_name="Петрова")
    await stage.run(shadow)
    assert (stage.left.writes, stage.right.writes) == ([], [])
    await stage.run(stage.sync())
    assert sorted(stage.values(stage.right, "contact", "first_name")) == ["Анна", "Борис"]
    await stage.quiet(stage.sync())


async def test_what_a_shadow_noted_in_several_passes_is_all_told_and_all_done_in_earnest(stage: Stage) -> None:
    shadow = stage.sync(shadow=True)

    async def told() -> dict[str, int]:
        return dict((await stage.db.read(status, "contacts", shadow.settings, stage.clock.now())).would)

    names = ["Анна", "Борис", "Вера"]
    ids = []
    for number, name in enumerate(names):
        ids.append(stage.left.put("contact", first_name=name, phones=(f"+7916000000{number}",)))
        await stage.run(shadow)
    stage.left.edit("contact", ids[0], first_name="Жанна")
    await stage.run(shadow)
    assert await told() == {"create_right": 3}
    stage.left.remove("contact", ids[1])
    met = stage.right.put("contact", phones=("+79160000002",))
    await stage.run(shadow, full=True)
    assert await told() == {"create_right": 1, "update_right": 1}
    stage.right.edit("contact", met, first_name="Вера")
    await stage.run(shadow)
    assert await told() == {"create_right": 1}
    await stage.run(stage.sync())
    assert stage.values(stage.right, "contact", "first_name") == ["Вера", "Жанна"]
    await stage.quiet(stage.sync())
    assert await told() == {}


@pytest.mark.parametrize("settings", [{"shadow": True}, {"direction": "left_to_right"}])
async def test_who_was_said_to_be_somebody_else_is_not_asked_about_again(stage: Stage, settings: Any) -> None:
    sync = stage.sync(**settings)
    for name in ("Анна", "Игорь"):
        stage.left.put("contact", first_name=name, phones=(PHONE,))
    right = stage.right.put("contact", first_name="Аня", phones=(PHONE,))
    await stage.run(sync)
    (issue,) = await stage.db.read(sync_log.issues, "contacts")
    await stage.db.write(resolve, stage.clock, issue, "apart", "anna")
    await stage.run(sync)
    stage.right.edit("contact", right, first_name="Анюта")
    await stage.run(sync, full=True)
    assert await stage.db.read(sync_log.issues, "contacts") == []
