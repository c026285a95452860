"""A move as a process of its own, killed by SIGKILL between a write and its answer, then finished by another."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from jobs.migrate.comparing import Tally, survey
from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import HistoryTally, Sides, move_histories
from jobs.migrate.moving import move_all
from tests.cli.running import environment
from tests.jobs.migrate.house import LATER_S, House, fill, house, nobody
from tests.jobs.migrate.moved import seen, vendor_of
from tests.jobs.migrate.test_activities import fill as around

PEOPLE = 6


def is_one(target: str, write: str, request: SandboxRequest) -> bool:
    """Whether this request writes such things into the new CRM."""
    if vendor_of(target) == "bitrix24":
        return write in request.path or write.encode() in request.body
    return request.method == "POST" and re.fullmatch(rf"/(crm|api)/.*{write}(/batch/create)?", request.path) is not None


async def killed_at(made: House, source: str, target: str, write: str) -> None:
    """The new CRM has done the write, and nobody is there any more to read its answer."""
    command = ("-m", "cli.main", "migrate", "--from", source, "--to", target, "--yes")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), cwd=made.folder, env=environment(), stdout=asyncio.subprocess.DEVNULL
    )
    layer, struck = made.scenes[target].layer, []
    whole = layer.vendor.handle

    def striking(request: SandboxRequest) -> SandboxResponse:
        answer: SandboxResponse = whole(request)
        if is_one(target, write, request) and "/properties/" not in request.path and not struck:
            struck.append(answer.status)
            process.kill()
        return answer

    layer.vendor.handle = striking
    assert await asyncio.wait_for(process.wait(), 60) == -9
    assert [status // 100 for status in struck] == [2]
    layer.vendor.handle = whole


async def finish(made: House, source: str, target: str) -> tuple[list[Tally], list[HistoryTally]]:
    async with made.ready(source, target) as ready:
        await move_all(ready, nobody)
        made.clock.forward(LATER_S)
        histories = await move_histories(ready)
        made.clock.forward(LATER_S)
        await compare_histories(ready, histories)
        return await survey(ready, both=True), histories


@pytest.mark.parametrize(
    ("source", "target", "write"),
    [
        ("amocrm", "hubspot", "contacts"),
        ("amocrm", "hubspot", "notes"),
        ("amocrm", "hubspot", "tasks"),
        ("amocrm", "hubspot", "calls"),
        ("hubspot", "bitrix24", "crm.timeline.comment.add"),
        ("hubspot", "bitrix24", "crm.activity.update"),
        ("bitrix24", "amocrm", "notes"),
        ("bitrix24", "amocrm", "tasks"),
    ],
)
async def test_a_move_that_is_killed_is_finished_by_the_next_run_and_makes_nothing_twice(
    source: str, target: str, write: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes[source], PEOPLE)
        around(made, source)
        untouched = made.stored(source)
        await killed_at(made, source, target, write)
        made.clock.leaps = True
        tallies, histories = await finish(made, source, target)
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [(one.old, one.there) for one in tallies] == [
            (PEOPLE // 2 + 1,) * 2,
            (PEOPLE + 1,) * 2,
            (PEOPLE + 1,) * 2,
        ]
        assert all(one.finished for one in histories)
        sides = {"note": Sides(1, 1), "task": Sides(2, 2), "call": Sides(1, 1)}
        assert [one.kinds for one in histories] == [sides] * 3
        assert [len(seen(made, target, kind)) for kind in sides] == [3, 6, 3]
        before = made.stored(target)
        await finish(made, source, target)
        assert made.stored(target) == before
        assert made.stored(source) == untouched
