"""Notes, tasks and calls of moved records become the new CRM's own, each once, whatever happens on the way."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import HistoryTally, Sides, move_histories
from jobs.migrate.moving import move_all
from tests.connectors.hubspot.schemas import exchange_problems
from tests.jobs.migrate.house import LATER_S, House, house, nobody
from tests.jobs.migrate.moved import AT, SECOND, SECOND_NAME, put_call, put_note, put_task, same_people, seen, vendor_of

PAIRS = (
    ("amocrm", "hubspot"),
    ("hubspot", "bitrix24"),
    ("bitrix24", "amocrm"),
    ("amocrm", "bitrix24"),
    ("bitrix24", "hubspot"),
    ("hubspot", "amocrm"),
)
DAY = 86_400
OBJECTS = ("company", "contact", "deal")
WHEN = "2024-03-01T09:30"


def fill(made: House, crm: str) -> dict[str, str]:
    same_people(made)
    scene = made.scenes[crm]
    ids = {
        "company": str(scene.put("company", name="ООО Окна")),
        "contact": str(scene.put("contact", first_name="Анна", last_name="Орлова", phones=("+79160000001",))),
        "deal": str(scene.put("deal", title="Окна", price="100")),
    }
    for about, id in ids.items():
        put_note(made, crm, about, id, f"Замер <в> пятницу, {about}")
        put_task(made, crm, about, id, f"Перезвонить, {about}", due=AT + DAY, done=False)
        put_task(made, crm, about, id, f"Отправить смету, {about}", due=AT + 2 * DAY, done=True)
        put_call(made, crm, about, id, phone="+79160000001", seconds=54, at=AT + 60)
    return ids


async def run(made: House, source: str, target: str, sample: int = 0) -> dict[str, HistoryTally]:
    async with made.ready(source, target, sample) as ready:
        passes = await move_all(ready, nobody)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        made.clock.forward(LATER_S)
        return {one.object: one for one in await move_histories(ready)}


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_each_becomes_one_of_its_own_with_its_date_its_person_and_its_words(
    source: str, target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        fill(made, source)
        untouched = made.stored(source)
        told = await run(made, source, target)
        assert {name: dict(one.made) for name, one in told.items()} == {
            name: {"note": 1, "task": 2, "call": 1} for name in OBJECTS
        }
        assert [(one.written, one.declined, one.refused, one.cut, one.error) for one in told.values()] == [
            (0, 0, 0, 0, "")
        ] * 3
        who = SECOND_NAME
        notes, tasks, calls = (seen(made, target, kind) for kind in ("note", "task", "call"))
        assert {one.on[0] for one in notes} == {one.on[0] for one in calls} == set(OBJECTS)
        assert len(notes) == len(calls) == 3
        for one in notes:
            words = f"Замер <в> пятницу, {one.on[0]}"
            kept = target != "bitrix24"  # where a comment is of the time it is written
            assert (one.at, one.by) == (WHEN if kept else "", who)
            assert one.text == (words if kept else f"2024-03-01 09:30\n{words}")
        for one in calls:
            assert one.at == "2024-03-01T09:31"
            assert one.by == who
            assert one.more == f"in +79160000001 54 https://rec.example.ru/{AT + 60}.mp3"
        assert [(one.on[0], one.text.split("\n")[0], one.by, one.more) for one in tasks] == sorted(
            row
            for about in OBJECTS
            for row in (
                (about, f"Перезвонить, {about}", who, "2024-03-02T09:30 open"),
                (about, f"Отправить смету, {about}", who, "2024-03-03T09:30 done"),
            )
        )
        before = made.stored(target)
        told = await run(made, source, target)
        assert [(sum(one.made.values()), one.written, one.before, one.changed) for one in told.values()] == [
            (0, 0, 4, 0)
        ] * 3
        assert made.stored(target) == before
        assert made.stored(source) == untouched


WRITES = {
    "hubspot": ("/notes", "/tasks", "/calls"),
    "amocrm": ("/notes", "/tasks"),
    "bitrix24": ("crm.timeline.comment.add", "crm.activity.todo.add", "crm.activity.add", "crm.activity.update"),
}
LOST = ("lost", "late", "cut", "never", "busy")


class Troubled:
    """A CRM that spoils some of the writes of activities.

    `lost`: done, and a server error is answered; `late`: the same, but done only at the next request after `LANDS_S`;
    `cut`: done, and half of the answer comes; `never`: not done, server error; `busy`: told to wait.
    """

    LANDS_S = 20.0

    def __init__(self, made: House, crm: str, choose: Callable[[], str]) -> None:
        layer = made.scenes[crm].layer
        self._crm, self._clock, self._vendor, self._choose = vendor_of(crm), made.clock, layer.vendor, choose
        self._whole = layer.vendor.handle
        self._late: list[tuple[float, SandboxRequest]] = []
        self.spoiled: list[str] = []
        layer.vendor.handle = self.handle

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        now = self._clock.monotonic()
        for at, held in list(self._late):
            if now >= at:
                self._late.remove((at, held))
                self._whole(held)
        what = self._choose() if self._writes(request) else ""
        if not what:
            return self._whole(request)
        self.spoiled.append(what)
        if what == "busy":
            told: SandboxResponse = self._vendor.fault_answer("503" if self._crm == "bitrix24" else "429")
            return told
        if what == "late":
            self._late.append((now + self.LANDS_S, request))
        answer = self._whole(request) if what in ("lost", "cut") else None
        if what == "cut" and answer is not None:
            body = answer.encoded()
            return SandboxResponse(answer.status, body[: len(body) // 2], content_type="application/json")
        return SandboxResponse(502, b"<html>502</html>", content_type="text/html")

    def _writes(self, request: SandboxRequest) -> bool:
        if self._crm == "bitrix24":
            return any(one in request.path or one.encode() in request.body for one in WRITES["bitrix24"])
        path = request.path.removesuffix("/batch/create")
        return request.method == "POST" and path.endswith(WRITES[self._crm])


def everything(made: House, crm: str) -> list[Any]:
    return [seen(made, crm, kind) for kind in ("note", "task", "call")]


@pytest.mark.parametrize("trouble", LOST)
@pytest.mark.parametrize(("source", "target"), PAIRS[:3])
async def test_after_an_answer_that_says_nothing_each_is_there_once(
    source: str, target: str, trouble: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        fill(made, source)
        made.clock.leaps = True
        spoil = iter([trouble] * (1 if trouble == "never" else 3))  # what is unknown twice the next run finds out
        troubled = Troubled(made, target, lambda: next(spoil, ""))
        told = await run(made, source, target)
        assert troubled.spoiled == [trouble] * len(troubled.spoiled) != []
        assert next(spoil, None) is None
        assert [(one.finished, one.before, one.declined, one.refused) for one in told.values()] == [(True, 0, 0, 0)] * 3
        assert [one.made for one in told.values()] == [{"note": 1, "task": 2, "call": 1}] * 3
        assert [len(one) for one in everything(made, target)] == [3, 6, 3]
        assert {one.more.split()[1] for one in seen(made, target, "task")} == {"open", "done"}
        before = made.stored(target)
        await run(made, source, target)
        assert made.stored(target) == before


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("source", "target"), PAIRS[:3])
async def test_whatever_is_lost_and_however_often_it_runs_nothing_is_missing_or_double(
    source: str, target: str, seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    async with house(tmp_path) as made:
        fill(made, source)
        made.clock.leaps = True
        async with made.ready(source, target) as ready:
            await move_all(ready, nobody)
        troubled = Troubled(made, target, lambda: rng.choice(("", *LOST)))
        for _ in range(3):
            async with made.ready(source, target) as ready:
                await move_histories(ready)
        assert troubled.spoiled
        troubled._choose = str
        told = await run(made, source, target)
        assert all(one.finished for one in told.values())
        assert [len(one) for one in everything(made, target)] == [3, 6, 3]
        assert [one.more.split()[1] for one in seen(made, target, "task")].count("done") == 3


async def test_what_hubspot_shows_on_several_records_is_written_once_on_the_deal(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        ids = fill(made, "hubspot")
        records = made.scenes["hubspot"].box.records
        for kind in ("notes", "tasks", "calls"):
            for id in list(records.live[kind]):
                records.link(kind, id, "companies", ids["company"])
                records.link(kind, id, "contacts", ids["contact"])
                records.link(kind, id, "deals", ids["deal"])
        for _ in range(2):
            told = await run(made, "hubspot", "bitrix24")
            assert [len(one) for one in everything(made, "bitrix24")] == [3, 6, 3]
            assert {one.on[0] for some in everything(made, "bitrix24") for one in some} == {"deal"}
        assert [one.before for one in told.values()] == [0, 0, 12]
        async with made.ready("hubspot", "bitrix24") as ready:
            done = await move_histories(ready)
            await compare_histories(ready, done)
        assert done[0].kinds == done[1].kinds == {}
        assert done[2].kinds == {
            "note": Sides(old=3, own=3),
            "task": Sides(old=6, own=6),
            "call": Sides(old=3, own=3),
        }


@pytest.mark.parametrize(("source", "target", "most"), [(*PAIRS[0], 5), (*PAIRS[1], 8), (*PAIRS[2], 8)])
async def test_a_large_history_takes_few_calls(source: str, target: str, most: int, tmp_path: Path) -> None:
    """300 notes and calls on 40 deals: 100 in a call of HubSpot's, 50 of amoCRM's and Bitrix24's."""
    async with house(tmp_path) as made:
        same_people(made)
        for number in range(40):
            deal = str(made.scenes[source].put("deal", title=f"Окна {number}"))
            for note in range(5):
                put_note(made, source, "deal", deal, f"Замер {number}-{note}", at=AT + note)
            if number % 2:
                for call in range(5):
                    put_call(made, source, "deal", deal, phone="+79160000001", seconds=5, at=AT + 60 * call)
        calls: list[str] = []

        def counting() -> str:
            calls.append("")
            return ""

        Troubled(made, target, counting)
        told = await run(made, source, target)
        assert told["deal"].made == {"note": 200, "call": 100}
        assert len(calls) <= most, len(calls)


async def test_a_lost_comment_is_found_behind_fifty_younger_ones(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        ids = fill(made, "amocrm")
        made.clock.leaps = True
        spoil = iter(["lost"])
        troubled = Troubled(made, "bitrix24", lambda: next(spoil, ""))
        async with made.ready("amocrm", "bitrix24") as ready:
            await move_all(ready, nobody)
            (deal,) = made.scenes["bitrix24"].box.crm.boxes["deal"].records
            ready.activities = Young(ready.activities, lambda: put_notes(made, deal, 70))  # type: ignore[assignment]
            await move_histories(ready)
        assert troubled.spoiled == ["lost"]
        assert ids
        assert len([one for one in seen(made, "bitrix24", "note") if "Замер" in one.text]) == 3


class Young:
    """Activities of a record on which people write before the first look."""

    def __init__(self, whole: Any, write: Callable[[], None]) -> None:
        self._whole, self._write = whole, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    async def find(self, some: Any, sent_at: Any) -> Any:
        self._write()
        return await self._whole.find(some, sent_at)


def put_notes(made: House, deal: str, many: int) -> None:
    for number in range(many):
        put_note(made, "bitrix24", "deal", deal, f"Новое {number}")


@pytest.mark.parametrize(("source", "target"), PAIRS[:3])
async def test_who_is_not_in_the_new_crm_is_named_in_the_words(source: str, target: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made, source)
        other = target if target != "amocrm" else source
        if other == "hubspot":
            made.scenes["hubspot"].box.schema.owners[SECOND["hubspot"]]["lastName"] = "Иной"
        else:
            made.scenes["bitrix24"].box.crm.users[SECOND["bitrix24"]]["LAST_NAME"] = "Иной"
        name = f"{SECOND_NAME.split()[0]} Иной" if other == source else SECOND_NAME
        told = await run(made, source, target)
        assert [one.made for one in told.values()] == [{"note": 1, "task": 1, "call": 1}] * 3
        assert [(one.tasks_left, one.entries) for one in told.values()] == [(1, 1)] * 3, "open, and nobody's"
        notes = [one for one in seen(made, target, "note") if "istory" not in one.text]
        assert all(name in one.text.split("\n")[0] for one in notes)
        assert all(f"of {name})" in one.text for one in seen(made, target, "task"))
        assert all(one.text.startswith(name) for one in seen(made, target, "call"))


async def test_without_the_unique_property_a_mark_tells_what_is_there(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made, "amocrm")
        made.clock.leaps = True
        made.scenes["hubspot"].box.account.may_write_schemas = False
        spoil = iter(["lost", "late", "cut"])
        troubled = Troubled(made, "hubspot", lambda: next(spoil, ""))
        told = await run(made, "amocrm", "hubspot")
        assert troubled.spoiled == ["lost", "late", "cut"]
        assert all(one.finished for one in told.values())
        assert [len(one) for one in everything(made, "hubspot")] == [3, 6, 3]
        assert all("[lh:h-" in one.text for one in seen(made, "hubspot", "note"))


async def test_every_request_and_answer_fits_hubspot_s_schemas(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made, "amocrm")
        vendor, problems = made.scenes["hubspot"].layer.vendor, list[str]()
        whole = vendor.handle

        def checking(request: SandboxRequest) -> SandboxResponse:
            answer: SandboxResponse = whole(request)
            problems.extend(exchange_problems(request, answer))
            return answer

        vendor.handle = checking
        told = await run(made, "amocrm", "hubspot")
        assert sum(sum(one.made.values()) for one in told.values()) == 12
        assert problems == []
