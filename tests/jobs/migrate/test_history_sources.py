"""The history of records of Bitrix24 and HubSpot, which need other questions than amoCRM's."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from jobs.migrate.history import move_histories
from jobs.migrate.moving import move_all
from tests.jobs.migrate.house import house, nobody
from tests.jobs.migrate.moved import seen
from tests.jobs.migrate.test_history import run

MADE = {"hubspot": ({"note": 1, "call": 1, "task": 1}, 0), "bitrix24": ({"note": 1, "call": 1}, 1)}
"""And notes that gather the rest: HubSpot's task is nobody's, and an open one has to be somebody's."""
HAPPENED = ("Замер <в> пятницу", "+79160000001 54", "https://rec.example.ru/1.mp3", "Перезвонить", "open")


def fill_bitrix24(scene: Any) -> str:
    deal = str(scene.put("deal", title="Окна"))
    crm = scene.box.crm
    crm.timeline.comment_add({"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "Замер <в> пятницу"}})
    todo = {"ownerTypeId": 2, "ownerId": deal, "deadline": "2024-03-02T12:30:00+03:00", "title": "Перезвонить"}
    crm.timeline.todo_add(todo)
    call = {
        "OWNER_TYPE_ID": 2,
        "OWNER_ID": deal,
        "TYPE_ID": 2,
        "SUBJECT": "Звонок",
        "DIRECTION": 1,
        "COMPLETED": "Y",
        "START_TIME": "2024-03-01T12:30:00+03:00",
        "END_TIME": "2024-03-01T12:30:54+03:00",
        "COMMUNICATIONS": [{"VALUE": "+79160000001"}],
    }
    row = crm.timeline.activities[str(crm.timeline.activity_add({"fields": call}))]
    row |= {"COMMUNICATIONS": call["COMMUNICATIONS"], "FILES": [{"id": 1, "url": "https://rec.example.ru/1.mp3"}]}
    return deal


def fill_hubspot(scene: Any) -> str:
    deal = str(scene.put("deal", title="Окна"))
    hang(scene, deal, "notes", 214, hs_note_body="Замер &lt;в&gt; пятницу")
    hang(scene, deal, "tasks", 216, hs_task_subject="Перезвонить", hs_task_status="NOT_STARTED")
    told = {"hs_call_direction": "INBOUND", "hs_call_from_number": "+79160000001", "hs_call_duration": "54000"}
    hang(scene, deal, "calls", 206, **told, hs_call_recording_url="https://rec.example.ru/1.mp3")
    return deal


def hang(scene: Any, deal: str, type_: str, to_deal: int, **properties: str) -> None:
    link = {"to": {"id": deal}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": to_deal}]}
    scene.box.records.create(type_, {"hs_timestamp": "2024-03-01T09:30:00Z", **properties}, [link])


FILLED = {"bitrix24": fill_bitrix24, "hubspot": fill_hubspot}


@pytest.mark.parametrize("ways", ["as documented", "bare"])
@pytest.mark.parametrize(("source", "target"), [("bitrix24", "hubspot"), ("hubspot", "bitrix24")])
async def test_the_history_of_each_crm_goes_along_once(source: str, target: str, ways: str, tmp_path: Path) -> None:
    """Bare: lists that keep to no filter, and no batches."""
    async with house(tmp_path) as made:
        FILLED[source](made.scenes[source])
        layer = made.scenes[source].layer
        if ways == "bare" and source == "hubspot":
            made.scenes[source].box.batch_endpoints = False
        elif ways == "bare":
            timeline = made.scenes[source].box.crm.timeline
            for lists in ("crm.timeline.comment.list", "crm.activity.list"):
                kind, rows = ("comment", timeline.comments) if "comment" in lists else ("activity", timeline.activities)
                layer.vendor.crm.methods[lists] = partial(unfiltered, timeline, kind, rows)
        untouched = made.stored(source)
        told = (await run(made, target, source=source))["deal"]
        assert (told.made, told.written, told.declined, told.refused) == (*MADE[target], 0, 0)
        text = repr([seen(made, target, kind) for kind in ("note", "task", "call")])
        assert [one for one in HAPPENED if one not in text] == []
        told = (await run(made, target, source=source))["deal"]
        assert (told.made, told.before, told.changed) == ({}, 3, 0)
        assert made.stored(source) == untouched


def unfiltered(timeline: Any, kind: str, rows: Any, params: Any) -> Any:
    return timeline._list(kind, rows, {**params, "filter": {}})


@pytest.mark.parametrize(
    ("source", "target", "path", "status", "refused", "entries"),
    [
        ("bitrix24", "hubspot", "crm.timeline.comment.list", 403, {"notes", "files"}, 2),
        ("bitrix24", "hubspot", "crm.activity.list", 404, {"tasks", "calls", "messages", "letters", "meetings"}, 1),
        ("hubspot", "bitrix24", "/notes/", 404, {"notes", "files"}, 2),
        ("hubspot", "bitrix24", "/calls", 403, {"calls"}, 2),
    ],
)
async def test_a_list_that_is_not_given_is_told_and_the_rest_goes_along(
    source: str, target: str, path: str, status: int, refused: set[str], entries: int, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        FILLED[source](made.scenes[source])
        layer = made.scenes[source].layer
        whole = layer.vendor.handle

        def without(request: SandboxRequest) -> SandboxResponse:
            if path in f"{request.path}/":
                error = "insufficient_scope" if status == 403 else "ERROR_METHOD_NOT_FOUND"
                return SandboxResponse(status, {"error": error} if source == "bitrix24" else {})
            if request.path.endswith("/batch") and b"cmd" in request.body and path.encode() in request.body:
                return SandboxResponse(404, {"error": "ERROR_METHOD_NOT_FOUND"})  # so that each goes alone
            return whole(request)

        layer.vendor.handle = without
        async with made.ready(source, target) as ready:
            await move_all(ready, nobody)
            told = {one.object: one for one in await move_histories(ready)}
            assert ready.histories is not None
            assert ready.histories.given.refused == refused
        done = told["deal"]
        assert (sum(done.made.values()) + done.entries, done.error) == (entries, "")
