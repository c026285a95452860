"""The history of moved records: what is gathered in a note, what follows later, what is refused."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from connectors.records import RecordObject
from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24_saving import Refused
from jobs.migrate.history import HistoryTally, move_histories
from jobs.migrate.moving import move_all
from jobs.migrate.telling import NOTE_CHARS
from store import cursors
from store.tables import t_cursor
from tests.jobs.migrate.house import LATER_S, House, house, nobody
from tests.jobs.migrate.moved import seen

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
    attach(scene, "deal", ids["deal"], "sms_out", {"text": "Ждём вас", "phone": "+79160000001"}, AT + 60)
    return ids


async def run(made: House, target: str, sample: int = 0, source: str = "amocrm") -> dict[str, HistoryTally]:
    async with made.ready(source, target, sample) as ready:
        passes = await move_all(ready, nobody)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        made.clock.forward(LATER_S)
        return {one.object: one for one in await move_histories(ready)}


def notes(made: House, target: str) -> list[str]:
    return [one.text for one in seen(made, target, "note")]


def history_of(made: House, target: str) -> str:
    (text,) = (one for one in notes(made, target) if "History from amoCRM" in one)
    return text


@pytest.mark.parametrize("target", ["hubspot", "bitrix24"])
async def test_what_cannot_be_one_of_its_own_becomes_one_note_and_a_second_run_writes_nothing(
    target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        ids = fill(made.scenes["amocrm"])
        untouched = made.stored("amocrm")
        told = await run(made, target)
        assert {name: (one.made, one.written, one.entries, one.cut) for name, one in told.items()} == {
            "company": ({"note": 1, "call": 1, "task": 1}, 0, 0, 0),
            "contact": ({"note": 1, "call": 1, "task": 1}, 0, 0, 0),
            "deal": ({"note": 1, "call": 1, "task": 2}, 1, 2, 0),
        }
        text = history_of(made, target)
        assert text.split("\n") == [
            f"History from amoCRM: deal {ids['deal']}, times in UTC",
            "2024-03-01 09:30 · Анна Петрова · file: plan.pdf https://f.example.ru/p",
            "2024-03-01 09:31 · Анна Петрова · outgoing message: +79160000001 Ждём вас",
        ]
        assert len(notes(made, target)) == 4
        assert not any("#lh-0123456789" in one for one in notes(made, target))
        before = made.stored(target)
        told = await run(made, target)
        assert [(one.made, one.written, one.before, one.changed) for one in told.values()] == [
            ({}, 0, 3, 0),
            ({}, 0, 3, 0),
            ({}, 0, 6, 0),
        ]
        assert made.stored(target) == before
        assert made.stored("amocrm") == untouched


async def test_what_a_killed_run_intended_is_looked_up_and_written_only_if_it_is_not_there(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        await run(made, "bitrix24")
        box = made.scenes["bitrix24"].box
        gathering = next(id for id, row in box.comments.items() if "plan.pdf" in row["COMMENT"])
        own = next(id for id, row in box.comments.items() if row["ENTITY_TYPE"] == "contact")
        call = next(id for id, row in box.activities.items() if row["TYPE_ID"] == "2")
        for rows, id in ((box.comments, gathering), (box.comments, own), (box.activities, call)):
            del rows[id]
        async with made.ready("amocrm", "bitrix24") as ready:
            kept = await ready.db.read(lambda conn: cursors.load_all(conn, names(conn)))
            assert {one["state"] for one in kept.values()} == {"done"}
            sent_at = (made.clock.now() - timedelta(seconds=LATER_S)).isoformat()
            for name, state in kept.items():
                telling = {mark: digest for mark, (digest, _) in state.get("told", {}).items()}
                more = {"told": {}, "telling": telling} if "told" in state else {}
                sent = {**state, "state": "sent", "id": "", "at": sent_at, **more}
                await ready.db.write(partial(cursors.save, name=name, value=sent))
        told = await run(made, "bitrix24")
        assert [(sum(one.made.values()), one.written) for one in told.values()] == [(3, 0), (3, 0), (4, 1)]
        assert len(notes(made, "bitrix24")) == 4
        assert len(box.activities) == 7
        before = made.stored("bitrix24")
        await run(made, "bitrix24")
        assert made.stored("bitrix24") == before


def refusing(_params: Any) -> Any:
    raise Refused(400, "INVALID_ARG_VALUE", "no")


async def test_a_refused_note_of_history_is_told_and_tried_again(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        box = made.scenes["bitrix24"].box
        async with made.ready("amocrm", "bitrix24") as ready:
            await move_all(ready, nobody)
            refused = ("crm.timeline.comment.add", "crm.activity.todo.add")
            whole = {name: box.crm.methods[name] for name in refused}
            box.crm.methods.update(dict.fromkeys(refused, refusing))
            told = await move_histories(ready)
            assert [(one.made, one.declined, one.written, one.refused) for one in told] == [
                ({"call": 1}, 2, 0, 1),
                ({"call": 1}, 2, 0, 1),
                ({"call": 1}, 3, 0, 1),
            ]
            assert [one.tasks_left for one in told] == [1, 1, 1]
            assert [(one["what"], one["why"]) for one in told[0].examples[:2]] == [
                ("note", "refused (INVALID_ARG_VALUE)"),
                ("task", "refused (INVALID_ARG_VALUE)"),
            ]
            box.crm.methods.update(whole)
            told = await move_histories(ready)
            assert [(one.made, one.declined, one.written, one.entries) for one in told] == [
                ({}, 0, 1, 2),
                ({}, 0, 1, 2),
                ({}, 0, 1, 5),
            ]
            open_task = "task: Перезвонить (due 2024-03-02 09:30, open, of Анна"
            assert sum(open_task in one for one in notes(made, "bitrix24")) == 3


async def test_one_entry_that_is_refused_goes_into_the_note_and_stops_none_of_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["amocrm"])
        crm = made.scenes["bitrix24"].box.crm
        whole = crm.methods["crm.activity.todo.add"]

        def choosy(params: Any) -> Any:
            return refusing(params) if "смету" in params["title"] else whole(params)

        crm.methods["crm.activity.todo.add"] = choosy
        told = await run(made, "bitrix24")
        assert [(one.made["task"], one.declined, one.written) for one in told.values()] == [
            (1, 0, 0),
            (1, 0, 0),
            (1, 1, 1),
        ]
        assert "task: Отправить смету (due 2024-03-02 09:30, done, of Анна Петрова)" in history_of(made, "bitrix24")
        crm.methods["crm.activity.todo.add"] = whole
        before = made.stored("bitrix24")
        assert [one.declined for one in (await run(made, "bitrix24")).values()] == [0, 0, 0]
        assert made.stored("bitrix24") == before


def names(conn: Connection) -> list[str]:
    found = conn.execute(
        select(t_cursor.c.name).where(t_cursor.c.name.like("%:entry:%") | t_cursor.c.name.like("%:history:%"))
    )
    return [str(name) for name in found.scalars()]


async def test_what_is_new_in_the_old_crm_follows_and_what_has_changed_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        ids = fill(old)
        await run(made, "hubspot")
        attach(old, "deal", ids["deal"], "common", {"text": "Ещё одно"}, AT + 9_000)
        attach(old, "deal", ids["deal"], "sms_in", {"text": "Еду", "phone": "+79160000001"}, AT + 9_060)
        for row in old.box.tasks.values():
            row["is_completed"] = True
        told = (await run(made, "hubspot"))["deal"]
        assert (told.made, told.written, told.entries, told.before, told.changed) == ({"note": 1}, 1, 1, 6, 1)
        assert notes(made, "hubspot").count("Ещё одно") == 1
        (last,) = (one for one in notes(made, "hubspot") if "Еду" in one)
        assert "Ждём вас" not in last
        before = made.stored("hubspot")
        told = (await run(made, "hubspot"))["deal"]
        assert (told.made, told.written, told.before) == ({}, 0, 8)
        assert made.stored("hubspot") == before


async def test_a_long_history_takes_several_notes_and_loses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        deal = old.put("deal", title="Окна")
        for number in range(300):
            attach(old, "deal", deal, "sms_in", {"text": f"№{number}. " + "&" * 60}, AT + number)
        attach(old, "deal", deal, "sms_in", {"text": "я" * 5_000}, AT + 300)
        told = await run(made, "hubspot")
        texts = notes(made, "hubspot")
        assert (told["deal"].written, told["deal"].entries, told["deal"].cut) == (len(texts), 301, 1)
        assert all(len(one) <= NOTE_CHARS for one in texts)
        assert [sum(f"№{number}." in one for one in texts) for number in range(300)] == [1] * 300
        assert "An entry that ends in … is longer in amoCRM." in max(texts, key=lambda one: one.count("я"))
        bodies = [
            row["properties"]["hs_note_body"] for row in made.scenes["hubspot"].box.records.live["notes"].values()
        ]
        assert NOTE_CHARS < max(map(len, bodies)) < 65_536, "as HubSpot counts"
        before = made.stored("hubspot")
        assert (await run(made, "hubspot"))["deal"].before == 301
        assert made.stored("hubspot") == before


async def test_a_long_note_of_its_own_is_cut_and_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        attach(old, "deal", old.put("deal", title="Окна"), "common", {"text": "я" * 20_000})
        told = await run(made, "bitrix24")
        assert (told["deal"].made, told["deal"].cut) == ({"note": 1}, 1)
        (text,) = notes(made, "bitrix24")
        assert (text[-2:], NOTE_CHARS - 500 < len(text) <= NOTE_CHARS) == ("я…", True)


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
        assert [one.made.get("note") for one in told.values()] == [2, 2, 2]
        assert [sum(one.made.values()) for one in told.values()] == [4, 4, 5]
        assert len(notes(made, "hubspot")) == 7


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
        assert [(one.made, one.entries, one.error) for one in told] == [
            ({"task": 1}, 0, ""),
            ({"task": 1}, 0, ""),
            ({"task": 2}, 0, ""),
        ]


async def test_a_sample_moves_the_history_of_its_records_only(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"]
        for number in range(4):
            deal = old.put("deal", title=f"Окна {number}")
            attach(old, "deal", deal, "common", {"text": f"Замер {number}"})
        assert (await run(made, "hubspot", sample=2))["deal"].made == {"note": 2}
        told = await run(made, "hubspot")
        assert (told["deal"].made, told["deal"].before) == ({"note": 2}, 2)
