"""A move as a process of its own, killed by SIGKILL between a write and its answer, then finished by another."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from jobs.migrate.comparing import Tally, survey
from jobs.migrate.history import HistoryTally, move_histories
from jobs.migrate.moving import move_all
from tests.cli.running import environment
from tests.jobs.migrate.house import LATER_S, House, fill, house, nobody

PEOPLE = 6


async def killed_at(made: House, write: str) -> None:
    """The new CRM has done the write, and nobody is there any more to read its answer."""
    command = ("-m", "cli.main", "migrate", "--from", "amocrm", "--to", "hubspot", "--yes")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), cwd=made.folder, env=environment(), stdout=asyncio.subprocess.DEVNULL
    )
    layer, struck = made.scenes["hubspot"].layer, []
    whole, creates = layer.vendor.handle, re.compile(rf"/crm/.*objects/.*{write}(/batch/create)?")

    def striking(request: SandboxRequest) -> SandboxResponse:
        answer: SandboxResponse = whole(request)
        if request.method == "POST" and creates.fullmatch(request.path) and not struck:
            struck.append(answer.status)
            process.kill()
        return answer

    layer.vendor.handle = striking
    assert await asyncio.wait_for(process.wait(), 60) == -9
    assert [status // 100 for status in struck] == [2]


async def finish(made: House) -> tuple[list[Tally], list[HistoryTally]]:
    async with made.ready("amocrm", "hubspot") as ready:
        await move_all(ready, nobody)
        made.clock.forward(LATER_S)
        histories = await move_histories(ready)
        made.clock.forward(LATER_S)
        return await survey(ready, both=True), histories


@pytest.mark.parametrize("write", ["contacts", "notes"])
async def test_a_move_that_is_killed_is_finished_by_the_next_run_and_makes_nothing_twice(
    write: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        old, box = made.scenes["amocrm"], made.scenes["hubspot"].box
        fill(old, PEOPLE)
        for deal in list(old.box.deals):
            old.box._make_note("leads", deal, {"note_type": "common", "params": {"text": f"Замер {deal}"}})()
        untouched = made.stored("amocrm")
        await killed_at(made, write)
        assert len(box.records.live[write]) > 0
        tallies, histories = await finish(made)
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert all(one.finished for one in histories)
        there: dict[str, Any] = {kind: box.records.live[kind] for kind in ("companies", "contacts", "deals", "notes")}
        assert [len(rows) for rows in there.values()] == [PEOPLE // 2, PEOPLE, PEOPLE, PEOPLE]
        assert len({row["properties"]["email"] for row in there["contacts"].values()}) == PEOPLE
        before = made.stored("hubspot")
        await finish(made)
        assert made.stored("hubspot") == before
        assert made.stored("amocrm") == untouched
