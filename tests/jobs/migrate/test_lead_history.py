"""Notes, tasks and calls around classic leads become those of what the leads become, each once."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete

from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import HistoryTally, Sides, move_histories
from jobs.migrate.leads import move_leads
from jobs.migrate.moving import move_all
from jobs.migrate.telling import NOTE_CHARS
from store import cursors
from store.tables import t_cursor
from tests.jobs.migrate.house import LATER_S, House, house, nobody
from tests.jobs.migrate.moved import AT, SECOND_NAME, put_call, put_note, put_task, same_people, seen
from tests.jobs.migrate.test_activities import LOST, Troubled, everything
from tests.jobs.migrate.test_killed import killed_at

DAY = 86_400
ALL = {"note": Sides(2, 2), "task": Sides(4, 4), "call": Sides(2, 2)}


def fill(made: House) -> list[str]:
    """Two open leads."""
    same_people(made)
    scene = made.scenes["bitrix24"]
    scene.box.crm.simple = False
    leads = [
        str(scene.put("lead", title=f"Окна {number}", first_name="Игорь", phones=(f"+7916000000{number}",)))
        for number in range(2)
    ]
    for id in leads:
        put_note(made, "bitrix24", "lead", id, f"Замер, {id}")
        put_task(made, "bitrix24", "lead", id, f"Перезвонить, {id}", due=AT + DAY, done=False)
        put_task(made, "bitrix24", "lead", id, f"Отправить смету, {id}", due=AT + 2 * DAY, done=True)
        put_call(made, "bitrix24", "lead", id, phone="+79160000001", seconds=54, at=AT + 60)
    return leads


async def run(made: House, target: str) -> HistoryTally:
    async with made.ready("bitrix24", target) as ready:
        await move_all(ready, nobody)
        assert await move_leads(ready) is not None
        made.clock.forward(LATER_S)
        done = await move_histories(ready)
        made.clock.forward(LATER_S)
        await compare_histories(ready, done)
        return next(one for one in done if one.object == "lead")


@pytest.mark.parametrize(
    ("target", "becomes"), [("hubspot", "deal"), ("amocrm", "deal"), ("portal", "deal"), ("portal", "lead")]
)
async def test_they_become_the_new_crm_s_own_on_what_the_lead_became(target: str, becomes: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        if becomes == "lead":
            made.scenes[target].box.crm.simple = False
        leads = fill(made)
        untouched = made.stored("bitrix24")
        told = await run(made, target)
        assert told.made == {"note": 2, "task": 4, "call": 2}
        assert (told.written, told.declined, told.refused, told.error, told.kinds) == (0, 0, 0, "", ALL)
        notes, tasks, calls = everything(made, target)
        assert {one.on[0] for one in (*notes, *tasks, *calls)} == {becomes}
        assert [len({one.on for one in some}) for some in (notes, tasks, calls)] == [2, 2, 2]
        assert {one.by for one in (*notes, *tasks, *calls)} == {SECOND_NAME}
        assert sorted(one.text.split("\n")[-1] for one in notes) == [f"Замер, {id}" for id in leads]
        due = {"Перезвонить": "2024-03-02T09:30 open", "Отправить смету": "2024-03-03T09:30 done"}
        assert all(one.more == due[one.text.split(",")[0]] for one in tasks)
        assert {one.more for one in calls} == {f"in +79160000001 54 https://rec.example.ru/{AT + 60}.mp3"}
        before = made.stored(target)
        again = await run(made, target)
        assert (again.made, again.written, again.before, again.changed) == ({}, 0, 8, 0)
        assert made.stored(target) == before
        assert made.stored("bitrix24") == untouched


@pytest.mark.parametrize("trouble", LOST)
@pytest.mark.parametrize("target", ["hubspot", "portal"])
async def test_after_an_answer_that_says_nothing_each_is_there_once(target: str, trouble: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made)
        made.scenes["portal"].box.crm.simple = False
        made.clock.leaps = True
        async with made.ready("bitrix24", target) as ready:
            await move_all(ready, nobody)
            await move_leads(ready)
        spoil = iter([trouble] * 3)
        troubled = Troubled(made, target, lambda: next(spoil, ""))
        await run(made, target)
        assert troubled.spoiled
        told = await run(made, target)
        assert (told.finished, told.kinds) == (True, ALL)
        assert [len(one) for one in everything(made, target)] == [2, 4, 2]


@pytest.mark.parametrize(
    ("target", "write"),
    [("hubspot", "notes"), ("hubspot", "tasks"), ("portal", "crm.timeline.comment.add"), ("amocrm", "tasks")],
)
async def test_a_move_that_is_killed_is_finished_by_the_next_run(target: str, write: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made)
        made.scenes["portal"].box.crm.simple = False
        untouched = made.stored("bitrix24")
        await killed_at(made, "bitrix24", target, write)
        made.clock.leaps = True
        told = await run(made, target)
        assert (told.finished, told.kinds) == (True, ALL)
        assert [len(one) for one in everything(made, target)] == [2, 4, 2]
        before = made.stored(target)
        await run(made, target)
        assert made.stored(target) == before
        assert made.stored("bitrix24") == untouched


async def test_a_long_history_takes_several_notes_and_loses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead = fill(made)[0]
        timeline = made.scenes["bitrix24"].box.crm.timeline
        for number in range(300):
            owner = {"OWNER_TYPE_ID": 1, "OWNER_ID": lead, "TYPE_ID": 4, "SUBJECT": f"№{number}. " + "&" * 60}
            timeline.activity_add({"fields": owner})
        told = await run(made, "hubspot")
        texts = [one.text for one in seen(made, "hubspot", "note") if "History from" in one.text]
        assert (told.written, told.entries, told.cut) == (len(texts), 300, 0)
        assert len(texts) > 1
        assert all(len(one) <= NOTE_CHARS and f"lead {lead}" in one for one in texts)
        assert [sum(f"№{number}." in one for one in texts) for number in range(300)] == [1] * 300
        assert told.kinds == {**ALL, "letter": Sides(old=300, noted=300)}
        before = made.stored("hubspot")
        assert (await run(made, "hubspot")).before == 308
        assert made.stored("hubspot") == before


async def test_what_is_new_around_a_moved_lead_follows_though_it_is_closed_by_now(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead = fill(made)[0]
        await run(made, "hubspot")
        made.scenes["bitrix24"].box.crm.change("lead", lead, {"STATUS_ID": "JUNK"}, pipeline_too=False)
        put_note(made, "bitrix24", "lead", lead, "Передумал")
        told = await run(made, "hubspot")
        assert (told.made, told.before) == ({"note": 1}, 8)
        assert sum("Передумал" in one.text for one in seen(made, "hubspot", "note")) == 1


async def test_a_history_that_an_earlier_version_told_in_one_note_stays_as_it_is(tmp_path: Path) -> None:
    def as_then(conn: Connection, leads: list[str]) -> None:
        start = "migrate:bitrix24-hubspot:"
        whole = cursors.some_of(conn, f"{start}lead:whole:", 10)
        conn.execute(delete(t_cursor).where(t_cursor.c.name.like(f"{start}entry:%")))
        for id in leads:
            cursors.save(conn, f"{start}lead:whole:{id}", {"state": "done", "id": whole[id]["id"]})
            cursors.save(conn, f"{start}lead:note:{id}", {"state": "done", "id": "1"})

    async with house(tmp_path) as made:
        leads = fill(made)
        await run(made, "hubspot")
        async with made.ready("bitrix24", "hubspot") as ready:
            await ready.db.write(partial(as_then, leads=leads))
        before = made.stored("hubspot")
        told = await run(made, "hubspot")
        assert (told.made, told.written, told.before) == ({}, 0, 2)
        assert {kind: sides.noted for kind, sides in told.kinds.items()} == {"note": 2, "task": 4, "call": 2}
        assert made.stored("hubspot") == before
