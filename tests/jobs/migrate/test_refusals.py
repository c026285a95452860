"""What a CRM does not take, or not from this token, stops nothing else; what it has is found again by its lists."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.activities import ACTIVITY_KINDS, Activity
from connectors.errors import PermanentError
from connectors.histories import Entry
from connectors.records import RecordObject
from connectors.registry import CONNECTORS
from connectors.sandbox.amocrm_records import Invalid
from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.hubspot_errors import RefusedError
from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import Sides, move_histories
from jobs.migrate.moving import move_all
from tests.jobs.migrate.house import LATER_S, House, house, nobody
from tests.jobs.migrate.moved import SECOND, put_call, put_note, seen
from tests.jobs.migrate.test_activities import OBJECTS, fill, run

AT = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
BAD = "Плохое"


def entry_of(kind: str, crm: str, text: str = "Окна") -> Entry:
    more: dict[str, Any] = {"author": str(SECOND[crm]), "text": text}
    if kind == "task":
        more |= {"due_at": AT + timedelta(days=1), "responsible": str(SECOND[crm]), "done": True}
    if kind == "call":
        more |= {"direction": "out", "phone": "+79160000001", "seconds": 54}
    return Entry(kind, AT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("about", OBJECTS)
@pytest.mark.parametrize("crm", ["amocrm", "bitrix24", "hubspot"])
async def test_what_is_written_is_found_again_under_the_id_that_the_history_tells(
    crm: str, about: RecordObject, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        made.clock.leaps = True
        scene, connector = made.scenes[crm], CONNECTORS[crm]
        assert connector.activities is not None
        assert connector.histories is not None
        activities = connector.activities(scene.target)
        values = {"title": "Окна"} if about == "deal" else {"name": "ООО Окна"}
        record = str(scene.put(about, **(values if about != "contact" else {"first_name": "Анна"})))
        some = [Activity(f"h-{kind}", about, record, kind, entry_of(kind, crm)) for kind in ACTIVITY_KINDS]
        sent_at = made.clock.now()
        made.clock.forward(LATER_S)
        assert await activities.find(some, sent_at) == {}
        written = await activities.write(some)
        made.clock.forward(LATER_S)
        assert await activities.find(some, sent_at) == dict(zip((one.key for one in some), written, strict=True))
        told = (await connector.histories(scene.target).of(about, [record]))[record]
        assert {one.id for one in told} == set(written)
        assert [one.text.split("\n")[0] for one in told] == ["Окна"] * 3
        assert {one.kind: one.done for one in told} == {"note": False, "task": True, "call": False}
        (call,) = (one for one in told if one.kind == "call")
        assert (call.at, call.direction, call.phone, call.seconds) == (AT, "out", "+79160000001", 54)
        other = Activity("h-not", about, record, "note", entry_of("note", crm))
        assert await activities.find([other], sent_at) == {}


@pytest.mark.parametrize("crm", ["amocrm", "bitrix24", "hubspot"])
async def test_on_a_record_that_is_gone_there_is_nothing_and_nothing_can_be_written(crm: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.clock.leaps = True
        open_activities = CONNECTORS[crm].activities
        assert open_activities is not None
        activities = open_activities(made.scenes[crm].target)
        some = [Activity(f"h-{kind}", "deal", "987654", kind, entry_of(kind, crm)) for kind in ACTIVITY_KINDS]
        assert await activities.find(some, made.clock.now() - timedelta(seconds=LATER_S)) == {}
        assert all(isinstance(one, PermanentError) for one in await activities.write(some))


def spoil(made: House, crm: str) -> None:
    """The CRM takes nothing that bears that word, whatever the kind, but for the note that gathers."""
    box = made.scenes[crm].box
    if crm == "amocrm":
        for name in ("_make_note", "_make_task"):
            whole = getattr(box, name)

            def choosy(*given: Any, whole: Any = whole) -> Any:
                if is_bad(given[-1]):
                    raise Invalid(("InvalidType", "params"))
                return whole(*given)

            setattr(box, name, choosy)
        return
    create = box.records.create

    def picky(type_: str, given: Any, links: Any) -> Any:
        if type_ in ("notes", "tasks", "calls") and is_bad(given):
            raise RefusedError(400, "Property values were not valid", "VALIDATION_ERROR")
        return create(type_, given, links)

    box.records.create = picky


def is_bad(given: Any) -> bool:
    return BAD in str(given) and "istory from" not in str(given)


@pytest.mark.parametrize(("source", "target"), [("amocrm", "hubspot"), ("bitrix24", "amocrm")])
async def test_one_that_is_refused_in_a_batch_goes_into_the_note_and_the_others_do_not(
    source: str, target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        ids = fill(made, source)
        put_note(made, source, "deal", ids["deal"], f"{BAD} примечание")
        spoil(made, target)
        for _ in range(2):
            async with made.ready(source, target) as ready:
                await move_all(ready, nobody)
                told = {one.object: one for one in await move_histories(ready)}
                await compare_histories(ready, told.values())
            assert [one.finished for one in told.values()] == [True] * 3
            assert [len(seen(made, target, kind)) for kind in ("note", "task", "call")] == [4, 6, 3]
            assert told["deal"].kinds == {
                "note": Sides(old=2, own=1, noted=1),
                "task": Sides(old=2, own=2),
                "call": Sides(old=1, own=1),
            }
        (gathering,) = (one for one in seen(made, target, "note") if "istory from" in one.text)
        assert gathering.text.endswith(f"note: {BAD} примечание")


async def test_a_token_that_may_not_write_calls_leaves_them_to_the_note(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        ids = fill(made, "amocrm")
        put_call(made, "amocrm", "deal", ids["deal"], phone="+79160000002", seconds=9)
        vendor = made.scenes["hubspot"].layer.vendor
        whole = vendor.handle

        def without(request: SandboxRequest) -> SandboxResponse:
            if request.method == "POST" and "/calls" in request.path and "associations" not in request.path:
                error = {"status": "error", "category": "MISSING_SCOPES", "message": "no"}
                return SandboxResponse(403, error)
            answer: SandboxResponse = whole(request)
            return answer

        vendor.handle = without
        told = await run(made, "amocrm", "hubspot")
        assert [(one.made, one.declined, one.entries, one.finished) for one in told.values()] == [
            ({"note": 1, "task": 2}, 1, 1, True),
            ({"note": 1, "task": 2}, 1, 1, True),
            ({"note": 1, "task": 2}, 2, 2, True),
        ]
        assert len(seen(made, "hubspot", "note")) == 6


async def test_a_dead_token_stops_the_move_and_the_next_run_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made, "amocrm")
        vendor = made.scenes["bitrix24"].layer.vendor
        whole, dead = vendor.handle, True

        def refusing(request: SandboxRequest) -> SandboxResponse:
            if dead and b"crm.timeline.comment.add" in request.body + request.path.encode():
                return SandboxResponse(401, {"error": "invalid_token", "error_description": "no"})
            answer: SandboxResponse = whole(request)
            return answer

        async with made.ready("amocrm", "bitrix24") as ready:
            await move_all(ready, nobody)
            vendor.handle = refusing
            told = await move_histories(ready)
            assert [bool(one.error) for one in told] == [True]
            dead = False
            told = await move_histories(ready)
        assert [one.finished for one in told] == [True] * 3
        assert [len(seen(made, "bitrix24", kind)) for kind in ("note", "task", "call")] == [3, 6, 3]


async def test_what_cannot_be_looked_for_is_not_written_again_and_holds_nothing_up(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made, "amocrm")
        made.clock.leaps = True
        box = made.scenes["bitrix24"].box
        whole, lists = made.scenes["bitrix24"].layer.vendor.handle, dict(box.crm.methods)
        lost: list[str] = []

        def losing(request: SandboxRequest) -> SandboxResponse:
            answer: SandboxResponse = whole(request)
            if not lost and b"crm.timeline.comment.add" in request.body + request.path.encode():
                lost.append("")
                return SandboxResponse(502, b"<html>502</html>", content_type="text/html")
            return answer

        made.scenes["bitrix24"].layer.vendor.handle = losing
        del box.crm.methods["crm.timeline.comment.list"]
        for _ in range(2):
            told = await run(made, "amocrm", "bitrix24")
            assert [(one.unknown, one.error) for one in told.values()] == [(0, ""), (0, ""), (4, "")]
            assert [len(seen(made, "bitrix24", kind)) for kind in ("note", "task", "call")] == [3, 6, 3]
        box.crm.methods.update(lists)
        told = await run(made, "amocrm", "bitrix24")
        assert all(one.finished for one in told.values())
        assert [len(seen(made, "bitrix24", kind)) for kind in ("note", "task", "call")] == [3, 6, 3]
