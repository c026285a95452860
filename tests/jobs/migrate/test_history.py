"""The history of moved records: one note on each in the new CRM, once, and the old CRM untouched."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from connectors.base import Hint, NoteDraft, TaskDraft
from connectors.records import RecordObject
from connectors.sandbox.base import Fault, SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24_saving import Refused
from jobs.migrate.history import HistoryTally, move_histories
from jobs.migrate.moving import move_all
from jobs.migrate.telling import NOTE_CHARS
from store import cursors
from store.tables import t_cursor
from tests.jobs.migrate.house import LATER_S, House, house, nobody

AT = int(datetime(2024, 3, 1, 9, 30, tzinfo=UTC).timestamp())
ENTITY = {"deal": "leads", "contact": "contacts", "company": "companies"}
OBJECTS: tuple[RecordObject, ...] = ("company", "contact", "deal")


def attach(scene: Any, about: str, id: str, kind: str, params: Any, at: int = AT) -> dict[str, Any]:
    box = scene.box
    made = box._make_note(ENTITY[about], id, {"note_type": kind, "params": params, "created_at": at})()
    return dict(made)


def task(scene: Any, about: str, id: str, text: str, *, done: bool = False) -> None:
    item = {"text": text, "complete_till": AT + 86_400, "entity_type": ENTITY[about], "entity_id": id}
    made = scene.box._make_task(item)()
    made |= {"created_at": AT + 60, "is_completed": done}


def fill(scene: Any) -> dict[str, str]:
    ids = {
        "company": scene.put("company", name="ООО Окна"),
        "contact": scene.put("contact", first_name="Анна", last_name="Орлова", phones=("+79160000001",)),
        "deal": scene.put("deal", title="Окна", price="100"),
    }
    scene.put("deal", title="Без истории", price="5")
    call = {
        "uniq": "u1",
        "duration": 54,
        "source": "x",
        "link": "https://rec.example.ru/1.mp3",
        "phone": "+79160000001",
    }
    for about, id in ids.items():
        attach(scene, about, id, "call_in", call, AT + 30)
        attach(scene, about, id, "common", {"text": f"Замер <в> пятницу, {about}\n#lh-0123456789"})
        task(scene, about, id, "Перезвонить")
    task(scene, "deal", ids["deal"], "Отправить смету", done=True)
    attach(scene, "deal", ids["deal"], "attachment", {"original_name": "plan.pdf", "link": "https://f.example.ru/p"})
    return ids


async def run(made: House, target: str, sample: int = 0, source: str = "amocrm") -> dict[str, HistoryTally]:
    async with made.ready(source, target, sample) as ready:
        passes = await move_all(ready, nobody)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        made.clock.forward(LATER_S)
        return {one.object: one for one in await move_histories(ready)}


def notes(made: House, target: str) -> list[str]:
    box = made.scenes[target].box
    if target == "hubspot":
        return [row["properties"]["hs_note_body"] for row in box.records.live["notes"].values()]
    return [row["COMMENT"] for row in box.comments.values()]


def tasks(made: House, target: str) -> list[tuple[str, str, str]]:
    """What, due when (UTC), for whom."""
    box = made.scenes[target].box
    if target == "bitrix24":
        rows = [(row["SUBJECT"], row["DEADLINE"], row["RESPONSIBLE_ID"]) for row in box.activities.values()]
        names = {id: f"{one['NAME']} {one['LAST_NAME']}" for id, one in box.crm.users.items()}
    else:
        found = [row["properties"] for row in box.records.live["tasks"].values()]
        rows = [(one["hs_task_subject"], one["hs_timestamp"], one["hubspot_owner_id"]) for one in found]
        names = {id: f"{one['firstName']} {one['lastName']}" for id, one in box.schema.owners.items()}
    due = [datetime.fromisoformat(at).astimezone(UTC).isoformat()[:16] for _, at, _ in rows]
    return [(what, at, names[whose]) for (what, _, whose), at in zip(rows, due, strict=True)]


@pytest.mark.parametrize("target", ["hubspot", "bitrix24"])
async def test_each_record_gets_one_note_with_all_that_happened_and_a_second_run_writes_nothing(
    target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        ids = fill(made.scenes["amocrm"])
        untouched = made.stored("amocrm")
        told = await run(made, target)
        assert {name: (one.written, one.entries, one.cut) for name, one in told.items()} == {
            "company": (1, 3, 0),
            "contact": (1, 3, 0),
            "deal": (1, 5, 0),
        }
        assert len(notes(made, target)) == 3
        (text,) = (one for one in notes(made, target) if "plan.pdf" in one)
        text = text.replace("<br>", "\n").replace("&lt;", "<").replace("&gt;", ">")
        lines = text.split("\n")
        assert lines[0].endswith(f"History from amoCRM: deal {ids['deal']}, times in UTC")
        order = ["file: plan.pdf https://f.example.ru/p", "note: Замер <в> пятницу", "incoming call: +79160000001 54 s"]
        places = [text.index(one) for one in (*order, "task: Отправить смету", "task: Перезвонить")]
        assert places == sorted(places), text
        assert "2024-03-01 09:30" in text
        assert "https://rec.example.ru/1.mp3" in text
        assert "(due 2024-03-02 09:30, open, of Анна Петрова)" in text
        assert "done, of " in text
        assert "#lh-0123456789" not in text
        assert [(one.tasks, one.tasks_left) for one in told.values()] == [(1, 0)] * 3
        assert tasks(made, target) == [("Перезвонить", "2024-03-02T09:30", "Анна Петрова")] * 3
        before = made.stored(target)
        told = await run(made, target)
        assert [(one.written, one.before, one.changed) for one in told.values()] == [(0, 1, 0)] * 3
        assert made.stored(target) == before
        assert made.stored("amocrm") == untouched


async def test_a_lost_answer_writes_no_note_and_no_task_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        layer = made.scenes["hubspot"].layer
        losing = [Fault("reset_after", "/notes", times=1), Fault("reset_after", "/tasks", times=1)]
        async with made.ready("amocrm", "hubspot") as ready:
            await move_all(ready, nobody)
            layer.faults += losing
            told = await move_histories(ready)
        assert [one.hits for one in losing] == [1, 1]
        assert len(tasks(made, "hubspot")) == 3
        assert [(one.written, one.finished) for one in told] == [(1, True)] * 3
        assert len(notes(made, "hubspot")) == 3


async def test_what_a_killed_run_intended_is_looked_up_and_written_only_if_it_is_not_there(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        await run(made, "bitrix24")
        box = made.scenes["bitrix24"].box
        missing = next(id for id, row in box.comments.items() if "deal" in row["ENTITY_TYPE"])
        del box.comments[missing]
        async with made.ready("amocrm", "bitrix24") as ready:
            kept = await ready.db.read(lambda conn: cursors.load_all(conn, names(conn)))
            assert {one["state"] for one in kept.values()} == {"done"}
            sent_at = (made.clock.now() - timedelta(seconds=LATER_S)).isoformat()
            for name, state in kept.items():
                sent = {**state, "state": "sent", "id": "", "at": sent_at}
                await ready.db.write(partial(cursors.save, name=name, value=sent))
        told = await run(made, "bitrix24")
        assert [one.written for one in told.values()] == [1, 1, 1]
        assert len(notes(made, "bitrix24")) == 3
        before = made.stored("bitrix24")
        await run(made, "bitrix24")
        assert made.stored("bitrix24") == before


def refusing(_params: Any) -> Any:
    raise Refused(400, "INVALID_ARG_VALUE", "no")


async def test_a_refused_note_or_task_is_told_and_tried_again(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        box = made.scenes["bitrix24"].box
        async with made.ready("amocrm", "bitrix24") as ready:
            await move_all(ready, nobody)
            names = ("crm.timeline.comment.add", "crm.activity.todo.add")
            whole = {name: box.crm.methods[name] for name in names}
            box.crm.methods.update(dict.fromkeys(names, refusing))
            told = await move_histories(ready)
            assert [(one.written, one.refused, one.tasks_left) for one in told] == [(0, 1, 1)] * 3
            assert told[0].examples
            box.crm.methods.update(whole)
            assert [(one.written, one.tasks) for one in await move_histories(ready)] == [(1, 1)] * 3


def names(conn: Connection) -> list[str]:
    found = conn.execute(select(t_cursor.c.name).where(t_cursor.c.name.contains(":history:")))
    return [str(name) for name in found.scalars()]


async def test_a_history_that_changes_after_the_move_is_told_and_not_written_again(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        ids = fill(made.scenes["amocrm"])
        await run(made, "hubspot")
        attach(made.scenes["amocrm"], "deal", ids["deal"], "common", {"text": "Ещё одно"}, AT + 9_000)
        told = await run(made, "hubspot")
        assert (told["deal"].before, told["deal"].changed, told["deal"].written) == (1, 1, 0)
        assert not any("Ещё одно" in one for one in notes(made, "hubspot"))


async def test_a_long_history_is_cut_and_says_so_with_the_newest_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        deal = old.put("deal", title="Окна")
        for number in range(300):
            attach(old, "deal", deal, "common", {"text": f"№{number}. " + "&" * 60}, AT + number)
        told = await run(made, "hubspot")
        assert (told["deal"].entries, told["deal"].cut) == (300, 1)
        (text,) = notes(made, "hubspot")
        assert "№299." in text
        assert "№0." not in text
        assert "Earlier entries did not fit in here and stay in amoCRM: " in text
        assert NOTE_CHARS < len(text) < 65_536, "as HubSpot counts"


async def test_an_account_that_ignores_the_filters_gives_the_same_history(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        layer = made.scenes["amocrm"].layer
        whole = layer.vendor.handle

        def ignoring(request: SandboxRequest) -> SandboxResponse:
            request.query[:] = [pair for pair in request.query if not pair[0].startswith("filter[entity")]
            return whole(request)

        layer.vendor.handle = ignoring
        for about in OBJECTS:  # what is not moved, and so nobody asks for
            attach(made.scenes["amocrm"], about, made.scenes["amocrm"].put(about, name="x"), "common", {"text": "x"})
        told = await run(made, "hubspot")
        assert [one.entries for one in told.values()] == [4, 4, 6]
        assert len(notes(made, "hubspot")) == 6


async def test_an_account_that_gives_no_notes_is_told_and_its_tasks_go_along(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        layer = made.scenes["amocrm"].layer
        whole = layer.vendor.handle

        def without(request: SandboxRequest) -> SandboxResponse:
            return SandboxResponse(404, {}) if request.path.endswith("/notes") else whole(request)

        layer.vendor.handle = without
        async with made.ready("amocrm", "hubspot") as ready:
            await move_all(ready, nobody)
            told = await move_histories(ready)
            assert ready.histories is not None
            assert ready.histories.given.refused == {"notes", "calls", "messages", "files"}
        assert [(one.entries, one.error) for one in told] == [(1, ""), (1, ""), (2, "")]


async def test_a_sample_moves_the_history_of_its_records_only(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        for number in range(4):
            deal = old.put("deal", title=f"Окна {number}")
            attach(old, "deal", deal, "common", {"text": f"Замер {number}"})
        assert (await run(made, "hubspot", sample=2))["deal"].written == 2
        told = await run(made, "hubspot")
        assert (told["deal"].written, told["deal"].before) == (2, 2)


@pytest.mark.parametrize("about", OBJECTS)
@pytest.mark.parametrize("crm", ["amocrm", "bitrix24", "hubspot"])
async def test_a_note_and_a_task_on_any_kind_of_record_are_written_and_found_again(
    crm: str, about: RecordObject, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        scene = made.scenes[crm]
        values = {"title": "Окна"} if about == "deal" else {"name": "ООО Окна"}
        on = about, scene.put(about, **(values if about != "contact" else {"first_name": "Анна"}))
        due_at = datetime(2024, 3, 2, tzinfo=UTC)
        hint = Hint(made.clock.now())
        made.clock.forward(LATER_S)
        for draft in (
            NoteDraft("history-a-b-deal-1", "История", "", on=on),
            TaskDraft("task-a-b-deal-1", "Смета", due_at, "", on=on, to_call=False),
        ):
            assert await scene.target.find_created(draft, hint) is None
            written = await scene.target.create(draft)
            made.clock.forward(LATER_S)
            assert await scene.target.find_created(draft, hint) == written
